"""What the feed says of a symbol: mostly two sides, sometimes what no order may be planned on."""

from dataclasses import dataclass
from decimal import Decimal

from tests.simulation.chance import SYMBOLS, Chance

ZERO = Decimal(0)
CENT = Decimal("0.01")


@dataclass
class Shown:
    """What the feed says of a symbol."""

    bid: Decimal
    ask: Decimal
    age_s: int = 0
    is_tradable: bool = True


def drawn_quote(chance: Chance, symbol: str) -> Shown:
    """Return two sides around a price that has moved; one in seven is none that a plan may use."""
    price = Decimal(SYMBOLS[symbol]) * (100 + chance.random.randint(-8, 8)) / 100
    usual = two_sided(price, chance.random.randint(1, 40))
    odd = (
        Shown(usual.bid, usual.bid),
        Shown(usual.ask, usual.bid),
        Shown(usual.bid, usual.ask, age_s=600),
        Shown(ZERO, usual.ask),
        Shown(ZERO, ZERO, is_tradable=chance.happens(0.3)),
        Shown(usual.bid, usual.ask, is_tradable=False),
    )
    return chance.one(*odd) if chance.happens(0.15) else usual


def two_sided(price: Decimal, ticks: int) -> Shown:
    tick = Decimal("0.0001") if price < 1 else CENT
    bid = (price - tick * ticks / 2).quantize(tick)
    return Shown(max(bid, tick), max(bid, tick) + tick * ticks)
