"""Halts: what they stop, how a person begins and ends them, and how the gateway declares one by itself.

A halt is named by its id, and only the id ends it: whoever lets trading go on says which halt they mean. A halt with an
end ends by itself, judged at the time a check was read.
"""

from datetime import datetime
from uuid import UUID

from agents.gateway.account import Account, halt_key
from agents.gateway.orders import Order
from schemas.account import OrderProgress
from schemas.gate import HaltAction, HaltCause, HaltScope, HaltStatus, TradingHalt, TradingHaltRequest
from schemas.identity import derived

GATEWAY = "gateway"


def in_force(account: Account, at: datetime) -> tuple[TradingHalt, ...]:
    """Return the halts in force at a time, sorted by id."""
    found = (account.halts[each] for each in sorted(account.halts))
    return tuple(each for each in found if _is_in_force(each, at))


def stopping(account: Account, order: Order, at: datetime) -> tuple[TradingHalt, ...]:
    """Return the halts in force at a time that have an order in their scope, sorted by id."""
    return tuple(each for each in in_force(account, at) if has_in_scope(each.scope, each.name, order))


def has_in_scope(scope: HaltScope, name: str, order: Order) -> bool:
    """Say whether an order is in a halt's scope; a strategy's is every order it has a part in."""
    match scope:
        case HaltScope.ACCOUNT:
            return True
        case HaltScope.SYMBOL:
            return order.terms.symbol == name
        case HaltScope.STRATEGY:
            return order.terms.book == name or any(each.strategy_id == name for each in order.terms.contributions)


def in_scope(account: Account, scope: HaltScope, name: str) -> tuple[Order, ...]:
    """Return the orders under way that are in a scope, sorted by id."""
    return tuple(each for each in account.live_orders if has_in_scope(scope, name, each))


def answered(account: Account, request: TradingHaltRequest) -> TradingHalt | None:
    """Return what becomes of a request; None when it was answered before."""
    if halt_key(request.request_id) in account.requests:
        return None
    return _halted(account, request) if request.action is HaltAction.HALT else _resumed(account, request)


def declared(account: Account, order: Order, cause: HaltCause, reason: str) -> list[TradingHalt]:
    """Return the halt of an order's symbol; empty when it was declared before: it is not said twice, nor after its end.

    Once a person has said what became of the order, the next cause is another halt. The order need not be the account's
    latest view of it.
    """
    halt_id = _halt_of(account, order, cause)
    if halt_id in account.halts:
        return []
    symbol = order.terms.symbol
    others = tuple(
        each for each in in_scope(account, HaltScope.SYMBOL, symbol) if each.client_order_id != order.client_order_id
    )
    concerned = sorted((*others, *((order,) if order.is_live else ())), key=lambda each: each.client_order_id)
    return [_by_gateway(order.account_id, halt_id, cause, HaltScope.SYMBOL, symbol, reason, tuple(concerned))]


def is_contradicted(account: Account, order: Order) -> bool:
    """Say whether a halt was declared because of a contradiction about an order that nobody has resolved since."""
    return _halt_of(account, order, HaltCause.CONTRADICTION) in account.halts


def _halt_of(account: Account, order: Order, cause: HaltCause) -> UUID:
    found = account.resolved.get(order.client_order_id)
    again = () if found is None else (found.times,)
    return derived("halt", order.account_id, cause, order.client_order_id, *again)


def unauthorized(account: Account, account_id: str, report_id: UUID, at: datetime, reason: str) -> list[TradingHalt]:
    """Return the halt of the whole account after keys were not accepted; empty while such a halt is in force."""
    if any(each.cause is HaltCause.UNAUTHORIZED for each in in_force(account, at)):
        return []
    halt_id = derived("halt", account_id, HaltCause.UNAUTHORIZED, report_id)
    if halt_id in account.halts:
        return []
    open_orders = in_scope(account, HaltScope.ACCOUNT, "")
    return [_by_gateway(account_id, halt_id, HaltCause.UNAUTHORIZED, HaltScope.ACCOUNT, "", reason, open_orders)]


def _is_in_force(halt: TradingHalt, at: datetime) -> bool:
    return halt.status is HaltStatus.IN_FORCE and (halt.until is None or at < halt.until)


def _halted(account: Account, request: TradingHaltRequest) -> TradingHalt:
    return TradingHalt(
        account_id=request.account_id,
        halt_id=derived("halt", request.account_id, request.request_id),
        status=HaltStatus.IN_FORCE,
        cause=HaltCause.OPERATOR,
        scope=request.scope,
        name=request.name,
        is_reducing_allowed=request.is_reducing_allowed,
        until=request.until,
        request_id=request.request_id,
        requested_by=request.requested_by,
        reason=request.reason,
        open_orders=_progress(in_scope(account, request.scope, request.name)),
    )


def _resumed(account: Account, request: TradingHaltRequest) -> TradingHalt:
    found = None if request.halt_id is None else account.halts.get(request.halt_id)
    if found is None or not _is_in_force(found, request.requested_at):
        return _refused(account, request)
    return found.model_copy(
        update={
            "status": HaltStatus.ENDED,
            "request_id": request.request_id,
            "requested_by": request.requested_by,
            "reason": request.reason,
            "open_orders": _progress(in_scope(account, found.scope, found.name)),
        }
    )


def _refused(account: Account, request: TradingHaltRequest) -> TradingHalt:
    """A RESUME that ends nothing says what it could have ended."""
    others = [f"{each.halt_id} {each.scope} {each.name}".strip() for each in in_force(account, request.requested_at)]
    named = "no halt is named" if request.halt_id is None else f"halt {request.halt_id} is not in force"
    return TradingHalt(
        account_id=request.account_id,
        halt_id=request.halt_id or derived("halt", request.account_id, request.request_id),
        status=HaltStatus.REFUSED,
        cause=HaltCause.OPERATOR,
        scope=request.scope,
        name=request.name,
        is_reducing_allowed=False,
        until=None,
        request_id=request.request_id,
        requested_by=request.requested_by,
        reason=f"{named}; in force: {', '.join(others) or 'none'}",
        open_orders=(),
    )


def _by_gateway(
    account_id: str,
    halt_id: UUID,
    cause: HaltCause,
    scope: HaltScope,
    name: str,
    reason: str,
    open_orders: tuple[Order, ...],
) -> TradingHalt:
    return TradingHalt(
        account_id=account_id,
        halt_id=halt_id,
        status=HaltStatus.IN_FORCE,
        cause=cause,
        scope=scope,
        name=name,
        is_reducing_allowed=False,
        until=None,
        request_id="",
        requested_by=GATEWAY,
        reason=reason,
        open_orders=_progress(open_orders),
    )


def _progress(orders: tuple[Order, ...]) -> tuple[OrderProgress, ...]:
    """Return how far orders have come that the broker may have: what is still checked was not sent."""
    return tuple(
        OrderProgress(client_order_id=each.client_order_id, cum_qty=each.cum_qty, gross_trade_amt=each.gross_trade_amt)
        for each in orders
        if each.was_handed_over
    )
