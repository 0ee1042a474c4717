"""From a line of an accepted plan to the intents of its orders. Identity is derived: the same line, the same order."""

from decimal import Decimal
from uuid import UUID

from schemas.execution import AcceptedPlan, LineUnderWay
from schemas.identity import CLIENT_ORDER_ID_LENGTH_MAX, client_order_id, id_part, intent_id
from schemas.order import (
    IntentAction,
    OrderContribution,
    OrderIntent,
    OrderTerms,
    OrdType,
    Phase,
    Side,
    TimeInForce,
    Venue,
)

NET = "net"
"""Owner of an order that several strategies have a part in."""

CROSS_LEG, ORDER_LEG = 0, 1

#: Half of what the broker takes; symbol, time and the intent's eight digits need less than the other half.
OWNER_LENGTH_MAX = CLIENT_ORDER_ID_LENGTH_MAX // 2


def cross(place: tuple[str, UUID, UUID], plan: AcceptedPlan, line: LineUnderWay) -> OrderIntent:
    """Return the intent that crosses a line inside the account; `place` is account, plan and run."""
    wishes = tuple((each.strategy_id, each.crossed) for each in line.parts)
    return _intent(place, plan, line, IntentAction.CROSS, wishes)


def order(place: tuple[str, UUID, UUID], plan: AcceptedPlan, line: LineUnderWay) -> OrderIntent:
    """Return the intent that sends a line's order to the broker."""
    wishes = tuple((each.strategy_id, each.ordered) for each in line.parts)
    return _intent(place, plan, line, IntentAction.SUBMIT, wishes)


def cancel(account_id: str, order_id: str, terms: OrderTerms) -> OrderIntent:
    """Return the intent that takes an order back."""
    return OrderIntent(account_id=account_id, client_order_id=order_id, action=IntentAction.CANCEL, order=terms)


def _intent(
    place: tuple[str, UUID, UUID],
    plan: AcceptedPlan,
    line: LineUnderWay,
    action: IntentAction,
    wishes: tuple[tuple[str, Decimal], ...],
) -> OrderIntent:
    account_id, plan_id, run_id = place
    is_cross = action is IntentAction.CROSS
    leg = CROSS_LEG if is_cross else ORDER_LEG
    side = Side.BUY if is_cross or line.side is None else line.side
    identity = intent_id(plan_id, line.symbol, leg, 1)
    contributions = tuple(
        OrderContribution(
            strategy_id=strategy_id,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(quantity),
        )
        for strategy_id, quantity in wishes
        if quantity
    )
    terms = OrderTerms(
        intent_id=identity,
        plan_id=plan_id,
        run_id=run_id,
        symbol=line.symbol,
        side=side,
        order_qty=line.cross_qty if is_cross else line.order_qty,
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        venue=Venue.INTERNAL if is_cross else Venue.BROKER,
        leg=leg,
        step=1,
        phase=Phase.CROSSES if is_cross else Phase.SELLS if side is Side.SELL else Phase.BUYS,
        valid_until=plan.valid_until,
        reference_price=line.price,
        contributions=contributions,
    )
    name = client_order_id(_owner(contributions), line.symbol, plan.as_of, identity)
    return OrderIntent(account_id=account_id, client_order_id=name, action=action, order=terms)


def _owner(contributions: tuple[OrderContribution, ...]) -> str:
    """Return the one strategy the order is for, 'net' for several or for a name too long to fit."""
    if len(contributions) != 1:
        return NET
    name = contributions[0].strategy_id
    return name if len(id_part(name)) <= OWNER_LENGTH_MAX else NET
