"""How commands show what PostgreSQL knows: exact numbers for scripts, readable tables for people, one database opened.

JSON has numbers as text that keeps every digit; people see shares, prices and weights without trailing zeros, dollars
with commas and in cents.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from infra.controls import on_one_line, shown
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
def tables_or_log() -> Iterator[Connection]:
    """Open the database, or, where it is away, one for this question only, projected from the log.

    Where that cannot be done either, a TapeError says what is needed.
    """
    from infra.postgres.migrate import require_migrated

    with ExitStack() as closing:
        connection = _opened(closing)
        require_migrated(connection)
        yield connection


def _opened(closing: ExitStack) -> Connection:
    try:
        return closing.enter_context(database())[1]
    except TapeError as error:
        away = error
    return closing.enter_context(_from_log(away))


@contextmanager
def _from_log(away: TapeError) -> Iterator[Connection]:
    """Open a database projected from the log, and say so; `away` is why it is needed."""
    from infra.cli.asking import settings_of_kafka
    from infra.postgres.connection import connect
    from infra.postgres.from_log import projected

    said = away.what.splitlines()[0]
    with ExitStack() as closing:
        try:
            servers = settings_of_kafka("tape up").bootstrap_servers
            print(f"tape: {shown(said)}; the log is read instead", file=sys.stderr, flush=True)
            url = closing.enter_context(projected(servers))
        except TapeError as error:
            raise TapeError(
                f"{said}; and the log does not do instead: {error.what}",
                where=error.where,
                next_command="tape up, and tape worker projector, which goes on where it was; tape trace RUN and"
                " tape sql need only Kafka",
            ) from error
        yield closing.enter_context(connect(url))


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
    """Print a table in the width there is; columns named in `numbers` are flush right, no value is ever cut short."""
    from infra.cli.layout import laid_out

    target = console()
    titles = [column.replace("_", " ") for column in columns]
    cells = [[on_one_line(cell) for cell in row] for row in rows]
    right = [title for column, title in zip(columns, titles, strict=True) if column in numbers]
    head, body = laid_out(titles, cells, right, target.width)
    for line in head:
        target.print(line, style="bold", soft_wrap=True, markup=False)
    for line in body:
        print(line)


def print_text(text: str, indent: int) -> None:
    """Print text that may be longer than the terminal is wide: broken between words, what follows further in."""
    from textwrap import fill

    first, rest = " " * indent, " " * (indent + 2)
    width = console().width
    print(
        fill(
            on_one_line(text),
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
