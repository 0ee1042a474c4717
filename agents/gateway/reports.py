"""Reading the broker's words: what one raw report says about an order, as one of a few words.

Nothing is decided here. Text that cannot be read is a word of its own, never an exception: the broker's mistakes are
facts. Facts of the format: Alpaca's OpenAPI trading spec 2.0.1; numbers come as strings or as JSON numbers.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from schemas.order import NOT_SENT, BrokerReport, ReportKind, ReportRequest
from schemas.quantities import at_scale

MALFORMED, INVALID = 40010001, 42210000  # the two codes a duplicate client order id was seen with


class Word(StrEnum):
    """What a report says about the order."""

    OPEN = "OPEN"  # the broker has it, and it can still be executed
    ENDED = "ENDED"  # the broker has it, and nothing more will be executed
    EXECUTED = "EXECUTED"  # executions of it
    REFUSED = "REFUSED"  # the broker did not take it
    DUPLICATE = "DUPLICATE"  # the broker has had it before
    NOT_SENT = "NOT_SENT"  # the broker agent kept it back
    UNANSWERED = "UNANSWERED"  # whether the broker has it is unknown
    NOT_FOUND = "NOT_FOUND"  # a read did not find it
    CANCEL_FAILED = "CANCEL_FAILED"  # a request to cancel it was refused or lost
    STRANGE = "STRANGE"  # something happened to it that has no word here, or that cannot be read
    BAD_FILLS = "BAD_FILLS"  # a read of its executions that cannot be read
    NOTHING = "NOTHING"  # nothing new


@dataclass(frozen=True)
class OrderSaid:
    """An order as the broker shows it."""

    broker_order_id: str
    status: str
    filled_qty: Decimal
    at: datetime | None


@dataclass(frozen=True)
class Execution:
    """One execution as the broker shows it; `cum_qty` is the executed quantity of the order after it."""

    broker_order_id: str
    cum_qty: Decimal
    last_qty: Decimal
    last_px: Decimal
    exec_id: str | None
    at: datetime | None


@dataclass(frozen=True)
class Heard:
    """A report and what it says; executions are in cumulative order."""

    word: Word
    report: BrokerReport
    reason: str = ""
    order: OrderSaid | None = None
    executions: tuple[Execution, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether it answers a question; asking again because of the answer would never end."""
        return self.report.kind is ReportKind.READ


class UnreadableError(ValueError):
    """The broker's words are not what its specification says."""


ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
"""Order statuses after which nothing more is executed; done_for_day ends the day only."""

ENDED_AT: Mapping[str, str] = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at"}
"""The field of an order that says when it ended."""

UPDATES: Mapping[str, Word] = {
    "fill": Word.EXECUTED,
    "partial_fill": Word.EXECUTED,
    "canceled": Word.ENDED,
    "expired": Word.ENDED,
    "rejected": Word.ENDED,
    "replaced": Word.ENDED,
    "new": Word.OPEN,
    "accepted": Word.OPEN,
    "pending_new": Word.OPEN,
    "accepted_for_bidding": Word.OPEN,
    "held": Word.OPEN,
    "stopped": Word.OPEN,
    "suspended": Word.OPEN,
    "calculated": Word.OPEN,
    "restated": Word.OPEN,
    "done_for_day": Word.OPEN,
    "pending_cancel": Word.OPEN,
    "pending_replace": Word.OPEN,
    "order_replace_rejected": Word.OPEN,
    "order_cancel_rejected": Word.STRANGE,
    "trade_bust": Word.STRANGE,
    "trade_correct": Word.STRANGE,
}
"""What each trade update says; a name that is not here is strange."""


def heard(report: BrokerReport) -> Heard:
    """Return what a report says; never raises for what the broker wrote."""
    if report.kind is ReportKind.STREAM:
        return _of_stream(report)
    reader = READERS.get((report.kind, report.request))
    return Heard(Word.NOTHING, report) if reader is None else reader(report)


def _of_submit(report: BrokerReport) -> Heard:
    status = report.http_status
    if status is None:
        word = Word.NOT_SENT if report.error.startswith(NOT_SENT) else Word.UNANSWERED
        return Heard(word, report, report.error)
    if 200 <= status < 300:
        return _read(report, Word.UNANSWERED, lambda: _heard_order(report, Word.OPEN))
    reason = f"HTTP {status}: {_message(report.body)}"
    if status in (408, 429) or not 400 <= status < 500:
        return Heard(Word.UNANSWERED, report, reason)
    return Heard(Word.DUPLICATE if _is_duplicate(report) else Word.REFUSED, report, reason)


def _of_silence(report: BrokerReport) -> Heard:
    return Heard(Word.UNANSWERED, report, f"no answer: {report.error}")


def _of_cancel(report: BrokerReport) -> Heard:
    status = report.http_status
    if status is not None and 200 <= status < 300:
        return Heard(Word.NOTHING, report)
    why = report.error if status is None else f"HTTP {status}: {_message(report.body)}"
    return Heard(Word.CANCEL_FAILED, report, f"cancel failed: {why}")


def _of_order(report: BrokerReport) -> Heard:
    if report.http_status == 404:
        return Heard(Word.NOT_FOUND, report, _message(report.body))
    if report.http_status != 200:
        return Heard(Word.NOTHING, report)
    return _read(report, Word.NOTHING, lambda: _heard_order(report, Word.ENDED))


def _of_fills(report: BrokerReport) -> Heard:
    if report.http_status != 200:
        return Heard(Word.NOTHING, report)
    return _read(report, Word.BAD_FILLS, lambda: Heard(Word.EXECUTED, report, executions=_rows(report.body)))


def _of_stream(report: BrokerReport) -> Heard:
    return _read(report, Word.STRANGE, lambda: _heard_update(report))


READERS: Mapping[tuple[ReportKind, ReportRequest], Callable[[BrokerReport], Heard]] = {
    (ReportKind.ANSWER, ReportRequest.SUBMIT): _of_submit,
    (ReportKind.SILENCE, ReportRequest.SUBMIT): _of_silence,
    (ReportKind.ANSWER, ReportRequest.CANCEL): _of_cancel,
    (ReportKind.SILENCE, ReportRequest.CANCEL): _of_cancel,
    (ReportKind.READ, ReportRequest.ORDER): _of_order,
    (ReportKind.READ, ReportRequest.FILLS): _of_fills,
}
"""Who reads what; silence after a question says nothing."""


def _read(report: BrokerReport, unreadable: Word, reading: Callable[[], Heard]) -> Heard:
    try:
        return reading()
    except UnreadableError as error:
        return Heard(unreadable, report, f"unreadable: {error}")


def _heard_order(report: BrokerReport, filled: Word) -> Heard:
    """Return what an order says; `filled` is the word for one that is filled (in an answer, its fills follow)."""
    said = _order(_object(_parsed(report.body), "the body"))
    word = Word.OPEN if said.status not in ENDED else filled if said.status == "filled" else Word.ENDED
    return Heard(word, report, said.status, said)


def _heard_update(report: BrokerReport) -> Heard:
    data = _object(_object(_parsed(report.body), "the body").get("data"), "data")
    event = _text(data, "event")
    word = UPDATES.get(event, Word.STRANGE)
    order = _order(_object(data.get("order"), "data.order"))
    at = _instant(data.get("timestamp"))
    said = OrderSaid(order.broker_order_id, event, order.filled_qty, at or order.at)
    if word is not Word.EXECUTED:
        return Heard(word, report, event, said)
    exec_id = data.get("execution_id")
    execution = Execution(
        broker_order_id=order.broker_order_id,
        cum_qty=order.filled_qty,
        last_qty=_number(data, "qty", 9),
        last_px=_number(data, "price", 6),
        exec_id=_clean(exec_id) if isinstance(exec_id, str) else None,
        at=at,
    )
    return Heard(word, report, event, said, (_possible(execution),))


def _order(order: Mapping[str, object]) -> OrderSaid:
    status = _text(order, "status")
    return OrderSaid(
        broker_order_id=_text(order, "id"),
        status=status,
        filled_qty=_number(order, "filled_qty", 9),
        at=_instant(order.get(ENDED_AT.get(status, "updated_at"))),
    )


def _rows(body: str) -> tuple[Execution, ...]:
    rows = _parsed(body)
    if not isinstance(rows, list):
        raise UnreadableError(f"expected a JSON array of executions, was {type(rows).__name__}")
    found = {each.cum_qty: each for each in (_row(_object(row, "a row")) for row in rows)}
    return tuple(found[cum_qty] for cum_qty in sorted(found))


def _row(row: Mapping[str, object]) -> Execution:
    return _possible(
        Execution(
            broker_order_id=_text(row, "order_id"),
            cum_qty=_number(row, "cum_qty", 9),
            last_qty=_number(row, "qty", 9),
            last_px=_number(row, "price", 6),
            exec_id=None,
            at=_instant(row.get("transaction_time")),
        )
    )


def _possible(execution: Execution) -> Execution:
    if execution.last_qty <= 0 or execution.last_px <= 0 or execution.cum_qty < execution.last_qty:
        raise UnreadableError(
            f"expected qty > 0, price > 0 and cum_qty >= qty, was {execution.last_qty}, {execution.last_px}"
            f" and {execution.cum_qty}"
        )
    return execution


def _is_duplicate(report: BrokerReport) -> bool:
    """Say whether a refusal means that the id was used before; both spellings of the message were seen."""
    try:
        body = _object(_parsed(report.body), "the body")
    except UnreadableError:
        return False
    message = str(body.get("message", "")).lower().replace("_", " ")
    is_code = body.get("code") in (MALFORMED, INVALID)
    return report.http_status == 422 and is_code and "client order id" in message and "unique" in message


def _message(body: str) -> str:
    """Return the broker's message, or the beginning of what it wrote instead of one."""
    try:
        message = _object(_parsed(body), "the body").get("message")
    except UnreadableError:
        message = None
    return _clean(message if isinstance(message, str) else body)[:500]


def _parsed(body: str) -> object:
    def refuse(name: str) -> object:
        raise ValueError(f"{name} is not a number")

    try:
        value: object = json.loads(body, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableError(f"no JSON of {len(body)} characters: {type(error).__name__}") from error
    return value


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnreadableError(f"expected {name} to be an object, was {type(value).__name__}")
    return value


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or value != _clean(value):
        raise UnreadableError(f"expected {name} to be text, was {_clean(repr(value))}")
    return value


def _number(fields: Mapping[str, object], name: str, digits: int) -> Decimal:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError(f"expected {name} to be a number, was {_clean(repr(value))}")
    try:
        return at_scale(digits)(Decimal(value))
    except (ValueError, ArithmeticError) as error:
        raise UnreadableError(f"{name} {_clean(str(value))[:50]}: {error}") from error


def _instant(value: object) -> datetime | None:
    """Return a point in time, None where there is none or it cannot be read: a time is never worth losing a fill."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _clean(text: str) -> str:
    """Return text that UTF-8 can carry: JSON may spell half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
