"""The files of a recorded market, as the LEAN project lays them out: one CSV without a header in each zip.

Prices are in 1/10000 dollar, sizes in shares, times in milliseconds after midnight in New York.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

from infra.errors import TapeError
from infra.simulator.exact import ZERO, product, total
from infra.simulator.market_rows import BarRow, QuoteRow, Series, Timed, TradeRow
from infra.simulator.sessions import NEW_YORK
from schemas.quantities import CONTEXT

PRICE_UNIT = Decimal("0.0001")
THIRD = Decimal(3)
MINUTE = timedelta(minutes=1)
TAPES = {"N": "A", "Q": "C", "T": "C"}

#: Flags of a recorded trade, and the letters the tape has for them.
CONDITIONS = (
    (0x20, "F"),
    (0x40, "O"),
    (0x80, "6"),
    (0x100, "5"),
    (0x200, "4"),
    (0x400 | 0x2000 | 0x4000, "T"),
    (0x100000, "W"),
    (0x200000, "X"),
    (0x1000000, "M"),
    (0x2000000, "P"),
    (0x4000000, "Q"),
    (0x80000000, "I"),
)


Row = TypeVar("Row", bound=Timed)


class RecordingError(TapeError):
    """A recording cannot be read."""


class _Side(NamedTuple):
    price: Decimal
    size: Decimal
    exchange: str


NOBODY = _Side(ZERO, ZERO, "V")


def loaded(path: Path, read: Callable[[Path], Iterator[Row]]) -> Series[Row]:
    """Return the rows of a file; raises RecordingError, naming it, where it cannot be read or understood."""
    try:
        return Series(read(path))
    except (OSError, zipfile.BadZipFile, LookupError, ValueError, ArithmeticError) as error:
        raise RecordingError(f"not a recording: {error}", where=str(path)) from error


class LeanFiles:
    """The files of one folder, read row by row."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tick_quotes(self, path: Path) -> Iterator[QuoteRow]:
        """Yield the states of the best bid and offer; a row of the bid and the next of the offer may form one."""
        midnight, tape = midnight_of(path), self._tape(path)
        bid, ask = NOBODY, NOBODY
        waiting: str | None = None

        def state(time: str) -> QuoteRow:
            at = midnight + timedelta(milliseconds=int(time))
            return QuoteRow(at, bid.price, ask.price, bid.size, ask.size, bid.exchange, ask.exchange, tape)

        for time, bid_price, bid_size, ask_price, ask_size, exchange, *_ in _rows(path):
            is_bid = ask_price == "0"
            if waiting is not None and (is_bid or waiting != time):
                yield state(waiting)
            if is_bid:
                bid, waiting = _Side(_price(bid_price), Decimal(bid_size), exchange), time
            else:
                ask, waiting = _Side(_price(ask_price), Decimal(ask_size), exchange), None
                yield state(time)
        if waiting is not None:
            yield state(waiting)

    def tick_trades(self, path: Path) -> Iterator[TradeRow]:
        midnight, tape = midnight_of(path), self._tape(path)
        for n, (time, price, size, exchange, flags, *_) in enumerate(_rows(path), 1):
            at = midnight + timedelta(milliseconds=int(time))
            yield TradeRow(at, _price(price), Decimal(size), exchange, _conditions(int(flags, 16)), tape, n)

    def minute_quotes(self, path: Path) -> Iterator[QuoteRow]:
        """Yield the best bid and offer at the end of each minute."""
        midnight, tape = midnight_of(path), self._tape(path)
        for time, _, _, _, bid, bid_size, _, _, _, ask, ask_size in _rows(path):
            at = midnight + timedelta(milliseconds=int(time)) + MINUTE
            yield QuoteRow(at, _price(bid), _price(ask), Decimal(bid_size), Decimal(ask_size), tape=tape)

    def minute_bars(self, path: Path) -> Iterator[BarRow]:
        midnight = midnight_of(path)
        for time, *prices in _rows(path):
            at = midnight + timedelta(milliseconds=int(time))
            yield _bar(at, at + MINUTE, prices)

    def day_bars(self, path: Path) -> Iterator[BarRow]:
        """Yield the bars of days; each is known at 16:00."""
        for day, *prices in _rows(path):
            begins = datetime.strptime(day, "%Y%m%d %H:%M").replace(tzinfo=NEW_YORK)
            yield _bar(begins.astimezone(UTC), begins.replace(hour=16).astimezone(UTC), prices)

    def _tape(self, path: Path) -> str:
        """Return the tape of a symbol: A and C are those of New York and Nasdaq, B is everyone else's."""
        symbols = self._folder / "map_files" / f"{path.parent.name}.csv"
        if not symbols.is_file():
            return "C"
        *_, last = csv.reader(symbols.read_text().splitlines())
        return TAPES.get(last[2] if len(last) > 2 else "Q", "B")


def _rows(path: Path) -> Iterator[list[str]]:
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as packed:
        yield from csv.reader(io.TextIOWrapper(packed, "ascii"))


def midnight_of(path: Path) -> datetime:
    """Return what the times of a file count from; noon tells, since clocks are changed at two in the morning."""
    noon = datetime.strptime(path.name[:8], "%Y%m%d").replace(hour=12, tzinfo=NEW_YORK)
    return noon.astimezone(UTC) - timedelta(hours=12)


def _price(text: str) -> Decimal:
    return Decimal(text).scaleb(-4)


def _conditions(flags: int) -> tuple[str, ...]:
    return tuple(letter for mask, letter in CONDITIONS if flags & mask) or ("@",)


def _bar(begins: datetime, known_at: datetime, row: list[str]) -> BarRow:
    """Return a recorded bar; it does not count its trades, and its value is taken at the middle of its prices."""
    opened, high, low, close = (_price(text) for text in row[:4])
    volume = Decimal(row[4])
    middle = CONTEXT.divide(total(high, low, close), THIRD).quantize(PRICE_UNIT)
    return BarRow(begins, known_at, opened, high, low, close, volume, 0, product(middle, volume))
