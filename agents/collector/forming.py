"""From the answers of a run to its portfolio: who has spoken, what each wants, and what they want together.

The netted strategies are consolidated: a contribution is target times allocation, rounded towards zero to twelve
decimals, so that parts of one never add up to more; a part that rounds to nothing is left out. A strategy with a book
of its own is passed on as it spoke, in weights of its own capital: neither allocation nor conflict rules touch it.
"""

from collections.abc import Iterable
from decimal import Decimal

from agents.collector.conflicts import Resolved, resolved, rounded_down, voices_of
from agents.collector.memory import Answer, Collected
from schemas.portfolio import (
    BookTargets,
    Contribution,
    KeptSymbol,
    Portfolio,
    PortfolioContent,
    PortfolioStatus,
)
from schemas.run import Mode, StrategyTerms
from schemas.signal import SignalStatus, TargetWeight


def portfolio_of(collected: Collected) -> Portfolio:
    """Return the portfolio of a run as it stands: partial where somebody failed or is missing."""
    terms = collected.terms
    names = sorted(each.strategy_id for each in terms.strategies)
    answers = {each: collected.accepted[each] for each in names if each in collected.accepted}
    failed = tuple(each for each, answer in answers.items() if answer.status is SignalStatus.FAILED)
    missing = tuple(each for each in names if each not in answers)
    is_missed = collected.is_quorum_missed
    return Portfolio(
        account_id=collected.account_id,
        run_id=terms.run_id,
        status=PortfolioStatus.QUORUM_MISSED if is_missed else PortfolioStatus.FORMED,
        is_partial=bool(failed or missing),
        failed=failed,
        missing=missing,
        signal_ids=tuple(answer.signal_id for answer in answers.values()),
        content=_nothing(collected) if is_missed else _content(collected, (*failed, *missing)),
    )


def _nothing(collected: Collected) -> PortfolioContent:
    """Return the wish of a run in which too few have spoken: everybody keeps what they hold."""
    return PortfolioContent(
        terms=collected.terms,
        targets=(),
        book_targets=(),
        silent_strategies=tuple(sorted(each.strategy_id for each in collected.terms.strategies)),
        kept=(),
        conflicts=(),
        scope=None,
    )


def _content(collected: Collected, silent: tuple[str, ...]) -> PortfolioContent:
    terms = collected.terms
    spoken = {
        each.strategy_id: (each, collected.accepted[each.strategy_id])
        for each in sorted(terms.strategies, key=lambda each: each.strategy_id)
        if each.strategy_id not in silent
    }
    symbols = _consolidated(collected, [each for each in spoken.values() if each[0].mode is Mode.NETTED])
    return PortfolioContent(
        terms=terms,
        targets=tuple(each.target for each in symbols if each.target is not None),
        book_targets=tuple(
            BookTargets(strategy_id=name, targets=_own_targets(answer))
            for name, (strategy, answer) in spoken.items()
            if strategy.mode is Mode.BOOK
        ),
        silent_strategies=tuple(sorted(silent)),
        kept=tuple(
            KeptSymbol(strategy_id=name, symbol=symbol)
            for name, (_, answer) in spoken.items()
            for symbol in answer.skipped
        ),
        conflicts=tuple(each.conflict for each in symbols if each.conflict is not None),
        scope=None,
    )


def _consolidated(collected: Collected, netted: Iterable[tuple[StrategyTerms, Answer]]) -> tuple[Resolved, ...]:
    """Return what the netted strategies want together, by symbol."""
    wanted: dict[str, list[Contribution]] = {}
    for strategy, answer in netted:
        for symbol, weight in _weights(answer.targets).items():
            part = rounded_down(weight * strategy.allocation)
            if part:
                wanted.setdefault(symbol, []).append(Contribution(strategy_id=strategy.strategy_id, weight=part))
    rule, voices = collected.terms.rules.conflict_rule, voices_of(collected.terms, collected.order)
    return tuple(resolved(symbol, tuple(wishes), rule, voices) for symbol, wishes in sorted(wanted.items()))


def _own_targets(answer: Answer) -> tuple[TargetWeight, ...]:
    found = sorted(_weights(answer.targets).items())
    return tuple(TargetWeight(symbol=symbol, weight=weight) for symbol, weight in found if weight)


def _weights(targets: Iterable[TargetWeight]) -> dict[str, Decimal]:
    """Return the weights by symbol; a symbol that is named twice is wanted twice."""
    weights: dict[str, Decimal] = {}
    for target in targets:
        weights[target.symbol] = weights.get(target.symbol, Decimal(0)) + target.weight
    return weights
