"""What becomes of an order by what the broker says: one table, what was heard by where the order stands."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from agents.gateway import sending
from agents.gateway.account import Account
from agents.gateway.halts import declared
from agents.gateway.orders import Order, Stage, after, event, trade
from agents.gateway.reports import Execution, Heard, OrderSaid, Word
from agents.gateway.resolving import heard_afterwards
from schemas.gate import HaltCause, TradingHalt
from schemas.order import ExecType, OrderEvent, OrdStatus
from schemas.record import Record

CANCELS_MAX = 5


def told(account: Account, order: Order, said: Heard) -> list[Record]:
    """Return what becomes of an order by what was heard of it, and the alarm when the broker should not have it."""
    if order.stage is Stage.ENDED and order.client_order_id in account.resolved:
        return heard_afterwards(account, order, said)
    said_of_it = RULES[said.word][COLUMNS.index(order.stage)](account, order, said)
    is_alarmed = any(isinstance(each, TradingHalt) for each in said_of_it)
    return said_of_it if is_alarmed else [*said_of_it, *_unsent_and_there(account, order, said)]


def _unsent_and_there(account: Account, order: Order, said: Heard) -> list[Record]:
    """An order that was never sent, or not taken, and that the broker can execute or has executed all the same."""
    is_unsent = order.stage is Stage.CHECKING or (order.stage is Stage.ENDED and order.broker_order_id is None)
    is_there = {
        Word.OPEN: said.order is not None,
        Word.ENDED: said.order is not None and said.order.filled_qty > order.cum_qty,
        Word.EXECUTED: bool(said.executions),
    }
    if not is_unsent or not is_there.get(said.word, False):
        return []
    reason = f"{order.client_order_id}: the broker has it, here it is {order.stage} {order.status}"
    return [*declared(account, order, HaltCause.CONTRADICTION, reason)]


def _nothing(_: Account, __: Order, ___: Heard) -> list[Record]:
    return []


def _query(_: Account, order: Order, said: Heard) -> list[Record]:
    return [event(order, ExecType.QUERYING, order.status, reason=said.reason)]


def _adopt(account: Account, order: Order, said: Heard) -> list[Record]:
    """The broker has it; a read may show at once that it does not know of our cancellation."""
    if said.order is None:
        return []
    if difference := _difference(order, said.order):
        return _contradiction(account, order, difference)
    accepted = _accepted(order, said.order)
    return [accepted, *_cancel_again(account, after(order, accepted), said)]


def _difference(order: Order, shown: OrderSaid) -> str:
    """Return how the broker's order of this name differs from ours; empty when it does not."""
    terms = order.terms
    pairs = (
        ("symbol", shown.symbol, terms.symbol),
        ("side", shown.side, terms.side.value.lower()),
        ("qty", shown.order_qty, terms.order_qty),
    )
    return ", ".join(f"{name} {theirs}, ours {own}" for name, theirs, own in pairs if theirs not in (None, own))


def _accepted(order: Order, said: OrderSaid) -> OrderEvent:
    return event(order, ExecType.ACCEPTED, order.open_status, at=said.at, broker_order_id=said.broker_order_id)


def _cancel_again(_: Account, order: Order, said: Heard) -> list[Record]:
    """A read that shows an order open although its cancellation was asked for: that request was lost."""
    is_lost = said.is_read and said.order is not None and said.order.status != "pending_cancel"
    return [sending.canceling(order)] if is_lost and 0 < order.cancels < CANCELS_MAX else []


def _end(account: Account, order: Order, said: Heard) -> list[Record]:
    """The broker says that it is over. As long as some of its executions are missing it is not over here."""
    if said.order is None:
        return []
    executed, status = said.order.filled_qty, said.order.status
    if difference := _difference(order, said.order):
        return _contradiction(account, order, difference)
    if executed > order.terms.order_qty or (status == "filled" and executed <= order.cum_qty):
        return _contradiction(account, order, f"{status} with {executed:f} of {order.terms.order_qty:f} executed")
    if executed <= order.cum_qty:
        exec_type, ended = ENDS[status]
        at = said.order.at or said.report.received_at
        return [event(order, exec_type, ended, reason=said.reason, at=at, broker_order_id=said.order.broker_order_id)]
    if order.stage is Stage.OPEN:
        return [] if said.is_read else _query_hole(order, executed, said)
    accepted = _accepted(order, said.order)
    return [accepted] if said.is_read else [accepted, *_query_hole(after(order, accepted), executed, said)]


def _query_hole(order: Order, executed: Decimal, said: Heard) -> list[Record]:
    reason = f"{said.reason}: executed {executed:f}, known are {order.cum_qty:f}"
    return [event(order, ExecType.QUERYING, order.status, reason=reason)]


ENDS: Mapping[str, tuple[ExecType, OrdStatus]] = {
    "canceled": (ExecType.CANCELED, OrdStatus.CANCELED),
    "replaced": (ExecType.CANCELED, OrdStatus.CANCELED),
    "expired": (ExecType.EXPIRED, OrdStatus.EXPIRED),
    "rejected": (ExecType.REJECTED, OrdStatus.REJECTED),
}


def _book(account: Account, order: Order, said: Heard) -> list[Record]:
    """Book what follows on the executed quantity, pass over what is booked, and stop at a hole."""
    records: list[Record] = []
    current = order
    for each in _of(order, said.executions):
        if stranger := _stranger(order, said, each):
            return [*records, *_contradiction(account, current, stranger)]
        if each.cum_qty <= current.cum_qty:
            continue
        before = each.cum_qty - each.last_qty
        if each.cum_qty > order.terms.order_qty:
            reason = f"executed {each.cum_qty:f} of {order.terms.order_qty:f}"
            return [*records, *_contradiction(account, current, reason)]
        if before < current.cum_qty and said.is_read:
            reason = f"an execution of {each.last_qty:f} up to {each.cum_qty:f} overlaps {current.cum_qty:f}"
            return [*records, *_contradiction(account, current, reason)]
        if before != current.cum_qty:
            return [*records, *([] if said.is_read else _query_hole(current, each.cum_qty, said))]
        traded, fill = trade(current, each, said.report.received_at)
        records += [traded, fill]
        current = after(current, traded)
    return records


def _stranger(order: Order, said: Heard, execution: Execution) -> str:
    """Return how an execution under our name is none of our order; empty when it is one, or does not say."""
    shown, terms = said.order, order.terms
    pairs = (
        ("symbol", execution.symbol or (shown and shown.symbol), terms.symbol),
        ("side", execution.side or (shown and shown.side), terms.side.value.lower()),
    )
    found = ", ".join(f"{name} {theirs}, ours {own}" for name, theirs, own in pairs if theirs not in (None, own))
    return f"executed {execution.last_qty:f} of {found}" if found else ""


def _of(order: Order, executions: Iterable[Execution]) -> list[Execution]:
    """Return the executions of this order: a read may show others'."""
    return [each for each in executions if order.broker_order_id in (None, each.broker_order_id)]


def _contradiction(account: Account, order: Order, reason: str) -> list[Record]:
    """What cannot be true is not booked: the order is UNKNOWN unless it has ended, and its symbol is halted, once."""
    said: list[Record] = []
    if order.stage is not Stage.ENDED and order.status is not OrdStatus.UNKNOWN:
        said = [event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=f"CONTRADICTION {reason}")]
        order = replace(order, status=OrdStatus.UNKNOWN)
    return [*said, *declared(account, order, HaltCause.CONTRADICTION, f"{order.client_order_id}: {reason}")]


def _unreadable_fills(_: Account, order: Order, said: Heard) -> list[Record]:
    if order.status is OrdStatus.UNKNOWN:
        return []
    return [event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=said.reason)]


Rule = Callable[[Account, Order, Heard], list[Record]]

COLUMNS = (Stage.CHECKING, Stage.UNCONFIRMED, Stage.OPEN, Stage.ENDED)

RULES: Mapping[Word, tuple[Rule, Rule, Rule, Rule]] = {
    #                   CHECKING        UNCONFIRMED          OPEN               ENDED
    Word.CHECKED:       (sending.judge, _nothing,            _nothing,          _nothing),
    Word.CHECK_FAILED:  (sending.fail,  _nothing,            _nothing,          _nothing),
    Word.OPEN:          (_adopt,        _adopt,              _cancel_again,     _nothing),
    Word.ENDED:         (_end,          _end,                _end,              _nothing),
    Word.EXECUTED:      (_book,         _book,               _book,             _book),
    Word.REFUSED:       (_nothing,      sending.reject,      _nothing,          _nothing),
    Word.DUPLICATE:     (_nothing,      sending.exists,      _nothing,          _nothing),
    Word.THROTTLED:     (_nothing,      sending.throttled,   _nothing,          _nothing),
    Word.NOT_SENT:      (_nothing,      sending.keep_back,   _nothing,          _nothing),
    Word.UNANSWERED:    (_nothing,      sending.lose,        _nothing,          _nothing),
    Word.NOT_FOUND:     (_nothing,      sending.retry,       _nothing,          _nothing),
    Word.CANCEL_FAILED: (_nothing,      _query,              _query,            _nothing),
    Word.STRANGE:       (_query,        _query,              _query,            _nothing),
    Word.BAD_FILLS:     (_nothing,      _unreadable_fills,   _unreadable_fills, _nothing),
    Word.NOTHING:       (_nothing,      _nothing,            _nothing,          _nothing),
}  # fmt: skip
