"""How commands show what PostgreSQL knows: exact numbers for scripts, readable tables for people, one database opened.

JSON has numbers as text that keeps every digit; people see shares, prices and weights without trailing zeros, dollars
with commas and in cents.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import typer

from infra.errors import TapeError
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from infra.postgres.connection import Connection

PIPED_WIDTH = 200

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys; numbers are text, exact.")]


@contextmanager
def database() -> Iterator[tuple[str, Connection]]:
    """Open the database of the settings; one that does not answer is a TapeError."""
    import psycopg

    from infra.postgres.connection import connect

    url = Settings.load(needs={"database_url"}).database_url
    try:
        with connect(url) as connection:
            yield url, connection
    except psycopg.OperationalError as error:
        raise TapeError(f"PostgreSQL does not answer: {error}", next_command="tape status") from error


@contextmanager
def migrated() -> Iterator[Connection]:
    """Open the database; tables that are not of this version are a TapeError."""
    from infra.postgres.migrate import require_migrated

    with database() as (_, connection):
        require_migrated(connection)
        yield connection


def print_json(document: Any) -> None:
    """Print a document, its values exact."""
    print(json.dumps(exact(document), indent=2))


def exact(value: Any) -> Any:
    """Return a value as JSON has it, in dicts and lists at any depth: a number as text that keeps every digit."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case dict():
            return {name: exact(each) for name, each in value.items()}
        case list() | tuple():
            return [exact(each) for each in value]
        case _:
            return value


def plain(value: Decimal) -> str:
    """Return a number with all its digits and no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Decimal | None) -> str:
    """Return dollars with commas, in whole cents, half-even, for a person; '-' for none. JSON has all digits."""
    return "-" if value is None else f"{value:z,.2f}"


def signed(value: Decimal | None) -> str:
    """Return a change of shares with its sign; '-' for none."""
    return "-" if value is None else f"{'+' if value > 0 else ''}{plain(value)}"


def percent(weight: Decimal | None) -> str:
    """Return a weight as a percentage with all its digits; '-' for none."""
    return "-" if weight is None else f"{plain(weight.scaleb(2))}%"


def instant(at: datetime | None) -> str:
    """Return a point in time for a person; '-' for none."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def for_people(value: Any) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return "-"
        case list():
            return " ".join(map(str, value))
        case datetime():
            return instant(value)
        case _:
            return str(exact(value))


def print_rows(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], numbers: Sequence[str] = (), dollars: Sequence[str] = ()
) -> None:
    """Print rows as a table of these columns for a person; `dollars` are numbers too."""

    def shown(row: Mapping[str, Any], column: str) -> str:
        return money(row[column]) if column in dollars else for_people(row[column])

    print_table(columns, [[shown(row, column) for column in columns] for row in rows], (*numbers, *dollars))


def named(text: str, what: str) -> str:
    """Return the text; one that names nothing, empty or blank, is wrong usage."""
    if not text.strip():
        raise typer.BadParameter(f"expected {what}, was {text!r}")
    return text


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Print a table; the columns named in `numbers` are flush right, and no value is ever cut short."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: a name in brackets is no markup
    console().print(table)


def print_text(text: str, indent: int) -> None:
    """Print text that may be longer than the terminal is wide: broken between words, what follows further in."""
    from textwrap import fill

    first, rest = " " * indent, " " * (indent + 2)
    width = console().width
    print(
        fill(
            text,
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def console() -> Console:
    """Return where to print; a pipe, which has no width of its own, is wide unless COLUMNS says otherwise."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal and not os.environ.get("COLUMNS"):
        found.width = PIPED_WIDTH
    return found
