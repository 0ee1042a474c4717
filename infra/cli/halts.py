"""`tape halts`: which halts are in force, and which orders are under way all the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import Json, exact, instant, migrated, plain, print_json, print_table
from infra.errors import TapeError

if TYPE_CHECKING:
    from datetime import datetime

    from infra.settings import Settings
    from schemas.gate import TradingHalt

_UNDER_WAY = """
SELECT account_id, client_order_id, symbol, side, order_qty, cum_qty, ord_status, attempt, valid_until
FROM orders
WHERE ord_status NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')
    AND account_id = coalesce(%(account)s, account_id)
ORDER BY account_id, client_order_id
"""


def halts(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show which halts are in force, read from the log, and which orders are under way, read from PostgreSQL.

    Without PostgreSQL the halts are shown all the same.
    """
    from infra.cli.asking import settings_of_kafka
    from infra.cli.halt_request import is_in_force, said_halts

    settings = settings_of_kafka()
    now = _now(settings)
    found = [each for each in said_halts(settings) if account in (None, each.account_id)]
    shown = [each for each in found if every or is_in_force(each, now)]
    orders, problem = _under_way(account)
    local = _local_halt(settings.halt_file)
    if as_json:
        document = {
            "halts": [{**each.model_dump(mode="json"), "is_in_force": is_in_force(each, now)} for each in shown],
            "halt_file": local,
            "orders_under_way": None if orders is None else exact(orders),
        }
        print_json(document)
        return
    _print_halts(shown)
    if local is not None:
        print(f"this machine is halted, {settings.halt_file}: {local}")
    if orders is None:
        print(f"which orders are under way is not known: {problem}", file=sys.stderr)
    elif orders:
        _print_orders(orders)
    else:
        print("no order is under way")


def _now(settings: Settings) -> datetime:
    """Return the time; the system's where a simulator states it and does not answer."""
    from infra.clock import clock_of, system_clock

    try:
        return clock_of(settings)()
    except TapeError:
        return system_clock()


def _local_halt(path: Any) -> str | None:
    from infra.halt_file import halted

    return halted(path)


def _under_way(account: str | None) -> tuple[list[dict[str, Any]] | None, str]:
    from infra.postgres.plans import rows

    try:
        with migrated() as connection:
            return rows(connection, _UNDER_WAY, account=account), ""
    except TapeError as error:
        return None, str(error)


def _print_halts(shown: list[TradingHalt]) -> None:
    from infra.cli.halt_request import scope_of

    if not shown:
        print("no halt is in force")
        return
    columns = ("halt", "account", "stops", "status", "passes", "until", "by", "reason")
    rows = [
        [
            str(each.halt_id)[:8],
            each.account_id,
            scope_of(each),
            each.status.value,
            "reducing orders" if each.is_reducing_allowed else "nothing",
            instant(each.until),
            each.requested_by,
            each.reason if each.cause == "OPERATOR" else f"{each.cause}: {each.reason}",
        ]
        for each in shown
    ]
    print_table(columns, rows)


def _print_orders(orders: list[dict[str, Any]]) -> None:
    print("\nunder way")
    rows = [
        [
            each["client_order_id"],
            each["account_id"],
            each["symbol"],
            each["side"],
            plain(each["order_qty"]),
            plain(each["cum_qty"]),
            each["ord_status"],
            str(each["attempt"]),
            instant(each["valid_until"]),
        ]
        for each in orders
    ]
    columns = ("order", "account", "symbol", "side", "qty", "executed", "status", "attempt", "valid_until")
    print_table(columns, rows, ("qty", "executed", "attempt"))
    if any(each["ord_status"] == "UNKNOWN" for each in orders):
        print("an order that stays UNKNOWN is ended by whoever has asked the broker: tape resolve --help")
