"""`tape sql`: ask topics with SQL: once, in a shell, for every record that comes, or again and again."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from infra.errors import TapeError

if TYPE_CHECKING:
    from infra.sql.loading import Decoder
    from infra.sql.session import Session

EXTENSIONS = ("parquet", "arrow", "csv", "md", "json", "jsonl")
BINARY = ("parquet", "arrow")
CELL_MAX = 60
EXIT_EMPTY = 3
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}

Query = Annotated[str | None, typer.Argument(help="SELECT ...; - or nothing reads stdin; a terminal gets a shell.")]
File = Annotated[Path | None, typer.Option("-f", "--file", help="Read the SQL from a file.")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="table|json|jsonl|csv|parquet|arrow|md; table on a terminal, else jsonl."),
]
To = Annotated[Path | None, typer.Option("--to", help="Write the result to a file; its ending is the output.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say what would be read, by partition and offset; ask nothing.")
]
Whole = Annotated[bool, typer.Option("--all", help="Read any number of records.")]
Most = Annotated[int, typer.Option("--max-records", min=1, help="Refuse to read more than this without --all.")]
NoPushdown = Annotated[bool, typer.Option("--no-pushdown", help="Read whole topics, whatever WHERE says.")]
Meta = Annotated[bool, typer.Option("--meta", help="Show all pseudo-columns in SELECT *.")]
Attach = Annotated[str | None, typer.Option("--attach", help="ledger: PostgreSQL's tables as ledger.<name>.")]
Save = Annotated[Path | None, typer.Option("--save", help="Keep the records read in a new DuckDB file.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on with every record that comes.")]
Every = Annotated[str | None, typer.Option("--every", help="Ask again after each 5s, 1m, ...")]
Timeout = Annotated[str, typer.Option("--timeout", help="Longest evaluation: 60s, 5m.")]
Memory = Annotated[str, typer.Option("--memory", help="Memory of the evaluation: 500MB, 4GB.")]
Decoding = Annotated[str, typer.Option("--decoder", help="auto, batch or fastavro; the rows are the same.")]
FailEmpty = Annotated[bool, typer.Option("--fail-empty", help="Exit with 3 when no row is found.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no notes.")]


def sql(
    query: Query = None,
    file: File = None,
    output: Output = None,
    to: To = None,
    explain: Explain = False,
    everything: Whole = False,
    max_records: Most = 1_000_000,
    no_pushdown: NoPushdown = False,
    meta: Meta = False,
    attach: Attach = None,
    save: Save = None,
    follow: Follow = False,
    every: Every = None,
    timeout: Timeout = "60s",
    memory: Memory = "1GB",
    decoder: Decoding = "auto",
    fail_empty: FailEmpty = False,
    quiet: Quiet = False,
) -> None:
    """Ask topics with SQL: tables are topics by short name (fills, order_intents) or full name ("fills.v1").

    Beside a record's fields every table has _topic _partition _offset _timestamp _key _headers _schema_id
    _schema_version _tombstone _error _value. Bounds on _partition, _offset, _timestamp and correlation_id are read as
    such: --explain. <table>_latest is the last record of each key, <table>_latest_by_account of each account, and
    run('1a2b') the id of the run that begins so: correlation_id = run('1a2b'). Only SELECT and EXPLAIN; no
    files, no network.

    Exit codes: 0 answered; 1 failed; 2 wrong usage; 3 no row with --fail-empty.
    """
    from infra.settings import EndpointName, Settings
    from infra.sql.progress import OnStderr, Silent
    from infra.sql.session import Session, Wishes
    from infra.sql.times import duration

    _check(follow=follow, every=every, explain=explain, attach=attach)
    needs: tuple[EndpointName, ...] = ("bootstrap_servers", "database_url") if attach else ("bootstrap_servers",)
    settings = Settings.load(needs)
    wishes = Wishes(
        bootstrap_servers=settings.bootstrap_servers,
        database_url=settings.database_url,
        records_max=None if everything else max_records,
        has_pushdown=not no_pushdown,
        has_meta=meta,
        has_ledger=attach is not None,
        database=_new(save),
        memory_bytes=_bytes(memory),
        timeout_s=duration(timeout).total_seconds(),
        decoder=_decoder(decoder),
    )
    text, rows = _text(query, file), -1
    with _interruptible(), Session(wishes, Silent() if quiet else OnStderr()) as session:
        if text is None:
            _shell(session, settings.home)
        elif explain:
            _explain(session, text)
        else:
            rows = _ask(session, text, _format(output, to), to, follow=follow, every=every)
    if fail_empty and rows == 0:
        raise typer.Exit(EXIT_EMPTY)


def _check(*, follow: bool, every: str | None, explain: bool, attach: str | None) -> None:
    from infra.sql.times import duration

    if sum((follow, every is not None, explain)) > 1:
        raise typer.BadParameter("expected one of --follow, --every and --explain")
    if every is not None and not duration(every):
        raise typer.BadParameter(f"expected a time between two answers, was {every}", param_hint="--every")
    if attach not in (None, "ledger"):
        raise typer.BadParameter(f"expected --attach ledger, was {attach}")


def _text(query: str | None, file: Path | None) -> str | None:
    """Return what is asked; None when a person is to be asked."""
    if query is not None and file is not None:
        raise typer.BadParameter("expected SQL or a file with SQL, was both")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except OSError as error:
            raise TapeError(f"the file cannot be read: {error}", where=str(file)) from error
    if query is None and sys.stdin.isatty():
        return None
    return sys.stdin.read() if query in (None, "-") else query


def _format(output: str | None, to: Path | None) -> str:
    from infra.sql.render import FORMATS

    by_ending = to.suffix.removeprefix(".") if to is not None and to.suffix.removeprefix(".") in EXTENSIONS else None
    found = output or by_ending or ("table" if to is None and sys.stdout.isatty() else "jsonl")
    if found not in FORMATS:
        raise typer.BadParameter(f"expected an output of {', '.join(FORMATS)}, was {found}")
    if found in BINARY and to is None and sys.stdout.isatty():
        raise TapeError(f"{found} is not for a terminal", next_command=f"--to result.{found}")
    return found


def _ask(session: "Session", text: str, output: str, to: Path | None, *, follow: bool, every: str | None) -> int:
    from infra.sql.engine import Shape
    from infra.sql.following import follow as follow_on
    from infra.sql.times import duration

    is_terminal = to is None and sys.stdout.isatty()
    cell_max = CELL_MAX if is_terminal else None
    shape = Shape.for_people(output, cell_max) if is_terminal else Shape(output)
    with _target(to) as target:

        def sink(chunk: bytes) -> None:
            target.write(_steady(chunk, output) if is_terminal else chunk)
            target.flush()

        if follow:
            follow_on(session, text, output, sink, cell_max=cell_max)
            return 0
        rows = session.run(text, shape, sink)
        while every is not None:
            threading.Event().wait(duration(every).total_seconds())
            sink(b"\n" if output in ("table", "md") else b"")
            rows = session.run(text, shape, sink)
        return rows


def _steady(chunk: bytes, output: str) -> bytes:
    """Return a piece of a result, which is whole lines, without what would steer the terminal it is written to."""
    from infra.controls import as_json, shown

    text = chunk.decode()
    return (as_json(text) if output in ("json", "jsonl") else shown(text)).encode()


def _explain(session: "Session", text: str) -> None:
    plan = session.plan(text)
    for part in plan.parts:
        print(part)
    for note in plan.notes:
        print(note)
    print(f"at most {plan.count} records are read")
    for table in (part.reading.table for part in plan.parts):
        why = session.why_fastavro(table)
        print(f"{table.name}: decoded one by one, {why}" if why else f"{table.name}: decoded in batches")


def _decoder(text: str) -> "Decoder":
    from infra.sql.loading import Decoder

    if text not in set(Decoder):
        raise typer.BadParameter(f"expected a decoder of {', '.join(Decoder)}, was {text}")
    return Decoder(text)


def _shell(session: "Session", home: Path) -> None:
    from infra.controls import shown
    from infra.sql.shell import Shell, run

    def write(text: str) -> None:
        print(shown(text), end="", flush=True)

    def sink(chunk: bytes) -> None:
        sys.stdout.buffer.write(_steady(chunk, shell.mode))
        sys.stdout.flush()

    shell = Shell(session, write, sink, CELL_MAX)
    run(shell, home)


@contextmanager
def _target(to: Path | None) -> Iterator[BinaryIO]:
    """Lend where the result goes; a file has its name only once it is complete."""
    if to is None:
        yield sys.stdout.buffer
        return
    partial = to.with_name(f"{to.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(to)
    except OSError as error:
        raise TapeError(f"the result cannot be written: {error}", where=str(to)) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a question that goes on, and a reader that has seen enough closes the pipe: both are no failure."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at its end goes nowhere
        sys.exit(0)


def _new(save: Path | None) -> Path | None:
    if save is not None and save.exists():
        raise TapeError("the file is there already, and --save makes a new one", where=str(save))
    return save


def _bytes(text: str) -> int:
    unit = UNITS.get(text.strip()[-2:].upper())
    digits = text.strip()[:-2].strip()
    if unit is None or not digits.isdecimal():
        raise typer.BadParameter(f"expected memory such as 500MB or 4GB, was {text}")
    return int(digits) * unit
