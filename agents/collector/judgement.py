"""What a person's decision about a conflict leads to: an outcome, and a portfolio of that symbol alone.

The follow-up is a run of its own, with an id derived from the run and the symbol, and the terms of the run but for the
time up to which its orders are valid. It judges the symbol for the netted strategies only: who keeps a book of its own
was never part of the conflict, and keeps what it holds like everybody who was silent.

Only the account's latest run is decided about: after a newer one was formed, the old wishes are nobody's any more.
"""

from agents.collector.conflicts import target_of
from agents.collector.memory import Collected
from schemas.identity import decided_run_id
from schemas.portfolio import (
    Conflict,
    ConflictChoice,
    ConflictDecision,
    ConflictOutcome,
    ConflictStatus,
    Portfolio,
    PortfolioContent,
)
from schemas.record import Record
from schemas.run import Mode


def judged(collected: Collected | None, is_latest: bool, decision: ConflictDecision) -> list[Record]:
    """Return the outcome of a decision, and with TAKE and SUM the portfolio that follows from it.

    `is_latest` says whether no newer run of the account was formed since.
    """
    flagged = None if collected is None or collected.account_id != decision.account_id else collected.flagged
    conflict = None if flagged is None else _open_conflict(flagged, decision.symbol)
    if collected is None or flagged is None or conflict is None:
        return [_outcome(decision, ConflictStatus.UNKNOWN_CONFLICT)]
    if not is_latest:
        return [_outcome(decision, ConflictStatus.SUPERSEDED)]
    if decision.symbol in collected.decided:
        return [_outcome(decision, ConflictStatus.DUPLICATE)]
    if not _is_answerable(decision, conflict):
        return [_outcome(decision, ConflictStatus.UNKNOWN_STRATEGY)]
    accepted = _outcome(decision, ConflictStatus.ACCEPTED)
    if decision.choice is ConflictChoice.HOLD:
        return [accepted]
    return [accepted, _follow_up(flagged, conflict, decision)]


def _open_conflict(flagged: Portfolio, symbol: str) -> Conflict | None:
    return next((each for each in flagged.content.conflicts if each.symbol == symbol and each.is_open), None)


def _is_answerable(decision: ConflictDecision, conflict: Conflict) -> bool:
    """Say whether a strategy is named where one must be, one that has a wish, and none where nobody's alone counts."""
    if decision.choice is ConflictChoice.TAKE:
        return any(each.strategy_id == decision.strategy_id for each in conflict.wishes)
    return decision.strategy_id is None


def _outcome(decision: ConflictDecision, status: ConflictStatus) -> ConflictOutcome:
    is_traded = status is ConflictStatus.ACCEPTED and decision.choice is not ConflictChoice.HOLD
    return ConflictOutcome(
        account_id=decision.account_id,
        run_id=decision.run_id,
        symbol=decision.symbol,
        status=status,
        choice=decision.choice,
        strategy_id=decision.strategy_id,
        decided_by=decision.decided_by,
        follow_up_run_id=decided_run_id(decision.run_id, decision.symbol) if is_traded else None,
    )


def _follow_up(flagged: Portfolio, conflict: Conflict, decision: ConflictDecision) -> Portfolio:
    taken = decision.strategy_id
    counting = tuple(each for each in conflict.wishes if taken in (None, each.strategy_id))
    target = target_of(conflict.symbol, counting)
    content = flagged.content
    run_id = decided_run_id(decision.run_id, decision.symbol)
    own_books = (each.strategy_id for each in content.terms.strategies if each.mode is Mode.BOOK)
    return flagged.model_copy(
        update={
            "run_id": run_id,
            "content": PortfolioContent(
                terms=content.terms.model_copy(update={"run_id": run_id, "valid_until": decision.valid_until}),
                targets=() if target is None else (target,),
                book_targets=(),
                silent_strategies=tuple(sorted({*content.silent_strategies, *own_books})),
                kept=tuple(each for each in content.kept if each.symbol == conflict.symbol),
                conflicts=(conflict.model_copy(update={"decided_by": decision.decided_by, "is_open": False}),),
                scope=(conflict.symbol,),
            ),
        }
    )
