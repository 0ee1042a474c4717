"""The lines of an accepted plan: what the executor must remember of them, and the legs each of them has.

Memory is what was published, and increasing orders are sent long after the plan was read. So the lines that have work
to do travel by value in Execution(ACCEPTED).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from agents.executor.prices import limit_price, why_not_sent
from schemas.execution import AcceptedPlan, LinePart, LineUnderWay
from schemas.order import Side
from schemas.plan import Action, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.run import ExecutionRules

ZERO = Decimal(0)

CROSS_LEG, REDUCING_LEG, INCREASING_LEG = 0, 1, 2

LineKey = tuple[str, str]
"""Book and symbol: a plan has one line of each."""


class LegPart(NamedTuple):
    """What goes in one order: of which leg, the how manyth order of it, and how many shares."""

    leg: int
    step: int
    order_qty: Decimal


class OfLine(Protocol):
    """What belongs to a line: the line itself, its orders, its outcome."""

    @property
    def book(self) -> str:
        """net, or the strategy whose own book the line is of."""
        ...

    @property
    def symbol(self) -> str:
        """The line's symbol."""
        ...


def key_of(part: OfLine) -> LineKey:
    """Return which line something belongs to."""
    return part.book, part.symbol


def line_of(plan: AcceptedPlan, key: LineKey) -> LineUnderWay:
    """Return a line by its key; KeyError when the plan has none."""
    for each in plan.lines:
        if key_of(each) == key:
            return each
    raise KeyError(f"no line {key[1]} of {key[0]} among {len(plan.lines)}")


def legs_of(line: LineUnderWay) -> tuple[tuple[int, Decimal], ...]:
    """Return the legs of a line with their shares, in the order they are sent; a leg without shares is none."""
    increasing = line.order_qty - line.reducing_qty
    legs = ((CROSS_LEG, line.cross_qty), (REDUCING_LEG, line.reducing_qty), (INCREASING_LEG, increasing))
    return tuple((leg, quantity) for leg, quantity in legs if quantity)


def has_leg(line: LineUnderWay, leg: int) -> bool:
    """Say whether a line has a leg."""
    return any(each == leg for each, _ in legs_of(line))


def sendable(plan: Plan) -> tuple[Plan, Mapping[LineKey, str]]:
    """Return a plan without the orders that the broker would not take, and by line why it would not."""
    rules = plan.books.snapshot.portfolio.terms.execution
    orders = (each for each in plan.lines if plan.status is PlanStatus.READY and _orders(each))
    reasons = {key_of(each): why for each in orders if (why := why_not_sent(each, rules))}
    if not reasons:
        return plan, reasons
    lines = tuple(each.model_copy(update=NOT_SENT) if key_of(each) in reasons else each for each in plan.lines)
    return plan.model_copy(update={"lines": lines}), reasons


NOT_SENT = {
    "quantity": ZERO,
    "reducing_quantity": ZERO,
    "phase": None,
    "notional": ZERO,
    "status": LineStatus.BLOCKED,
    "rule": Rule.ORDER_FORM,
    "threshold": None,
}
"""What a line says whose order the broker would not take; a cross of it stands."""


def accepted(plan: Plan) -> AcceptedPlan:
    """Return the lines of a plan that have work to do; a blocked plan has none."""
    terms = plan.books.snapshot.portfolio.terms
    gross = gross_values(plan)
    lines = (each for each in sorted(plan.lines, key=_place) if has_work(plan, each))
    return AcceptedPlan(
        as_of=plan.as_of,
        valid_until=terms.valid_until,
        execution=terms.execution,
        cash_available=plan.cash_available,
        is_leverage_allowed=terms.limits.is_leverage_allowed,
        lines=tuple(_line(each, gross, terms.execution) for each in lines),
    )


def gross_values(plan: Plan) -> dict[str, Decimal]:
    """Return what each strategy held of all symbols before the plan, longs and shorts added up, in dollars.

    A holding without a price counts nothing: the plan could not value it either.
    """
    gross: dict[str, Decimal] = {}
    for line in plan.lines:
        for each in line.contributions:
            value = abs(each.current_quantity) * (line.price or ZERO)
            gross[each.strategy_id] = gross.get(each.strategy_id, ZERO) + value
    return gross


def has_work(plan: Plan, line: PlanLine) -> bool:
    """Say whether anything of a line is crossed or ordered."""
    return plan.status is PlanStatus.READY and (_orders(line) or line.cross_quantity > 0)


def counted(plan: Plan, found: AcceptedPlan) -> str:
    """Return the counts of an accepted plan, for a person."""
    legs = [leg for each in found.lines for leg, _ in legs_of(each)]
    crosses, reducing, increasing = (legs.count(leg) for leg in (CROSS_LEG, REDUCING_LEG, INCREASING_LEG))
    idle = len(plan.lines) - len(found.lines)
    return f"{crosses} crosses, {reducing} reducing and {increasing} increasing orders, {idle} lines without any"


def _place(line: PlanLine) -> tuple[str, str]:
    return line.symbol, line.book


def _orders(line: PlanLine) -> bool:
    return line.status is LineStatus.PLANNED and line.action is not Action.HOLD and line.quantity > 0


def _line(line: PlanLine, gross: Mapping[str, Decimal], rules: ExecutionRules) -> LineUnderWay:
    if line.price is None:
        raise ValueError(
            f"line {line.symbol} of {line.book}: expected a price for {line.quantity} + {line.cross_quantity}, was none"
        )
    if not 0 <= line.reducing_quantity <= line.quantity:
        raise ValueError(
            f"line {line.symbol} of {line.book}: expected a reducing_quantity of at most {line.quantity},"
            f" was {line.reducing_quantity}"
        )
    is_order = _orders(line)
    parts = (
        LinePart(
            strategy_id=each.strategy_id,
            crossed=each.crossed,
            ordered=each.ordered if is_order else ZERO,
            position=each.current_quantity,
            gross_value=gross[each.strategy_id],
        )
        for each in sorted(line.contributions, key=lambda each: each.strategy_id)
    )
    return LineUnderWay(
        book=line.book,
        symbol=line.symbol,
        side=Side(line.action.value) if is_order else None,
        order_qty=line.quantity if is_order else ZERO,
        reducing_qty=line.reducing_quantity if is_order else ZERO,
        cross_qty=line.cross_quantity,
        price=line.price,
        limit_price=limit_price(line, rules) if is_order else None,
        notional=line.notional if is_order else ZERO,
        priority=line.priority,
        status=line.status,
        rule=line.rule,
        threshold=line.threshold,
        intended_value=line.intended_value,
        parts=tuple(each for each in parts if each.crossed or each.ordered),
    )
