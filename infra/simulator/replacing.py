"""Reading the replacement of an open order: what may change, and in which words the rest is refused."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from infra.simulator.drafts import Draft, refuse_combination, time_in_force_of
from infra.simulator.events import OrderType
from infra.simulator.orders import Order
from infra.simulator.rules import amount, invalid, is_whole, price


def replacement_of(order: Order, request: Mapping[str, object], client_order_id: str) -> Draft:
    """Return the order that takes the place of an open one; raises RefusalError with the first rule it breaks.

    `qty` is what is to be traded from now on; left out, it is what the replaced order leaves.
    """
    _refuse_order(order)
    if request.get("notional") is not None:
        raise invalid("notional orders cannot be replaced")
    draft = _as_it_stands(order, client_order_id)
    terms = order.terms
    changed = replace(
        draft,
        qty=_qty(order, request["qty"]) if _is_given(request, "qty") else draft.qty,
        limit_price=_price(request, "limit_price", terms.limit_price, terms.type),
        stop_price=_price(request, "stop_price", terms.stop_price, terms.type),
        trail_price=_trail(request, terms.trail_price, terms.type),
        trail_percent=_trail(request, terms.trail_percent, terms.type),
        time_in_force=time_in_force_of(request) if _is_given(request, "time_in_force") else draft.time_in_force,
    )
    if changed == draft:
        raise invalid("order parameters are not changed")
    refuse_combination(changed)
    return changed


def _refuse_order(order: Order) -> None:
    if not order.is_open:
        raise invalid("order is not open")
    if order.status == "accepted":
        raise invalid("unable to replace order, order isn't sent to exchange yet")
    if order.terms.notional is not None:
        raise invalid("notional orders cannot be replaced")


def _as_it_stands(order: Order, client_order_id: str) -> Draft:
    terms = order.terms
    return Draft(
        client_order_id=client_order_id,
        symbol=terms.symbol,
        side=terms.side,
        qty=order.leaves_qty,
        notional=None,
        type=terms.type,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        trail_price=terms.trail_price,
        trail_percent=terms.trail_percent,
        time_in_force=terms.time_in_force,
        extended_hours=terms.extended_hours,
    )


def _is_given(request: Mapping[str, object], name: str) -> bool:
    return request.get(name) is not None


def _price(request: Mapping[str, object], name: str, current: Decimal | None, kind: OrderType) -> Decimal | None:
    if not _is_given(request, name):
        return current
    if current is None:
        raise invalid(f"{kind} orders take no {name}")
    return price(name, request[name])


def _trail(request: Mapping[str, object], current: Decimal | None, kind: OrderType) -> Decimal | None:
    if not _is_given(request, "trail"):
        return current
    if kind != "trailing_stop":
        raise invalid(f"{kind} orders take no trail")
    return None if current is None else amount("trail", request["trail"])


def _qty(order: Order, given: object) -> Decimal:
    qty = amount("qty", given)
    ordered = order.terms.qty
    if ordered is not None and not is_whole(ordered):
        raise invalid("qty of fractional orders cannot be changed")
    if not is_whole(qty):
        raise invalid("qty of a replacement must be of whole shares")
    return qty
