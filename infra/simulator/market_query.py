"""What a request for market data asks for, in words that say what is wrong with it, and its pages."""

import base64
import binascii
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple, TypeVar

from infra.simulator.book import TICK
from infra.simulator.exact import stamp
from infra.simulator.market_rows import Timed
from infra.simulator.rules import RefusalError, is_symbol
from infra.simulator.sessions import NEW_YORK

LIMIT_DEFAULT = 1000
LIMIT_MAX = 10_000
DELAY = timedelta(minutes=15)
HISTORICAL_FEEDS = ("sip", "iex", "otc", "boats")
LATEST_FEEDS = (*HISTORICAL_FEEDS, "delayed_sip", "overnight")

Row = TypeVar("Row", bound=Timed)
Texts = Mapping[str, str]
_TIME = attrgetter("time")


def bad(message: str) -> RefusalError:
    """Return the refusal of a request that is not understood."""
    return RefusalError(400, None, message)


class Place(NamedTuple):
    """The last row of a page: its symbol, its time, and its number among the rows of that time."""

    symbol: str
    time: datetime
    number: int

    def token(self) -> str:
        """Return it as a page token."""
        return base64.b64encode(f"{self.symbol}|{stamp(self.time)}|{self.number}".encode()).decode()

    @staticmethod
    def of_token(text: str) -> "Place":
        """Read a page token; raises RefusalError."""
        try:
            symbol, time, number = base64.b64decode(text, validate=True).decode().split("|")
            return Place(symbol, datetime.fromisoformat(time).astimezone(UTC), int(number))
        except (binascii.Error, ValueError) as error:
            raise bad(f"invalid page_token: {text}") from error


@dataclass(frozen=True)
class Query:
    """An interval of some symbols, both ends included, and which page of it."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    limit: int
    is_descending: bool
    after: Place | None

    @staticmethod
    def of(texts: Texts, symbols: tuple[str, ...], now: datetime, feeds: Sequence[str] = HISTORICAL_FEEDS) -> "Query":
        """Read a request's parameters; nothing later than `now` is asked for. Raises RefusalError (400)."""
        feed_of(texts, feeds)
        midnight = now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        start, given = _instant(texts, "start", is_end=False), _instant(texts, "end", is_end=True)
        end = min(given or now, now)
        start = start or min(midnight.astimezone(UTC), end)
        if given is not None and given < start:
            raise bad("end should not be before start")
        token = texts.get("page_token")
        sort = texts.get("sort", "asc")
        if sort not in ("asc", "desc"):
            raise bad(f"invalid sort: {sort}")
        return Query(
            symbols=symbols,
            start=start,
            end=end,
            limit=_limit(texts.get("limit")),
            is_descending=sort == "desc",
            after=Place.of_token(token) if token else None,
        )

    def page(self, rows_of: Mapping[str, Sequence[Row]]) -> tuple[dict[str, list[Row]], str | None]:
        """Return the rows of this page by symbol, symbols in order, and the token of the next page if there is one."""
        found: dict[str, list[Row]] = {}
        room = self.limit
        for symbol in sorted(rows_of):
            rows = self._left(symbol, rows_of[symbol])
            if rows and not room:
                return found, self._place(found, rows_of).token()
            if rows:
                found[symbol] = rows[:room]
                room -= len(found[symbol])
            if len(rows) > len(found.get(symbol, ())):
                return found, self._place(found, rows_of).token()
        return found, None

    def _left(self, symbol: str, rows: Sequence[Row]) -> list[Row]:
        """Return the rows of a symbol that were on no page before, in the order asked for."""
        if self.after is None or symbol > self.after.symbol:
            return list(rows[::-1] if self.is_descending else rows)
        if symbol < self.after.symbol:
            return []
        index = bisect_left(rows, self.after.time, key=_TIME) + self.after.number
        return list(rows[:index][::-1] if self.is_descending else rows[index + 1 :])

    def _place(self, found: Mapping[str, list[Row]], rows_of: Mapping[str, Sequence[Row]]) -> Place:
        """Return the place of the last row found."""
        symbol, rows = list(found.items())[-1]
        all_rows, time = rows_of[symbol], rows[-1].time
        first = bisect_left(all_rows, time, key=_TIME)
        number = next(n for n, row in enumerate(all_rows[first:]) if row is rows[-1])
        return Place(symbol, time, number)


def symbols_of(texts: Texts) -> tuple[str, ...]:
    """Return the symbols a request names, each once; raises RefusalError (400)."""
    symbols = tuple(dict.fromkeys(symbol for symbol in texts.get("symbols", "").split(",") if symbol))
    if not symbols:
        raise bad("symbols is required")
    return checked(symbols)


def checked(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return symbols that have the form of one; raises RefusalError (400)."""
    for symbol in symbols:
        if not is_symbol(symbol):
            raise bad(f"invalid symbol: {symbol}")
    return symbols


def feed_of(texts: Texts, feeds: Sequence[str]) -> str:
    """Return the feed a request names, sip without one; raises RefusalError (400) for one that is none of `feeds`."""
    feed = texts.get("feed", "sip")
    if feed not in feeds:
        raise bad(f"invalid feed: {feed}")
    if texts.get("currency", "USD") != "USD":
        raise bad(f"currency {texts['currency']} is not simulated")
    return feed


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not text.isdigit() or not 1 <= int(text) <= LIMIT_MAX:
        raise bad(f"invalid limit: {text}, expected 1 to {LIMIT_MAX}")
    return int(text)


def _instant(texts: Texts, name: str, is_end: bool) -> datetime | None:
    """Return a time, that of a day being its first moment in New York, or its last one for an end."""
    text = texts.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad(f"invalid {name}: {text}") from error
    if len(text) == len("2026-01-02"):
        day = found.replace(tzinfo=NEW_YORK)
        return ((day + timedelta(days=1)).astimezone(UTC) - TICK) if is_end else day.astimezone(UTC)
    return found.astimezone(UTC) if found.utcoffset() is not None else found.replace(tzinfo=UTC)
