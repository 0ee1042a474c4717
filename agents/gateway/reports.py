"""Reading the broker's words: what one raw report says about an order, as one of a few words.

Nothing is decided here. Text that cannot be read is a word of its own, never an exception: the broker's mistakes are
facts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from agents.gateway.checks import Checked, read_check
from agents.gateway.reading import UnreadableError, as_object, as_rows, clean, instant, message, number, parsed, text
from schemas.order import NOT_SENT, BrokerReport, ReportKind, ReportRequest

MALFORMED, INVALID = 40010001, 42210000  # the two codes a duplicate client order id was seen with
THROTTLED = 429


class Word(StrEnum):
    """What a report says about the order."""

    CHECKED = "CHECKED"  # market and account, as they were read for it
    CHECK_FAILED = "CHECK_FAILED"  # they could not be read
    OPEN = "OPEN"  # the broker has it, and it can still be executed
    ENDED = "ENDED"  # the broker has it, and nothing more will be executed
    EXECUTED = "EXECUTED"  # executions of it
    REFUSED = "REFUSED"  # the broker did not take it
    DUPLICATE = "DUPLICATE"  # the broker has had it before
    THROTTLED = "THROTTLED"  # the broker did not look at it: too many requests
    NOT_SENT = "NOT_SENT"  # the broker agent kept it back
    UNANSWERED = "UNANSWERED"  # whether the broker has it is unknown
    NOT_FOUND = "NOT_FOUND"  # a read did not find it
    CANCEL_FAILED = "CANCEL_FAILED"  # a request to cancel it was refused or lost
    STRANGE = "STRANGE"  # something happened to it that has no word here, or that cannot be read
    BAD_FILLS = "BAD_FILLS"  # a read of its executions that cannot be read
    NOTHING = "NOTHING"  # nothing new


@dataclass(frozen=True)
class OrderSaid:
    """An order as the broker shows it; symbol, side and quantity are None where it does not show them."""

    broker_order_id: str
    status: str
    filled_qty: Decimal
    at: datetime | None
    symbol: str | None = None
    side: str | None = None
    order_qty: Decimal | None = None


@dataclass(frozen=True)
class Execution:
    """One execution as the broker shows it; `cum_qty` is the executed quantity of the order after it.

    Symbol and side are None where it does not show them.
    """

    broker_order_id: str
    cum_qty: Decimal
    last_qty: Decimal
    last_px: Decimal
    exec_id: str | None
    at: datetime | None
    symbol: str | None = None
    side: str | None = None


@dataclass(frozen=True)
class Heard:
    """A report and what it says; executions are in cumulative order."""

    word: Word
    report: BrokerReport
    reason: str = ""
    order: OrderSaid | None = None
    executions: tuple[Execution, ...] = ()
    checked: Checked | None = None

    @property
    def is_read(self) -> bool:
        """Whether it answers a question; asking again because of the answer would never end."""
        return self.report.kind is ReportKind.READ


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
        return _read(report, Word.STRANGE, lambda: _heard_update(report))
    if report.request is ReportRequest.CHECK:
        return _of_check(report)
    reader = READERS.get((report.kind, report.request))
    return Heard(Word.NOTHING, report) if reader is None else reader(report)


def _of_check(report: BrokerReport) -> Heard:
    if report.http_status != 200:
        why = report.error or f"HTTP {report.http_status}: {message(report.body)}"
        return Heard(Word.CHECK_FAILED, report, clean(why)[:500])
    return _read(report, Word.CHECK_FAILED, lambda: Heard(Word.CHECKED, report, checked=read_check(report.body)))


def _of_submit(report: BrokerReport) -> Heard:
    status = report.http_status
    if status is None:
        word = Word.NOT_SENT if report.error.startswith(NOT_SENT) else Word.UNANSWERED
        return Heard(word, report, report.error)
    if 200 <= status < 300:
        return _read(report, Word.UNANSWERED, lambda: _heard_order(report, Word.OPEN))
    reason = f"HTTP {status}: {message(report.body)}"
    if status == THROTTLED:
        return Heard(Word.THROTTLED, report, reason)
    if status == 408 or not 400 <= status < 500:
        return Heard(Word.UNANSWERED, report, reason)
    return Heard(Word.DUPLICATE if _is_duplicate(report) else Word.REFUSED, report, reason)


def _of_silence(report: BrokerReport) -> Heard:
    return Heard(Word.UNANSWERED, report, f"no answer: {report.error}")


def _of_cancel(report: BrokerReport) -> Heard:
    status = report.http_status
    if status is not None and 200 <= status < 300:
        return Heard(Word.NOTHING, report)
    why = report.error if status is None else f"HTTP {status}: {message(report.body)}"
    return Heard(Word.CANCEL_FAILED, report, f"cancel failed: {why}")


def _of_order(report: BrokerReport) -> Heard:
    if report.http_status == 404:
        return Heard(Word.NOT_FOUND, report, message(report.body))
    if report.http_status != 200:
        return Heard(Word.NOTHING, report)
    return _read(report, Word.NOTHING, lambda: _heard_order(report, Word.ENDED))


def _of_fills(report: BrokerReport) -> Heard:
    if report.http_status != 200:
        return Heard(Word.NOTHING, report)
    return _read(report, Word.BAD_FILLS, lambda: Heard(Word.EXECUTED, report, executions=_rows(report.body)))


READERS: Mapping[tuple[ReportKind, ReportRequest], Callable[[BrokerReport], Heard]] = {
    (ReportKind.ANSWER, ReportRequest.SUBMIT): _of_submit,
    (ReportKind.SILENCE, ReportRequest.SUBMIT): _of_silence,
    (ReportKind.ANSWER, ReportRequest.CANCEL): _of_cancel,
    (ReportKind.SILENCE, ReportRequest.CANCEL): _of_cancel,
    (ReportKind.READ, ReportRequest.ORDER): _of_order,
    (ReportKind.READ, ReportRequest.FILLS): _of_fills,
}
"""Who reads what; silence after a question says nothing, except after a CHECK."""


def _read(report: BrokerReport, unreadable: Word, reading: Callable[[], Heard]) -> Heard:
    try:
        return reading()
    except UnreadableError as error:
        return Heard(unreadable, report, f"unreadable: {error}")


def _heard_order(report: BrokerReport, filled: Word) -> Heard:
    """Return what an order says; `filled` is the word for one that is filled (in an answer, its fills follow)."""
    said = _order(as_object(parsed(report.body), "the body"))
    word = Word.OPEN if said.status not in ENDED else filled if said.status == "filled" else Word.ENDED
    return Heard(word, report, said.status, said)


def _heard_update(report: BrokerReport) -> Heard:
    data = as_object(as_object(parsed(report.body), "the body").get("data"), "data")
    event = text(data, "event")
    word = UPDATES.get(event, Word.STRANGE)
    order = _order(as_object(data.get("order"), "data.order"), event)
    at = instant(data.get("timestamp"))
    said = order if at is None else OrderSaid(**{**vars(order), "at": at})
    if word is not Word.EXECUTED:
        return Heard(word, report, event, said)
    exec_id = data.get("execution_id")
    execution = Execution(
        broker_order_id=order.broker_order_id,
        cum_qty=order.filled_qty,
        last_qty=number(data, "qty", 9),
        last_px=number(data, "price", 6),
        exec_id=clean(exec_id) if isinstance(exec_id, str) else None,
        at=at,
    )
    return Heard(word, report, event, said, (_possible(execution),))


def _order(order: Mapping[str, object], event: str | None = None) -> OrderSaid:
    status = text(order, "status")
    symbol, side = _symbol_and_side(order)
    return OrderSaid(
        broker_order_id=text(order, "id"),
        status=event or status,
        filled_qty=number(order, "filled_qty", 9),
        at=instant(order.get(ENDED_AT.get(status, "updated_at"))),
        symbol=symbol,
        side=side,
        order_qty=None if order.get("qty") is None else number(order, "qty", 9),
    )


def _symbol_and_side(fields: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return what is shown of both; a sale that opens a short is a sale (Alpaca: sell_short)."""
    symbol, side = (clean(each) if isinstance(each := fields.get(n), str) else None for n in ("symbol", "side"))
    return symbol, "sell" if side == "sell_short" else side


def _rows(body: str) -> tuple[Execution, ...]:
    found = {each.cum_qty: each for each in map(_row, as_rows(parsed(body), "the executions"))}
    return tuple(found[cum_qty] for cum_qty in sorted(found))


def _row(row: Mapping[str, object]) -> Execution:
    symbol, side = _symbol_and_side(row)
    return _possible(
        Execution(
            broker_order_id=text(row, "order_id"),
            cum_qty=number(row, "cum_qty", 9),
            last_qty=number(row, "qty", 9),
            last_px=number(row, "price", 6),
            exec_id=None,
            at=instant(row.get("transaction_time")),
            symbol=symbol,
            side=side,
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
        body = as_object(parsed(report.body), "the body")
    except UnreadableError:
        return False
    said = str(body.get("message", "")).lower().replace("_", " ")
    is_code = body.get("code") in (MALFORMED, INVALID)
    return report.http_status == 422 and is_code and "client order id" in said and "unique" in said
