"""What an account's holdings are worth, and what they were worth before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from infra.simulator.events import Quoted
from infra.simulator.exact import product, total
from schemas.quantities import CONTEXT

HALF = Decimal("0.5")

#: Alpaca shows averages rounded; nine decimals are more than any price it quotes.
AVERAGE_UNIT = Decimal("1E-9")


@dataclass(frozen=True)
class Position:
    """A holding, negative when it is short; `cost` is its average cost, rounded only where a part of it was closed."""

    qty: Decimal
    cost: Decimal


class Holdings(Protocol):
    """An account as far as its worth goes."""

    @property
    def cash(self) -> Decimal: ...

    @property
    def positions(self) -> Mapping[str, Position]: ...

    @property
    def quotes(self) -> Mapping[str, Quoted]: ...


@dataclass(frozen=True)
class Sample:
    """The account's equity at the end of a minute, and the external money it had received by then, dollars."""

    minute: datetime
    equity: Decimal
    deposits: Decimal


@dataclass(frozen=True)
class DayEnd:
    """How a New York day ended: equity and gross value in dollars, and what was held at which price."""

    day: date
    equity: Decimal
    gross_value: Decimal
    prices: Mapping[str, Decimal]
    quantities: Mapping[str, Decimal]

    def split(self, symbol: str, new_rate: Decimal, old_rate: Decimal) -> "DayEnd":
        """Return it in the shares of after a split, worth the same."""
        if symbol not in self.prices:
            return self
        factor = CONTEXT.divide(new_rate, old_rate)
        prices = {**self.prices, symbol: CONTEXT.divide(self.prices[symbol], factor)}
        quantities = {**self.quantities, symbol: CONTEXT.multiply(self.quantities[symbol], factor)}
        return replace(self, prices=prices, quantities=quantities)

    def renamed(self, symbol: str, new_symbol: str) -> "DayEnd":
        """Return it with a symbol's new name."""
        prices, quantities = (
            {new_symbol if name == symbol else name: value for name, value in kept.items()}
            for kept in (self.prices, self.quantities)
        )
        return replace(self, prices=prices, quantities=quantities)


def mark(held: Holdings, symbol: str) -> Decimal:
    """Return the price a holding is valued at: the middle of the quote, else what it cost on average."""
    quote = held.quotes.get(symbol)
    if quote is not None and quote.bid > 0 and quote.ask > 0:
        return product(total(quote.bid, quote.ask), HALF)
    position = held.positions[symbol]
    average = CONTEXT.divide(position.cost, position.qty)
    return average.quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN, context=CONTEXT)


def long_value(held: Holdings) -> Decimal:
    """Return what is held long, dollars."""
    return total(*(product(each.qty, mark(held, symbol)) for symbol, each in held.positions.items() if each.qty > 0))


def short_value(held: Holdings) -> Decimal:
    """Return what is held short, dollars, 0 or negative."""
    return total(*(product(each.qty, mark(held, symbol)) for symbol, each in held.positions.items() if each.qty < 0))


def equity(held: Holdings) -> Decimal:
    """Return what is left when all is closed at its mark, dollars."""
    return total(held.cash, long_value(held), short_value(held))


def day_end(held: Holdings, day: date) -> DayEnd:
    """Return how a day ended for an account."""
    prices = {symbol: mark(held, symbol) for symbol in held.positions}
    quantities = {symbol: each.qty for symbol, each in held.positions.items()}
    return DayEnd(day, equity(held), total(long_value(held), -short_value(held)), prices, quantities)
