"""What the storm trades: many symbols, of which two strategies want more or less every day, under wide limits."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from infra.demo.configuration import GATE_LIMITS, strategy
from infra.simulator.client import SimulatedQuote
from schemas.run import Mode, StrategyTerms

FIRST_DAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
CASH = Decimal(100_000_000)
SATURDAY = 5
HALF_SPREAD = Decimal("0.01")

WIDE_LIMITS = GATE_LIMITS.model_copy(
    update={
        "order_qty_max": CASH,
        "order_notional_max": CASH,
        "position_value_max": CASH,
        "gross_value_max": CASH,
        "strategies": (),
        "orders_per_second_max": None,
        "orders_per_minute_max": None,
        "orders_per_day_max": None,
        "open_orders_max": None,
        "symbols_allowed": None,
        "daily_loss_max": None,
        # days pass in seconds here: an order that waits for the next morning is not an old one
        "unknown_age_max_s": 10 * 24 * 3600,
    }
)
"""Wide enough that only the weather stands in the way."""


def symbols(count: int) -> list[str]:
    """Return names of symbols."""
    return [f"S{number:03}" for number in range(count)]


def quotes(of: Sequence[str]) -> Iterator[SimulatedQuote]:
    """Yield the quotes of symbols, the same every day: from 10 to 99 dollars."""
    for number, symbol in enumerate(of):
        middle = Decimal(10 + number % 90)
        yield SimulatedQuote(symbol, middle - HALF_SPREAD, middle + HALF_SPREAD)


def day_after(day: datetime) -> datetime:
    """Return the same time on the next day that is no weekend."""
    day += timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day


def strategies(of: Sequence[str], turn: int) -> tuple[StrategyTerms, ...]:
    """Return what is wanted in a run; in every symbol it differs from what was wanted a turn before."""
    return tuple(_strategy(name, of[place::2], turn + place) for place, name in enumerate(("even", "odd")))


def _strategy(name: str, symbols: Sequence[str], turn: int) -> StrategyTerms:
    weights = {symbol: Decimal(2 + (turn + place) % 3) / (4 * len(symbols)) for place, symbol in enumerate(symbols)}
    parameters = {symbol: f"{weight:.6f}" for symbol, weight in weights.items()}
    terms = strategy(name, "fixed-weights", "0.5", 1, Mode.NETTED, **parameters)
    return terms.model_copy(update={"symbols": tuple(symbols)})
