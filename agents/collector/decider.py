"""Keep a receipt of every signal, and form the portfolio of a run when all its strategies have answered.

Every signal gets exactly one receipt, the first that applies:

UNEXPECTED   its strategy is not part of the run; nothing of it is remembered;
CONFLICTING  its strategy's accepted signal says something else, or the run was first heard of in other terms;
DUPLICATE    the very same was accepted before, whether or not the portfolio is formed;
LATE         the portfolio was formed without it;
ACCEPTED     otherwise. The portfolio follows in the same decision when it is the last.

A deadline that passes closes a run with what was accepted until then. If nothing was, the terms of the run are unknown
here and the deadline is not remembered: its signals are collected as usual and the portfolio is formed when they are
complete. (All signals of a run are one decision of the strategist, so they come together.)

A contribution is target times allocation, rounded towards zero to twelve decimals: parts of one never add up to more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from immutables import Map

from agents.decider import Message
from schemas.portfolio import Contribution, KeptSymbol, Portfolio, PortfolioContent, PortfolioTarget
from schemas.record import Record
from schemas.run import DeadlinePassed, RunTerms
from schemas.signal import ReceiptStatus, Signal, SignalReceipt, SignalStatus, TargetWeight

WEIGHT_UNIT = Decimal(1).scaleb(-12)


@dataclass(frozen=True)
class Answer:
    """What one strategy said: all of a receipt that differs between the strategies of a run."""

    signal_id: UUID
    status: SignalStatus
    targets: tuple[TargetWeight, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Collected:
    """What is known of one run: its terms, the accepted answers by strategy, and whether its portfolio is formed."""

    terms: RunTerms
    accepted: Map[str, Answer]
    is_formed: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every strategy of the run has an accepted answer."""
        return all(each.strategy_id in self.accepted for each in self.terms.strategies)


@dataclass(frozen=True)
class State:
    """The runs of which at least one signal was accepted."""

    runs: Map[UUID, Collected]


def initial_state() -> State:
    """Return the state before the first signal."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the receipt of a signal, and the portfolio when it completes a run or the deadline has passed."""
    match message.record:
        case Signal() as signal:
            receipt = _receipt(state, signal)
            collected = evolve(state, receipt).runs.get(receipt.run_id)
            if receipt.status is ReceiptStatus.ACCEPTED and collected is not None and collected.is_complete:
                return [receipt, _portfolio(signal.account_id, collected)]
            return [receipt]
        case DeadlinePassed(account_id=account, run_id=run_id):
            collected = state.runs.get(run_id)
            if collected is None or collected.is_formed:
                return []
            return [_portfolio(account, collected)]
        case other:
            raise TypeError(f"the collector reads Signal and DeadlinePassed, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the collector's own records."""
    match record:
        case SignalReceipt(status=ReceiptStatus.ACCEPTED, run_id=run_id) as receipt:
            collected = state.runs.get(run_id) or Collected(receipt.terms, Map())
            accepted = collected.accepted.set(receipt.strategy_id, _answer(receipt))
            return State(state.runs.set(run_id, replace(collected, accepted=accepted)))
        case SignalReceipt():
            return state
        case Portfolio(run_id=run_id):
            return State(state.runs.set(run_id, replace(state.runs[run_id], is_formed=True)))
        case other:
            raise TypeError(f"the collector publishes SignalReceipt and Portfolio, was {type(other).__name__}")


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


def _answer(receipt: SignalReceipt) -> Answer:
    return Answer(receipt.signal_id, receipt.signal_status, receipt.targets, receipt.skipped)


def _status(collected: Collected | None, offered: SignalReceipt) -> ReceiptStatus:
    """Return what becomes of a signal; `offered` is the receipt it would get if it were accepted."""
    if all(each.strategy_id != offered.strategy_id for each in offered.terms.strategies):
        return ReceiptStatus.UNEXPECTED
    if collected is None:
        return ReceiptStatus.ACCEPTED
    accepted = collected.accepted.get(offered.strategy_id)
    if collected.terms != offered.terms or accepted not in (None, _answer(offered)):
        return ReceiptStatus.CONFLICTING
    if accepted is not None:
        return ReceiptStatus.DUPLICATE
    return ReceiptStatus.LATE if collected.is_formed else ReceiptStatus.ACCEPTED


def _portfolio(account_id: str, collected: Collected) -> Portfolio:
    strategies = sorted(each.strategy_id for each in collected.terms.strategies)
    answers = {each: collected.accepted[each] for each in strategies if each in collected.accepted}
    missing = tuple(each for each in strategies if each not in answers)
    failed = tuple(each for each, answer in answers.items() if answer.status is SignalStatus.FAILED)
    return Portfolio(
        account_id=account_id,
        run_id=collected.terms.run_id,
        is_partial=bool(failed or missing),
        failed=failed,
        missing=missing,
        signal_ids=tuple(answer.signal_id for answer in answers.values()),
        content=PortfolioContent(
            terms=collected.terms,
            targets=_targets(collected.terms, {name: each for name, each in answers.items() if name not in failed}),
            silent_strategies=tuple(sorted((*failed, *missing))),
            kept=tuple(
                KeptSymbol(strategy_id=name, symbol=symbol)
                for name, answer in answers.items()
                for symbol in answer.skipped
            ),
        ),
    )


def _targets(terms: RunTerms, answers: dict[str, Answer]) -> tuple[PortfolioTarget, ...]:
    """Return the sum of what the strategies want, by symbol; a part that rounds to nothing is left out."""
    allocations = {each.strategy_id: each.allocation for each in terms.strategies}
    wanted: dict[str, list[Contribution]] = {}
    for strategy_id, answer in sorted(answers.items()):
        for symbol, weight in _weights(answer.targets).items():
            part = (weight * allocations[strategy_id]).quantize(WEIGHT_UNIT, rounding=ROUND_DOWN)
            if part:
                wanted.setdefault(symbol, []).append(Contribution(strategy_id=strategy_id, weight=part))
    return tuple(
        PortfolioTarget(
            symbol=symbol,
            weight=sum((each.weight for each in contributions), Decimal(0)),
            contributions=tuple(contributions),
        )
        for symbol, contributions in sorted(wanted.items())
    )


def _weights(targets: Iterable[TargetWeight]) -> dict[str, Decimal]:
    weights: dict[str, Decimal] = {}
    for target in targets:
        weights[target.symbol] = weights.get(target.symbol, Decimal(0)) + target.weight
    return weights
