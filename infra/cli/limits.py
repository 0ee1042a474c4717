"""`tape limits show | set`: what no order may exceed, whatever asked for it."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.tables import Json, for_people, instant, money, percent, plain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.gate import GateLimits, OrderLimits

EXIT_NONE = 2

EXAMPLE = """
account_id = "PAPER-1"
order_qty_max = 500              # shares of one order
order_notional_max = 25000       # dollars of one order at its worst price
price_collar = 0.03              # from the price of the plan
quote_age_max_s = 60             # as usual
position_value_max = 50000       # one symbol
gross_value_max = 200000         # all symbols, longs and shorts added up
orders_per_second_max = 5
orders_per_minute_max = 60
orders_per_day_max = 500
open_orders_max = 20
duplicate_window_s = 5
symbols_allowed = ["AAPL", "IBM"]
session = "REGULAR"              # as usual; or ANY
daily_loss_max = 2000            # beyond it only reducing orders
unknown_age_max_s = 300          # as usual
[[strategies]]
strategy_id = "core"
position_value_max = 30000
gross_value_max = 90000
[[symbols_denied]]
symbol = "GME"
until = 2026-12-31T00:00:00Z     # left out = for good
reason = "earnings"
"""
"""A file with every limit there is."""

HELP = f"""Set the limits of an account, wait for the gateway's word on it, and show them.

They replace those before. What the file leaves out is no limit; a file that sets no number is refused. It may say:

\b
{indent(EXAMPLE.strip(), "  ")}
"""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

Account = Annotated[str | None, typer.Option(help="Only this account's.")]


@app.command()
def show(account: Account = None, as_json: Json = False) -> None:
    """Show the limits in force, as the gateway has said them. Exit code 2 when there are none."""
    from infra.cli.asking import settings_of_kafka
    from infra.gate_limits import current

    found = current(settings_of_kafka().bootstrap_servers)
    shown = [found[each] for each in sorted(found) if account in (None, each)]
    if as_json:
        print_json([each.model_dump(mode="json") for each in shown])
    else:
        _print(shown)
    if not shown:
        typer.echo("no limits are set, so no order is let pass\n  next:  tape limits set FILE.toml", err=True)
        raise typer.Exit(EXIT_NONE)


@app.command("set", help=HELP)
def set_(
    file: Annotated[Path, typer.Argument(help="TOML: account_id and its limits, all of them.")],
    by: Annotated[str, typer.Option(help="Who sets them.")] = "operator",
    as_json: Json = False,
) -> None:
    """Set the limits of an account and wait for the gateway's word on it."""
    from infra.cli.asking import answer_to, fresh_name, settings_of_kafka
    from infra.cli.known import warn_of_limits
    from infra.clock import clock_of
    from infra.limits_file import load
    from schemas.gate import OrderLimits, OrderLimitsRequest

    said = load(file)
    settings = settings_of_kafka()
    request = OrderLimitsRequest(
        account_id=said.account_id,
        request_id=fresh_name(),
        requested_by=by,
        requested_at=clock_of(settings)(),
        limits=said.limits,
    )
    answer = answer_to(settings, request, OrderLimits, "tape worker gateway, then: tape limits show")
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _print([answer])
    warn_of_limits(settings, said.account_id)


def _print(limits: list[OrderLimits]) -> None:
    for each in limits:
        print(f"account {each.account_id}, set by {each.requested_by}")
        print_table(("limit", "of", "value"), list(_rows(each.limits)), ("value",))


def _rows(limits: GateLimits) -> Iterator[list[str]]:
    """Yield a row for every limit that is set, in the words of the file."""
    for name in type(limits).model_fields:
        value = getattr(limits, name)
        if name not in ("strategies", "symbols_denied") and value is not None:
            yield [name, "the account", _shown(name, value)]
    for own in limits.strategies:
        for name in ("position_value_max", "gross_value_max"):
            value = getattr(own, name)
            if value is not None:
                yield [name, own.strategy_id, money(value)]
    for denied in limits.symbols_denied:
        until = "for good" if denied.until is None else f"until {instant(denied.until)}"
        yield ["symbols_denied", denied.symbol, f"{until} {denied.reason}".strip()]


def _shown(name: str, value: object) -> str:
    from decimal import Decimal

    if isinstance(value, tuple):
        return " ".join(value) or "none at all"
    if not isinstance(value, Decimal):
        return for_people(value)
    if name == "price_collar":
        return percent(value)
    return plain(value) if name == "order_qty_max" else money(value)
