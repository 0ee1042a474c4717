"""What the outside said, as records with an identity of their own.

A report's id is derived from what was said: of the stream, from the broker's ids; of an answer or a read that was asked
for, from the event that asked and the words, so that asking again after a crash is the same report when the same is
said; of a read nobody asked for, from the words and the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.broker.ports import Reply
from agents.broker.raw import Row
from agents.broker.reading import fields_of, instant, part, text
from agents.decider import Message
from agents.declaration import Fact
from schemas.account import AccountActivity, AccountSnapshot, Activity
from schemas.identity import derived
from schemas.order import BrokerReport, OrderEvent, ReportKind, ReportRequest
from schemas.record import Envelope


@dataclass(frozen=True)
class Origin:
    """Where a report belongs in the chain of causes; nowhere, for an order that is not ours."""

    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    attempt: int = 0


@dataclass(frozen=True)
class Subject:
    """The order a report is about."""

    account_id: str
    client_order_id: str
    origin: Origin


@dataclass(frozen=True)
class Asking:
    """Why something was asked: the event that asked for it, or nothing but the clock."""

    received_at: datetime
    occurred_at: datetime
    cause: UUID | None = None

    @property
    def identity(self) -> str:
        """What tells this asking from another one with the same words."""
        return self.received_at.isoformat() if self.cause is None else str(self.cause)


def asked_by(message: Message, received_at: datetime) -> Asking:
    """Return the asking of a message."""
    return Asking(received_at, message.occurred_at, message.event_id)


def polled(received_at: datetime) -> Asking:
    """Return an asking without a message: the time is the reading's own."""
    return Asking(received_at, received_at)


def answer(subject: Subject, request: ReportRequest, reply: Reply, asking: Asking, attempt: int) -> Fact:
    """Return the answer to a request that was to have an effect, or the silence after it."""
    kind = ReportKind.SILENCE if reply.http_status is None else ReportKind.ANSWER
    return _asked(subject, kind, request, reply, asking, attempt)


def silence(subject: Subject, request: ReportRequest, reply: Reply, asking: Asking, attempt: int) -> Fact:
    """Return that nothing is known about a request, and why."""
    return _asked(subject, ReportKind.SILENCE, request, reply, asking, attempt)


def kept_back(subject: Subject, why: str, asking: Asking, attempt: int) -> Fact:
    """Return the report of an order that was not sent; `why` starts with NOT_SENT."""
    return _asked(subject, ReportKind.ANSWER, ReportRequest.SUBMIT, Reply(None, "", why), asking, attempt)


def read(subject: Subject, request: ReportRequest, reply: Reply, asking: Asking) -> Fact:
    """Return what a read brought, or the silence after it."""
    kind = ReportKind.SILENCE if reply.http_status is None else ReportKind.READ
    return _asked(subject, kind, request, reply, asking, subject.origin.attempt)


def checked(event: OrderEvent, reply: Reply, asking: Asking) -> Fact:
    """Return what was read for the gate before an order is sent."""
    origin = Origin(event.order.run_id, asking.cause)
    return read(Subject(event.account_id, event.client_order_id, origin), ReportRequest.CHECK, reply, asking)


def account_read(account_id: str, reply: Reply, asking: Asking) -> Fact:
    """Return what was said of the account itself, and of no order."""
    return read(Subject(account_id, "", Origin()), ReportRequest.ACCOUNT, reply, asking)


def fills_read(subject: Subject, rows: Sequence[Row], asking: Asking) -> Fact:
    """Return the executions of one order, each in the words in which it was received."""
    body = "[" + ",".join(row.text for row in rows) + "]"
    return read(subject, ReportRequest.FILLS, Reply(200, body, None), asking)


def streamed(subject: Subject, body: str, received_at: datetime) -> Fact:
    """Return a message of the stream."""
    data = part(fields_of(body), "data")
    order, execution_id = part(data, "order"), text(data, "execution_id")
    words = (execution_id,) if execution_id else (text(order, "filled_qty"), text(data, "timestamp"))
    identity = (text(order, "id"), text(data, "event"), *words) if order else (body,)
    return _report(
        subject,
        ReportKind.STREAM,
        ReportRequest.NOTHING,
        Reply(None, body, None),
        attempt=0,
        received_at=received_at,
        occurred_at=instant(data, "timestamp") or received_at,
        identity=identity,
    )


def activity(account_id: str, happened: Activity, received_at: datetime) -> Fact:
    """Return an activity of the account; it starts a chain of its own."""
    identity = derived("activity", account_id, happened.activity_id)
    record = AccountActivity(
        account_id=account_id,
        activity_id=happened.activity_id,
        activity_type=happened.activity_type,
        client_order_id=happened.client_order_id,
        body=happened.body,
    )
    at = instant(fields_of(happened.body), *ACTIVITY_TIMES) or received_at
    return Fact(record, Envelope(event_id=identity, correlation_id=identity, causation_id=identity, occurred_at=at))


ACTIVITY_TIMES = ("transaction_time", "created_at", "date")


def snapshot(record: AccountSnapshot, message: Message) -> Fact:
    """Return the account's snapshot; its time is the reading's, and it belongs to the run it was read for."""
    envelope = Envelope(
        event_id=derived("account-snapshot", record.account_id, record.run_id),
        correlation_id=record.run_id,
        causation_id=message.event_id,
        occurred_at=record.content.taken_at,
    )
    return Fact(record, envelope)


def _asked(
    subject: Subject, kind: ReportKind, request: ReportRequest, reply: Reply, asking: Asking, attempt: int
) -> Fact:
    return _report(
        subject,
        kind,
        request,
        reply,
        attempt=attempt,
        received_at=asking.received_at,
        occurred_at=asking.occurred_at,
        identity=(request, attempt, asking.identity, reply.http_status, reply.body),
    )


def _report(
    subject: Subject,
    kind: ReportKind,
    request: ReportRequest,
    reply: Reply,
    *,
    attempt: int,
    received_at: datetime,
    occurred_at: datetime,
    identity: tuple[object, ...],
) -> Fact:
    report_id = derived("report", subject.account_id, subject.client_order_id, kind, *identity)
    record = BrokerReport(
        account_id=subject.account_id,
        report_id=report_id,
        client_order_id=subject.client_order_id,
        kind=kind,
        request=request,
        attempt=attempt,
        http_status=reply.http_status,
        body=reply.body,
        error=reply.error or "",
        received_at=received_at,
    )
    origin = subject.origin
    envelope = Envelope(
        event_id=report_id,
        correlation_id=origin.correlation_id or derived("order", subject.account_id, subject.client_order_id),
        causation_id=origin.causation_id or report_id,
        occurred_at=occurred_at,
    )
    return Fact(record, envelope)
