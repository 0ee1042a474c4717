"""`tape demo`, from an empty folder to a verdict: set up, trade sessions, explain, replay, reconcile."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from filelock import FileLock, Timeout

from infra.clock import seconds
from infra.demo.asking import set_limits
from infra.demo.configuration import GATE_LIMITS
from infra.demo.driver import Driver
from infra.demo.killer import Killer
from infra.demo.market import Market, Session
from infra.demo.reckoning import Reckoning
from infra.demo.scenarios import Scenario, ScenarioName, scenario
from infra.demo.stack import DemoStack, wait_until
from infra.embedded.progress import Progress
from infra.errors import TapeError
from infra.kafka.log import read_all
from infra.kafka.publish import Publisher
from infra.postgres.connection import connect
from infra.postgres.hashes import ledger_hash
from infra.postgres.rebuild import rebuild_and_compare
from infra.postgres.rows.log import PROJECTOR
from infra.postgres.tracking import tracked
from infra.replay.service import judged_and_history, replay
from infra.replay.verdict import Verdict
from infra.worker import AGENTS, deciding
from schemas.execution import LineOutcome
from topics.registry import read_by

#: Set by the start script when it had to install something first: how many seconds that took.
INSTALLED_IN = "TAPE_INSTALLED_IN_S"

#: The least and the most between two kills: several in a run of twenty sessions.
KILL_EVERY_S = (0.05, 0.6)

OnSession = Callable[[int, int], None]


@dataclass(frozen=True)
class Wishes:
    """What the demo is asked to do."""

    home: Path
    sessions: int | None = None
    kills: int = 0
    seed: int = 1
    keep: bool = False
    scenario: ScenarioName = ScenarioName.DEFAULT


@dataclass
class Outcome:
    """What the demo found."""

    wishes: Wishes
    scenario: Scenario
    runs: tuple[UUID, ...]
    reckoning: Reckoning
    example: UUID
    example_verdict: Verdict
    verdict: Verdict
    rebuild_identical: bool
    ledger_hash: str
    kills: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Say whether everything that must hold does."""
        found = self.as_json()
        return (
            found["decisions"]["total"] > 0
            and found["decisions"]["identical"] == found["decisions"]["total"]
            and found["log"]["gaps"] == found["log"]["hash_mismatches"] == 0
            and found["ledger"]["unbalanced"] == 0
            and found["ledger"]["rebuild_identical"]
            and found["reconciliation"]["quantity_differences"] == 0
            and found["reconciliation"]["cash_difference"] == "0"
            and found["pnl"]["difference"] == "0"
            and found["broker"]["duplicate_client_order_ids"] == 0
            and found["broker"]["orders"] == found["orders"]
            and found["runs"] == len(self.scenario.steps)
            and self.verdict.exit_code == self.example_verdict.exit_code == 0
        )

    def as_json(self) -> dict[str, Any]:
        """Return the object that `tape demo --json` prints last."""
        counted = self.reckoning.as_json()
        judged = self.verdict.as_json()
        return {
            "scenario": self.scenario.name.value,
            "sessions": self.scenario.sessions,
            "example": str(self.example),
            **counted,
            "decisions": judged["decisions"],
            "silent_inputs": judged["silent_inputs"],
            "log": judged["log"],
            "ledger": {
                **counted["ledger"],
                "rebuild_identical": self.rebuild_identical,
                "hash": self.ledger_hash,
            },
            "kills": self.kills,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


class Demo:
    """One demo; `run` leaves nothing running unless asked to."""

    def __init__(self, wishes: Wishes, on_progress: Callable[[Progress], None], on_session: OnSession) -> None:
        self._wishes = wishes
        self._scenario = scenario(wishes.scenario, wishes.sessions)
        self._on_progress = on_progress
        self._on_session = on_session
        self.stack = DemoStack(wishes.home)
        self._seconds: dict[str, float] = {}

    def run(self) -> Outcome:
        """Do all of it; raises TapeError when a part does not come up, a run does not end, or another demo is at it."""
        home = self._wishes.home
        home.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(home.with_name(f"{home.name}.demo.lock"), timeout=0):
                return self._run_and_leave()
        except Timeout as error:
            raise TapeError(
                "another demo is running here", where=str(home), next_command="wait for it, or set TAPE_HOME"
            ) from error

    def _run_and_leave(self) -> Outcome:
        history, traded = Market().last(self._scenario.sessions)
        self.stack.check_free()
        try:
            outcome = self._run(history, traded)
        except BaseException:
            self._on_progress(Progress("stopping what was started"))
            self.stack.down()
            raise
        if not self._wishes.keep:
            self.stack.down()
        return outcome

    def _run(self, history: tuple[Session, ...], traded: tuple[Session, ...]) -> Outcome:
        self._timed("set-up", self.stack.wipe)
        self._seconds["set-up"] += float(os.environ.get(INSTALLED_IN, "0"))
        self._timed("infrastructure", lambda: self._start(history[-1].as_of))
        runs, kills = self._timed("run", lambda: self._trade(history, traded))
        self._on_progress(Progress("waiting for the books in PostgreSQL"))
        self._timed("projection", self._wait_for_projection)
        return self._judge(runs, traded[-1], kills)

    def _start(self, now: datetime) -> None:
        self.stack.up(self._on_progress)
        set_limits(Publisher(self.stack.stack.bootstrap_servers, self.stack.partitions, "demo"), GATE_LIMITS, now)
        self._control = self.stack.start_simulator(self._wishes.keep, now, self._scenario.partial_rate)
        self._on_progress(Progress(f"starting {len(AGENTS)} agents"))
        self.stack.start_workers(self._wishes.keep)
        self.stack.up_registry(self._on_progress)

    def _trade(self, history: tuple[Session, ...], traded: tuple[Session, ...]) -> tuple[list[UUID], int]:
        driver = Driver(self.stack.stack.bootstrap_servers, self.stack.partitions, self._control)
        killer = Killer(self.stack, AGENTS, self._wishes.kills, KILL_EVERY_S, self._wishes.seed)
        try:
            driver.history(history)
            runs: list[UUID] = []
            killer.start()
            for run in driver.trade(traded, self._scenario.steps, self.stack.check):
                runs.append(run)
                self._on_session(len(runs), len(traded))
                killer.wait_for_share(len(runs) / len(traded))
            return runs, killer.done
        finally:
            killer.stop()
            driver.close()

    def _wait_for_projection(self) -> None:
        servers = self.stack.stack.bootstrap_servers
        topics = [topic.name for topic in read_by("projector")]
        last = {(r.topic, r.partition): r.offset for r in read_all(servers, topics)}

        def caught_up() -> bool:
            positions = tracked(connection, PROJECTOR)
            return all(positions.get(where, 0) > offset for where, offset in last.items())

        with connect(self.stack.stack.database_url) as connection:
            wait_until(caught_up, "the projector catching up with the log")

    def _judge(self, runs: list[UUID], last: Session, kills: int) -> Outcome:
        stack = self.stack.stack
        started = seconds()
        agents = deciding()
        judged, history = judged_and_history(stack.bootstrap_servers, agents)
        read_s = seconds() - started
        self._on_progress(Progress("replaying every decision"))
        verdict = self._timed("replay", lambda: replay(history, agents, judged))
        self._seconds["read"] = read_s
        marks = {bar.symbol: bar.close for bar in last.bars}
        reckoning = Reckoning(history, self.stack.at_broker(), marks)
        example = telling_run(reckoning, runs)
        comparison = rebuild_and_compare(
            stack.database_url,
            lambda: read_all(stack.bootstrap_servers, [topic.name for topic in read_by("projector")]),
        )
        with connect(stack.database_url) as connection:
            books = ledger_hash(connection)
        return Outcome(
            self._wishes,
            self._scenario,
            tuple(runs),
            reckoning,
            example,
            replay(history, agents, judged, str(example)),
            verdict,
            comparison.is_identical,
            books,
            kills,
            self._seconds,
        )

    def _timed(self, name: str, step: Callable[[], Any]) -> Any:
        started = seconds()
        try:
            return step()
        finally:
            self._seconds[name] = seconds() - started


def telling_run(reckoning: Reckoning, runs: list[UUID]) -> UUID:
    """Return the run with most to show: the one whose lines ended in most different ways, the latest of these."""
    kinds: dict[UUID, set[str]] = {run: set() for run in runs}
    for line in reckoning.records(LineOutcome):
        kinds.setdefault(line.run_id, set()).add(str(line.outcome))
    return max(runs, key=lambda run: (len(kinds[run]), runs.index(run)))
