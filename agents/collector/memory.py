"""What the collector remembers of a run: who said what in which order, and what a person can still decide.

Rebuilt from its own records alone, so the order in which answers were accepted is the order of their receipts.
"""

from dataclasses import dataclass, field
from uuid import UUID

from immutables import Map

from agents.copies import replace
from schemas.portfolio import ConflictOutcome, Portfolio
from schemas.run import RunTerms, SyncRule
from schemas.signal import SignalReceipt, SignalStatus, TargetWeight


@dataclass(frozen=True)
class Answer:
    """What one strategy said: all of a receipt that differs between the strategies of a run."""

    signal_id: UUID
    status: SignalStatus
    targets: tuple[TargetWeight, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Collected:
    """What is known of one run.

    `accepted` holds the answers by strategy, `order` the strategies in the order in which they were accepted. `flagged`
    is the run's portfolio if a person has to decide something in it, `decided` the symbols that were decided.
    """

    account_id: str
    terms: RunTerms
    accepted: Map[str, Answer] = field(default_factory=Map)
    order: tuple[str, ...] = ()
    is_formed: bool = False
    flagged: Portfolio | None = None
    decided: tuple[str, ...] = ()

    @property
    def ready_count(self) -> int:
        """How many strategies could say what they want."""
        return sum(self.accepted[each].status is SignalStatus.READY for each in self.order)

    @property
    def is_quorum_missed(self) -> bool:
        """Whether a quorum was asked for and fewer strategies than that could say what they want."""
        rules = self.terms.rules
        return rules.sync_rule is SyncRule.QUORUM and self.ready_count < (rules.quorum or 0)

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to wait for, deadline or not: all have answered, or enough for the quorum."""
        if all(each.strategy_id in self.accepted for each in self.terms.strategies):
            return True
        return self.terms.rules.sync_rule is SyncRule.QUORUM and not self.is_quorum_missed


def answer_of(receipt: SignalReceipt) -> Answer:
    """Return the part of a receipt that is the strategy's own."""
    return Answer(receipt.signal_id, receipt.signal_status, receipt.targets, receipt.skipped)


def with_answer(known: Collected | None, receipt: SignalReceipt) -> Collected:
    """Return what is known after a signal was accepted."""
    collected = known or Collected(receipt.account_id, receipt.terms)
    return replace(
        collected,
        accepted=collected.accepted.set(receipt.strategy_id, answer_of(receipt)),
        order=(*collected.order, receipt.strategy_id),
    )


def with_portfolio(known: Collected | None, portfolio: Portfolio) -> Collected:
    """Return what is known after a run's portfolio was formed; nothing may have been heard of the run before."""
    collected = known or Collected(portfolio.account_id, portfolio.content.terms)
    is_flagged = any(each.is_open for each in portfolio.content.conflicts)
    return replace(collected, is_formed=True, flagged=portfolio if is_flagged else None)


def with_decision(collected: Collected, outcome: ConflictOutcome) -> Collected:
    """Return what is known after a person's decision was accepted."""
    return replace(collected, decided=(*collected.decided, outcome.symbol))
