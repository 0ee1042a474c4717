"""`tape tail`: the records of a topic, decoded, as they come; kcat's spellings where kcat has one."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.sql.lines import Line
    from infra.sql.rows import Rows
    from infra.sql.tailing import Filter

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="Short or full name: fills, order_intents, fills.v1.")]
Where = Annotated[str | None, typer.Option(help="Only records for which this SQL condition is true.")]
Since = Annotated[str | None, typer.Option(help="From a time on: 10m, 1d, 2013-02-01T09:30 (UTC).")]
Until = Annotated[str | None, typer.Option(help="Up to a time; implies -e.")]
Offset = Annotated[
    list[str] | None,
    typer.Option("-o", "--offset", help="beginning, end, N, -N (last N), @TIME, s@TIME, e@TIME; may be repeated."),
]
Partition = Annotated[list[int] | None, typer.Option("-p", "--partition", help="Only this one; may be repeated.")]
Count = Annotated[int | None, typer.Option("-c", "--count", min=1, help="End after so many records.")]
Exit = Annotated[bool, typer.Option("-e", "--exit", help="End at the end; begins at the beginning unless told.")]
Format = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--format",
        help="kcat's: %s payload %k key %t %p %o place %T time %h headers, \\n; %{order.symbol} a field of it.",
    ),
]
Json = Annotated[bool, typer.Option("-J", "--json", help="A JSON object per record, also on a terminal.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="All fields of each record, laid out for a person.")]


def tail(
    topic: Topic,
    where: Where = None,
    since: Since = None,
    until: Until = None,
    offset: Offset = None,
    partition: Partition = None,
    count: Count = None,
    is_bounded: Exit = False,
    pattern: Format = None,
    as_json: Json = False,
    is_verbose: Verbose = False,
) -> None:
    """Show the records of a topic as they come, decoded: a line each on a terminal, else JSON.

    The line has time, partition/offset, key and the fields that say most, as far as the terminal is wide; -v all.
    Only what is committed is shown. Times are Kafka's, at which the record was written. A record that cannot be read
    is shown with the reason. Ctrl-C ends it.
    """
    from infra.settings import Settings
    from infra.sql.catalog import named
    from infra.sql.index import CorrelationIndex
    from infra.sql.positions import Positions
    from infra.sql.rows import Rows
    from infra.sql.tailing import Span
    from infra.sql.tailing import tail as records_of

    rows = Rows(named(topic), is_for_people=True)
    span = Span.of(offset or (), since, until, partition or (), is_bounded=is_bounded)
    line = _line(rows, pattern, as_json=as_json, is_verbose=is_verbose)
    settings = Settings.load(needs={"bootstrap_servers"})
    with _interruptible(), ExitStack() as closing:
        condition = None if where is None else _filter(closing, settings, rows, where)
        positions = Positions(settings.bootstrap_servers, CorrelationIndex(""))
        closing.callback(positions.close)
        stretch = span.stretch(positions.extent(rows.table.topic), positions)
        for record in islice(records_of(settings.bootstrap_servers, stretch, span, condition), count):
            sys.stdout.write(line(record))
            sys.stdout.flush()


def _filter(closing: ExitStack, settings: "Settings", rows: "Rows", where: str) -> "Filter":
    from infra.sql.progress import OnStderr
    from infra.sql.session import Session, Wishes
    from infra.sql.tailing import Filter

    session = closing.enter_context(Session(Wishes(settings.bootstrap_servers), OnStderr()))
    return Filter.of(session, rows, where)


def _line(rows: "Rows", pattern: str | None, *, as_json: bool, is_verbose: bool) -> "Line":
    from infra.sql import lines

    if (pattern is not None) + as_json + is_verbose > 1:
        raise typer.BadParameter("expected one of -f, -J and -v")
    is_terminal = sys.stdout.isatty()
    if pattern is not None:
        return lines.formatted(rows, pattern, is_for_people=is_terminal)
    if is_verbose:
        return lines.whole(rows)
    return lines.for_people(rows, get_terminal_size().columns) if is_terminal and not as_json else lines.in_json(rows)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C is how a tail ends, and a reader that has seen enough closes the pipe: neither is a failure."""
    try:
        yield
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at its end goes nowhere
