"""Where an order stands, as the fold of its own events, and how an event about it is written.

`leaves_qty` is checked at every event: an order that has executed more than was ordered is our own contradiction and
ends the process; a broker that says so is believed in nothing (see `decider`).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from agents.gateway.reports import Execution
from schemas.identity import fill_id
from schemas.order import (
    TERMINAL,
    ExecType,
    Fill,
    OrderEvent,
    OrderIntent,
    OrderTerms,
    OrdStatus,
    PreTradeCheck,
    Refusal,
)

ZERO = Decimal(0)

SESSIONS_END_AT = timedelta(hours=9)
"""When no session of the UTC day before is open any more: New York's overnight one ends at 4:00, 9:00 UTC in winter."""


class Stage(StrEnum):
    """What the rules distinguish: was it let pass, does the broker have it, and can it still be executed."""

    CHECKING = "CHECKING"
    UNCONFIRMED = "UNCONFIRMED"
    OPEN = "OPEN"
    ENDED = "ENDED"


@dataclass(frozen=True)
class Order:
    """One order: its terms and where it stands.

    `cancels` counts how often its cancellation was asked for. `is_doubtful` from the moment it is UNKNOWN until the
    broker is known to have it: an attempt may have arrived, or may arrive yet. `is_said_to_exist` after the
    broker refused its id as a duplicate. `ended_at` is the broker's time of the
    end of an order that the broker had.
    """

    account_id: str
    client_order_id: str
    terms: OrderTerms
    status: OrdStatus = OrdStatus.PENDING_NEW
    broker_order_id: str | None = None
    cum_qty: Decimal = ZERO
    gross_trade_amt: Decimal = ZERO
    attempt: int = 0
    cancels: int = 0
    check: PreTradeCheck | None = None
    is_doubtful: bool = False
    is_said_to_exist: bool = False
    ended_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether it can still be executed, or is on its way."""
        return self.status not in TERMINAL

    @property
    def was_handed_over(self) -> bool:
        """Whether the broker may ever have seen it."""
        return self.attempt > 0 or self.broker_order_id is not None

    @property
    def worst_price(self) -> Decimal:
        """Dollars per share it is counted at; of an order that nobody let pass, as its intent says."""
        if self.check is not None:
            return self.check.worst_price
        return self.terms.limit_price or self.terms.reference_price

    @property
    def line(self) -> tuple[UUID, str, str]:
        """The plan line it belongs to."""
        return self.terms.plan_id, self.terms.book, self.terms.symbol

    @property
    def stage(self) -> Stage:
        """Return the column of the rule table."""
        if self.status in TERMINAL:
            return Stage.ENDED
        if not self.was_handed_over and self.status is OrdStatus.PENDING_NEW:
            return Stage.CHECKING
        if self.status in (OrdStatus.PENDING_NEW, OrdStatus.UNKNOWN) or self.broker_order_id is None:
            return Stage.UNCONFIRMED
        return Stage.OPEN

    @property
    def open_status(self) -> OrdStatus:
        """Return the status of the order once the broker is known to have it, as FIX ranks them."""
        if self.cancels:
            return OrdStatus.PENDING_CANCEL
        return OrdStatus.PARTIALLY_FILLED if self.cum_qty else OrdStatus.NEW


def new_order(intent: OrderIntent) -> Order:
    """Return the order of an intent, before anything has happened to it."""
    return Order(intent.account_id, intent.client_order_id, intent.order)


def after(order: Order | None, event: OrderEvent) -> Order:
    """Return the order after one of its events; raises ValueError when executed shares would disappear."""
    before = order or Order(event.account_id, event.client_order_id, event.order)
    if event.cum_qty < before.cum_qty:
        raise ValueError(
            f"order {event.client_order_id}: {event.exec_type} says cum_qty {event.cum_qty}, it was {before.cum_qty}"
        )
    return replace(
        before,
        status=event.ord_status,
        broker_order_id=event.broker_order_id or before.broker_order_id,
        cum_qty=event.cum_qty,
        gross_trade_amt=event.gross_trade_amt,
        attempt=event.attempt,
        cancels=before.cancels + (event.exec_type is ExecType.CANCELING),
        check=event.check or before.check,
        is_doubtful=_is_doubtful(before, event),
        is_said_to_exist=before.is_said_to_exist or _is_duplicate(before, event),
        ended_at=_ended_at(before, event),
    )


def _is_doubtful(before: Order, event: OrderEvent) -> bool:
    if event.ord_status is OrdStatus.UNKNOWN:
        return True
    return before.is_doubtful and event.exec_type not in (ExecType.ACCEPTED, ExecType.TRADE)


def _is_duplicate(before: Order, event: OrderEvent) -> bool:
    """Only a duplicate makes an order UNKNOWN by asking for it; an order that is lost is UNKNOWN before it is asked."""
    is_asked = event.exec_type is ExecType.QUERYING and event.ord_status is OrdStatus.UNKNOWN
    return is_asked and before.status is not OrdStatus.UNKNOWN


def _ended_at(before: Order, event: OrderEvent) -> datetime | None:
    if event.ord_status not in TERMINAL or event.transact_time is None:
        return before.ended_at
    return event.transact_time if before.ended_at is None else max(before.ended_at, event.transact_time)


def event(
    order: Order,
    exec_type: ExecType,
    ord_status: OrdStatus,
    *,
    reason: str = "",
    at: datetime | None = None,
    attempt: int | None = None,
    broker_order_id: str | None = None,
    execution: Execution | None = None,
    refusal: Refusal | None = None,
    check: PreTradeCheck | None = None,
) -> OrderEvent:
    """Return what has become of an order; `execution` is booked by it. Raises ValueError when it exceeds the order."""
    cum_qty = order.cum_qty if execution is None else execution.cum_qty
    leaves_qty = _leaves(order, cum_qty)
    if execution is not None and execution.cum_qty - execution.last_qty != order.cum_qty:
        raise ValueError(
            f"order {order.client_order_id}: expected an execution after {order.cum_qty}, was one of"
            f" {execution.last_qty} up to {execution.cum_qty}"
        )
    return OrderEvent(
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        broker_order_id=broker_order_id or order.broker_order_id,
        exec_type=exec_type,
        ord_status=ord_status,
        cum_qty=cum_qty,
        leaves_qty=ZERO if ord_status in TERMINAL else leaves_qty,
        last_qty=None if execution is None else execution.last_qty,
        last_px=None if execution is None else execution.last_px,
        gross_trade_amt=order.gross_trade_amt + (ZERO if execution is None else execution.last_qty * execution.last_px),
        attempt=order.attempt if attempt is None else attempt,
        refusal=refusal,
        reason=reason,
        check=check,
        transact_time=at,
        order=order.terms,
    )


def trade(order: Order, execution: Execution, received_at: datetime) -> tuple[OrderEvent, Fill]:
    """Return the event and the fill of an execution that follows on what the order has executed so far.

    An order that had ended keeps its end: what comes late is booked all the same. The fill's id is derived from the
    broker's order id and the quantity after it, so every source of the same execution gives the same fill.
    """
    status = order.status
    if execution.cum_qty == order.terms.order_qty:
        status = OrdStatus.FILLED
    elif order.stage is not Stage.ENDED:
        status = replace(order, cum_qty=execution.cum_qty).open_status
    at = execution.at or received_at
    said = event(
        order, ExecType.TRADE, status, at=at, broker_order_id=execution.broker_order_id or None, execution=execution
    )
    fill = Fill(
        account_id=order.account_id,
        fill_id=fill_id(execution.broker_order_id or order.client_order_id, f"{execution.cum_qty:.9f}"),
        exec_id=execution.exec_id,
        client_order_id=order.client_order_id,
        broker_order_id=execution.broker_order_id or None,
        last_qty=execution.last_qty,
        last_px=execution.last_px,
        cum_qty=execution.cum_qty,
        leaves_qty=_leaves(order, execution.cum_qty),
        transact_time=at,
        order=order.terms,
    )
    return said, fill


def session_is_over(order: Order, at: datetime) -> bool:
    """Say whether the session in which the order could last be sent is over, extended hours and overnight included.

    Judged without a calendar: by SESSIONS_END_AT of the UTC day after that of `valid_until`.
    """
    return (at.astimezone(UTC) - SESSIONS_END_AT).date() > order.terms.valid_until.astimezone(UTC).date()


def _leaves(order: Order, cum_qty: Decimal) -> Decimal:
    leaves_qty = order.terms.order_qty - cum_qty
    if leaves_qty < 0:
        raise ValueError(
            f"order {order.client_order_id}: expected cum_qty of at most {order.terms.order_qty}, was {cum_qty}"
        )
    return leaves_qty
