"""What the stream says about an event: which trade update it is, with the order as it stands after it."""

from infra.simulator.book import Book
from infra.simulator.events import Accepted, AnyEvent, Ended, Filled, Restated, Routed
from infra.simulator.exact import plain, stamp
from infra.simulator.orders import Order
from infra.simulator.render import MakeId, order, to_json

Told = Accepted | Routed | Filled | Restated | Ended


def trade_update(book: Book, event: AnyEvent, make_id: MakeId) -> str | None:
    """Return what the stream says about an event that was just applied, None for one that it passes over."""
    if not isinstance(event, Accepted | Routed | Filled | Restated | Ended):
        return None
    item = book.orders[event.order_id]
    name, execution = _event_name(event, item), {}
    if isinstance(event, Filled):
        position_qty = plain(book.held_qty(item.terms.symbol))
        execution = {"price": plain(event.price), "qty": plain(event.qty), "position_qty": position_qty}
    data = {
        "event": name,
        "execution_id": make_id("execution", item.terms.client_order_id, _identity(event, name)),
        "at": stamp(event.at),
        "timestamp": stamp(event.at),
        **execution,
        "order": order(item, make_id),
    }
    return to_json({"stream": "trade_updates", "data": data})


def _identity(event: Told, name: str) -> str:
    """Return what tells the updates of one order apart: it is filled and restated more than once."""
    match event:
        case Filled():
            return plain(event.cum_qty)
        case Restated():
            return f"{name} {stamp(event.at)}"
        case _:
            return name


def _event_name(event: Told, item: Order) -> str:
    match event:
        case Accepted():
            return item.status
        case Routed():
            return "new"
        case Filled():
            return "fill" if item.status == "filled" else "partial_fill"
        case Restated():
            return "restated"
        case Ended():
            return event.status
