"""What was said about one order: which executions in an unbroken row, how it stands, and whether its end was said.

Only executions in an unbroken row can have been booked; an end that was said before them may not have been believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from agents.broker.facts import Origin
from agents.broker.raw import Fields, rows_of
from agents.broker.reading import OrderShown, fields_of, instant, number, order_of, part
from schemas.order import NOT_SENT, BrokerReport, ReportKind, ReportRequest
from schemas.record import Envelope

ZERO = Decimal(0)

ASKED_WHETHER = frozenset({ReportRequest.SUBMIT, ReportRequest.ORDER})
"""Requests whose answer says whether the broker has the order."""


@dataclass(frozen=True)
class OrderSaid:
    """What was said about one order.

    `words` is what an order's text said last (status, filled quantity, day), None when nothing is known; the day lets a
    poll repeat once a day what has not changed. `executed` is the end of the unbroken row of executions. While the last
    word is that there was no answer, or that the order was not found, it `is_unanswered`. Our log has told of one that
    `is_told`: that it is to be sent, or that it has ended. `heard_at` is when the first report of it was received,
    `last_at` when the last one was, or when it was told of; `streamed` are the ids of its stream messages.
    """

    client_order_id: str
    origin: Origin = field(default_factory=Origin)
    broker_order_id: str = ""
    words: tuple[str, Decimal, str] | None = None
    executed: Decimal = ZERO
    is_over: bool = False
    is_unanswered: bool = False
    is_told: bool = False
    heard_at: datetime | None = None
    last_at: datetime | None = None
    streamed: frozenset[UUID] = frozenset()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to say of it: one that is over because the broker has not taken it may be there."""
        return self.is_over and bool(self.broker_order_id)


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two times, of which there may be none."""
    return max((each for each in (one, other) if each is not None), default=None)


def with_report(order: OrderSaid, envelope: Envelope, report: BrokerReport) -> tuple[OrderSaid, datetime | None]:
    """Return the order after a report of it, and when the latest of the executions happened that it tells of."""
    order, executed_at = _heard(order, envelope, report), None
    match report.kind, report.request:
        case ReportKind.STREAM, _:
            data = part(fields_of(report.body), "data")
            order, is_one = _executed(order, (data,), number(part(data, "order"), "filled_qty"))
            order = _shown(order, report, order_of(part(data, "order")))
            order = replace(order, streamed=order.streamed | {report.report_id})
            executed_at = instant(data, "timestamp") if is_one else None
        case ReportKind.READ, ReportRequest.FILLS if report.http_status == 200:
            rows = _by_cum_qty(report.body)
            order, _ = _executed(order, rows)
            executed_at = max((at for row in rows if (at := instant(row, "transaction_time"))), default=None)
        case (ReportKind.SILENCE, _) | (_, ReportRequest.CANCEL):
            # whatever the next poll reads is news: a cancellation may have had no effect
            order = replace(order, words=None, is_unanswered=order.is_unanswered or report.request in ASKED_WHETHER)
        case _, ReportRequest.SUBMIT | ReportRequest.ORDER:
            order = _shown(replace(order, is_unanswered=True), report, order_of(fields_of(report.body)))
            order = replace(order, is_over=order.is_over or _is_refused(report))
        case _:
            pass
    return order, executed_at


def _heard(order: OrderSaid, envelope: Envelope, report: BrokerReport) -> OrderSaid:
    origin = order.origin
    if origin.correlation_id is None and envelope.causation_id != envelope.event_id:
        origin = Origin(envelope.correlation_id, envelope.causation_id)
    return replace(
        order,
        origin=replace(origin, attempt=max(order.origin.attempt, report.attempt)),
        heard_at=order.heard_at or report.received_at,
        last_at=later(order.last_at, report.received_at),
    )


def _shown(order: OrderSaid, report: BrokerReport, shown: OrderShown | None) -> OrderSaid:
    order = replace(order, words=words_of(report.http_status, shown, report.received_at))
    if shown is None:
        return order
    is_over = order.is_over or (shown.is_over and shown.filled_qty <= order.executed)
    return replace(order, is_unanswered=False, broker_order_id=shown.broker_order_id, is_over=is_over)


def words_of(http_status: int | None, shown: OrderShown | None, at: datetime) -> tuple[str, Decimal, str] | None:
    """Return what an order's text comes to, for comparison; None for text that says nothing."""
    if shown is not None:
        return shown.status, shown.filled_qty, at.date().isoformat()
    return ("404", ZERO, at.date().isoformat()) if http_status == 404 else None


def _executed(order: OrderSaid, rows: Iterable[Fields], cum_qty: Decimal | None = None) -> tuple[OrderSaid, bool]:
    """Follow the executions as long as each begins where the one before has ended; `cum_qty` if not in the rows.

    Also return whether there was any, in an unbroken row or not.
    """
    executed, is_any = order.executed, False
    for fields in rows:
        qty, after = number(fields, "qty"), cum_qty if cum_qty is not None else number(fields, "cum_qty")
        if qty is None or after is None or qty <= 0:
            continue
        is_any = True
        try:
            executed = after if after - qty == executed else executed
        except ArithmeticError:
            continue  # a number of a million digits is nothing that follows from another
    return replace(order, executed=executed), is_any


def _by_cum_qty(body: str) -> list[Fields]:
    try:
        rows = rows_of(body)
    except ValueError:
        return []
    return [row.fields for row in sorted(rows, key=lambda row: number(row.fields, "cum_qty") or ZERO)]


def is_refusal(http_status: int | None) -> bool:
    """Say whether a status means no, once and for all."""
    return http_status is not None and 400 <= http_status < 500 and http_status not in (408, 429)


def _may_be_duplicate(body: str) -> bool:
    """Say whether a refusal speaks of a client order id that was used before, in whatever form.

    In doubt yes: an order that is over costs a read at every poll, a live one that is not followed loses its fills.
    """
    message = body.lower().replace("_", " ")
    return "client order id" in message and "unique" in message


def _is_refused(report: BrokerReport) -> bool:
    """Say whether a first attempt has ended the order: refused for good, or never sent."""
    if report.request is not ReportRequest.SUBMIT or report.attempt > 1:
        return False
    is_refused = is_refusal(report.http_status) and not _may_be_duplicate(report.body)
    return is_refused or (report.http_status is None and report.error.startswith(NOT_SENT))
