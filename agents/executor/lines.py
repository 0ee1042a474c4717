"""The lines of an accepted plan: what the executor must remember of them, and how each of them ends.

Memory is what was published, and buys are sent long after the plan was read. So the lines that have work to do travel
by value in Execution(ACCEPTED).
"""

from decimal import Decimal
from uuid import UUID

from schemas.execution import AcceptedPlan, LineOutcome, LinePart, LineUnderWay, Outcome
from schemas.order import OrderEvent, OrdStatus, Side
from schemas.plan import Action, LineStatus, Plan, PlanLine, PlanStatus

ZERO = Decimal(0)


def line_of(plan: AcceptedPlan, symbol: str) -> LineUnderWay:
    """Return the line of a symbol; KeyError when it has none."""
    return {each.symbol: each for each in plan.lines}[symbol]


def buys_of(plan: AcceptedPlan) -> tuple[LineUnderWay, ...]:
    """Return the buys, the most urgent first."""
    wanted = (each for each in plan.lines if each.side is Side.BUY)
    return tuple(sorted(wanted, key=lambda each: (each.priority, each.symbol)))


def sells_of(plan: AcceptedPlan) -> tuple[LineUnderWay, ...]:
    """Return the sells by symbol."""
    return tuple(each for each in plan.lines if each.side is Side.SELL)


def accepted(plan: Plan) -> AcceptedPlan:
    """Return the lines of a plan that have work to do; a blocked plan has none."""
    terms = plan.books.snapshot.portfolio.terms
    lines = plan.lines if plan.status is PlanStatus.READY else ()
    working = (_line(each) for each in sorted(lines, key=lambda each: each.symbol) if has_work(plan, each))
    return AcceptedPlan(as_of=plan.as_of, valid_until=terms.valid_until, lines=tuple(working))


def has_work(plan: Plan, line: PlanLine) -> bool:
    """Say whether anything of a line is crossed or ordered."""
    return plan.status is PlanStatus.READY and (_orders(line) or line.cross_quantity > 0)


def counted(plan: Plan, found: AcceptedPlan) -> str:
    """Return the counts of an accepted plan, for a person."""
    crosses = sum(1 for each in found.lines if each.cross_qty)
    idle = len(plan.lines) - len(found.lines)
    return f"{crosses} crosses, {len(sells_of(found))} sells, {len(buys_of(found))} buys, {idle} lines without any"


def idle_outcome(plan: Plan, line: PlanLine) -> LineOutcome:
    """Return the outcome of a line of which nothing is crossed or ordered."""
    is_blocked = plan.status is PlanStatus.BLOCKED or line.status is LineStatus.BLOCKED
    return _outcome(plan.account_id, plan.plan_id, plan.run_id, line.symbol).model_copy(
        update={
            "outcome": Outcome.BLOCKED if is_blocked else Outcome.SUPPRESSED,
            "rule": line.rule or plan.rule,
            "threshold": line.threshold,
            "intended_value": line.intended_value,
        }
    )


def late_outcome(plan: Plan, line: PlanLine, reason: str) -> LineOutcome:
    """Return the outcome of a line whose plan came after its run was superseded."""
    return idle_outcome(plan, line).model_copy(update={"outcome": Outcome.SUPERSEDED, "reason": reason})


def ended_outcome(
    place: tuple[str, UUID, UUID], line: LineUnderWay, crossed: Decimal, event: OrderEvent, superseded_by: UUID | None
) -> LineOutcome:
    """Return the outcome of a line whose last order has ended with `event`; `place` is account, plan and run."""
    outcome, reason = _how(line, crossed, event), event.reason
    if superseded_by is not None and outcome is Outcome.CANCELED:
        outcome, reason = Outcome.SUPERSEDED, f"superseded by run {superseded_by}"
    is_order = event.order.leg > 0
    return _of_line(place, line).model_copy(
        update={
            "outcome": outcome,
            "client_order_id": event.client_order_id if is_order else None,
            "order_qty": event.order.order_qty if is_order else ZERO,
            "cum_qty": event.cum_qty if is_order else ZERO,
            "cross_quantity": crossed,
            "reason": reason,
        }
    )


def unsent_outcome(place: tuple[str, UUID, UUID], line: LineUnderWay, crossed: Decimal, by: UUID) -> LineOutcome:
    """Return the outcome of a line whose order was not sent before its run was superseded."""
    return _of_line(place, line).model_copy(
        update={"cross_quantity": crossed, "reason": f"superseded by run {by} before it was sent"}
    )


ENDS = {
    OrdStatus.FILLED: Outcome.FILLED,
    OrdStatus.CANCELED: Outcome.CANCELED,
    OrdStatus.REJECTED: Outcome.REJECTED,
    OrdStatus.EXPIRED: Outcome.EXPIRED,
}


def _how(line: LineUnderWay, crossed: Decimal, event: OrderEvent) -> Outcome:
    is_cross = event.order.leg == 0
    if is_cross and line.status is not LineStatus.PLANNED:
        return Outcome(line.status.value)
    if is_cross and crossed:
        return Outcome.CROSSED
    if event.cum_qty == event.order.order_qty:
        return Outcome.FILLED
    return Outcome.PARTLY_FILLED if event.cum_qty else ENDS[event.ord_status]


def _of_line(place: tuple[str, UUID, UUID], line: LineUnderWay) -> LineOutcome:
    return _outcome(*place, line.symbol).model_copy(
        update={"rule": line.rule, "threshold": line.threshold, "intended_value": line.intended_value}
    )


def _outcome(account_id: str, plan_id: UUID, run_id: UUID, symbol: str) -> LineOutcome:
    return LineOutcome(
        account_id=account_id,
        plan_id=plan_id,
        run_id=run_id,
        symbol=symbol,
        outcome=Outcome.SUPERSEDED,
        rule=None,
        threshold=None,
        intended_value=ZERO,
        client_order_id=None,
        order_qty=ZERO,
        cum_qty=ZERO,
        cross_quantity=ZERO,
        reason="",
    )


def _orders(line: PlanLine) -> bool:
    return line.status is LineStatus.PLANNED and line.action is not Action.HOLD and line.quantity > 0


def _line(line: PlanLine) -> LineUnderWay:
    if line.price is None:
        raise ValueError(f"line {line.symbol}: expected a price for {line.quantity} + {line.cross_quantity}, was none")
    is_order = _orders(line)
    parts = (
        LinePart(strategy_id=each.strategy_id, crossed=each.crossed, ordered=each.ordered if is_order else ZERO)
        for each in sorted(line.contributions, key=lambda each: each.strategy_id)
    )
    return LineUnderWay(
        symbol=line.symbol,
        side=Side(line.action.value) if is_order else None,
        order_qty=line.quantity if is_order else ZERO,
        cross_qty=line.cross_quantity,
        price=line.price,
        priority=line.priority,
        status=line.status,
        rule=line.rule,
        threshold=line.threshold,
        intended_value=line.intended_value,
        parts=tuple(each for each in parts if each.crossed or each.ordered),
    )
