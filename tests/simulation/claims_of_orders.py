"""What must hold of orders and outcomes: planned before they exist, sent once, never against each other, all ended."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from schemas.client_order_id import parsed
from schemas.execution import Execution, ExecutionStatus, LineOutcome
from schemas.order import (
    NET,
    TERMINAL,
    IntentAction,
    OrderEvent,
    OrderIntent,
    OrderTerms,
    Phase,
    Side,
    Venue,
)
from schemas.plan import Plan, PlanLine, PlanStatus
from schemas.portfolio import Portfolio
from tests.simulation.desk import Desk

ZERO = Decimal(0)
LineKey = tuple[UUID, str, str]


def every_order_has_an_earlier_plan(desk: Desk) -> Iterator[str]:
    lines: dict[LineKey, PlanLine] = {}
    for event in desk.log:
        if isinstance(event.record, Plan) and event.record.status is PlanStatus.READY:
            plan = event.record
            lines |= {(plan.plan_id, line.book, line.symbol): line for line in plan.lines}
        if isinstance(event.record, OrderIntent) and _key(event.record.order) not in lines:
            yield f"{event.record.client_order_id} has no earlier plan line {_key(event.record.order)}"


def orders_are_what_the_plan_says(desk: Desk) -> Iterator[str]:
    """Per line: the cross, the reducing part and the rest, each strategy with its part, none twice.

    What is sent again after a cancel is what was left of the leg.
    """
    lines = {(plan.plan_id, line.book, line.symbol): line for plan in desk.said(Plan) for line in plan.lines}
    last = {each.client_order_id: each for each in desk.said(OrderEvent)}
    executed: dict[tuple[LineKey, int], Decimal] = {}
    ordered: dict[tuple[LineKey, int], Decimal] = {}
    asked = [each for each in desk.said(OrderIntent) if each.action is not IntentAction.CANCEL]
    for name, count in Counter(each.client_order_id for each in asked).items():
        if count > 1:
            yield f"{name} was asked for {count} times"
    for intent in asked:
        key, leg = _key(intent.order), intent.order.leg
        ordered[key, leg] = executed.get((key, leg), ZERO) + intent.order.order_qty
        executed[key, leg] = executed.get((key, leg), ZERO) + last[intent.client_order_id].cum_qty
        if key in lines:
            yield from _unlike_its_line(intent, lines[key])
    for key, line in lines.items():
        for leg, most in ((0, line.cross_quantity), (1, line.reducing_quantity), (2, line.quantity)):
            if ordered.get((key, leg), ZERO) > most:
                yield f"line {key} leg {leg}: ordered {ordered[key, leg]} of {most}"
        if ordered.get((key, 1), ZERO) + ordered.get((key, 2), ZERO) > line.quantity:
            yield f"line {key}: ordered more than {line.quantity}"


def _unlike_its_line(intent: OrderIntent, line: PlanLine) -> Iterator[str]:
    order, name = intent.order, intent.client_order_id
    is_cross = order.venue is Venue.INTERNAL
    parts = {(each.strategy_id, each.side): each.quantity for each in order.contributions}
    said = [(each.strategy_id, each.side.value) for each in order.contributions]
    wished = {
        (each.strategy_id, Side.BUY if quantity > 0 else Side.SELL): abs(quantity)
        for each in line.contributions
        if (quantity := each.crossed if is_cross else each.ordered)
    }
    if said != sorted(said):
        yield f"{name}: contributions are not sorted: {said}"
    if not parts.keys() <= wished.keys() or any(parts[each] > wished[each] for each in parts):
        yield f"{name}: contributions {parts}, the plan says {wished}"
    if (is_cross or order.order_qty == line.quantity) and parts != wished:
        yield f"{name}: contributions {parts}, the plan says {wished}"
    if is_cross and (order.book != NET or order.reference_price != line.price or order.phase is not Phase.CROSSES):
        yield f"{name}: a cross in book {order.book} at {order.reference_price}, the plan says {line.price}"
    if not is_cross and (order.side.value != line.action.value or order.phase is Phase.CROSSES):
        yield f"{name}: {order.side} {order.phase} of a line to {line.action}"
    found = parsed(name)
    if found is None or found.symbol != order.symbol or found.intent_hex != order.intent_id.hex[:8]:
        yield f"{name} does not say its symbol {order.symbol} and intent {order.intent_id}"


def the_broker_has_what_was_asked_for(desk: Desk) -> Iterator[str]:
    intents = {
        each.client_order_id: each.order for each in desk.said(OrderIntent) if each.action is IntentAction.SUBMIT
    }
    first: dict[str, int] = {}
    for number, event in enumerate(desk.log):
        if isinstance(event.record, OrderIntent):
            first.setdefault(event.record.client_order_id, number)
    for name, order in desk.exchange.orders_by_name.items():
        if order.is_by_hand:
            continue
        terms = intents.get(name)
        if terms is None or first[name] >= order.accepted_at:
            yield f"the broker has {name}, nobody had asked for it"
        elif datetime.fromisoformat(order.at) > terms.valid_until + timedelta(seconds=1):
            yield f"the broker has {name} since {order.at}, it was valid until {terms.valid_until}"
        elif (terms.symbol, terms.side.value, terms.order_qty) != (
            order.new.symbol,
            order.new.side,
            order.new.order_qty,
        ):
            yield f"the broker has {order.new}, asked was {terms.side} {terms.order_qty} {terms.symbol}"


def nothing_forbidden_was_sent(desk: Desk) -> Iterator[str]:
    """Two own orders never meet; shorts and turned positions are refused only where something came in between."""
    for each in desk.exchange.refusals:
        if "wash" in each.why or not each.is_disturbed:
            yield f"{each.client_order_id} was refused: {each.why}"


def reducing_orders_end_before_increasing_ones_begin(desk: Desk) -> Iterator[str]:
    open_orders: dict[str, OrderTerms] = {}
    for event in desk.log:
        record = event.record
        if isinstance(record, OrderEvent) and record.ord_status in TERMINAL:
            open_orders.pop(record.client_order_id, None)
        if isinstance(record, OrderIntent) and record.action is not IntentAction.CANCEL:
            for name, other in open_orders.items():
                if other.plan_id != record.order.plan_id:
                    yield f"{record.client_order_id} was asked for while {name} of an older plan was open"
                elif _rank(other) < _rank(record.order) and Phase.INCREASING is record.order.phase:
                    yield f"{record.client_order_id} was asked for while {name}, {other.phase}, was open"
            open_orders[record.client_order_id] = record.order


def every_line_has_one_outcome(desk: Desk) -> Iterator[str]:
    planned = Counter((plan.plan_id, line.book, line.symbol) for plan in desk.said(Plan) for line in plan.lines)
    ended = Counter((each.plan_id, each.book, each.symbol) for each in desk.said(LineOutcome))
    for key in sorted({*planned, *ended}, key=str):
        if planned[key] != 1 or ended[key] != 1:
            yield f"line {key}: planned {planned[key]} times, ended {ended[key]} times"


def outcomes_say_what_was_executed(desk: Desk) -> Iterator[str]:
    last = {each.client_order_id: each for each in desk.said(OrderEvent)}
    asked = [each for each in desk.said(OrderIntent) if each.action is not IntentAction.CANCEL]
    for outcome in desk.said(LineOutcome):
        key = (outcome.plan_id, outcome.book, outcome.symbol)
        own = [each for each in asked if _key(each.order) == key]
        ids = {each.client_order_id for each in own if each.order.venue is Venue.BROKER}
        executed = sum((last[each].cum_qty for each in sorted(ids)), ZERO)
        crossed = sum((last[each.client_order_id].cum_qty for each in own if each.order.venue is Venue.INTERNAL), ZERO)
        if set(outcome.client_order_ids) != ids or outcome.cum_qty > executed or outcome.cross_quantity != crossed:
            yield f"outcome {key} says {outcome.cum_qty} + {outcome.cross_quantity}, the orders {executed} + {crossed}"


def every_run_ends_once(desk: Desk) -> Iterator[str]:
    ends = (ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED, ExecutionStatus.ABANDONED)
    begun = {each.run_id for each in desk.said(Portfolio)} | {each.run_id for each in desk.said(Execution)}
    ended: Counter[UUID] = Counter()
    for plan_or_not in {(each.run_id, each.status) for each in desk.said(Execution) if each.status in ends}:
        ended[plan_or_not[0]] += 1
    for run in sorted(begun, key=str):
        if ended[run] != 1:
            yield f"run {run} ended in {ended[run]} ways"


def one_plan_per_run(desk: Desk) -> Iterator[str]:
    for run, count in Counter(each.run_id for each in desk.said(Plan)).items():
        if count > 1:
            yield f"run {run} has {count} plans"


def _key(order: OrderTerms) -> LineKey:
    return order.plan_id, order.book, order.symbol


def _rank(order: OrderTerms) -> int:
    return list(Phase).index(order.phase)


CLAIMS = (
    every_order_has_an_earlier_plan,
    orders_are_what_the_plan_says,
    the_broker_has_what_was_asked_for,
    nothing_forbidden_was_sent,
    reducing_orders_end_before_increasing_ones_begin,
    every_line_has_one_outcome,
    outcomes_say_what_was_executed,
    every_run_ends_once,
    one_plan_per_run,
)
