"""Recorded markets found in a folder, and read as the clock reaches them: nothing of them is kept.

daily/<symbol>.zip                             day bars
minute/<symbol>/<YYYYMMDD>_{trade,quote}.zip   minute bars of trades, and of the best bid and offer
tick/<symbol>/<YYYYMMDD>_{trade,quote}.zip     trades, and every change of the best bid and offer
map_files/<symbol>.csv                         the letter of the primary exchange in its last row, for the tape
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from infra.simulator.lean_files import LeanFiles, RecordingError, loaded, midnight_of
from infra.simulator.market_rows import BarRow, QuoteRow, Series, Timed, TradeRow

BEGINNING, END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Row = TypeVar("Row", bound=Timed)


@dataclass(frozen=True)
class Days(Generic[Row]):
    """Rows of one symbol in a file for each day, read when a time in it is asked for."""

    parts: tuple["Part[Row]", ...]

    def between(self, start: datetime, end: datetime) -> list[Row]:
        """Return the rows of an interval, both ends included."""
        return [row for part in self._touching(start, end) for row in part.rows().between(start, end)]

    def after(self, start: datetime, end: datetime) -> list[Row]:
        """Return the rows after `start`, up to and with `end`."""
        return [row for part in self._touching(start, end) for row in part.rows().after(start, end)]

    def latest(self, now: datetime) -> Row | None:
        """Return the last row at or before `now`."""
        found = (part.rows().latest(now) for part in reversed(self.parts) if part.first <= now)
        return next((row for row in found if row is not None), None)

    def _touching(self, start: datetime, end: datetime) -> list["Part[Row]"]:
        return [part for part in self.parts if part.first <= end and part.last >= start]


@dataclass(frozen=True)
class Part(Generic[Row]):
    """A file whose rows lie between two times."""

    first: datetime
    last: datetime
    rows: Callable[[], Series[Row]]


@dataclass(frozen=True)
class Recording:
    """Recorded rows by symbol, each in the order of their times."""

    quotes: Mapping[str, Days[QuoteRow]] = field(default_factory=dict)
    trades: Mapping[str, Days[TradeRow]] = field(default_factory=dict)
    minutes: Mapping[str, Days[BarRow]] = field(default_factory=dict)
    days: Mapping[str, Days[BarRow]] = field(default_factory=dict)

    @staticmethod
    def of(folder: Path) -> "Recording":
        """Find what there is in a folder; raises RecordingError where that is nothing, and later for a bad file."""
        read = LeanFiles(folder)
        quotes = {_day_of(path): _part(path, read.minute_quotes) for path in _files(folder, "minute", "quote")}
        quotes |= {_day_of(path): _part(path, read.tick_quotes) for path in _files(folder, "tick", "quote")}
        ticks, minutes = _files(folder, "tick", "trade"), _files(folder, "minute", "trade")
        found = Recording(
            quotes=_by_symbol(quotes),
            trades=_by_symbol({_day_of(path): _part(path, read.tick_trades) for path in ticks}),
            minutes=_by_symbol({_day_of(path): _part(path, read.minute_bars) for path in minutes}),
            days={path.stem.upper(): _whole(path, read.day_bars) for path in sorted(folder.glob("daily/*.zip"))},
        )
        if not any((found.quotes, found.trades, found.minutes, found.days)):
            raise RecordingError(
                "no recording: expected daily/*.zip, minute/*/*.zip or tick/*/*.zip",
                where=str(folder),
                next_command="name the folder that holds them: --recording DIR",
            )
        return found


NOTHING = Recording()


def _files(folder: Path, resolution: str, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{resolution}/*/*_{kind}.zip"))


def _day_of(path: Path) -> tuple[str, str]:
    return path.parent.name, path.name


def _part(path: Path, read: Callable[[Path], Iterator[Row]]) -> Part[Row]:
    midnight = midnight_of(path)
    return Part(midnight, midnight + timedelta(days=1), cache(lambda: loaded(path, read)))


def _whole(path: Path, read: Callable[[Path], Iterator[Row]]) -> Days[Row]:
    return Days((Part(BEGINNING, END, cache(lambda: loaded(path, read))),))


def _by_symbol(parts: Mapping[tuple[str, str], Part[Row]]) -> dict[str, Days[Row]]:
    symbols = sorted({symbol for symbol, _ in parts})
    return {symbol.upper(): Days(tuple(parts[key] for key in sorted(parts) if key[0] == symbol)) for symbol in symbols}
