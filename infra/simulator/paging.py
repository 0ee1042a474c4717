"""Which rows of a list a query asks for."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from infra.simulator.rules import malformed

Row = TypeVar("Row")


def between(
    rows: Sequence[Row], time_of: Callable[[Row], datetime], after: str | None, until: str | None
) -> Sequence[Row]:
    """Keep the rows strictly between two times."""
    if after:
        start = instant(after)
        rows = [row for row in rows if time_of(row) > start]
    if until:
        end = instant(until)
        rows = [row for row in rows if time_of(row) < end]
    return rows


def instant(text: str) -> datetime:
    """Read a time; one without a zone is UTC, a date is its midnight."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed(f"invalid time: {text}") from error
    return found if found.utcoffset() is not None else found.replace(tzinfo=UTC)


def count(text: str | None, default: int, name: str) -> int:
    """Read a number of rows, at least 1."""
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise malformed(f"invalid {name}: {text}")
    return int(text)


def choice(text: str | None, choices: Sequence[str], name: str) -> str:
    """Read one of several words; the first one when left out."""
    if text is None:
        return choices[0]
    if text not in choices:
        raise malformed(f"invalid {name}: {text}")
    return text
