"""Everybody outside who speaks because of a record: strategies, the clock, a person. What they say waits in a pool."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from schemas.portfolio import ConflictChoice, ConflictDecision, Portfolio
from schemas.record import Record
from schemas.run import ClockReading, Run, RunStatus
from tests.simulation.broker import Clock
from tests.simulation.chance import Chance

Tell = Callable[[Record, UUID], None]


class Outside:
    """What will be said and done, in an order that chance draws."""

    def __init__(self, account_id: str, chance: Chance, clock: Clock, tell: Tell) -> None:
        self.account_id = account_id
        self.chance = chance
        self.clock = clock
        self.tell = tell
        self.pool: list[Callable[[], None]] = []

    def speak(self) -> None:
        """Let one thing happen."""
        self.pool.pop(int(self.chance.random.random() * len(self.pool)))()

    def react(self, record: Record) -> None:
        """Take in what a record makes somebody say or do."""
        match record:
            case Run(status=RunStatus.REQUESTED) as run:
                self._begin(run)
            case Portfolio() as portfolio:
                self._ask_a_person(portfolio)
            case _:
                pass

    def _begin(self, run: Run) -> None:
        for terms in run.terms.strategies:
            for signal in self.chance.signals(run, terms):
                self.pool.append(partial(self.tell, signal, run.run_id))
        due_at = run.terms.deadline_at
        if due_at is not None:
            self.tell(self._reading(run, due_at), run.run_id)
            self.pool.append(partial(self._deadline, run, due_at))

    def _deadline(self, run: Run, due_at: datetime) -> None:
        """Say that the deadline has passed, mostly after everything else; saying it twice is harmless."""
        if self.clock.now < due_at and self.pool and self.chance.happens(0.8):
            self.pool.append(partial(self._deadline, run, due_at))
            return
        self.clock.now = max(self.clock.now, due_at)
        for _ in range(2 if self.chance.happens(0.1) else 1):
            self.tell(self._reading(run, due_at), run.run_id)

    def _reading(self, run: Run, due_at: datetime) -> ClockReading:
        return ClockReading(account_id=self.account_id, run_id=run.run_id, due_at=due_at, read_at=self.clock.now)

    def _ask_a_person(self, portfolio: Portfolio) -> None:
        for conflict in portfolio.content.conflicts:
            if conflict.is_open and self.chance.happens(0.7):
                names = [each.strategy_id for each in conflict.wishes]
                for _ in range(self.chance.one(1, 1, 1, 2)):
                    decision = self._decision(portfolio, conflict.symbol, names)
                    self.pool.append(partial(self.tell, decision, decision.run_id))

    def _decision(self, portfolio: Portfolio, symbol: str, names: Sequence[str]) -> ConflictDecision:
        choice = self.chance.one(*ConflictChoice)
        taken = self.chance.pick([*names, *names, "nobody"])
        return ConflictDecision(
            account_id=self.account_id,
            run_id=portfolio.run_id,
            symbol=self.chance.one(symbol, symbol, symbol, symbol, "NONE"),
            choice=choice,
            strategy_id=taken if choice is ConflictChoice.TAKE else None,
            decided_by="operator",
            reason="",
            valid_until=self.clock.now + timedelta(hours=1),
        )
