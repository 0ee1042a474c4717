"""The storm: thousands of orders through real workers, while answers are lost and workers are killed.

Runs follow one another, each a new day, until enough orders were sent. Then the weather clears, what is open is waited
for, one last run puts the books beside the broker, and everything is verified.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from infra.clock import seconds
from infra.demo.asking import ask_for, set_limits
from infra.demo.configuration import ACCOUNT
from infra.demo.killer import Killer
from infra.demo.runs_followed import RunsFollowed
from infra.demo.stack import DemoStack
from infra.embedded.progress import OnProgress, Progress
from infra.errors import TapeError
from infra.kafka.publish import Publisher
from infra.replay.scope import Scope
from infra.replay.sharing import cores
from infra.replay.whole import replay_log
from infra.run_file import RunFile
from infra.simulator.faults import FaultKind
from infra.storm.configuration import CASH, FIRST_DAY, WIDE_LIMITS, day_after, quotes, strategies, symbols
from infra.storm.result import Sent, StormResult
from infra.storm.weather import Weather, silent_streams
from infra.verify.service import claims, found, verified
from infra.worker import deciding
from schemas.run import StrategyTerms

KILLED = ("gateway", "executor", "broker")
KILL_EVERY_S = (4.0, 16.0)
SPARE_CRASHES = 30
"""Beside the workers that are killed here, as many may end as anywhere."""
LOOK_S = 5.0
BEGIN_S, STUCK_S = 60.0, 15.0
"""When nothing was sent for so long, a run waits for what only the end of a session can tell: the next day comes.
Before its first order a run clears the account and reads it, page by page in the same weather."""
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


class BoundaryStorm:
    """One storm; `run` leaves nothing running."""

    def __init__(
        self, wishes: StormWishes, on_progress: OnProgress, on_orders: Callable[[int, int], None] = lambda _n, _m: None
    ) -> None:
        self._wishes = wishes
        self._on_progress = on_progress
        self._on_orders = on_orders
        self._stack = DemoStack(wishes.home)
        self._symbols = symbols(wishes.symbols)
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
        self._control.set_quotes(*quotes(self._symbols))
        set_limits(self._publisher, WIDE_LIMITS, self._day)
        self._on_progress(Progress("starting the agents"))
        self._stack.start_workers(keep=False)
        self._followed = RunsFollowed(self._stack.stack.bootstrap_servers)

    def _weathered(self) -> StormResult:
        wishes = self._wishes
        killer = Killer(self._stack, KILLED, wishes.kills, KILL_EVERY_S, wishes.weather.seed)
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
        run = self._ask(strategies(self._symbols, sum(self._ended.values())))
        how = self._end_of(run)
        self._ended[how] = self._ended.get(how, 0) + 1
        self._on_orders(min(self._sent(), self._wishes.orders), self._wishes.orders)
        self._next_day()

    def _ask(self, wanted: tuple[StrategyTerms, ...]) -> UUID:
        run = RunFile(account_id=ACCOUNT, valid_for_minutes=4 * 60, deadline_s=0, strategies=wanted)
        request = run.request(self._day, (), "storm", requested_by="storm")
        ask_for(self._publisher, request)
        return request.run_id

    def _end_of(self, run: UUID) -> str:
        """Wait for a run; where nothing more happens today, let the next day come: that ends what stayed UNKNOWN."""
        until, quiet_since, before = time.monotonic() + END_S, time.monotonic(), self._posts()
        patience = BEGIN_S
        while time.monotonic() < until:
            how = self._followed.end_within(run, LOOK_S, self._stack.check)
            if how is not None:
                return how.split()[0]
            if (now := self._posts()) != before:
                before, quiet_since, patience = now, time.monotonic(), STUCK_S
            elif time.monotonic() - quiet_since > patience:
                self._next_day()
                quiet_since = time.monotonic()
        raise TapeError(f"run {run} did not end within {END_S:.0f} s", next_command=f"tape trace {run}")

    def _next_day(self) -> None:
        self._day = day_after(self._day)
        self._control.set_clock(self._day)
        self._control.set_quotes(*quotes(self._symbols))

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
        checked = claims([self._stack.at_broker()])
        verified(servers, checked)
        self._seconds["judging"] = seconds() - started
        return StormResult(
            sent=Sent.of(servers, self._control.orders()),
            runs=self._ended,
            kills=kills,
            struck=struck,
            claims=tuple(found(checked)),
            verdict=verdict,
            seconds=self._seconds,
        )

    def _posts(self) -> int:
        posts, _ = self._control.counts()
        return posts

    def _sent(self) -> int:
        _, orders = self._control.counts()
        return orders
