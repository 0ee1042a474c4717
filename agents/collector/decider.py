"""Keep a receipt of every signal, form the portfolio of a run when it need not wait, and judge a person's decisions.

Every signal gets exactly one receipt, the first that applies:

UNEXPECTED   its strategy is not part of the run; nothing of it is remembered;
CONFLICTING  its strategy's accepted signal says something else, or the run was first heard of in other terms;
DUPLICATE    the very same was accepted before, whether or not the portfolio is formed;
LATE         the portfolio was formed without it;
ACCEPTED     otherwise. The portfolio follows in the same decision when there is nothing left to wait for.

The portfolio of a run is formed once, the first time that one of these is true:

- all its strategies have answered; a failure is an answer, and a run without strategies has all of them;
- with QUORUM: that many could say what they want;
- the deadline has passed, under every rule, also when nothing at all was heard of the run.

Where a quorum was asked for and not reached, the portfolio says so and wants nothing.
"""

from dataclasses import dataclass
from uuid import UUID

from immutables import Map

from agents.collector.forming import portfolio_of
from agents.collector.judgement import judged
from agents.collector.memory import Collected, answer_of, with_answer, with_decision, with_portfolio
from agents.copies import replace
from agents.decider import Message
from schemas.portfolio import ConflictDecision, ConflictOutcome, ConflictStatus, Portfolio, PortfolioStatus
from schemas.record import Record
from schemas.run import DeadlinePassed, Run, RunStatus
from schemas.signal import ReceiptStatus, Signal, SignalReceipt


@dataclass(frozen=True)
class State:
    """The runs of which a signal was accepted or the portfolio formed, and each account's latest with enough voices."""

    runs: Map[UUID, Collected]
    latest: Map[str, UUID]


def initial_state() -> State:
    """Return the state before the first signal."""
    return State(Map(), Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the receipt of a signal or the outcome of a decision, and the portfolio that follows from it."""
    match message.record:
        case Signal() as signal:
            receipt = _receipt(state, signal)
            return [receipt, *_formed(evolve(state, receipt), receipt)]
        case DeadlinePassed(account_id=account, run_id=run_id, terms=terms):
            collected = state.runs.get(run_id) or Collected(account, terms)
            return [] if collected.is_formed else [portfolio_of(collected)]
        case Run(status=RunStatus.REQUESTED, account_id=account, run_id=run_id, terms=terms) if not terms.strategies:
            return [] if run_id in state.runs else [portfolio_of(Collected(account, terms))]
        case Run():
            return []
        case ConflictDecision(run_id=run_id) as decision:
            return judged(state.runs.get(run_id), state.latest.get(decision.account_id) == run_id, decision)
        case other:
            expected = "Run, Signal, DeadlinePassed and ConflictDecision"
            raise TypeError(f"the collector reads {expected}, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the collector's own records."""
    match record:
        case SignalReceipt(status=ReceiptStatus.ACCEPTED, run_id=run_id) as receipt:
            return _with(state, with_answer(state.runs.get(run_id), receipt))
        case ConflictOutcome(status=ConflictStatus.ACCEPTED, run_id=run_id) as outcome:
            return _with(state, with_decision(state.runs[run_id], outcome))
        case Portfolio(run_id=run_id) as portfolio if portfolio.content.scope is None:
            formed = _with(state, with_portfolio(state.runs.get(run_id), portfolio))
            is_traded = portfolio.status is PortfolioStatus.FORMED
            return replace(formed, latest=state.latest.set(portfolio.account_id, run_id)) if is_traded else formed
        case SignalReceipt() | ConflictOutcome() | Portfolio():
            return state
        case other:
            expected = "SignalReceipt, Portfolio and ConflictOutcome"
            raise TypeError(f"the collector publishes {expected}, was {type(other).__name__}")


def _with(state: State, collected: Collected) -> State:
    return replace(state, runs=state.runs.set(collected.terms.run_id, collected))


def _receipt(state: State, signal: Signal) -> SignalReceipt:
    accepted = SignalReceipt(
        account_id=signal.account_id,
        run_id=signal.terms.run_id,
        signal_id=signal.signal_id,
        strategy_id=signal.strategy_id,
        status=ReceiptStatus.ACCEPTED,
        signal_status=signal.status,
        targets=tuple(sorted(signal.targets, key=lambda each: (each.symbol, each.weight))),
        skipped=tuple(sorted({each.symbol for each in signal.skipped})),
        terms=signal.terms,
    )
    return accepted.model_copy(update={"status": _status(state.runs.get(accepted.run_id), accepted)})


def _status(collected: Collected | None, offered: SignalReceipt) -> ReceiptStatus:
    """Return what becomes of a signal; `offered` is the receipt it would get if it were accepted."""
    if all(each.strategy_id != offered.strategy_id for each in offered.terms.strategies):
        return ReceiptStatus.UNEXPECTED
    if collected is None:
        return ReceiptStatus.ACCEPTED
    accepted = collected.accepted.get(offered.strategy_id)
    if collected.terms != offered.terms or accepted not in (None, answer_of(offered)):
        return ReceiptStatus.CONFLICTING
    if accepted is not None:
        return ReceiptStatus.DUPLICATE
    return ReceiptStatus.LATE if collected.is_formed else ReceiptStatus.ACCEPTED


def _formed(state: State, receipt: SignalReceipt) -> list[Record]:
    """Return the portfolio of a run if the signal was the last that was waited for."""
    collected = state.runs.get(receipt.run_id)
    if receipt.status is not ReceiptStatus.ACCEPTED or collected is None or not collected.is_complete:
        return []
    return [portfolio_of(collected)]
