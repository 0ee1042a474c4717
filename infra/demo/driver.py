"""Drives sessions through the running stack: bars, the simulated market, a run request, and the wait for its end."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from infra.demo.asking import ask_for
from infra.demo.configuration import ACCOUNT, request
from infra.demo.market import Session, bar_id
from infra.demo.runs_followed import CLEARED, FILLED, RunsFollowed
from infra.demo.scenarios import Step
from infra.errors import TapeError
from infra.kafka.bars import bars_until
from infra.kafka.publish import Publisher
from infra.simulator.client import SimulatedQuote, SimulatorControl
from infra.simulator.events import Hold
from schemas.execution import ExecutionStatus

LATER = timedelta(seconds=20)
"""Between two runs of one session: as much as fits before its close."""


class Driver:
    """Lets sessions happen one after the other."""

    def __init__(self, bootstrap_servers: str, partitions: int, market: SimulatorControl) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._publisher = Publisher(bootstrap_servers, partitions, "demo")
        self._market = market
        self._runs = RunsFollowed(bootstrap_servers)
        self._left_open: tuple[UUID, str] | None = None

    def history(self, sessions: Sequence[Session]) -> None:
        """Publish the bars of sessions that are only read."""
        for session in sessions:
            self._publish_bars(session)
        self._publisher.flush()

    def trade(self, sessions: Sequence[Session], steps: Sequence[Step], check: Callable[[], None]) -> Iterator[UUID]:
        """Yield the run id of each session once its run has ended, or rests as its step wants it to.

        Begins when the gateway has limits, which were asked for before.
        """
        self._runs.wait_for_limits(ACCOUNT, check)
        coming = iter(sessions)
        session, as_of = None, None
        for step in steps:
            if step.is_later and session is not None and as_of is not None:
                as_of += LATER
            else:
                session = next(coming)
                as_of = session.as_of
                self.begin(session)
            yield self._trade_one(step, as_of, check)

    def begin(self, session: Session) -> None:
        """Let a session come to its end, with its bars and its market."""
        self._publish_bars(session)
        self._publisher.flush()
        self._market.set_clock(session.as_of)
        self._market.set_quotes(*(SimulatedQuote(symbol, bid, ask) for symbol, bid, ask in session.quotes()))

    def ask(self, step: Step, as_of: datetime) -> UUID:
        """Ask for the run of a step and return its id."""
        if step.rests is not None:
            self._market.hold(step.rests, Hold.REST)
        asked = request(as_of, bars_until(self._bootstrap_servers), strategies=step.strategies)
        ask_for(self._publisher, asked)
        return asked.run_id

    def expect_finished(self, run_id: UUID, check: Callable[[], None]) -> None:
        """Wait for a run; raises TapeError when it ends in another way."""
        how = self._runs.wait_for_end(run_id, check)
        if how != ExecutionStatus.FINISHED.value:
            raise TapeError(f"run {run_id} ended as {how}", next_command=f"tape trace {run_id}")

    def close(self) -> None:
        """Stop following the log."""
        self._runs.close()

    def _trade_one(self, step: Step, as_of: datetime, check: Callable[[], None]) -> UUID:
        run_id = self.ask(step, as_of)
        self._take_back(run_id, check)
        if step.rests is None:
            self.expect_finished(run_id, check)
        else:
            self._runs.wait_for(run_id, FILLED, check)
            self._left_open = (run_id, step.rests)
        return run_id

    def _take_back(self, run_id: UUID, check: Callable[[], None]) -> None:
        """Let the market go on once the new run has taken back what an older one left open."""
        if self._left_open is None:
            return
        self._runs.wait_for(run_id, CLEARED, check)
        older, symbol = self._left_open
        self._market.hold(symbol, Hold.NONE)
        self._left_open = None
        self._runs.wait_for_end(older, check)

    def _publish_bars(self, session: Session) -> None:
        for bar in session.bars:
            self._publisher.publish(bar, bar_id(bar), session.as_of)
