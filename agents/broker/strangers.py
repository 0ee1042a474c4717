"""Activities that are not of our orders, and what tells an execution of ours from one by hand.

An execution names its order by the broker's id alone, so an order that nothing was said about is asked for. It is ours
when our log has told of it. An order in our form that this log has not told of is ours for a poll all the same: a
predecessor may have died right after sending it, before it was read here that it is to be sent.

A snapshot knows better. Its run is cleared: every order of the log has ended, so reports have named it, and the ended
orders of this and of earlier cleared runs are known (`OrderSaid.is_told`). What is not among them, in whatever form,
was placed without this log: by hand, by another program, or by a log of this account that is gone. And an order
that the broker has no more is none of ours either, for ours were named; it is said with an empty client order id.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from agents.broker.facts import ACTIVITY_TIMES
from agents.broker.forgetting import ACTIVITY_OVERLAP
from agents.broker.memory import AccountMemory
from agents.broker.ports import Brokerage, Reply
from agents.broker.raw import Row, rows_of
from agents.broker.reading import fields_of, instant, order_of, text
from schemas.account import Activity
from schemas.client_order_id import parsed

FILL = "FILL"

NOT_FOUND = 404
GONE = ""
"""The client order id of an order that the broker has no more."""

ASKED_MAX = 10
"""How many orders are asked for one by one in one go; more are first looked for in the listing of orders."""

GONE_AFTER = timedelta(days=1)
"""How old an execution is before a poll believes that its order is gone: a fresh order may not be found yet."""


def may_be_ours(memory: AccountMemory, client_order_id: str) -> bool:
    """Say whether an order is of our log, or has our form; an id of the older form does not say whose it is."""
    words = parsed(client_order_id)
    return (words is not None and words.owner is not None) or memory.is_on_log(client_order_id)


def unknown_orders(memory: AccountMemory, rows: Iterable[Row]) -> dict[str, datetime | None]:
    """Return the broker's ids of the orders among the executions that have no name yet, sorted, and their last time."""
    times: dict[str, datetime | None] = {}
    for row in rows:
        order_id = _order_id(row)
        if order_id and memory.name_of(order_id) is None:
            at, before = _at(row), times.get(order_id)
            times[order_id] = at if before is None or (at is not None and at > before) else before
    return dict(sorted(times.items()))


def name_of(reply: Reply) -> str | None:
    """Return the client order id of an order that was read; None when the answer does not say it."""
    shown = order_of(fields_of(reply.body)) if reply.http_status == 200 else None
    return None if shown is None else shown.client_order_id or None


def listed(brokerage: Brokerage, unknown: dict[str, datetime | None]) -> dict[str, str]:
    """Return the names of unknown orders by their ids, of those that the listing of all orders shows.

    It begins some days before the first of their executions. One that cannot be read names nothing: the orders can
    still be asked for one by one.
    """
    times = [at for at in unknown.values() if at is not None]
    after = min(times) - ACTIVITY_OVERLAP if len(times) == len(unknown) else None
    reply = brokerage.orders("all", after)
    try:
        rows = rows_of(reply.body) if reply.http_status == 200 else ()
    except ValueError:
        return {}
    found = ((text(row.fields, "id"), text(row.fields, "client_order_id")) for row in rows)
    return {order_id: name for order_id, name in found if name and order_id in unknown}


def activities_of(memory: AccountMemory, rows: Sequence[Row], is_ours: Callable[[str], bool]) -> Iterator[Activity]:
    """Yield the activities that are not executions of our orders, in order.

    An execution whose order has no name yet is left out: the next reading asks again.
    """
    for row in rows:
        activity_id, activity_type = text(row.fields, "id"), text(row.fields, "activity_type")
        if not activity_id or not activity_type:
            continue
        name = None
        if activity_type == FILL:
            name = memory.name_of(text(row.fields, "order_id"))
            if name is None or is_ours(name) or (memory.is_of_before(_at(row)) and may_be_ours(memory, name)):
                continue
        yield Activity(activity_id=activity_id, activity_type=activity_type, client_order_id=name, body=row.text)


def sayable(memory: AccountMemory, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows that a poll may say: none that is so late that the next reading would begin after an open one.

    Readings begin a while before the latest activity that was said. An execution is open while its order has no name,
    or while only its form says that it is ours: the next snapshot decides that.
    """
    times = [at for row in rows if _is_open(memory, row) and (at := _at(row)) is not None]
    if not times:
        return tuple(rows)
    end = min(times) + ACTIVITY_OVERLAP
    return tuple(row for row in rows if (at := _at(row)) is None or at < end)


def _is_open(memory: AccountMemory, row: Row) -> bool:
    order_id = _order_id(row)
    if not order_id or memory.is_said(text(row.fields, "id")) or memory.is_of_before(_at(row)):
        return False
    name = memory.name_of(order_id)
    return name is None or (may_be_ours(memory, name) and not memory.is_on_log(name))


def _order_id(row: Row) -> str:
    return text(row.fields, "order_id") if text(row.fields, "activity_type") == FILL else ""


def _at(row: Row) -> datetime | None:
    return instant(row.fields, *ACTIVITY_TIMES)
