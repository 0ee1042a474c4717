"""Telling an order as it was read, with its executions before it."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

from agents.broker import facts
from agents.broker.facts import Asking, Subject
from agents.broker.ports import Brokerage, Reply
from agents.broker.raw import Row, rows_of
from agents.broker.reading import fields_of, instant, number, order_of, text
from agents.declaration import Fact
from schemas.order import ReportRequest

#: Clocks of two machines of one brokerage may differ; `after` is strict.
CLOCKS_DIFFER = timedelta(seconds=1)


def order_as_read(
    subject: Subject, brokerage: Brokerage, shown: Reply, asking: Callable[[], Asking]
) -> tuple[Fact, ...]:
    """Return the order as it was read, and before it its executions; read later, they miss none the order knows."""
    fields = fields_of(shown.body) if shown.http_status == 200 else {}
    found = order_of(fields)
    if found is None:
        return (facts.read(subject, ReportRequest.ORDER, shown, asking()),)
    sent_at = instant(fields, "submitted_at", "created_at")
    reply = brokerage.fill_activities(None if sent_at is None else sent_at - CLOCKS_DIFFER)
    fills = _own_fills(subject, reply, found.broker_order_id, asking())
    return fills, facts.read(subject, ReportRequest.ORDER, shown, asking())


def executions_of(rows: Iterable[Row], broker_order_id: str) -> tuple[Row, ...]:
    """Return the executions of one order, in cumulative order."""
    own = (row for row in rows if broker_order_id and text(row.fields, "order_id") == broker_order_id)
    return tuple(sorted(own, key=lambda row: number(row.fields, "cum_qty") or Decimal(0)))


def _own_fills(subject: Subject, reply: Reply, broker_order_id: str, asking: Asking) -> Fact:
    """Return the order's own executions of a listing; a listing that cannot be read is passed on as it is."""
    try:
        rows = rows_of(reply.body) if reply.http_status == 200 else None
    except ValueError:
        rows = None
    if rows is None:
        return facts.read(subject, ReportRequest.FILLS, reply, asking)
    return facts.fills_read(subject, executions_of(rows, broker_order_id), asking)
