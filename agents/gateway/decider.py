"""Gate what the executor asks for, say where every order stands, and turn the broker's words into fills.

The rules are one table (`rules`): what was heard (rows) by where the order stands (columns). Duplicates are absorbed by
where the order stands (its cumulative quantity, its status, its attempt), not by remembering reports. The checks of the
gate are one list in a fixed order (`gate`).

Where the contract leaves room, of the gate:

- Time is the check's `read_at` (the broker agent's clock before the reads), a report's `received_at`, a request's
  `requested_at`; in the first half of the gate the intent's `occurred_at`, which may be late and is judged again.
- Limits in which no number is set are none: every intent is refused until there are others. They are on the log.
- What an order is counted at is its limit, or the far touch and the collar on top, of a sale no less than the bid.
- An order whose end the broker dates before the reading (by its own clock, or ours if that is behind) is in the
  positions that were read; any other that was let pass counts whole beside them.
- Two orders of one plan line are no duplicates of each other: the line bounds them.
- Orders are counted per second, minute and day, not attempts: a second attempt is the same order.
- A cross is held to what concerns the symbol and its strategies, at its own price; it reduces nothing, so every halt in
  whose scope it is stops it. Its time is the intent's.
- A halt that the gateway declares is declared once for its order, also when it was ended: whoever ends it knows better.

Of orders:

- A hole in the executions heard from the stream is asked about (QUERYING); a hole in what was read is waited out,
  because the next poll reads again and asking because of an answer would never end.
- A read that does not find an UNKNOWN order sends it again under the same id, at most ATTEMPTS_MAX times in all, while
  it is valid, nobody wants it canceled, no halt has it in its scope, and the broker has not called its id a duplicate.
  Otherwise it stays UNKNOWN: a 404 resolves nothing, and its capital stays reserved. Not found in the morning after
  `valid_until` (9:00 UTC of the next day), it is EXPIRED: a day order cannot come back then.
- A 429 was not looked at: the order goes again at once, under the same conditions.
- A refusal, or an order kept back, ends the order only if no earlier attempt may have arrived.
- The age of an UNKNOWN order begins with the check it was let pass on: that is on the log, and no later than it.
- CANCEL of an order the broker has not confirmed is remembered (CANCELING, status as it was or PENDING_CANCEL) and
  repeated when a read finds the order open, at most CANCELS_MAX times in all. One that is CHECKING is CANCELED at once.
- An execution that comes after the end of an order is booked, and the order keeps its end.
- What cannot be true (more executed than ordered, an overlap, another symbol, side or quantity under our name, an order
  at the broker that was never sent or not taken) halts the symbol, and makes an order UNKNOWN that has not ended: a
  person has to look, and says what became of it (`resolving`). An execution of another symbol or side is not booked as
  the order's. Executions that cannot be read make it UNKNOWN. Other text that cannot be read is asked about when
  it came unasked, counts as no answer to a SUBMIT, and is silent in other reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from immutables import Map

from agents.decider import Message
from agents.gateway import halts
from agents.gateway.account import (
    Account,
    after_halt,
    after_limits,
    after_order,
    after_resolution,
    limits_key,
)
from agents.gateway.asked import Asked
from agents.gateway.gate import refused_at_once
from agents.gateway.orders import Order, event, new_order, trade
from agents.gateway.reports import Execution, heard
from agents.gateway.resolving import resolved
from agents.gateway.rules import told
from agents.gateway.sending import canceled
from schemas.gate import (
    HaltCause,
    HaltStatus,
    OrderLimits,
    OrderLimitsRequest,
    TradingHalt,
    TradingHaltRequest,
)
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
from schemas.resolution import OrderResolution, OrderResolutionRequest

UNAUTHORIZED = 401


@dataclass(frozen=True)
class State:
    """Every account there is orders, limits or halts of."""

    accounts: Map[str, Account]


def initial_state() -> State:
    """Return the state before the first order."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return what becomes of an intent, a report or a request; reports about orders that are not ours say nothing."""
    match message.record:
        case OrderIntent() as intent:
            return _asked(_of(state, intent.account_id), intent, message)
        case BrokerReport() as report:
            return _reported(state, report)
        case OrderLimitsRequest() as request:
            return _limited(_of(state, request.account_id), request)
        case TradingHaltRequest() as request:
            return _halted(_of(state, request.account_id), request)
        case OrderResolutionRequest() as request:
            return resolved(_of(state, request.account_id), request)
        case other:
            raise TypeError(
                "the gateway reads OrderIntent, BrokerReport, OrderLimitsRequest, TradingHaltRequest and"
                f" OrderResolutionRequest, was {type(other).__name__}"
            )


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the gateway's own records; a fill says nothing that its event does not."""
    match record:
        case OrderEvent(account_id=account_id) as said:
            account = after_order(_of(state, account_id), said)
        case OrderLimits(account_id=account_id) as said:
            account = after_limits(_of(state, account_id), said)
        case TradingHalt(account_id=account_id) as said:
            account = after_halt(_of(state, account_id), said)
        case OrderResolution(account_id=account_id) as said:
            account = after_resolution(_of(state, account_id), said)
        case Fill():
            return state
        case other:
            raise TypeError(
                "the gateway publishes OrderEvent, Fill, OrderLimits, TradingHalt and OrderResolution,"
                f" was {type(other).__name__}"
            )
    return State(state.accounts.set(account_id, account))


def _of(state: State, account_id: str) -> Account:
    return state.accounts.get(account_id) or Account()


def _after(state: State, records: Sequence[Record]) -> State:
    for each in records:
        state = evolve(state, each)
    return state


# --- what the executor asks ------------------------------------------------------------------------------------------


def _asked(account: Account, intent: OrderIntent, message: Message) -> list[Record]:
    order = account.orders.get(intent.client_order_id)
    if order is not None and order.terms.intent_id != intent.order.intent_id:
        raise ValueError(
            f"client order id {intent.client_order_id} is taken by intent {order.terms.intent_id},"
            f" asked for {intent.order.intent_id}"
        )
    match intent.action, order:
        case IntentAction.CANCEL, None:
            return []
        case IntentAction.CANCEL, Order():
            return canceled(order)
        case _, Order():
            return []
        case action, None:
            asked = Asked(account, new_order(intent), message.occurred_at, is_cross=action is IntentAction.CROSS)
            if refused := refused_at_once(asked):
                refusal, reason = refused
                return [event(asked.order, ExecType.REFUSED, OrdStatus.REJECTED, refusal=refusal, reason=reason)]
            if asked.is_cross:
                return _crossed(asked.order, message)
            return [event(asked.order, ExecType.CHECKING, OrdStatus.PENDING_NEW)]


def _crossed(order: Order, message: Message) -> list[Record]:
    terms = order.terms
    whole = Execution("", terms.order_qty, terms.order_qty, terms.reference_price, None, message.occurred_at)
    return [*trade(order, whole, message.occurred_at)]


# --- what the broker tells -------------------------------------------------------------------------------------------


def _reported(state: State, report: BrokerReport) -> list[Record]:
    """Return the alarms that come before the order is judged, what becomes of it, and those that follow from it."""
    said: list[Record] = []
    if report.http_status == UNAUTHORIZED:
        account = _of(state, report.account_id)
        why = f"the broker does not accept the keys: HTTP {UNAUTHORIZED} to {report.request} {report.kind}"
        said += halts.unauthorized(account, report.account_id, report.report_id, report.received_at, why)
    said += _too_old(_of(_after(state, said), report.account_id), report)
    account = _of(_after(state, said), report.account_id)
    order = account.orders.get(report.client_order_id)
    return said if order is None else [*said, *told(account, order, heard(report))]


def _too_old(account: Account, report: BrokerReport) -> list[TradingHalt]:
    """An order that was let pass so long ago and is still in doubt; its age begins with its check."""
    order = account.orders.get(report.client_order_id)
    if order is None or order.check is None or account.limits is None or not (order.is_live and order.is_doubtful):
        return []
    age = int((report.received_at - order.check.read_at).total_seconds())
    most = account.limits.limits.unknown_age_max_s
    if age <= most:
        return []
    reason = f"{order.client_order_id} is UNKNOWN, {age} s after it was let pass, at most {most} s"
    return halts.declared(account, order, HaltCause.UNKNOWN_TOO_OLD, reason)


# --- what a person asks ----------------------------------------------------------------------------------------------


def _limited(account: Account, request: OrderLimitsRequest) -> list[Record]:
    if limits_key(request.request_id) in account.requests:
        return []
    return [
        OrderLimits(
            account_id=request.account_id,
            request_id=request.request_id,
            requested_by=request.requested_by,
            limits=request.limits,
        )
    ]


def _halted(account: Account, request: TradingHaltRequest) -> list[Record]:
    """Return the halt, or its end, and what becomes of the open orders in its scope when they are to be canceled."""
    halt = halts.answered(account, request)
    if halt is None:
        return []
    if halt.status is not HaltStatus.IN_FORCE or not request.is_canceling:
        return [halt]
    orders = halts.in_scope(account, halt.scope, halt.name)
    return [halt, *(record for each in orders for record in canceled(each, f"halt {halt.halt_id}: {halt.reason}"))]
