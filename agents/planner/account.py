"""The account a plan is held to: its positions, its money, and every limit of it in integer units."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from agents.planner.pricing import Markets
from agents.planner.units import WHOLE, money_units, part_of, quantity_units, reserved, weight_units
from schemas.ledger import BooksContent
from schemas.plan import Rule
from schemas.run import BindingRule, Limits


class Ceiling(NamedTuple):
    """A limit on the account's exposure: the rule, the greatest exposure, and the limit as the rule states it."""

    rule: Rule
    exposure: int
    rate: int
    limit: int


@dataclass(frozen=True, slots=True)
class Account:
    """What the walk starts from, in integer units; None = no limit."""

    positions: dict[str, int]
    mids: dict[str, int]
    available: int
    position_max: int | None
    ceilings: tuple[Ceiling, ...]
    trade_max: int | None
    traded: int
    step: int
    smallest: int
    trade_value_min: Decimal
    is_scaled: bool
    is_leveraged: bool
    is_short_allowed: bool

    def exposure_of(self, positions: Mapping[str, int]) -> int:
        """Return the sum of positions at their midpoints; what has no price counts nothing."""
        return sum(abs(quantity) * self.mids.get(symbol, 0) for symbol, quantity in positions.items())

    @property
    def ceiling(self) -> Ceiling:
        """The ceiling on exposure that binds first."""
        return min(self.ceilings, key=lambda each: each.exposure)

    @property
    def trade_left(self) -> int | None:
        """What is left of the day's trade value."""
        return None if self.trade_max is None else self.trade_max - self.traded


def account_of(content: BooksContent, markets: Markets) -> Account:
    """Return the account of a snapshot with its limits."""
    snapshot = content.snapshot
    limits = snapshot.portfolio.terms.limits
    equity = money_units(snapshot.equity)
    return Account(
        positions={each.symbol: quantity_units(each.quantity) for each in snapshot.positions},
        mids=markets.mids,
        available=available(content, markets),
        position_max=None if limits.position_weight_max is None else part_of(equity, limits.position_weight_max),
        ceilings=_ceilings(limits, equity),
        trade_max=None if limits.trade_value_max is None else money_units(limits.trade_value_max),
        traded=sum(money_units(each.traded_value) for each in content.strategies),
        step=quantity_units(limits.quantity_step),
        smallest=money_units(limits.trade_value_min),
        trade_value_min=limits.trade_value_min,
        is_scaled=limits.binding is BindingRule.SCALE,
        is_leveraged=limits.is_leverage_allowed,
        is_short_allowed=limits.is_short_allowed,
    )


def available(content: BooksContent, markets: Markets) -> int:
    """Return what buys may spend above the reserve, in units of money: buying power with leverage, else cash.

    Cash that buys the account's shorts back is collateral, not to be spent. What a short without a price needs is not
    known, so beside one nothing is available.
    """
    snapshot = content.snapshot
    limits = snapshot.portfolio.terms.limits
    kept = reserved(money_units(snapshot.equity), limits.cash_reserve)
    if limits.is_leverage_allowed:
        return money_units(snapshot.buying_power) - kept
    shorts = [(-quantity_units(each.quantity), markets.of(each.symbol)) for each in snapshot.positions]
    collateral = sum(quantity * market.buy for quantity, market in shorts if quantity > 0)
    spendable = money_units(snapshot.cash) - collateral - kept
    return min(spendable, 0) if any(quantity > 0 and not market.mid for quantity, market in shorts) else spendable


def _ceilings(limits: Limits, equity: int) -> tuple[Ceiling, ...]:
    """Return what bounds the exposure; margin limits are those of a position's value times its margin rate."""
    total = part_of(equity, limits.weight_total_max)
    found = [Ceiling(Rule.WEIGHT_TOTAL_MAX, total, WHOLE, total)]
    if limits.margin_utilisation_max is not None:
        most = equity * weight_units(limits.margin_utilisation_max)
        found.append(_margin(Rule.MARGIN_UTILISATION, most, limits.initial_margin_rate))
    if limits.maintenance_buffer is not None:
        most = equity * (WHOLE - weight_units(limits.maintenance_buffer))
        found.append(_margin(Rule.MAINTENANCE_BUFFER, most, limits.maintenance_margin_rate))
    return tuple(each for each in found if each.rate)  # without a margin rate there is nothing to hold


def _margin(rule: Rule, most: int, rate: Decimal) -> Ceiling:
    """Return a ceiling on margin of `most`, in units of money times 1e-12."""
    units = weight_units(rate)
    return Ceiling(rule, most // units if units else 0, units, most // WHOLE)
