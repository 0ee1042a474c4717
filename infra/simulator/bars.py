"""Bars of any timeframe, from trades or from smaller bars. Days, weeks and months are New York's. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Literal

from infra.simulator.exact import product, total
from infra.simulator.market_rows import BarRow, TradeRow
from infra.simulator.sessions import NEW_YORK

Unit = Literal["Min", "Hour", "Day", "Week", "Month"]
UNITS: dict[str, Unit] = {
    "Min": "Min",
    "T": "Min",
    "Hour": "Hour",
    "H": "Hour",
    "Day": "Day",
    "D": "Day",
    "Week": "Week",
    "W": "Week",
    "Month": "Month",
    "M": "Month",
}
AMOUNTS: dict[Unit, frozenset[int]] = {
    "Min": frozenset(range(1, 60)),
    "Hour": frozenset(range(1, 24)),
    "Day": frozenset({1}),
    "Week": frozenset({1}),
    "Month": frozenset({1, 2, 3, 4, 6, 12}),
}

#: Prints that count as volume and make no price: odd lots, average and derived prices, prints out of sequence.
MAKE_NO_PRICE = frozenset("IWZU4PHV7")
#: Official opening and closing prices repeat a print that was counted already.
COUNT_FOR_NOTHING = frozenset("MQ9")


@dataclass(frozen=True)
class Timeframe:
    """The length of a bar."""

    amount: int
    unit: Unit

    @staticmethod
    def parsed(text: str) -> "Timeframe":
        """Read a timeframe such as 5Min or 1D; raises ValueError."""
        found = re.fullmatch(r"(\d{1,2})([A-Za-z]+)", text)
        unit = UNITS.get(found[2]) if found else None
        if found is None or unit is None or int(found[1]) not in AMOUNTS[unit]:
            raise ValueError(f"invalid timeframe: {text}")
        return Timeframe(int(found[1]), unit)

    @property
    def is_intraday(self) -> bool:
        """Whether it is shorter than a day."""
        return self.unit in ("Min", "Hour")

    def start_of(self, at: datetime) -> datetime:
        """Return the beginning of the bar that holds an instant."""
        local = at.astimezone(NEW_YORK)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return self._start(local, midnight).astimezone(UTC)

    def _start(self, local: datetime, midnight: datetime) -> datetime:
        match self.unit:
            case "Min" | "Hour":
                minutes = self.amount * (60 if self.unit == "Hour" else 1)
                begun = (local.hour * 60 + local.minute) // minutes * minutes
                return midnight.replace(hour=begun // 60, minute=begun % 60, fold=local.fold)
            case "Day":
                return midnight
            case "Week":
                return midnight - timedelta(days=midnight.weekday())
            case "Month":
                return midnight.replace(day=1, month=(midnight.month - 1) // self.amount * self.amount + 1)

    def end_of(self, at: datetime) -> datetime:
        """Return the beginning of the bar after the one that holds an instant."""
        start = self.start_of(at)
        match self.unit:
            case "Min":
                return start + timedelta(minutes=self.amount)
            case "Hour":
                return start + timedelta(hours=self.amount)
            case "Day":
                return self.start_of(start + timedelta(hours=36))
            case "Week":
                return self.start_of(start + timedelta(days=7, hours=12))
            case "Month":
                return self.start_of(start + timedelta(days=31 * self.amount + 1))


MINUTE = Timeframe(1, "Min")
DAY = Timeframe(1, "Day")


def of_trades(trades: Iterable[TradeRow]) -> Iterator[BarRow]:
    """Yield the minute bars of trades in order; a minute without a trade that makes a price has none."""
    counted = (trade for trade in trades if not COUNT_FOR_NOTHING & set(trade.conditions))
    for start, group in groupby(counted, key=lambda trade: MINUTE.start_of(trade.time)):
        prints = list(group)
        prices = [trade.price for trade in prints if not MAKE_NO_PRICE & set(trade.conditions)]
        if prices:
            yield BarRow(
                time=start,
                known_at=prints[-1].time,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[-1],
                volume=total(*(trade.size for trade in prints)),
                trades=len(prints),
                value=total(*(product(trade.price, trade.size) for trade in prints)),
            )


def of_bars(bars: Iterable[BarRow], timeframe: Timeframe) -> Iterator[BarRow]:
    """Yield longer bars made of bars in order."""
    for start, group in groupby(((timeframe.start_of(bar.time), bar) for bar in bars), key=itemgetter(0)):
        parts = [bar for _, bar in group]
        yield BarRow(
            time=start,
            known_at=parts[-1].known_at,
            open=parts[0].open,
            high=max(bar.high for bar in parts),
            low=min(bar.low for bar in parts),
            close=parts[-1].close,
            volume=total(*(bar.volume for bar in parts)),
            trades=sum(bar.trades for bar in parts),
            value=total(*(bar.value for bar in parts)),
        )


def is_of_session(bar: BarRow) -> bool:
    """Say whether a minute is of a regular session, as far as the clock on the wall tells: 09:30 to 16:00."""
    local = bar.time.astimezone(NEW_YORK)
    return (9, 30) <= (local.hour, local.minute) < (16, 0)


def vwap(bar: BarRow) -> Decimal:
    """Return the average price weighted by size, dollars with six decimals; the close where nothing was traded."""
    if not bar.volume:
        return bar.close
    return (bar.value / bar.volume).quantize(Decimal("1E-6"))
