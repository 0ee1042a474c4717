"""From a line of an accepted plan to the intents of its orders. Identity is derived: the same line, the same order."""

from decimal import Decimal
from uuid import UUID

from agents.executor.lines import CROSS_LEG, INCREASING_LEG, REDUCING_LEG, LegPart
from schemas.client_order_id import OWNER_LENGTH_MAX, client_order_id, escaped
from schemas.execution import AcceptedPlan, LineUnderWay
from schemas.identity import intent_id
from schemas.order import (
    NET,
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

PHASES = {CROSS_LEG: Phase.CROSSES, REDUCING_LEG: Phase.REDUCING, INCREASING_LEG: Phase.INCREASING}


def cross(place: tuple[str, UUID, UUID], plan: AcceptedPlan, line: LineUnderWay) -> OrderIntent:
    """Return the intent that crosses a line inside the account; `place` is account, plan and run."""
    wishes = tuple((each.strategy_id, each.crossed) for each in line.parts)
    return _intent(place, plan, line, LegPart(CROSS_LEG, 1, line.cross_qty), wishes)


def order(place: tuple[str, UUID, UUID], plan: AcceptedPlan, line: LineUnderWay, part: LegPart) -> OrderIntent:
    """Return the intent that sends a part of a line to the broker; each carries the wishes of the whole line."""
    wishes = tuple((each.strategy_id, each.ordered) for each in line.parts)
    return _intent(place, plan, line, part, wishes)


def cancel(account_id: str, order_id: str, terms: OrderTerms) -> OrderIntent:
    """Return the intent that takes an order back."""
    return OrderIntent(account_id=account_id, client_order_id=order_id, action=IntentAction.CANCEL, order=terms)


def _intent(
    place: tuple[str, UUID, UUID],
    plan: AcceptedPlan,
    line: LineUnderWay,
    part: LegPart,
    wishes: tuple[tuple[str, Decimal], ...],
) -> OrderIntent:
    account_id, plan_id, run_id = place
    is_cross = part.leg == CROSS_LEG
    side = Side.BUY if is_cross or line.side is None else line.side
    identity = intent_id(plan_id, line.book, line.symbol, part.leg, part.step)
    owned = {each.strategy_id: each for each in line.parts}
    contributions = tuple(
        OrderContribution(
            strategy_id=strategy_id,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(quantity),
            position=owned[strategy_id].position,
            gross_value=owned[strategy_id].gross_value,
        )
        for strategy_id, quantity in wishes
        if quantity
    )
    terms = OrderTerms(
        intent_id=identity,
        plan_id=plan_id,
        run_id=run_id,
        book=line.book,
        symbol=line.symbol,
        side=side,
        order_qty=part.order_qty,
        line_qty=line.order_qty,
        ord_type=OrdType.MARKET if is_cross or line.limit_price is None else OrdType.LIMIT,
        limit_price=None if is_cross else line.limit_price,
        is_extended_hours=plan.execution.is_extended_hours and not is_cross,
        time_in_force=TimeInForce.DAY,
        venue=Venue.INTERNAL if is_cross else Venue.BROKER,
        leg=part.leg,
        step=part.step,
        phase=PHASES[part.leg],
        valid_until=plan.valid_until,
        reference_price=line.price,
        contributions=contributions,
    )
    name = client_order_id(_owner(line.book, contributions), line.symbol, plan.as_of, identity)
    action = IntentAction.CROSS if is_cross else IntentAction.SUBMIT
    return OrderIntent(account_id=account_id, client_order_id=name, action=action, order=terms)


def _owner(book: str, contributions: tuple[OrderContribution, ...]) -> str:
    """Return the one strategy the order is for, 'net' for several; AssertionError for a name that no run may have."""
    name = contributions[0].strategy_id if book == NET and len(contributions) == 1 else book
    if len(escaped(name)) > OWNER_LENGTH_MAX:
        told = f"expected at most {OWNER_LENGTH_MAX} characters of an owner, was {len(escaped(name))}: {name!r}"
        raise AssertionError(f"{told}; the scheduler refuses its run")
    return name
