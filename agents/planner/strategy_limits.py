"""What each strategy's own limits leave of its wishes, before anything is netted.

Only increases of its own position are cut, never a reduction; trade value counts both, and reductions are served first.
In this order: trade value of the reductions, weight of one symbol, sum of weights, trade value of the increases, cash.
SCALE cuts all increases alike, pro rata, each rounded down to the quantity step; BLOCK drops the increases that bind.
A line that is stopped whatever it wants (no price, halted, ...) uses nothing and brings nothing, and counts as it is.

A reduction makes room for an increase only as far as it trades, and that is known after netting alone: its line may
turn out too small, a short, or a cross that has to wait. So at first every reduction counts as made. The finished lines
are then held against the limits (`strategy_trades`), and of a strategy found beyond one only what its reductions really
traded counts when the lines are made anew; found beyond one again, because what others were cut of has
changed the netting, nothing of them counts. Then its increases fit into its limits without any help, so that whatever
becomes of its reductions it is never beyond them: a strategy is recounted at most twice, and the lines of n strategies
are made at most 2n + 1 times. Counting only what is certain to trade from the start would need no second time, but a
netted reduction is never certain, and no strategy could buy from what it sells.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agents.planner.sizing import Sized
from agents.planner.strategies import Counted, OwnLimits, Part, Strategy, limited_strategies
from agents.planner.units import as_money, floored
from schemas.plan import ConstraintEffect, ConstraintResult, Rule
from schemas.run import Limits


class Cut(NamedTuple):
    """What is left of one owner's wish, signed units, and the limit that allows no more, in units of money."""

    allowed: int
    rule: Rule
    limit: int


Cuts = Mapping[int, Mapping[int, Cut]]
"""By number of the line, then by place of the owner; a wish that is not cut is not in it."""


def within_own_limits(
    sizes: Sequence[Sized], limits: Iterable[OwnLimits], run: Limits, counted: Counted
) -> tuple[Cuts, list[ConstraintResult]]:
    """Return what the strategies' own limits cut, and each limit that binds."""
    strategies = limited_strategies(sizes, limits, run, counted)
    results: list[ConstraintResult] = []
    cuts: defaultdict[int, dict[int, Cut]] = defaultdict(dict)
    for name in sorted(strategies):
        results.extend(_limited(strategies[name]))
        for part in strategies[name].parts:
            if part.rule is not None:
                cuts[part.line][part.place] = Cut(part.allowed, part.rule, part.limit)
    return cuts, results


def _limited(strategy: Strategy) -> Iterator[ConstraintResult]:
    """Cut the parts of a strategy to its limits, one after the other; yield each that binds."""
    traded = sum(part.wanted * part.meets for part in strategy.parts)
    is_cut = _cut_reductions(strategy)
    yield from _cut_positions(strategy)
    yield from _cut_weight_total(strategy)
    yield from _cut_trade_value(strategy, traded, is_cut)
    yield from _cut_buys(strategy)


def _cut_reductions(strategy: Strategy) -> bool:
    """Hold reductions to the trade value that is left; what is cut short of zero cannot go on beyond it."""
    own = strategy.own
    if own.trade_max is None:
        return False
    total = sum(part.reduction * part.meets for part in strategy.parts)
    if total <= own.trade_left:
        return False
    for part in strategy.parts:
        if part.reduction:
            reduction = _scaled(part.reduction, max(own.trade_left, 0), total, strategy)
            _cut(part, Rule.TRADE_VALUE_MAX, own.trade_max, reduction, 0)
    return True


def _cut_positions(strategy: Strategy) -> Iterator[ConstraintResult]:
    limit = strategy.own.position_max
    if limit is None:
        return
    for part in strategy.parts:
        kept = part.held - part.reduction  # it increases on the other side of zero only once all it has is sold
        wanted = kept + part.increase
        if not part.increase or wanted * part.mid <= limit:
            continue
        room = max(limit // part.mid - kept, 0) if strategy.is_scaled else 0
        _cut(part, Rule.POSITION_WEIGHT_MAX, limit, part.reduction, floored(room, strategy.step))
        amounts = (limit, wanted * part.mid, (kept + part.increase) * part.mid)
        yield _result(strategy, Rule.POSITION_WEIGHT_MAX, amounts, part.increase, part.symbol)


def _cut_weight_total(strategy: Strategy) -> Iterator[ConstraintResult]:
    limit = strategy.own.weight_total
    base = strategy.unchanged + sum(part.kept * part.mid for part in strategy.parts)
    increases = sum(part.increase * part.mid for part in strategy.parts)
    if not increases or base + increases <= limit:
        return
    for part in strategy.parts:
        if part.increase:
            increase = _scaled(part.increase, max(limit - base, 0), increases, strategy)
            _cut(part, Rule.WEIGHT_TOTAL_MAX, limit, part.reduction, increase)
    left = sum(part.increase * part.mid for part in strategy.parts)
    yield _result(strategy, Rule.WEIGHT_TOTAL_MAX, (limit, base + increases, base + left), left)


def _cut_trade_value(strategy: Strategy, wanted: int, is_cut: bool) -> Iterator[ConstraintResult]:
    """Hold increases to the trade value the reductions leave; those count whole: one that is stopped uses nothing."""
    own = strategy.own
    if own.trade_max is None:
        return
    reductions = sum(part.reduction * part.meets for part in strategy.parts)
    increases = sum(part.increase * part.meets for part in strategy.parts)
    room = own.trade_left - reductions
    for part in strategy.parts:
        if part.increase and increases > room:
            is_cut = True
            increase = _scaled(part.increase, max(room, 0), increases, strategy)
            _cut(part, Rule.TRADE_VALUE_MAX, own.trade_max, part.reduction, increase)
    if is_cut:
        before = own.trade_max - own.trade_left
        used = sum((part.reduction + part.increase) * part.meets for part in strategy.parts)
        yield _result(strategy, Rule.TRADE_VALUE_MAX, (own.trade_max, before + wanted, before + used), used)


def _cut_buys(strategy: Strategy) -> Iterator[ConstraintResult]:
    """Hold increases that buy to the strategy's money, its own sells added; proceeds of a short are collateral.

    What covers a short costs its money in any case, unless it is paid from its collateral: one that is stopped leaves
    money unspent.
    """
    if strategy.own.cash is None:
        return
    sold = sum(part.counted * part.meets for part in strategy.parts if part.sign < 0)
    covered = sum(part.reduction * part.meets for part in strategy.parts if part.sign > 0)
    covered = 0 if strategy.own.is_cover_free else covered
    limit = strategy.own.cash + sold - covered
    buys = [part for part in strategy.parts if part.sign > 0 and part.increase]
    wanted = sum(part.increase * part.meets for part in buys)
    if wanted <= limit or not buys:
        return
    for part in buys:
        increase = _scaled(part.increase, max(limit, 0), wanted, strategy)
        _cut(part, Rule.CAPITAL, limit, part.reduction, increase)
    used = sum(part.increase * part.meets for part in buys)
    yield _result(strategy, Rule.CAPITAL, (limit, wanted, used), used)


def _scaled(quantity: int, room: int, whole: int, strategy: Strategy) -> int:
    """Return what pro rata leaves of a quantity when `room` is left for `whole`; nothing where limits block."""
    return floored(quantity * room // whole, strategy.step) if strategy.is_scaled else 0


def _cut(part: Part, rule: Rule, limit: int, reduction: int, increase: int) -> None:
    part.reduction, part.increase, part.rule, part.limit = reduction, increase, rule, limit
    part.counted = min(part.counted, reduction)


def _result(
    strategy: Strategy, rule: Rule, amounts: tuple[int, int, int], left: int, symbol: str | None = None
) -> ConstraintResult:
    """Return a limit that binds: limit, wanted and used, and what is `left` of the wishes it cut."""
    limit, wanted, used = amounts
    return ConstraintResult(
        rule=rule,
        scope=strategy.own.strategy_id,
        symbol=symbol,
        limit=as_money(limit),
        wanted=as_money(wanted),
        used=as_money(used),
        effect=ConstraintEffect.SCALED if left else ConstraintEffect.BLOCKED,
    )
