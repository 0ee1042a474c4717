"""What was published about an account, so that polls say only what is new. Rebuilt from the published facts.

Of every order it follows which executions were said in an unbroken row, because only those can have been booked, and
whether its end was said after all of them. Until then an order is read at every poll.

What orders are called that no report names was asked for. A next owner asks again: only what was published is rebuilt.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from agents.broker.facts import ACTIVITY_TIMES, Origin, Subject
from agents.broker.raw import Fields, Row, rows_of
from agents.broker.reading import OrderShown, fields_of, instant, number, order_of, part, positions_of, text
from agents.declaration import Fact
from schemas.account import AccountActivity, AccountSnapshot, OrderProgress, Position, SnapshotStatus
from schemas.order import NOT_SENT, BrokerReport, ReportKind, ReportRequest
from schemas.record import Envelope, Record

ACTIVITY_OVERLAP = timedelta(days=7)
"""How far back activities are read again: one may be recorded days after the time it names."""

FOLLOWED_FOR = timedelta(days=7)
"""How long an order without a known end is read at polls; a day order cannot live as long."""

ZERO = Decimal(0)

ASKED_WHETHER = frozenset({ReportRequest.SUBMIT, ReportRequest.ORDER})
"""Requests whose answer says whether the broker has the order."""


@dataclass
class OrderMemory:
    """What was said about one order.

    `words` is what an order's text said last (status, filled quantity, day), None when nothing is known; the day lets a
    poll repeat once a day what has not changed. `executed` is the end of the unbroken row of executions. While the last
    word is that there was no answer, or that the order was not found, it `is_unanswered`.
    """

    client_order_id: str
    origin: Origin = field(default_factory=Origin)
    broker_order_id: str = ""
    words: tuple[str, Decimal, str] | None = None
    executed: Decimal = ZERO
    is_over: bool = False
    is_unanswered: bool = False
    heard_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to say of it: one that is over because the broker has not taken it may be there."""
        return self.is_over and bool(self.broker_order_id)


@dataclass
class AccountMemory:
    """What was said about one account. Hold `lock` while reading or changing it: several threads do.

    `names` are the client order ids of orders by the broker's ids, as reports say them; `asked` those that were asked
    for, or said with an activity, empty when the broker has no such order any more. `told` are the client order ids of
    orders that our log has told of. `quoted` are the symbols of the last snapshot that have quotes, `positions` what
    was said last of the account's positions.
    """

    account_id: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    orders: dict[str, OrderMemory] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    streamed: set[UUID] = field(default_factory=set)
    activities: set[str] = field(default_factory=set)
    latest_activity: datetime | None = None
    quoted: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()

    def order(self, client_order_id: str) -> OrderMemory:
        """Return what is known of an order, nothing for a new one."""
        return self.orders.setdefault(client_order_id, OrderMemory(client_order_id))

    def subject(self, client_order_id: str) -> Subject:
        """Return an order as the subject of a report."""
        known = self.orders.get(client_order_id)
        return Subject(self.account_id, client_order_id, Origin() if known is None else known.origin)

    def submitting(self, client_order_id: str, origin: Origin) -> None:
        """Note that an order is about to be sent."""
        self.told.add(client_order_id)
        self.order(client_order_id).origin = origin

    def is_on_log(self, client_order_id: str) -> bool:
        """Say whether our log has told of an order: that it is to be sent, or that it has ended."""
        known = self.orders.get(client_order_id)
        return client_order_id in self.told or (known is not None and known.origin.correlation_id is not None)

    def ended(self, client_order_id: str) -> None:
        """Note that an order of our log has ended for good."""
        self.told.add(client_order_id)
        self.order(client_order_id).is_over = True

    def tell(self, ended: Iterable[OrderProgress]) -> None:
        """Note orders that a cleared run says have ended."""
        self.told.update(each.client_order_id for each in ended)

    def name_of(self, broker_order_id: str) -> str | None:
        """Return an order's client order id; empty when the broker has the order no more, None when it is unknown."""
        return self.names.get(broker_order_id, self.asked.get(broker_order_id))

    def followed(self, now: datetime) -> tuple[OrderMemory, ...]:
        """Return the orders that something was said about, but not their end, sorted by id."""
        return tuple(
            order
            for _, order in sorted(self.orders.items())
            if not order.is_over and order.heard_at is not None and now - order.heard_at < FOLLOWED_FOR
        )

    def unanswered(self) -> tuple[str, ...]:
        """Return the orders that the broker may have or not, as far as the published facts say, sorted."""
        orders = sorted(self.orders.items())
        return tuple(name for name, order in orders if order.is_unanswered and not order.is_over)

    def activities_after(self) -> datetime | None:
        """Return from when on activities have to be read; by the broker's times, not by our clock."""
        return None if self.latest_activity is None else self.latest_activity - ACTIVITY_OVERLAP

    def note_fact(self, fact: Fact) -> None:
        """Take in a fact that is published."""
        self.note(fact.envelope, fact.record)

    def note(self, envelope: Envelope, record: Record) -> None:
        """Take in a fact that is, or was, published."""
        match record:
            case AccountActivity():
                fields = fields_of(record.body)
                self.activities.add(record.activity_id)
                self.note_times((fields,))
                if record.client_order_id is not None:
                    self.asked[text(fields, "order_id")] = record.client_order_id
            case AccountSnapshot():
                self._note_snapshot(record)
            case BrokerReport(request=ReportRequest.CHECK):
                pass  # nothing was sent yet
            case BrokerReport(request=ReportRequest.ACCOUNT, http_status=200):
                self.positions = positions_of(record.body)
            case BrokerReport() if record.client_order_id:
                self._note_report(envelope, record)
            case _:
                pass

    def note_times(self, rows: Iterable[Fields]) -> None:
        """Take in when activities happened."""
        for fields in rows:
            at = instant(fields, *ACTIVITY_TIMES)
            if at is not None and (self.latest_activity is None or at > self.latest_activity):
                self.latest_activity = at

    def _note_snapshot(self, snapshot: AccountSnapshot) -> None:
        """A snapshot is of a cleared run: whatever was sent before it has ended."""
        self.tell(snapshot.content.ended_orders)
        for order in self.orders.values():
            order.is_unanswered = False
        if snapshot.status is SnapshotStatus.READ:
            self.quoted = tuple(each.symbol for each in snapshot.content.quotes)
            self.positions = snapshot.content.positions

    def _note_report(self, envelope: Envelope, report: BrokerReport) -> None:
        order = self.order(report.client_order_id)
        order.heard_at = order.heard_at or report.received_at
        if order.origin.correlation_id is None and envelope.causation_id != envelope.event_id:
            order.origin = Origin(envelope.correlation_id, envelope.causation_id)
        order.origin = replace(order.origin, attempt=max(order.origin.attempt, report.attempt))
        match report.kind, report.request:
            case ReportKind.STREAM, _:
                self.streamed.add(report.report_id)
                data = part(fields_of(report.body), "data")
                _executed(order, (data,), number(part(data, "order"), "filled_qty"))
                self._show(order, report, order_of(part(data, "order")))
            case ReportKind.READ, ReportRequest.FILLS if report.http_status == 200:
                _executed(order, _by_cum_qty(report.body))
            case (ReportKind.SILENCE, _) | (_, ReportRequest.CANCEL):
                order.words = None  # whatever the next poll reads is news: a cancellation may have had no effect
                order.is_unanswered = order.is_unanswered or report.request in ASKED_WHETHER
            case _, ReportRequest.SUBMIT | ReportRequest.ORDER:
                order.is_unanswered = True
                self._show(order, report, order_of(fields_of(report.body)))
                order.is_over = order.is_over or _is_refused(report)
            case _:
                pass

    def _show(self, order: OrderMemory, report: BrokerReport, shown: OrderShown | None) -> None:
        order.words = words_of(report.http_status, shown, report.received_at)
        if shown is not None:
            order.is_unanswered = False
            order.broker_order_id = shown.broker_order_id
            self.names[shown.broker_order_id] = order.client_order_id
            order.is_over = order.is_over or (shown.is_over and shown.filled_qty <= order.executed)


def words_of(http_status: int | None, shown: OrderShown | None, at: datetime) -> tuple[str, Decimal, str] | None:
    """Return what an order's text comes to, for comparison; None for text that says nothing."""
    if shown is not None:
        return shown.status, shown.filled_qty, at.date().isoformat()
    return ("404", ZERO, at.date().isoformat()) if http_status == 404 else None


def executions_of(rows: Iterable[Row], broker_order_id: str) -> tuple[Row, ...]:
    """Return the executions of one order, in cumulative order."""
    own = (row for row in rows if broker_order_id and text(row.fields, "order_id") == broker_order_id)
    return tuple(sorted(own, key=lambda row: number(row.fields, "cum_qty") or ZERO))


def _by_cum_qty(body: str) -> list[Fields]:
    try:
        rows = rows_of(body)
    except ValueError:
        return []
    return [row.fields for row in sorted(rows, key=lambda row: number(row.fields, "cum_qty") or ZERO)]


def _executed(order: OrderMemory, rows: Iterable[Fields], cum_qty: Decimal | None = None) -> None:
    """Follow the executions as long as each begins where the one before has ended; `cum_qty` if not in the rows."""
    for fields in rows:
        qty, after = number(fields, "qty"), cum_qty if cum_qty is not None else number(fields, "cum_qty")
        if qty is not None and after is not None and qty > 0 and after - qty == order.executed:
            order.executed = after


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
