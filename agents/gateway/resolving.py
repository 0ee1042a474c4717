"""What becomes of an order that the broker leaves open or contradicts, when a person says what was found out there.

The order ends, its capital is free, and what the broker really executed of it is booked: what was ordered to its
strategies, everything else under its name to MANUAL, as an error account takes it. What strategies were told to own is
not taken back from them: a part of it that was never executed is booked to MANUAL on the other side, so that all books
together are what the broker has. Whoever corrects the numbers later corrects what the books of all owners have then.
The next run's comparison judges the person's numbers.

Neither is the halt ended that the order led to (that is a word of its own), nor does anything more of its plan line
pass the gate. What the broker shows beyond what was said contradicts again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from agents.gateway import halts
from agents.gateway.account import UNRESOLVED, Account, resolution_key
from agents.gateway.orders import ZERO, Order, Stage, after, event, trade
from agents.gateway.reports import Execution, Heard, Word
from schemas.gate import HaltCause
from schemas.identity import derived, fill_id
from schemas.ledger import CASH, MANUAL
from schemas.order import ExecType, Fill, OrderContribution, OrderTerms, OrdStatus, OrdType, Side, Venue
from schemas.record import Record
from schemas.resolution import ManualTrade, OrderResolution, OrderResolutionRequest, ResolutionStatus, ResolvedAs

PRICE_UNIT = Decimal(1).scaleb(-6)

NUMBER_MAX = Decimal(10) ** 9
"""The most shares and dollars per share that are believed: more is a slip of the pen, and no money of the books."""

ENDS = {
    ResolvedAs.NOT_OURS: OrdStatus.REJECTED,
    ResolvedAs.FILLED: OrdStatus.FILLED,
    ResolvedAs.CANCELED: OrdStatus.CANCELED,
    ResolvedAs.REJECTED: OrdStatus.REJECTED,
    ResolvedAs.EXPIRED: OrdStatus.EXPIRED,
}


def resolved(account: Account, request: OrderResolutionRequest) -> list[Record]:
    """Return the answer to a request, what is booked because of it, and the order's end; nothing when answered."""
    if resolution_key(request.request_id) in account.requests:
        return []
    order = account.orders.get(request.client_order_id)
    if order is None:
        return [_refused(request, f"no order {request.client_order_id} was asked for in account {request.account_id}")]
    booked = _booked(account, order)
    cum_qty = _executed(order, request, booked)
    if why := _unresolvable(account, order, request) or _impossible(order, request, booked, cum_qty):
        return [_refused(request, why)]
    return [*_records(account, order, request, booked, cum_qty)]


def heard_afterwards(account: Account, order: Order, said: Heard) -> list[Record]:
    """Return the alarm when the broker shows more of a resolved order than was said of it, or has it open."""
    known = account.resolved[order.client_order_id].executed_qty
    shown = [each.cum_qty for each in said.executions]
    if said.order is not None:
        shown.append(said.order.filled_qty)
    most = max(shown, default=ZERO)
    is_open = said.word is Word.OPEN and said.order is not None
    if not is_open and most <= known:
        return []
    what = "has it open" if is_open else f"has executed {most:f} under its name"
    reason = f"{order.client_order_id}: the broker {what}, it was resolved with {known:f}"
    return [*halts.declared(account, order, HaltCause.CONTRADICTION, reason)]


@dataclass(frozen=True)
class _Booked:
    """What of an order is in the books of all owners together, shares and dollars."""

    qty: Decimal
    amt: Decimal


def _booked(account: Account, order: Order) -> _Booked:
    before = account.resolved.get(order.client_order_id) or UNRESOLVED
    return _Booked(order.cum_qty - before.taken_qty, order.gross_trade_amt - before.taken_amt)


def _executed(order: Order, request: OrderResolutionRequest, booked: _Booked) -> Decimal:
    if request.cum_qty is not None:
        return request.cum_qty
    meant = {ResolvedAs.FILLED: order.terms.order_qty, ResolvedAs.NOT_OURS: ZERO}
    return meant.get(request.resolved_as, booked.qty)


def _unresolvable(account: Account, order: Order, request: OrderResolutionRequest) -> str:
    """Return why nobody needs to say what became of an order; empty when somebody does.

    One that is open at the broker may execute yet: it is taken back first, and is PENDING_CANCEL then. One whose
    sending was not answered may be sent yet, as long as it is valid; without an answer it is UNKNOWN.
    """
    name = order.client_order_id
    if order.terms.venue is Venue.INTERNAL:
        return f"{name} is a cross, the broker has nothing of it"
    if order.stage is Stage.CHECKING:
        return f"{name} was not handed to the broker yet: tape halt --cancel takes it back"
    if order.status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
        return f"{name} is {order.status} at the broker: tape halt --symbol {order.terms.symbol} --cancel takes it back"
    is_unanswered = order.stage is Stage.UNCONFIRMED and order.status is not OrdStatus.UNKNOWN
    if is_unanswered and request.requested_at < order.terms.valid_until:
        until = order.terms.valid_until.isoformat()
        return f"{name} is {order.status}: it may be on its way to the broker until {until}, or until that has answered"
    if order.stage is Stage.ENDED and not halts.is_contradicted(account, order):
        return f"{name} has ended {order.status} with {order.cum_qty:f} executed, and nothing contradicts that"
    return ""


def _impossible(order: Order, request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal) -> str:
    """Return which of the numbers cannot be; empty when all can."""
    whole, resolved_as = order.terms.order_qty, request.resolved_as
    is_filled = resolved_as is ResolvedAs.FILLED
    numbers = (request.avg_px or ZERO, *(n for each in request.manual_trades for n in (each.quantity, each.price)))
    reasons = (
        (cum_qty > whole, f"{cum_qty:f} executed of {whole:f}: what is beyond the order is a manual trade"),
        (resolved_as is ResolvedAs.NOT_OURS and cum_qty, f"NOT_OURS with {cum_qty:f} executed: none of it is"),
        (
            order.is_live and (cum_qty == whole) is not is_filled,
            f"{resolved_as} with {cum_qty:f} of {whole:f} executed",
        ),
        (max(numbers) > NUMBER_MAX, f"{max(numbers):f} is more than {NUMBER_MAX:f}, the most that is believed"),
        (any(each.symbol == CASH for each in request.manual_trades), f"{CASH} is cash in the books"),
    )
    return next((why for is_so, why in reasons if is_so), "") or _mispriced(request, booked, cum_qty)


def _mispriced(request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal) -> str:
    """Return why there is no price for what differs from the books; empty when nothing does, or there is one."""
    if cum_qty == booked.qty:
        return ""
    if request.avg_px is None and cum_qty:
        return f"{cum_qty:f} executed, booked are {booked.qty:f}: at which average price?"
    if 0 < _price_of_rest(request, booked, cum_qty) <= NUMBER_MAX:
        return ""
    said = "no price" if request.avg_px is None else f"{request.avg_px:f}"
    return f"{cum_qty:f} at {said} does not go with {booked.qty:f} booked for {booked.amt:f} dollars"


def _price_of_rest(request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal) -> Decimal:
    """Return the price of the shares between what is booked and what was executed, dollars per share."""
    amount = cum_qty * (request.avg_px or ZERO) - booked.amt
    return (amount / (cum_qty - booked.qty)).quantize(PRICE_UNIT)


def _records(
    account: Account, order: Order, request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal
) -> Iterator[Record]:
    before = account.resolved.get(order.client_order_id) or UNRESOLVED
    taken_back = _taken_back(order, request, booked, cum_qty)
    under_its_name = sum((each.quantity for each in request.manual_trades), before.manual_qty)
    said = _answer(request, ResolutionStatus.ACCEPTED, request.reason).model_copy(
        update={
            "cum_qty": cum_qty,
            "executed_qty": cum_qty + under_its_name,
            "manual_trades": (*request.manual_trades, *taken_back),
        }
    )
    yield said
    end = ENDS[request.resolved_as] if order.is_live else order.status
    if cum_qty > order.cum_qty:
        traded, fill = trade(order, _rest(order, request, booked, cum_qty), request.requested_at)
        yield traded
        yield fill
        order = after(order, traded)
    for position, each in enumerate(said.manual_trades, start=before.fills + 1):
        yield _manual_fill(order, position, each, request)
    reason = f"{request.resolved_as} by {request.requested_by}: {request.reason}"
    end = OrdStatus.FILLED if order.status is OrdStatus.FILLED else end
    yield event(order, ExecType.RESTATED, end, reason=reason, at=request.requested_at)


def _rest(order: Order, request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal) -> Execution:
    return Execution(
        broker_order_id=order.broker_order_id or "",
        cum_qty=cum_qty,
        last_qty=cum_qty - order.cum_qty,
        last_px=_price_of_rest(request, booked, cum_qty),
        exec_id=None,
        at=None,
    )


def _taken_back(
    order: Order, request: OrderResolutionRequest, booked: _Booked, cum_qty: Decimal
) -> tuple[ManualTrade, ...]:
    """Return the trade that takes out of the account what was booked of an order and never executed.

    What was taken out by an earlier word, and was executed after all, is put in again.
    """
    side, other = order.terms.side, Side.SELL if order.terms.side is Side.BUY else Side.BUY
    quantity = booked.qty - min(cum_qty, order.cum_qty)
    if not quantity:
        return ()
    price = _price_of_rest(request, booked, cum_qty)
    return (
        ManualTrade(
            symbol=order.terms.symbol, side=other if quantity > 0 else side, quantity=abs(quantity), price=price
        ),
    )


def _manual_fill(order: Order, number: int, said: ManualTrade, request: OrderResolutionRequest) -> Fill:
    """Return an execution that belongs to MANUAL: of no plan, and with a name of its own beside the order's."""
    name = f"{order.client_order_id}/{number}"
    identity = derived("manual trade", order.account_id, name)
    part = OrderContribution(
        strategy_id=MANUAL, side=said.side, quantity=said.quantity, position=ZERO, gross_value=ZERO
    )
    own = {
        "intent_id": identity,
        "plan_id": identity,
        "book": MANUAL,
        "symbol": said.symbol,
        "side": said.side,
        "order_qty": said.quantity,
        "line_qty": said.quantity,
        "ord_type": OrdType.MARKET,
        "limit_price": None,
        "reference_price": said.price,
        "contributions": (part,),
    }
    return Fill(
        account_id=order.account_id,
        fill_id=fill_id(name, f"{said.quantity:.9f}"),
        exec_id=None,
        client_order_id=name,
        broker_order_id=None,
        last_qty=said.quantity,
        last_px=said.price,
        cum_qty=said.quantity,
        leaves_qty=ZERO,
        transact_time=request.requested_at,
        order=OrderTerms.model_validate({**dict(order.terms), **own}),
    )


def _refused(request: OrderResolutionRequest, why: str) -> OrderResolution:
    return _answer(request, ResolutionStatus.REFUSED, why)


def _answer(request: OrderResolutionRequest, status: ResolutionStatus, reason: str) -> OrderResolution:
    return OrderResolution(
        account_id=request.account_id,
        client_order_id=request.client_order_id,
        status=status,
        resolved_as=request.resolved_as,
        cum_qty=ZERO,
        executed_qty=ZERO,
        manual_trades=(),
        request_id=request.request_id,
        requested_by=request.requested_by,
        reason=reason,
    )
