"""What each strategy really trades in the finished lines, crossed or ordered, held against the limits of its own.

Added up again from the lines alone. Purchases count at the offer and sales at the bid, crosses too: those are made at
the midpoint, which is no worse for either side.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.planner.lines import Line
from agents.planner.pricing import Market
from agents.planner.strategies import Counted, OwnLimits
from schemas.plan import Rule


class Beyond(NamedTuple):
    """A strategy beyond a limit of its own: the limit and what is used of it, in units of money.

    `reductions` is what it really trades to bring its own positions nearer to zero, by number of the line.
    """

    strategy_id: str
    rule: Rule
    limit: int
    used: int
    reductions: Mapping[int, int]


@dataclass(slots=True)
class Trades:
    """What one strategy trades, in units of money: what it keeps and adds at the midpoint, the rest at the quote."""

    kept: int = 0
    added: int = 0
    bought: int = 0
    covered: int = 0
    sold: int = 0
    shorted: int = 0
    largest: int = 0
    reductions: dict[int, int] = field(default_factory=dict)

    def count(self, number: int, market: Market, held: int, traded: int) -> None:
        """Add one line: what was held of it and what is traded, signed."""
        reduction = min(abs(traded), abs(held)) if traded * held < 0 else 0
        increase = abs(traded) - reduction
        self.kept += (abs(held) - reduction) * market.mid
        self.added += increase * market.mid
        if traded > 0:
            self.covered += reduction * market.buy
            self.bought += increase * market.buy
        else:
            self.sold += reduction * market.sell
            self.shorted += increase * market.sell
        if increase:
            self.largest = max(self.largest, (abs(held) - reduction + increase) * market.mid)
        if reduction:
            self.reductions[number] = reduction


def beyond_own_limits(lines: Sequence[Line], limits: Iterable[OwnLimits]) -> list[Beyond]:
    """Return the strategies whose increases go beyond a limit of their own, each with the first such limit."""
    more = _short_of_wishes(lines)
    suspects = [
        own for own in limits if not own.is_only_total or own.exposure + more.get(own.strategy_id, 0) > own.weight_total
    ]
    if not suspects:
        return []
    trades = {own.strategy_id: Trades() for own in suspects}
    for number, line in enumerate(lines):
        for name, held, traded in zip(line.sized.owners, line.sized.current, line.traded(), strict=True):
            if name in trades:
                trades[name].count(number, line.sized.market, held, traded)
    return [found for own in suspects for found in _beyond(own, trades[own.strategy_id])]


def recounted(counted: Counted, beyond: Iterable[Beyond]) -> Counted:
    """Return what counts of the reductions when the lines are made anew; the same again when nobody is beyond."""
    less = {each.strategy_id: {} if each.strategy_id in counted else each.reductions for each in beyond}
    return {**counted, **less}


def _beyond(own: OwnLimits, trades: Trades) -> Iterator[Beyond]:
    """Yield the first limit that the increases go beyond; reductions alone go beyond none but the trade value."""
    traded = trades.bought + trades.covered + trades.sold + trades.shorted
    money = None if own.cash is None else own.cash + trades.sold - (0 if own.is_cover_free else trades.covered)
    if own.position_max is not None and trades.largest > max(own.position_max, 0):
        found = Rule.POSITION_WEIGHT_MAX, own.position_max, trades.largest
    elif trades.added and trades.kept + trades.added > own.weight_total:
        found = Rule.WEIGHT_TOTAL_MAX, own.weight_total, trades.kept + trades.added
    elif own.trade_max is not None and traded > max(own.trade_left, 0):
        found = Rule.TRADE_VALUE_MAX, max(own.trade_left, 0), traded
    elif money is not None and trades.bought > max(money, 0):
        found = Rule.CAPITAL, money, trades.bought
    else:
        return
    yield Beyond(own.strategy_id, *found, trades.reductions)


def _short_of_wishes(lines: Iterable[Line]) -> dict[str, int]:
    """Return by owner what its positions are worth more than if all its wishes were done, at the midpoint."""
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sized, mid, traded = line.sized, line.sized.market.mid, line.traded()
        if traded != sized.wanted and sized.rule is None:
            for name, held, wanted, done in zip(sized.owners, sized.current, sized.wanted, traded, strict=True):
                sums[name] += (abs(held + done) - abs(held + wanted)) * mid
    return sums
