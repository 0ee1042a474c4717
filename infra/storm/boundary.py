"""The storm: thousands of orders through real workers, while answers are lost and workers are killed.

Runs follow one another, each a new day, until enough orders were sent. Then the weather clears, what is open is waited
for, one last run puts the books beside the broker, and everything is verified.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from infra.clock import seconds
from infra.demo.configuration import ACCOUNT, GATE_LIMITS
from infra.demo.driver import RunsFollowed
from infra.demo.limits import set_limits
from infra.demo.stack import DemoStack
from infra.embedded.progress import OnProgress, Progress
from infra.errors import TapeError
from infra.kafka.log import read_all
from infra.kafka.publish import Publisher
from infra.replay.scope import Scope
from infra.replay.sharing import cores
from infra.replay.verdict import Verdict
from infra.replay.whole import replay_log
from infra.run_file import EXECUTION, LIMITS, RULES
from infra.simulator.client import SimulatedQuote
from infra.simulator.faults import FaultKind
from infra.storm.weather import Weather, silent_streams
from infra.verify.service import Found, at_broker, claims, found, verified
from infra.worker import deciding
from schemas.identity import derived, run_id
from schemas.order import IntentAction, OrderIntent
from schemas.run import Mode, Parameter, RunRequest, StrategyTerms
from topics.codec import decode

FIRST_DAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
CASH = Decimal(100_000_000)
KILLED = ("gateway", "executor", "broker")
KILL_EVERY_S = (4.0, 16.0)
SPARE_CRASHES = 30
"""Beside the workers that are killed here, as many may end as anywhere."""
LOOK_S = 5.0
STUCK_S = 15.0
"""When nothing was sent for so long, a run waits for what only the end of a session can tell: the next day comes."""
SILENT_EVERY = 3
"""Runs between two streams that fall silent without being closed."""
IDLE_RUNS_MAX = 20
END_S = 1800.0
"""How long a run may take, and the account to come to rest after the weather has cleared."""


WEATHER = Weather(Decimal("0.3"), Decimal("0.1"), "storm")


@dataclass(frozen=True)
class StormWishes:
    """How much of it; `home` is where its stack lives."""

    home: Path
    orders: int = 10_000
    kills: int = 100
    weather: Weather = WEATHER
    symbols: int = 500


@dataclass(frozen=True)
class StormResult:
    """What was done to it, and whether everything held.

    `wanted` are the intents of broker orders, one per leg and step of a plan line; `doubled` those with several orders
    at the broker, `missing` those without one: refused, expired or rejected, each with its reason on the log.
    """

    wanted: int
    orders: int
    posts: int
    doubled: int
    missing: int
    runs: Mapping[str, int]
    kills: int
    struck: Mapping[FaultKind, int]
    claims: tuple[Found, ...]
    verdict: Verdict
    seconds: Mapping[str, float]

    @property
    def holds(self) -> bool:
        """Whether every claim holds and every decision is identical."""
        return not any(each.findings for each in self.claims) and self.verdict.exit_code == 0 and not self.doubled

    def as_json(self) -> dict[str, Any]:
        """Return it for a script."""
        return {
            "holds": self.holds,
            "wanted": self.wanted,
            "orders": self.orders,
            "missing": self.missing,
            "posts": self.posts,
            "doubled": self.doubled,
            "runs": dict(self.runs),
            "kills": self.kills,
            "faults": {kind.value: count for kind, count in sorted(self.struck.items())},
            "faults_total": sum(self.struck.values()),
            "claims": [asdict(each) for each in self.claims],
            "replay": self.verdict.as_json(),
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }


class BoundaryStorm:
    """One storm; `run` leaves nothing running."""

    def __init__(
        self, wishes: StormWishes, on_progress: OnProgress, on_orders: Callable[[int, int], None] = lambda _n, _m: None
    ) -> None:
        self._wishes = wishes
        self._on_progress = on_progress
        self._on_orders = on_orders
        self._stack = DemoStack(wishes.home)
        self._symbols = [f"S{number:03}" for number in range(wishes.symbols)]
        self._day = FIRST_DAY
        self._ended: dict[str, int] = {}
        self._idle_runs = 0
        self._seconds: dict[str, float] = {}

    def run(self) -> StormResult:
        """Do all of it; raises TapeError when the account does not come to rest."""
        self._stack.check_free()
        try:
            self._stack.wipe()
            self._start()
            return self._weathered()
        finally:
            self._on_progress(Progress("stopping what was started"))
            self._stack.down()

    def _start(self) -> None:
        self._stack.up(self._on_progress)
        self._control = self._stack.start_simulator(False, self._day, Decimal("0.3"), cash=CASH)
        # a lost answer is waited for no longer than is needed: thousands of them would take hours
        self._stack.environment |= {
            "TAPE_BROKERAGE_TIMEOUT_S": "0.6",
            "TAPE_BROKERAGE_RETRY_WAIT_S": "0.02",
            "TAPE_CRASHES_MAX": str(self._wishes.kills + SPARE_CRASHES),
        }
        self._publisher = Publisher(self._stack.stack.bootstrap_servers, self._stack.partitions, "storm")
        self._set_quotes()
        set_limits(self._publisher, GATE_LIMITS_OF_STORM, self._day)
        self._on_progress(Progress("starting the agents"))
        self._stack.start_workers(keep=False)
        self._followed = RunsFollowed(self._stack.stack.bootstrap_servers)

    def _weathered(self) -> StormResult:
        wishes = self._wishes
        killer = WorkerKiller(self._stack, wishes.kills, wishes.weather.seed)
        started = seconds()
        wishes.weather.begin(self._control)
        killer.start()
        try:
            while (sent := self._sent()) < wishes.orders or killer.done < wishes.kills:
                if not sum(self._ended.values()) % SILENT_EVERY:
                    silent_streams(self._control, 1)
                self._one_run()
                self._check_that_it_goes_on(sent)
        finally:
            killer.stop()
        struck = wishes.weather.end(self._control)
        self._seconds["storm"] = seconds() - started
        self._come_to_rest()
        return self._judged(struck, killer.done)

    def _check_that_it_goes_on(self, before: int) -> None:
        """Raise TapeError when run after run sends nothing: it would go on for ever."""
        self._idle_runs = 0 if self._sent() > before else self._idle_runs + 1
        if self._idle_runs > IDLE_RUNS_MAX:
            raise TapeError(
                f"{IDLE_RUNS_MAX} runs in a row have sent no order",
                next_command='tape sql "select refusal, reason, count(*) from order_events group by all"',
            )

    def _one_run(self) -> None:
        """Ask for a run whose weights differ from the one before in every symbol, and wait for its end."""
        run = self._ask(self._strategies())
        how = self._end_of(run)
        self._ended[how] = self._ended.get(how, 0) + 1
        self._on_orders(min(self._sent(), self._wishes.orders), self._wishes.orders)
        self._next_day()

    def _strategies(self) -> tuple[StrategyTerms, ...]:
        turn = sum(self._ended.values())
        return tuple(
            _strategy(name, self._symbols[place::2], turn + place) for place, name in enumerate(("even", "odd"))
        )

    def _ask(self, strategies: tuple[StrategyTerms, ...]) -> UUID:
        request = RunRequest(
            account_id=ACCOUNT,
            run_id=run_id(ACCOUNT, self._day, "storm"),
            request_id="storm",
            requested_by="storm",
            as_of=self._day,
            strategies=strategies,
            limits=LIMITS,
            rules=RULES,
            execution=EXECUTION,
            valid_until=self._day + timedelta(hours=4),
            deadline_at=None,
            bars_until=(),
        )
        identity = derived("run-request", request.run_id, request.request_id)
        self._publisher.publish(request, identity, self._day, correlation_id=request.run_id)
        self._publisher.flush()
        return request.run_id

    def _end_of(self, run: UUID) -> str:
        """Wait for a run; where nothing more happens today, let the next day come: that ends what stayed UNKNOWN."""
        until, quiet_since, before = time.monotonic() + END_S, time.monotonic(), self._posts()
        while time.monotonic() < until:
            how = self._followed.end_within(run, LOOK_S, self._stack.check)
            if how is not None:
                return how.split()[0]
            if (now := self._posts()) != before:
                before, quiet_since = now, time.monotonic()
            elif time.monotonic() - quiet_since > STUCK_S:
                self._next_day()
                quiet_since = time.monotonic()
        raise TapeError(f"run {run} did not end within {END_S:.0f} s", next_command=f"tape trace {run}")

    def _next_day(self) -> None:
        self._day += timedelta(days=1)
        while self._day.weekday() > 4:
            self._day += timedelta(days=1)
        self._control.set_clock(self._day)
        self._set_quotes()

    def _set_quotes(self) -> None:
        quotes = []
        for number, symbol in enumerate(self._symbols):
            middle = Decimal(10 + number % 90)
            quotes.append(SimulatedQuote(symbol, middle - Decimal("0.01"), middle + Decimal("0.01")))
        self._control.set_quotes(*quotes)

    def _come_to_rest(self) -> None:
        """One run without strategies: it waits for all that is open, and puts the books beside the broker."""
        self._on_progress(Progress("the weather has cleared, waiting for what is open"))
        started = seconds()
        self._end_of(self._ask(()))
        self._seconds["rest"] = seconds() - started

    def _judged(self, struck: Mapping[FaultKind, int], kills: int) -> StormResult:
        servers = self._stack.stack.bootstrap_servers
        self._on_progress(Progress("judging every decision again"))
        started = seconds()
        verdict = replay_log(servers, deciding(), Scope(), jobs=cores())
        self._on_progress(Progress("verifying every claim beside the broker"))
        checked = claims([at_broker(ACCOUNT, self._stack.brokerage())])
        verified(servers, checked)
        self._seconds["judging"] = seconds() - started
        received = self._control.orders()
        taken = [each.client_order_id for each in received if each.order is not None]
        intents = _intents(servers)
        sent = Counter(intents.get(name, name) for name in taken)
        return StormResult(
            wanted=len(set(intents.values())),
            orders=len(taken),
            posts=sum(each.posts for each in received),
            doubled=sum(1 for count in sent.values() if count > 1),
            missing=len(set(intents.values()) - set(sent)),
            runs=self._ended,
            kills=kills,
            struck=struck,
            claims=tuple(found(checked)),
            verdict=verdict,
            seconds=self._seconds,
        )

    def _posts(self) -> int:
        return sum(each.posts for each in self._control.orders())

    def _sent(self) -> int:
        return sum(1 for each in self._control.orders() if each.order is not None)


def _intents(bootstrap_servers: str) -> dict[str, tuple[object, ...]]:
    """Return what each broker order was asked for, by its name: plan, book, symbol, leg and step."""
    found: dict[str, tuple[object, ...]] = {}
    for incoming in read_all(bootstrap_servers, [OrderIntent.topic]):
        record = decode(incoming).record
        if isinstance(record, OrderIntent) and record.action is IntentAction.SUBMIT:
            terms = record.order
            found[record.client_order_id] = (terms.plan_id, terms.book, terms.symbol, terms.leg, terms.step)
    return found


def _strategy(name: str, symbols: list[str], turn: int) -> StrategyTerms:
    weights = {symbol: Decimal(2 + (turn + place) % 3) / (4 * len(symbols)) for place, symbol in enumerate(symbols)}
    return StrategyTerms(
        strategy_id=name,
        kind="fixed-weights",
        mode=Mode.NETTED,
        allocation=Decimal("0.5"),
        priority=1,
        weight_total_max=None,
        position_weight_max=None,
        trade_value_max=None,
        symbols=tuple(symbols),
        parameters=tuple(Parameter(name=each, value=f"{weight:.6f}") for each, weight in sorted(weights.items())),
    )


class WorkerKiller:
    """Kills the workers at the boundary with kill -9, at random moments by seed; the supervisor starts them again."""

    def __init__(self, stack: DemoStack, wanted: int, seed: str) -> None:
        self._stack = stack
        self._wanted = wanted
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self.done = 0

    def start(self) -> None:
        """Begin, if any kills are wanted."""
        if self._wanted:
            self._thread.start()

    def stop(self) -> None:
        """End the killing."""
        self._stop.set()

    def _run(self) -> None:
        while self.done < self._wanted and not self._stop.wait(self._random.uniform(*KILL_EVERY_S)):
            self.done += self._stack.kill(self._random.choice(KILLED))


GATE_LIMITS_OF_STORM = GATE_LIMITS.model_copy(
    update={
        "order_qty_max": CASH,
        "order_notional_max": CASH,
        "position_value_max": CASH,
        "gross_value_max": CASH,
        "strategies": (),
        "orders_per_second_max": None,
        "orders_per_minute_max": None,
        "orders_per_day_max": None,
        "open_orders_max": None,
        "symbols_allowed": None,
        "daily_loss_max": None,
        # days pass in seconds here: an order that waits for the next morning is not an old one
        "unknown_age_max_s": 10 * 24 * 3600,
    }
)
"""Wide enough that only the weather stands in the way."""
