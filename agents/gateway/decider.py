"""Gate what the executor asks for, say where every order stands, and turn the broker's words into fills.

The rules are one table: what was heard (rows) by whether the broker has the order (columns). Duplicates are absorbed by
where the order stands (its cumulative quantity, its status, its attempt), not by remembering reports.

Where the contract leaves room:

- Time is the report's `received_at` (the broker agent's clock); an intent's is its message's `occurred_at`.
- A hole in the executions heard from the stream is asked about (QUERYING); a hole in what was read is waited out,
  because the next poll reads again and asking because of an answer would never end.
- A read that does not find an UNKNOWN order sends it again under the same id, at most ATTEMPTS_MAX times in all, while
  it is valid and nobody wants it canceled. Otherwise it stays UNKNOWN: a 404 resolves nothing, and its capital stays
  reserved. Not found on a later UTC day than `valid_until`, it is EXPIRED: a day order cannot come back then.
- A refusal, or an order kept back, ends the order only on its first attempt: an earlier attempt may have arrived.
- CANCEL of an order the broker has not confirmed is remembered (CANCELING, status as it was or PENDING_CANCEL) and
  repeated when a read finds the order open, at most CANCELS_MAX times in all.
- An execution that comes after the end of an order is booked, and the order keeps its end.
- What cannot be true (more executed than ordered, an overlap) or cannot be read among the executions makes the order
  UNKNOWN with the reason: nothing is booked from it, and a person has to look. Other text that cannot be read is asked
  about when it came unasked, counts as no answer to a SUBMIT, and is silent in other reads.
- A cross passes the gate as an order does; its time is the intent's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from immutables import Map

from agents.decider import Message
from agents.gateway.gate import refused
from agents.gateway.orders import Order, Stage, after, event, new_order, session_is_over, trade
from agents.gateway.reports import Execution, Heard, OrderSaid, Word, heard
from schemas.order import (
    BrokerReport,
    ExecType,
    Fill,
    IntentAction,
    OrderEvent,
    OrderIntent,
    OrdStatus,
)
from schemas.record import Record

ATTEMPTS_MAX = 5
CANCELS_MAX = 5


@dataclass(frozen=True)
class State:
    """Every order there was, by account and client order id."""

    orders: Map[tuple[str, str], Order]


def initial_state() -> State:
    """Return the state before the first order."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return what becomes of an intent or of a report; reports about orders that are not ours say nothing."""
    match message.record:
        case OrderIntent() as intent:
            return _asked(state.orders.get((intent.account_id, intent.client_order_id)), intent, message)
        case BrokerReport() as report:
            order = state.orders.get((report.account_id, report.client_order_id))
            return [] if order is None else _told(order, heard(report))
        case other:
            raise TypeError(f"the gateway reads OrderIntent and BrokerReport, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the gateway's own records; a fill says nothing that its event does not."""
    match record:
        case OrderEvent() as said:
            key = (said.account_id, said.client_order_id)
            return State(state.orders.set(key, after(state.orders.get(key), said)))
        case Fill():
            return state
        case other:
            raise TypeError(f"the gateway publishes OrderEvent and Fill, was {type(other).__name__}")


# --- what the executor asks ------------------------------------------------------------------------------------------


def _asked(order: Order | None, intent: OrderIntent, message: Message) -> list[Record]:
    if order is not None and order.terms.intent_id != intent.order.intent_id:
        raise ValueError(
            f"client order id {intent.client_order_id} is taken by intent {order.terms.intent_id},"
            f" asked for {intent.order.intent_id}"
        )
    match intent.action, order:
        case IntentAction.CANCEL, None:
            return []
        case IntentAction.CANCEL, Order():
            return _cancel(order)
        case _, Order():
            return []
        case action, None:
            asked = new_order(intent)
            if refusal := refused(intent, message):
                return [event(asked, ExecType.REFUSED, OrdStatus.REJECTED, reason=refusal)]
            return _cross(asked, message) if action is IntentAction.CROSS else _submit(asked, attempt=1)


def _submit(order: Order, attempt: int) -> list[Record]:
    return [event(order, ExecType.SUBMITTING, OrdStatus.PENDING_NEW, attempt=attempt)]


def _cross(order: Order, message: Message) -> list[Record]:
    terms = order.terms
    whole = Execution("", terms.order_qty, terms.order_qty, terms.reference_price, None, message.occurred_at)
    return [*trade(order, whole, message.occurred_at)]


def _cancel(order: Order) -> list[Record]:
    if order.stage is Stage.ENDED or order.cancels:
        return []
    return [_canceling(order)]


def _canceling(order: Order) -> OrderEvent:
    status = OrdStatus.UNKNOWN if order.status is OrdStatus.UNKNOWN else OrdStatus.PENDING_CANCEL
    return event(order, ExecType.CANCELING, status)


# --- what the broker tells -------------------------------------------------------------------------------------------


def _told(order: Order, said: Heard) -> list[Record]:
    return RULES[said.word][COLUMNS.index(order.stage)](order, said)


def _nothing(_: Order, __: Heard) -> list[Record]:
    return []


def _query(order: Order, said: Heard) -> list[Record]:
    return [event(order, ExecType.QUERYING, order.status, reason=said.reason)]


def _adopt(order: Order, said: Heard) -> list[Record]:
    """The broker has it; a read may show at once that it does not know of our cancellation."""
    if said.order is None:
        return []
    accepted = _accepted(order, said.order)
    return [accepted, *_cancel_again(after(order, accepted), said)]


def _accepted(order: Order, said: OrderSaid) -> OrderEvent:
    return event(order, ExecType.ACCEPTED, order.open_status, at=said.at, broker_order_id=said.broker_order_id)


def _cancel_again(order: Order, said: Heard) -> list[Record]:
    """A read that shows an order open although its cancellation was asked for: that request was lost."""
    is_lost = said.is_read and said.order is not None and said.order.status != "pending_cancel"
    return [_canceling(order)] if is_lost and 0 < order.cancels < CANCELS_MAX else []


def _end(order: Order, said: Heard) -> list[Record]:
    """The broker says that it is over. As long as some of its executions are missing it is not over here."""
    if said.order is None:
        return []
    executed, status = said.order.filled_qty, said.order.status
    if executed > order.terms.order_qty or (status == "filled" and executed <= order.cum_qty):
        return _contradiction(order, f"{status} with {executed:f} of {order.terms.order_qty:f} executed")
    if executed <= order.cum_qty:
        exec_type, ended = ENDS[status]
        broker_order_id = said.order.broker_order_id
        return [event(order, exec_type, ended, reason=said.reason, at=said.order.at, broker_order_id=broker_order_id)]
    if order.stage is not Stage.UNCONFIRMED:
        return [] if said.is_read else _query_hole(order, executed, said)
    accepted = _accepted(order, said.order)
    return [accepted] if said.is_read else [accepted, *_query_hole(after(order, accepted), executed, said)]


def _query_hole(order: Order, executed: Decimal, said: Heard) -> list[Record]:
    return _query(order, replace(said, reason=f"{said.reason}: executed {executed:f}, known are {order.cum_qty:f}"))


ENDS: Mapping[str, tuple[ExecType, OrdStatus]] = {
    "canceled": (ExecType.CANCELED, OrdStatus.CANCELED),
    "replaced": (ExecType.CANCELED, OrdStatus.CANCELED),
    "expired": (ExecType.EXPIRED, OrdStatus.EXPIRED),
    "rejected": (ExecType.REJECTED, OrdStatus.REJECTED),
}


def _book(order: Order, said: Heard) -> list[Record]:
    """Book what follows on the executed quantity, pass over what is booked, and stop at a hole."""
    records: list[Record] = []
    current = order
    for each in _of(order, said.executions):
        if each.cum_qty <= current.cum_qty:
            continue
        before = each.cum_qty - each.last_qty
        if each.cum_qty > order.terms.order_qty:
            return [*records, *_contradiction(current, f"executed {each.cum_qty:f} of {order.terms.order_qty:f}")]
        if before < current.cum_qty and said.is_read:
            reason = f"an execution of {each.last_qty:f} up to {each.cum_qty:f} overlaps {current.cum_qty:f}"
            return [*records, *_contradiction(current, reason)]
        if before != current.cum_qty:
            return [*records, *([] if said.is_read else _query_hole(current, each.cum_qty, said))]
        traded, fill = trade(current, each, said.report.received_at)
        records += [traded, fill]
        current = after(current, traded)
    return records


def _of(order: Order, executions: Iterable[Execution]) -> list[Execution]:
    """Return the executions of this order: a read may show others'."""
    return [each for each in executions if order.broker_order_id in (None, each.broker_order_id)]


def _contradiction(order: Order, reason: str) -> list[Record]:
    if order.stage is Stage.ENDED or order.status is OrdStatus.UNKNOWN:
        return []
    return [event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=f"CONTRADICTION {reason}")]


def _unreadable_fills(order: Order, said: Heard) -> list[Record]:
    return _contradiction(order, said.reason)


def _is_stale(order: Order, said: Heard) -> bool:
    """An answer to an attempt that was settled already."""
    return said.report.attempt != order.attempt or order.status is OrdStatus.UNKNOWN


def _reject(order: Order, said: Heard) -> list[Record]:
    if _is_stale(order, said):
        return []
    if order.attempt > 1:
        return _lose(order, said)
    return [event(order, ExecType.REJECTED, OrdStatus.REJECTED, reason=said.reason)]


def _keep_back(order: Order, said: Heard) -> list[Record]:
    if _is_stale(order, said):
        return []
    if order.attempt > 1:
        return [event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=said.reason)]
    return [event(order, ExecType.EXPIRED, OrdStatus.EXPIRED, reason=said.reason)]


def _lose(order: Order, said: Heard) -> list[Record]:
    if _is_stale(order, said):
        return []
    lost = event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=said.reason)
    return [lost, event(after(order, lost), ExecType.QUERYING, OrdStatus.UNKNOWN, reason=said.reason)]


def _exists(order: Order, said: Heard) -> list[Record]:
    if _is_stale(order, said):
        return []
    return [event(order, ExecType.QUERYING, OrdStatus.UNKNOWN, reason=said.reason)]


def _retry(order: Order, said: Heard) -> list[Record]:
    at = said.report.received_at
    if order.status is not OrdStatus.UNKNOWN or order.broker_order_id is not None:
        return []
    if session_is_over(order, at):
        reason = f"NOT_FOUND on {at.date()}, after the session it was valid in"
        return [event(order, ExecType.EXPIRED, OrdStatus.EXPIRED, reason=reason)]
    if order.cancels or order.attempt >= ATTEMPTS_MAX or at >= order.terms.valid_until:
        return []
    return _submit(order, order.attempt + 1)


Rule = Callable[[Order, Heard], list[Record]]

COLUMNS = (Stage.UNCONFIRMED, Stage.OPEN, Stage.ENDED)

RULES: Mapping[Word, tuple[Rule, Rule, Rule]] = {
    #                   UNCONFIRMED  OPEN           ENDED
    Word.OPEN:          (_adopt,     _cancel_again, _nothing),
    Word.ENDED:         (_end,       _end,          _nothing),
    Word.EXECUTED:      (_book,      _book,         _book),
    Word.REFUSED:       (_reject,    _nothing,      _nothing),
    Word.DUPLICATE:     (_exists,    _nothing,      _nothing),
    Word.NOT_SENT:      (_keep_back, _nothing,      _nothing),
    Word.UNANSWERED:    (_lose,      _nothing,      _nothing),
    Word.NOT_FOUND:     (_retry,     _nothing,      _nothing),
    Word.CANCEL_FAILED: (_query,     _query,        _nothing),
    Word.STRANGE:       (_query,     _query,        _nothing),
    Word.BAD_FILLS:     (_unreadable_fills, _unreadable_fills, _nothing),
    Word.NOTHING:       (_nothing,   _nothing,      _nothing),
}  # fmt: skip
