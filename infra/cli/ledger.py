"""`tape ledger migrate | rebuild | positions | lots | cash | pnl`: the projected ledger, for a person or as JSON.

JSON has every digit of every number, as text; people see shares and prices without trailing zeros, dollars in cents.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import Json, database, migrated, print_json, print_rows, print_table
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.postgres.connection import Connection
    from infra.postgres.rebuild import Comparison, TableComparison

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

EXIT_DIFFERENT = 1
EXIT_NOBODY = 2
SHORT_HASH = 12
NUMBERS = ("quantity", "price", "last_mid")
DOLLARS = (
    *("cash_flow", "holdings_value", "realised", "unrealised", "pnl"),
    *("deposits", "transfers", "trades", "other", "cash"),
)


class By(StrEnum):
    """What P&L is summed by."""

    STRATEGY = "strategy"
    SYMBOL = "symbol"
    RUN = "run"
    PLAN = "plan"


Strategy = Annotated[str | None, typer.Option(help="Only this strategy's, or system's.")]
Account = Annotated[str | None, typer.Option(help="Only this account's.")]
Symbol = Annotated[str | None, typer.Option(help="Only this symbol's.")]
ByWhat = Annotated[By, typer.Option(help="Sum by this.")]
Verify = Annotated[bool, typer.Option("--verify", help="Exit with 1 when a table is not what the log says.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")]


@app.command()
def migrate(dry_run: DryRun = False) -> None:
    """Bring the tables in PostgreSQL up to date. Idempotent; refuses when an applied migration was changed."""
    from infra.postgres.migrate import migrate as apply
    from infra.postgres.migrate import pending

    with database() as (url, connection):
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
    from infra.kafka.log import read_all
    from infra.postgres.rebuild import rebuild_and_compare
    from topics.registry import read_by

    servers = Settings.load(needs={"bootstrap_servers"}).bootstrap_servers
    topics = [topic.name for topic in read_by("projector")]
    with database() as (url, _):
        found = rebuild_and_compare(url, lambda: read_all(servers, topics))
    if as_json:
        print(json.dumps(_comparison_document(found), indent=2))
    else:
        _print_comparison(found)
    raise typer.Exit(EXIT_DIFFERENT if verify and not found.is_identical else 0)


@app.command()
def positions(strategy: Strategy = None, account: Account = None, as_json: Json = False) -> None:
    """Show which strategy owns which shares, and how its books are kept. Exit code 2 when nobody has that name."""
    from infra.postgres.books import positions as held

    with migrated() as connection:
        rows = held(connection, strategy, account)
        stranger = _stranger(connection, strategy, account)
    _print(rows, ("account_id", "owner", "mode", "symbol", "quantity"), as_json, stranger)


@app.command()
def lots(strategy: Strategy = None, symbol: Symbol = None, account: Account = None, as_json: Json = False) -> None:
    """Show what is held lot by lot, first in first out, at the price it was opened at and the last known mid."""
    from infra.postgres.books import lots as held

    with migrated() as connection:
        rows = held(connection, strategy, symbol, account)
        stranger = _stranger(connection, strategy, account)
    columns = ("account_id", "owner", "mode", "symbol", "opened_at", "quantity", "price", "last_mid", "unrealised")
    _print(rows, columns, as_json, stranger)


@app.command()
def cash(strategy: Strategy = None, account: Account = None, as_json: Json = False) -> None:
    """Show the cash of each owner and where it came from; all owners together have the account's cash.

    Exit code 2 when nobody has that name.
    """
    from infra.postgres.books import cash as owned

    with migrated() as connection:
        rows = owned(connection, strategy, account)
        stranger = _stranger(connection, strategy, account)
    _print_sums(rows, as_json, stranger)


@app.command()
def pnl(by: ByWhat = By.STRATEGY, strategy: Strategy = None, account: Account = None, as_json: Json = False) -> None:
    """Show what was won or lost, marked at the last known mid, and the total, which is the account's.

    Deposits and transfers are no profit. A P&L is unknown (null in JSON) while something is held that never had a
    quote. A gain belongs to the run and plan that closed the lot; to those that opened it while it is open. Exit code 2
    when nobody has that name.
    """
    from infra.postgres.books import pnl as won

    with migrated() as connection:
        rows = won(connection, by.value, strategy, account)
        stranger = _stranger(connection, strategy, account)
    _print_sums(rows, as_json, stranger)


def _stranger(connection: Connection, strategy: str | None, account: str | None) -> str:
    """Return who of the named is not known here; empty when all are."""
    from infra.postgres.books import is_account, is_owner

    if account is not None and not is_account(connection, account):
        return f"no account {account}: nothing was ever booked or asked for in it"
    if strategy is not None and not is_owner(connection, strategy):
        return f"nobody is called {strategy}: no run has named it, and it has never owned anything"
    return ""


def _print_sums(rows: list[dict[str, Any]], as_json: bool, stranger: str) -> None:
    """Print a table per account, its last row the total."""
    if as_json:
        print_json(rows)
    elif not rows and not stranger:
        print("nothing has been booked")
    shown = [name for name in (rows[0] if rows else ()) if name not in ("is_total", "account_id")]
    for account in [] if as_json else dict.fromkeys(row["account_id"] for row in rows):
        print(f"account {account}")
        own = [_labelled(row, shown[0]) for row in rows if row["account_id"] == account]
        print_rows(own, shown, NUMBERS, DOLLARS)
    _refuse(stranger)


def _labelled(row: dict[str, Any], column: str) -> dict[str, Any]:
    """Return a row with words where nothing is named: the total, or what belongs to none."""
    if row["is_total"]:
        return {**row, column: "total"}
    return {**row, column: f"no {column.removesuffix('_id')}"} if row[column] is None else row


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool, stranger: str) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, columns, NUMBERS, DOLLARS)
    elif not stranger:
        print("nothing is held")
    _refuse(stranger)


def _refuse(stranger: str) -> None:
    if stranger:
        typer.echo(stranger, err=True)
        raise typer.Exit(EXIT_NOBODY)


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
    columns = ("table", "live_rows", "rebuilt_rows", "sha256", "verdict")
    print_table(columns, rows, columns[1:3])
    for table in found.tables:
        for line in table.only_live:
            print(f"only live, {table.table}: {line}")
        for line in table.only_rebuilt:
            print(f"only in the log, {table.table}: {line}")
    different = [table.table for table in found.tables if not table.is_identical]
    verdict = f"DIFFERENT: {', '.join(different)}" if different else f"{len(found.tables)} tables identical"
    print(f"{found.records} records projected again, {found.beyond} not yet live: {verdict}")
