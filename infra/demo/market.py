"""The demo's market: real daily bars, the sessions they belong to, and the quote of each session's close."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from uuid import UUID

from infra.errors import TapeError
from infra.simulator.sessions import sessions_between
from schemas.identity import derived
from schemas.market import Bar

PRICES = Path(__file__).parent / "data" / "prices.csv.gz"
SOURCE = "quandl-wiki"
HALF_SPREAD = Decimal("0.01")
"""Half of the demo's quoted spread; the data has no quotes, so the close is taken as their midpoint."""

HISTORY_SESSIONS = 90
"""Sessions of bars before the first run: what the slowest strategy needs (RSI 14 wants 5 x 14)."""


@dataclass(frozen=True)
class Session:
    """One exchange session: its bars, and the instant of its close."""

    on: date
    bars: tuple[Bar, ...]

    @property
    def as_of(self) -> datetime:
        """One minute before the close, early closes included: the close stands for the price an order still gets."""
        (session,) = sessions_between(self.on, self.on)
        return session.close - timedelta(minutes=1)

    def quotes(self) -> Iterator[tuple[str, Decimal, Decimal]]:
        """Yield (symbol, bid, ask) at the close."""
        for bar in self.bars:
            yield bar.symbol, bar.close - HALF_SPREAD, bar.close + HALF_SPREAD


class Market:
    """All sessions of the carried data."""

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """Every session, oldest first."""
        by_day: dict[date, list[Bar]] = {}
        with gzip.open(PRICES, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                bar = _bar(row)
                by_day.setdefault(bar.session_date, []).append(bar)
        return tuple(Session(day, tuple(bars)) for day, bars in sorted(by_day.items()))

    def last(self, count: int) -> tuple[tuple[Session, ...], tuple[Session, ...]]:
        """Return (history, traded): the last `count` sessions are traded, the history before them is only read."""
        if not 1 <= count <= len(self.sessions) - HISTORY_SESSIONS:
            most = len(self.sessions) - HISTORY_SESSIONS
            raise TapeError(f"expected 1 to {most} sessions, was {count}", next_command=f"tape demo --sessions {most}")
        traded = self.sessions[-count:]
        return self.sessions[-count - HISTORY_SESSIONS : -count], traded


def bar_id(bar: Bar) -> UUID:
    """Return the identity of a bar: what it stands for and its values, so a correction is another one."""
    return derived("bar", bar.source, bar.symbol, bar.session_date, bar.close, bar.adjusted_close)


def _bar(row: dict[str, str]) -> Bar:
    prices = {name: Decimal(row[name]) for name in ("open", "high", "low", "close", "adjusted_close")}
    day = date.fromisoformat(row["session_date"])
    return Bar(symbol=row["symbol"], session_date=day, volume=int(row["volume"]), source=SOURCE, **prices)
