"""Activities that are not of our orders, and what tells an execution of ours from one by hand.

An execution names its order by the broker's id alone, so an order that nothing was said about is asked for. It is ours
when its client order id has our form, whatever this process remembers: a predecessor may have died right after sending
it, and an answer may be lost. It is ours too when the log has told us to send it. All others were placed without us.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from agents.broker.memory import AccountMemory
from agents.broker.ports import Reply
from agents.broker.reading import Row, fields_of, order_of, text
from schemas.account import Activity
from schemas.client_order_id import parsed

FILL = "FILL"


def is_ours(memory: AccountMemory, client_order_id: str) -> bool:
    """Say whether an order is one of ours; an id of the older form is not: it does not say whose it is."""
    words = parsed(client_order_id)
    return (words is not None and words.owner is not None) or memory.was_sent(client_order_id)


def unknown_orders(memory: AccountMemory, rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the broker's ids of the orders among the executions that nothing was said about, sorted."""
    ids = {text(row.fields, "order_id") for row in rows if text(row.fields, "activity_type") == FILL}
    return tuple(sorted(each for each in ids if each and each not in memory.names and each not in memory.strangers))


def name_of(reply: Reply) -> str:
    """Return the client order id of an order that was read; empty when the answer does not say it."""
    shown = order_of(fields_of(reply.body)) if reply.http_status == 200 else None
    return "" if shown is None else shown.client_order_id


def activities_of(memory: AccountMemory, rows: Sequence[Row], found: Mapping[str, str]) -> Iterator[Activity]:
    """Yield the activities that are not executions of our orders, in order; `found` names orders that were asked for.

    An execution whose order has no name yet is left out: the next reading asks again.
    """
    for row in rows:
        activity_id, activity_type = text(row.fields, "id"), text(row.fields, "activity_type")
        if not activity_id or not activity_type:
            continue
        order_id = text(row.fields, "order_id")
        name = None
        if activity_type == FILL:
            name = memory.names.get(order_id) or memory.strangers.get(order_id) or found.get(order_id)
            if not name or is_ours(memory, name):
                continue
        yield Activity(activity_id=activity_id, activity_type=activity_type, client_order_id=name, body=row.text)
