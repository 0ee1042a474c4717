"""`tape resolve`: say what became of an order that the broker leaves open, or contradicts."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import TapeError

if TYPE_CHECKING:
    from infra.settings import Settings
    from schemas.gate import TradingHalt
    from schemas.order import OrderEvent
    from schemas.resolution import ManualTrade, OrderResolution

SHARE_DIGITS, PRICE_DIGITS = 9, 6
MANUAL_FORM = '"SELL 10 MSFT 31.20"'


class As(StrEnum):
    """What the broker says in the end, in the words of the command."""

    NOT_OURS = "not-ours"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


def resolve(
    client_order_id: Annotated[str, typer.Argument(help="The order: tape halts names those under way.")],
    resolved_as: Annotated[
        As, typer.Option("--as", help="not-ours: the broker has something else under its name; else how it ended.")
    ],
    because: Annotated[str, typer.Option(help="How it was found out, for whoever asks later.")],
    executed: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES", help="Shares of it the broker has executed; left out: all if filled, as booked."
        ),
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="PRICE", help="Their average price, dollars per share.")] = None,
    manual: Annotated[
        list[str] | None,
        typer.Option(metavar="TRADE", help=f"Executed under its name and not ordered, {MANUAL_FORM}; may be repeated."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who says so.")] = "operator",
    as_json: Annotated[bool, typer.Option("--json", help="Print the gateway's word as JSON.")] = False,
) -> None:
    """Say what became of an order that is UNKNOWN, or that the broker contradicts, after asking the broker.

    The gateway judges it: the order ends, its capital is free, executions that are missing are booked for its
    strategies, and those of --manual to the owner manual, as an error account takes them. What was booked and is not
    within --executed goes to manual on the other side. The halt that the order led to is ended by tape resume. The next
    run compares the books with the broker, and is blocked while they differ.

    Exit code: 0 done; 1 refused, or nothing was heard; 2 wrong usage.
    """
    from infra.cli.asking import answer_to, fresh_name, settings_of_kafka
    from infra.clock import clock_of
    from schemas.resolution import OrderResolution, OrderResolutionRequest, ResolutionStatus, ResolvedAs

    if not because.strip():
        raise typer.BadParameter("expected how it was found out, was nothing", param_hint="--because")
    trades = tuple(_trade(each) for each in manual or ())
    cum_qty = None if executed is None else _number(executed, SHARE_DIGITS, "--executed")
    avg_px = None if at is None else _number(at, PRICE_DIGITS, "--at")
    settings = settings_of_kafka()
    order = latest(settings, client_order_id)
    request = OrderResolutionRequest(
        account_id=order.account_id,
        request_id=fresh_name(),
        requested_by=by,
        requested_at=clock_of(settings)(),
        client_order_id=client_order_id,
        resolved_as=ResolvedAs[resolved_as.name],
        cum_qty=cum_qty,
        avg_px=avg_px,
        manual_trades=trades,
        reason=because.strip(),
    )
    said = answer_to(settings, request, OrderResolution, "tape worker gateway, then: tape halts", order.order.run_id)
    if said.status is ResolutionStatus.REFUSED:
        raise TapeError(f"refused: {said.reason}", next_command=f"tape trace {client_order_id}")
    print(said.model_dump_json(indent=2) if as_json else told(said, order, _halts(settings, order)))


def latest(settings: Settings, client_order_id: str) -> OrderEvent:
    """Return the last word on an order; TapeError when the log has none."""
    from infra.kafka.log import read_all
    from schemas.order import OrderEvent
    from topics.codec import UndecodableError, decode

    found: OrderEvent | None = None
    for incoming in read_all(settings.bootstrap_servers, [OrderEvent.topic]):
        if incoming.key != client_order_id.encode():
            continue
        try:
            record = decode(incoming).record
        except UndecodableError:
            continue
        found = record if isinstance(record, OrderEvent) else found
    if found is None:
        raise TapeError(f"no order is called {client_order_id}", where=OrderEvent.topic, next_command="tape halts")
    return found


def told(said: OrderResolution, order: OrderEvent, halts: list[TradingHalt]) -> str:
    """Return what became of an order, what is booked because of it, and what still stops its symbol."""
    from infra.cli.tables import plain

    terms = order.order
    lines = [
        f"{said.resolved_as} {said.client_order_id}: {said.reason} (by {said.requested_by})",
        f"  order     {terms.side} {plain(terms.order_qty)} {terms.symbol}, account {said.account_id}",
        f"  executed  {plain(said.cum_qty)}, {plain(order.cum_qty)} were booked",
    ]
    trades = ((each.side, plain(each.quantity), each.symbol, plain(each.price)) for each in said.manual_trades)
    lines += [f"  manual    {side} {quantity} {symbol} at {price}" for side, quantity, symbol, price in trades]
    lines += [f"  halted    {each.cause}: {each.reason}" for each in halts]
    lines += [f"  next:  tape resume {str(each.halt_id)[:8]}" for each in halts] or ["  next:  tape halts"]
    return "\n".join(lines)


def _halts(settings: Settings, order: OrderEvent) -> list[TradingHalt]:
    """Return the halts of the order's symbol that are in force, whoever declared them."""
    from infra.cli.halt_request import is_in_force, said_halts
    from infra.clock import clock_of
    from schemas.gate import HaltScope

    now = clock_of(settings)()
    return [
        each
        for each in said_halts(settings)
        if is_in_force(each, now)
        and (each.account_id, each.scope, each.name) == (order.account_id, HaltScope.SYMBOL, order.order.symbol)
    ]


def _trade(text: str) -> ManualTrade:
    from pydantic import ValidationError

    from schemas.resolution import ManualTrade

    words = text.upper().split()
    if len(words) != 4:
        raise typer.BadParameter(
            f"expected side, shares, symbol and price, {MANUAL_FORM}, was {text!r}", param_hint="--manual"
        )
    side, quantity, symbol, price = words
    numbers = {
        "quantity": _number(quantity, SHARE_DIGITS, "--manual"),
        "price": _number(price, PRICE_DIGITS, "--manual"),
    }
    try:
        return ManualTrade.model_validate({"side": side, "symbol": symbol, **numbers})
    except ValidationError as error:
        why = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise typer.BadParameter(f"{text!r}: {why}", param_hint="--manual") from error


def _number(text: str, digits: int, option: str) -> Decimal:
    """Return a number of zero or more with at most so many decimals; a price or a quantity has no others."""
    from schemas.quantities import at_scale

    try:
        number = at_scale(digits)(Decimal(text))
    except (InvalidOperation, ValueError) as error:
        raise typer.BadParameter(
            f"expected a number of at most {digits} decimals, was {text!r}", param_hint=option
        ) from error
    if number < 0 or (number == 0 and option == "--at"):
        raise typer.BadParameter(f"expected a number above zero, was {text!r}", param_hint=option)
    return number
