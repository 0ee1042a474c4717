"""Results as text: a table for people, and JSON, JSON lines, CSV and Markdown for what comes next.

Nothing is rounded: a number is a decimal's own digits, in JSON as a string. Instants are ISO in UTC. Rows stream;
a table is as wide as its first thousand rows need.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import singledispatch
from itertools import chain, islice
from types import NoneType
from typing import Any

from infra.controls import on_one_line

Row = Sequence[Any]
Rows = Iterable[Row]

_WIDTH_ROWS = 1000
_CELL_MAX = 80
_NUMBERS = (Decimal, int, float)
_TYPE_MAX = 60
_DESCRIBED = ["column_name", "column_type"]


@singledispatch
def plain(value: Any) -> Any:
    """Return a value as JSON has it, every digit kept; a blob in hexadecimal."""
    return str(value)


@plain.register(NoneType)
@plain.register(int)
@plain.register(str)
def _as_it_is(value: Any) -> Any:
    return value


@plain.register
def _(value: float) -> Any:
    return value if math.isfinite(value) else str(value)


@plain.register
def _(value: Decimal) -> Any:
    return f"{value:f}"


@plain.register
def _(value: datetime) -> Any:
    return value.isoformat().replace("+00:00", "Z")


@plain.register(date)
@plain.register(time)
def _day_or_time(value: date | time) -> Any:
    return value.isoformat()


@plain.register
def _(value: bytes) -> Any:
    return value.hex()


@plain.register
def _(value: dict) -> Any:  # type: ignore[type-arg]
    return {key if isinstance(key, str) else str(plain(key)): plain(each) for key, each in value.items()}


@plain.register(list)
@plain.register(tuple)
def _sequence(value: Sequence[Any]) -> Any:
    return [plain(each) for each in value]


def as_json(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """One array with an object per row."""
    yield "["
    for number, row in enumerate(rows):
        yield f"{',' if number else ''}\n  {_object(names, row)}"
    yield "\n]\n"


def as_jsonl(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """One object per line."""
    for row in rows:
        yield f"{_object(names, row)}\n"


def as_csv(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """A header, and a line per row; null is empty, what is nested is JSON."""
    yield _csv_line(names)
    for row in rows:
        yield _csv_line([_cell(plain(value)) for value in row])


def as_markdown(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """A table of Markdown."""
    yield f"| {' | '.join(map(_escaped, names))} |\n|{' --- |' * len(names)}\n"
    for row in rows:
        yield f"| {' | '.join(_escaped(_for_people(value)) for value in row)} |\n"


def as_table(names: Sequence[str], rows: Rows, cell_max: int | None = _CELL_MAX) -> Iterator[str]:
    """Aligned columns, numbers to the right; a cell longer than `cell_max` ends in an ellipsis.

    Of DESCRIBE, types are cut even where nothing else is: a nested one has thousands of characters.
    """
    source = iter(_with_short_types(rows) if list(names[:2]) == _DESCRIBED else rows)
    first = list(islice(source, _WIDTH_ROWS))
    numeric = [any(_is_number(row[each]) for row in first) for each in range(len(names))]
    cells = [[_cut(_for_people(value), cell_max) for value in row] for row in first]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    yield _aligned([on_one_line(name) for name in names], widths, numeric)
    yield _aligned(["─" * width for width in widths], widths, numeric)
    later = ([_cut(_for_people(value), cell_max) for value in row] for row in source)
    for row in chain(cells, later):
        yield _aligned(row, widths, numeric)


TEXTS: dict[str, Callable[[Sequence[str], Rows], Iterator[str]]] = {
    "table": as_table,
    "json": as_json,
    "jsonl": as_jsonl,
    "csv": as_csv,
    "md": as_markdown,
}
FILES = ("parquet", "arrow")
HEADS = {"table": 2, "md": 1, "csv": 1, "jsonl": 0}
"""How many of the texts of a format come before its rows."""
FORMATS = (*TEXTS, *FILES)


def distinct(names: Sequence[str]) -> list[str]:
    """Return column names, later ones of the same name with a number, so that no value hides another."""
    found: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            candidate, number = f"{name}_{number}", number + 1
        found.append(candidate)
    return found


def _object(names: Sequence[str], row: Row) -> str:
    return json.dumps({name: plain(value) for name, value in zip(names, row, strict=True)}, ensure_ascii=False)


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _for_people(value: Any) -> str:
    match value:
        case None:
            return "-"
        case Decimal() if value.is_finite():
            digits = f"{value:f}"
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case datetime():
            return str(plain(value)).replace("T", " ")
        case _:
            return str(_cell(plain(value)))


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _cut(text: str, cell_max: int | None) -> str:
    line = on_one_line(text)
    return line if cell_max is None or len(line) <= cell_max else f"{line[: cell_max - 1]}…"


def _with_short_types(rows: Rows) -> Iterator[Row]:
    for name, kind, *others in rows:
        yield (name, _cut(str(kind), _TYPE_MAX), *others)


def _escaped(text: str) -> str:
    return on_one_line(text).replace("|", "\\|")


def _aligned(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    placed = (
        cell.rjust(width) if is_number else cell.ljust(width)
        for cell, width, is_number in zip(cells, widths, numeric, strict=True)
    )
    return f"{'  '.join(placed).rstrip()}\n"
