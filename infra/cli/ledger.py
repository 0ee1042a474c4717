"""`tape ledger migrate | rebuild | positions | pnl`: the projected ledger, for a person or as JSON.

Numbers are exact everywhere: people see them without trailing zeros, JSON has them as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from infra.errors import TapeError
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.postgres.connection import Connection
    from infra.postgres.rebuild import Comparison, TableComparison

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

EXIT_DIFFERENT = 1
SHORT_HASH = 12
PIPED_WIDTH = 200
NUMBERS = ("quantity", "cash_flow", "holdings_value", "pnl", "live_rows", "rebuilt_rows")

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys; numbers are text, exact.")]
Strategy = Annotated[str | None, typer.Option(help="Only this strategy's, or system's.")]
Verify = Annotated[bool, typer.Option("--verify", help="Exit with 1 when a table is not what the log says.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")]

_POSITIONS = """
SELECT account_id, owner, symbol, quantity FROM positions
WHERE owner = coalesce(%s, owner) ORDER BY account_id, owner, symbol
"""

_PNL = """
SELECT account_id, owner, cash_flow, holdings_value, pnl, marked_at, unmarked_symbols FROM strategy_pnl
UNION ALL
SELECT account_id, NULL, trim_scale(sum(cash_flow)),
    CASE WHEN bool_and(pnl IS NOT NULL) THEN trim_scale(sum(holdings_value)) END,
    CASE WHEN bool_and(pnl IS NOT NULL) THEN trim_scale(sum(pnl)) END,
    min(marked_at), '{}'
FROM strategy_pnl GROUP BY account_id
ORDER BY account_id, owner NULLS LAST
"""


@app.command()
def migrate(dry_run: DryRun = False) -> None:
    """Bring the tables in PostgreSQL up to date. Idempotent; refuses when an applied migration was changed."""
    from infra.postgres.migrate import migrate as apply  # noqa: PLC0415 - psycopg is slow to import
    from infra.postgres.migrate import pending  # noqa: PLC0415

    with _database() as (url, connection):
        names = [each.name for each in pending(connection)] if dry_run else apply(url)
    for name in names:
        print(f"{'pending' if dry_run else 'applied'} {name}")
    if not names:
        print("nothing to do")


@app.command()
def rebuild(verify: Verify = False, as_json: Json = False) -> None:
    """Project the whole log again, beside the live tables, and compare every table by its hash.

    Live tables are only read, and the projector may go on meanwhile.
    """
    from infra.kafka.log import read_all  # noqa: PLC0415
    from infra.postgres.rebuild import rebuild_and_compare  # noqa: PLC0415
    from topics.registry import read_by  # noqa: PLC0415

    servers = Settings.load(needs={"bootstrap_servers"}).bootstrap_servers
    topics = [topic.name for topic in read_by("projector")]
    with _database() as (url, _):
        found = rebuild_and_compare(url, lambda: read_all(servers, topics))
    if as_json:
        print(json.dumps(_comparison_document(found), indent=2))
    else:
        _print_comparison(found)
    raise typer.Exit(EXIT_DIFFERENT if verify and not found.is_identical else 0)


@app.command()
def positions(strategy: Strategy = None, as_json: Json = False) -> None:
    """Show which strategy owns which shares."""
    from infra.postgres.text import storable_text  # noqa: PLC0415

    with _migrated() as connection:
        owner = None if strategy is None else storable_text(strategy)
        rows = connection.execute(_POSITIONS, [owner]).fetchall()
    _print_rows(("account_id", "owner", "symbol", "quantity"), rows, as_json)


@app.command()
def pnl(as_json: Json = False) -> None:
    """Show what each strategy has won or lost, marked at the last known mid; the row without an owner is the account.

    Deposits are no profit. A P&L is unknown (null in JSON) while something is held that never had a quote.
    """
    with _migrated() as connection:
        rows = connection.execute(_PNL).fetchall()
    columns = ("account_id", "owner", "cash_flow", "holdings_value", "pnl", "marked_at", "unmarked_symbols")
    _print_rows(columns, rows, as_json)


@contextmanager
def _database() -> Iterator[tuple[str, Connection]]:
    """Open the database of the settings; one that does not answer is a TapeError."""
    import psycopg  # noqa: PLC0415

    from infra.postgres.connection import connect  # noqa: PLC0415

    url = Settings.load(needs={"database_url"}).database_url
    try:
        with connect(url) as connection:
            yield url, connection
    except psycopg.OperationalError as error:
        raise TapeError(f"PostgreSQL does not answer: {error}", next_command="tape status") from error


@contextmanager
def _migrated() -> Iterator[Connection]:
    from infra.postgres.migrate import require_migrated  # noqa: PLC0415

    with _database() as (_, connection):
        require_migrated(connection)
        yield connection


def _exact(value: Any) -> Any:
    """Return a value as JSON has it: a number as text that keeps every digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


def _print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], as_json: bool) -> None:
    if as_json:
        document = [{name: _exact(value) for name, value in zip(columns, row, strict=True)} for row in rows]
        print(json.dumps(document, indent=2))
        return
    _print_table(columns, [[_for_people(value) for value in row] for row in rows])


def _for_people(value: Any) -> str:
    match value:
        case None:
            return "-"
        case list():
            return " ".join(map(str, value))
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case _:
            return str(_exact(value))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in NUMBERS else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold")  # a number is never cut short
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: a name in brackets is no markup
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(table)


def _comparison_document(found: Comparison) -> dict[str, Any]:
    return {
        "identical": found.is_identical,
        "records": found.records,
        "beyond": found.beyond,
        "tables": {table.table: _table_document(table) for table in found.tables},
    }


def _table_document(table: TableComparison) -> dict[str, Any]:
    return {
        "identical": table.is_identical,
        "live": {"rows": table.live.rows, "sha256": table.live.sha256},
        "rebuilt": {"rows": table.rebuilt.rows, "sha256": table.rebuilt.sha256},
        "only_live": [json.loads(row, parse_float=str) for row in table.only_live],
        "only_rebuilt": [json.loads(row, parse_float=str) for row in table.only_rebuilt],
    }


def _print_comparison(found: Comparison) -> None:
    rows = [
        [
            table.table,
            str(table.live.rows),
            str(table.rebuilt.rows),
            table.rebuilt.sha256[:SHORT_HASH],
            "identical" if table.is_identical else "DIFFERENT",
        ]
        for table in found.tables
    ]
    _print_table(("table", "live_rows", "rebuilt_rows", "sha256", "verdict"), rows)
    for table in found.tables:
        for line in table.only_live:
            print(f"only live, {table.table}: {line}")
        for line in table.only_rebuilt:
            print(f"only in the log, {table.table}: {line}")
    different = [table.table for table in found.tables if not table.is_identical]
    verdict = f"DIFFERENT: {', '.join(different)}" if different else f"{len(found.tables)} tables identical"
    print(f"{found.records} records projected again, {found.beyond} not yet live: {verdict}")
