"""A line on its way through the rules: what its owners may trade, what is crossed, and what goes to the broker.

What stops a line whatever the account allows is here; the account's limits are in `account_limits`. A rule that acts
names itself, its threshold and what would have been ordered without it. Thresholds are in the unit of their rule:
dollars (limits, MIN_TRADE_VALUE), seconds (QUOTE_STALE), shares (NO_DIFFERENCE, SHORT_NOT_ALLOWED, FRACTIONAL_SHORT).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import add

from agents.planner.crossing import Netting, apportioned, netted
from agents.planner.sizing import Sized
from agents.planner.strategy_limits import Cut
from agents.planner.units import ZERO, as_money, as_quantity, floored
from schemas.plan import Action, LineStatus, Rule

NO_CUTS: Mapping[int, Cut] = {}


@dataclass(slots=True, eq=False)
class Line:
    """One line, quantities in units of 1e-9 shares.

    `net` is what its owners' limits leave for the broker, a whole number of steps; `quantity` what is ordered of it in
    the end, `reducing` what of that goes first, and `rule` why it is less than `intended`.
    """

    sized: Sized
    cuts: Mapping[int, Cut]
    allowed: Sequence[int]
    netting: Netting
    cross_rule: Rule | None
    is_buy: bool
    intended: int
    net: int
    status: LineStatus = LineStatus.PLANNED
    rule: Rule | None = None
    threshold: Decimal | None = None
    quantity: int = 0
    reducing: int = 0
    ordered: Sequence[int] = ()

    @property
    def meets(self) -> int:
        """The price its order would meet, in units of 1e-6 dollars: the worse side of the quote."""
        return self.sized.market.buy if self.is_buy else self.sized.market.sell

    @property
    def notional(self) -> int:
        """What its order is worth at that price, in units of money."""
        return self.quantity * self.meets

    @property
    def action(self) -> Action:
        """What the line does, or would have done without its rule."""
        if self.intended == 0:
            return Action.HOLD
        return Action.BUY if self.is_buy else Action.SELL

    def stop(self, status: LineStatus, rule: Rule, threshold: Decimal | None) -> None:
        """Order nothing; a cross stands."""
        self.quantity = self.reducing = 0
        self.status, self.rule, self.threshold = status, rule, threshold

    def split(self, step: int) -> None:
        """Give each owner its part of the order, signed; their sum is the order."""
        if self.quantity == 0:
            self.ordered = ()
        elif self.quantity == abs(sum(self.netting.residual)):
            self.ordered = self.netting.residual
        else:
            parts = apportioned(self.quantity, [abs(part) for part in self.netting.residual], step)
            self.ordered = parts if self.is_buy else [-part for part in parts]

    def traded(self) -> Sequence[int]:
        """Return what each owner really trades, crossed and ordered, signed."""
        crossed, ordered = self.netting.crossed, self.ordered
        if crossed and ordered:
            return list(map(add, crossed, ordered))
        return crossed or ordered or [0] * len(self.sized.owners)

    def start(self) -> None:
        """Forget what the account's limits made of it: nothing is ordered yet."""
        self.quantity = self.reducing = 0
        self.status = LineStatus.PLANNED
        self.rule, self.threshold = _first(self.cuts) if self.net < self.intended else (None, None)


def blocked(sized: Sized, step: int, status: LineStatus, rule: Rule, threshold: Decimal | None) -> Line:
    """Return a line that is stopped whatever it wants: sized, nothing ordered, nothing crossed."""
    delta = sum(sized.wanted)
    netting = netted(sized.wanted, step, is_open=False)
    intended = floored(abs(delta), step)
    return Line(sized, NO_CUTS, sized.wanted, netting, rule, delta > 0, intended, 0, status, rule, threshold)


STOPPED = {Rule.CONFLICT_FLAGGED: LineStatus.HELD, Rule.KEPT: LineStatus.SUPPRESSED}
"""How a line ends that is stopped whatever it wants, where that is not BLOCKED."""


def judged(sized: Sized, cuts: Mapping[int, Cut], step: int) -> Line:
    """Return a line after its market, its owners' limits and its crosses; what is left is judged by the account."""
    if sized.rule is not None:
        return blocked(sized, step, STOPPED.get(sized.rule, LineStatus.BLOCKED), sized.rule, sized.threshold)
    line = _netted(sized, cuts, step)
    if line.net:
        line.start()
    elif not line.netting.crossed:
        line.stop(*_nothing(line, step))
    return line


def _netted(sized: Sized, cuts: Mapping[int, Cut], step: int) -> Line:
    """Return a line with its crosses; what was intended is the net before its owners' limits, unless they turn it."""
    cross_rule = sized.market.cross_rule
    allowed: Sequence[int] = sized.wanted
    if cuts:
        allowed = [cuts[place].allowed if place in cuts else wanted for place, wanted in enumerate(sized.wanted)]
    netting = netted(allowed, step, cross_rule is None)
    net, delta = sum(allowed), sum(sized.wanted)
    ordered = intended = floored(abs(net), step)
    if cuts and net * delta >= 0 and abs(delta) > abs(net):
        intended = floored(abs(delta), step)
    if netting.crossed or not netting.matched:
        cross_rule = None
    return Line(sized, cuts, allowed, netting, cross_rule, (net or delta) > 0, intended, ordered)


def _nothing(line: Line, step: int) -> tuple[LineStatus, Rule, Decimal | None]:
    """Return why there is nothing to order and nothing to cross."""
    if line.cuts:
        return (LineStatus.BLOCKED, *_first(line.cuts))
    if line.cross_rule is not None:
        return LineStatus.BLOCKED, line.cross_rule, None
    is_equal = not any(line.sized.wanted)
    return LineStatus.SUPPRESSED, Rule.NO_DIFFERENCE, ZERO if is_equal else as_quantity(step)


def _first(cuts: Mapping[int, Cut]) -> tuple[Rule, Decimal]:
    cut = cuts[min(cuts)]
    return cut.rule, as_money(cut.limit)
