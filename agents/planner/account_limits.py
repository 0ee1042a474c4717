"""The account's limits, in one walk over the lines in the order in which the executor will send them.

REDUCING orders first (the part of a line that brings the account's position nearer to zero), then INCREASING ones, each
by priority, symbol and book. The walk carries the position of every symbol, the exposure (the sum of positions at their
midpoints), and what is left of cash and trade value. An increase is held to what every limit leaves of it; a reduction
only to the trade value. SCALE orders what fits, BLOCK drops the order; a line left below the smallest trade is blocked.

A short is for whole shares only, and the broker refuses an order that takes a position across zero: where increasing
orders of both sides meet in a symbol, no sale may take the account short, nor rely on a buy that goes before it: that
one may be refused. A line that would is blocked whole, and when a part of it had been walked already, the walk starts
again without it.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import lcm
from operator import attrgetter

from agents.planner.account import Account
from agents.planner.lines import Line
from agents.planner.units import SHARE, ZERO, as_money, floored
from schemas.plan import LineStatus, Rule

ONE_SHARE = Decimal(1)


def walked(lines: Sequence[Line], account: Account) -> "Walk":
    """Hold the lines, sorted by symbol and book, to the account's limits; return what that came to."""
    orders = sorted((line for line in lines if line.net), key=attrgetter("sized.priority"))
    while True:
        walk = Walk(account)
        walk.over(orders)
        if not walk.undone:
            return walk
        orders = [line for line in orders if line not in walk.undone]


class Walk:
    """One walk: what is left of the account's limits, and which of them bound (true where something was ordered)."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.positions = dict(account.positions)
        self.exposure = account.exposure_of(account.positions)
        self.cash = account.available
        self.trade_left = account.trade_left
        self.undone: list[Line] = []
        self.bound: dict[tuple[Rule, str | None], bool] = {}
        self._ceiling = account.ceiling
        self._bought: frozenset[str] = frozenset()
        self._added: dict[str, int] = {}

    def over(self, orders: Sequence[Line]) -> None:
        """Walk over the lines in order of priority, symbol and book: their reducing parts first."""
        smallest = self.account.smallest
        rest = []
        for line in orders:
            line.start()
            is_small = line.net * line.sized.market.mid < smallest
            position = self.positions.get(line.sized.symbol, 0)
            if is_small or not position or (position < 0) is not line.is_buy or self._reduce(line, position):
                rest.append((line, is_small))
        self._bought = frozenset(
            line.sized.symbol for line, is_small in rest if line.is_buy and not is_small and line.net > line.quantity
        )
        for line, is_small in rest:
            if line.net > line.quantity:
                self._go_on(line, is_small)

    def _reduce(self, line: Line, position: int) -> bool:
        """Order the part of a line that brings the position nearer to zero; return whether the rest may go on."""
        wanted = min(line.net, abs(position))
        after = position + wanted if line.is_buy else position - wanted
        if after < 0 and after % SHARE:
            line.stop(LineStatus.BLOCKED, Rule.FRACTIONAL_SHORT, ONE_SHARE)
            return False
        taken = wanted
        if self.trade_left is not None and wanted * line.meets > self.trade_left:
            taken = self._fitting(line, self.trade_left // line.meets, is_short=position < 0)
            self._bind(line, Rule.TRADE_VALUE_MAX, as_money(self.account.trade_max or 0), taken)
        if taken:
            line.reducing = taken
            self._take(line, position, taken)
            if not line.is_buy or not self.account.is_leveraged:
                self.cash += line.notional
        return taken == wanted

    def _go_on(self, line: Line, is_small: bool) -> None:
        """Order what takes the position away from zero, as far as the rules and limits go."""
        position = self.positions.get(line.sized.symbol, 0)
        wanted = line.net - line.quantity
        after = position + wanted if line.is_buy else position - wanted - self._added.get(line.sized.symbol, 0)
        rule = self._short_rule(line, after) if after < 0 else None
        if rule is not None:
            if line.quantity and all(other.sized.symbol != line.sized.symbol for other in self.undone):
                self.undone.append(line)
            line.stop(LineStatus.BLOCKED, rule, ZERO if rule is Rule.SHORT_NOT_ALLOWED else ONE_SHARE)
        elif is_small:
            line.stop(LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE, self.account.trade_value_min)
        else:
            self._increase(line, position, wanted, is_short=after < 0)

    def _short_rule(self, line: Line, after: int) -> Rule | None:
        is_possible = self.account.is_short_allowed and line.sized.symbol not in self._bought
        if not line.is_buy and not is_possible:
            return Rule.SHORT_NOT_ALLOWED
        return Rule.FRACTIONAL_SHORT if after % SHARE else None

    def _increase(self, line: Line, position: int, wanted: int, is_short: bool) -> None:
        fits, rule, threshold = self._room(line, position, wanted)
        taken = wanted
        if rule is not None:
            taken = self._fitting(line, fits, is_short)
            self._bind(line, rule, as_money(threshold), taken)
        if taken:
            self._take(line, position, taken)
            if line.is_buy:
                self._added[line.sized.symbol] = self._added.get(line.sized.symbol, 0) + taken
            self.cash -= taken * line.meets if self.account.is_leveraged and not line.is_buy else 0

    def _room(self, line: Line, position: int, wanted: int) -> tuple[int, Rule | None, int]:
        """Return what the limits leave of an increase, and the first of those that leave least, with its threshold.

        What an order takes off an opposite position it finds adds no exposure.
        """
        account, mid, meets = self.account, line.sized.market.mid, line.meets
        along = position if line.is_buy else -position
        opposite = max(-along, 0)
        fits, rule, threshold = wanted, None, 0
        if account.position_max is not None:
            room = account.position_max // mid - along
            if room < fits:
                fits, rule, threshold = max(room, opposite), Rule.POSITION_WEIGHT_MAX, account.position_max
        room = max((self._ceiling.exposure - self.exposure) // mid + 2 * opposite, opposite)
        if room < fits:
            fits, rule, threshold = room, self._ceiling.rule, self._ceiling.limit
        if self.trade_left is not None and self.trade_left // meets < fits:
            fits, rule, threshold = self.trade_left // meets, Rule.TRADE_VALUE_MAX, account.trade_max or 0
        if (line.is_buy or account.is_leveraged) and self.cash // meets < fits:
            fits, rule, threshold = self.cash // meets, Rule.CAPITAL, self.cash
        return fits, rule, threshold

    def _fitting(self, line: Line, fits: int, is_short: bool) -> int:
        """Return what may be ordered beside what the line has already, when `fits` is left of a limit that binds."""
        account, before = self.account, line.quantity
        if not account.is_scaled or fits <= 0:
            return 0
        if is_short:
            taken = floored(fits, lcm(account.step, SHARE))
        else:
            taken = max(floored(before + fits, account.step) - before, 0)
        return taken if (before + taken) * line.sized.market.mid >= account.smallest else 0

    def _bind(self, line: Line, rule: Rule, threshold: Decimal, taken: int) -> None:
        symbol = line.sized.symbol if rule is Rule.POSITION_WEIGHT_MAX else None
        self.bound[rule, symbol] = self.bound.get((rule, symbol), False) or taken > 0
        if line.quantity + taken:
            line.rule, line.threshold = rule, threshold
        else:
            line.stop(LineStatus.BLOCKED, rule, threshold)

    def _take(self, line: Line, position: int, taken: int) -> None:
        """Order shares of a line and carry on with what that leaves of the account.

        A reducing sale brings cash, and what covers a short is paid from its collateral: `_reduce` adds either. The
        proceeds of a short are collateral, and with leverage it uses buying power.
        """
        notional = taken * line.meets
        after = position + taken if line.is_buy else position - taken
        line.quantity += taken
        self.positions[line.sized.symbol] = after
        self.exposure += (abs(after) - abs(position)) * line.sized.market.mid
        if self.trade_left is not None:
            self.trade_left -= notional
        if line.is_buy:
            self.cash -= notional
