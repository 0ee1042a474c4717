"""How a plan line ends: one outcome from all of its legs.

Only what was executed at the broker makes a line FILLED or PARTLY_FILLED; a cross that stood is named beside whatever
became of the order. Of a line with two orders the last one's end counts when nothing was executed.
"""

from decimal import Decimal
from uuid import UUID

from agents.executor.lines import CROSS_LEG, INCREASING_LEG, REDUCING_LEG, ZERO, has_leg
from agents.executor.progress import Ended
from schemas.execution import LineOutcome, LineUnderWay, Outcome
from schemas.order import OrderEvent, OrdStatus, Refusal
from schemas.plan import LineStatus, Plan, PlanLine, Rule

ENDS = {
    OrdStatus.FILLED: Outcome.FILLED,
    OrdStatus.CANCELED: Outcome.CANCELED,
    OrdStatus.REJECTED: Outcome.REJECTED,
    OrdStatus.EXPIRED: Outcome.EXPIRED,
}


def idle_outcome(plan: Plan, line: PlanLine, reason: str | None) -> LineOutcome:
    """Return the outcome of a line of which nothing is crossed or ordered; a blocked plan gives its reason.

    ValueError when the line is PLANNED all the same.
    """
    return _unsent(plan, line, _stopped(line), plan.detail if reason is None else reason)


def late_outcome(plan: Plan, line: PlanLine, reason: str) -> LineOutcome:
    """Return the outcome of a line whose plan came after its run was superseded."""
    return _unsent(plan, line, Outcome.SUPERSEDED, reason)


def ended_outcome(
    place: tuple[str, UUID, UUID],
    line: LineUnderWay,
    orders: tuple[Ended, ...],
    event: OrderEvent,
    superseded_by: UUID | None,
) -> LineOutcome:
    """Return the outcome of a line whose last order has ended with `event`; `place` is account, plan and run.

    `orders` are the crosses and orders that were sent, this last one included.
    """
    found = _of_line(place, line, orders)
    outcome, reason = _how(line, found.cum_qty, event), _reason(line, orders, event)
    if superseded_by is not None and outcome is Outcome.CANCELED:
        outcome, reason = Outcome.SUPERSEDED, f"superseded by run {superseded_by}"
    if outcome is Outcome.HALTED:
        found = found.model_copy(update={"rule": Rule.HALTED, "threshold": None})
    return found.model_copy(update={"outcome": outcome, "reason": reason})


def unsent_outcome(
    place: tuple[str, UUID, UUID], line: LineUnderWay, orders: tuple[Ended, ...], by: UUID
) -> LineOutcome:
    """Return the outcome of a line of which something was not sent before its run was superseded."""
    found = _of_line(place, line, orders)
    outcome = Outcome.PARTLY_FILLED if found.cum_qty else Outcome.SUPERSEDED
    rest = f"the last {plain(line.order_qty - found.cum_qty)}" if found.order_qty else "it"
    reason = f"superseded by run {by} before {rest} was sent"
    return found.model_copy(update={"outcome": outcome, "reason": reason})


def held_back_outcome(
    place: tuple[str, UUID, UUID], line: LineUnderWay, orders: tuple[Ended, ...], rule: Rule, threshold: Decimal
) -> LineOutcome:
    """Return the outcome of a line whose increasing order a rule holds back; the caller says why."""
    found = _of_line(place, line, orders)
    outcome = Outcome.PARTLY_FILLED if found.cum_qty else Outcome.BLOCKED
    return found.model_copy(update={"outcome": outcome, "rule": rule, "threshold": threshold})


def _stopped(line: PlanLine | LineUnderWay) -> Outcome:
    if line.status is LineStatus.PLANNED:
        raise ValueError(
            f"line {line.symbol} of {line.book}: expected a cross or an order of a PLANNED line, its plan has none"
        )
    return Outcome.HALTED if line.rule is Rule.HALTED else Outcome(line.status.value)


def _how(line: LineUnderWay, executed: Decimal, event: OrderEvent) -> Outcome:
    end = Outcome.HALTED if event.refusal is Refusal.HALTED else ENDS[event.ord_status]
    if event.order.leg == CROSS_LEG:
        if line.status is not LineStatus.PLANNED:
            return _stopped(line)
        return Outcome.CROSSED if event.cum_qty else end
    if executed == line.order_qty:
        return Outcome.FILLED
    return Outcome.PARTLY_FILLED if executed else end


def _reason(line: LineUnderWay, orders: tuple[Ended, ...], event: OrderEvent) -> str:
    said = ": ".join(each for each in (event.refusal, event.reason) if each)
    if event.order.leg != REDUCING_LEG or not has_leg(line, INCREASING_LEG):
        return said
    left = (
        f"its increasing order of {plain(line.order_qty - line.reducing_qty)} was not sent: the reducing one ended"
        f" {event.ord_status} with {plain(_executed(orders))} of {plain(line.reducing_qty)}"
    )
    return f"{said}; {left}" if said else left


def plain(number: Decimal) -> str:
    """Return a number as a person writes it."""
    return format(number.normalize(), "f")


def _executed(orders: tuple[Ended, ...]) -> Decimal:
    return sum((each.cum_qty for each in orders if each.leg != CROSS_LEG), ZERO)


def _unsent(plan: Plan, line: PlanLine, outcome: Outcome, reason: str) -> LineOutcome:
    return _outcome((plan.account_id, plan.plan_id, plan.run_id), line.book, line.symbol).model_copy(
        update={
            "outcome": outcome,
            "rule": plan.rule if line.rule is None else line.rule,
            "threshold": line.threshold,
            "intended_value": line.intended_value,
            "reason": reason,
        }
    )


def _of_line(place: tuple[str, UUID, UUID], line: LineUnderWay, sent: tuple[Ended, ...]) -> LineOutcome:
    orders = [each for each in sent if each.leg != CROSS_LEG]
    first_of_leg = {each.leg: each.order_qty for each in reversed(orders)}
    return _outcome(place, line.book, line.symbol).model_copy(
        update={
            "rule": line.rule,
            "threshold": line.threshold,
            "intended_value": line.intended_value,
            "client_order_ids": tuple(each.client_order_id for each in orders),
            "order_qty": sum(first_of_leg.values(), ZERO),
            "cum_qty": _executed(sent),
            "gross_trade_amt": sum((each.gross_trade_amt for each in orders), ZERO),
            "cross_quantity": sum((each.cum_qty for each in sent if each.leg == CROSS_LEG), ZERO),
        }
    )


def _outcome(place: tuple[str, UUID, UUID], book: str, symbol: str) -> LineOutcome:
    account_id, plan_id, run_id = place
    return LineOutcome(
        account_id=account_id,
        plan_id=plan_id,
        run_id=run_id,
        book=book,
        symbol=symbol,
        outcome=Outcome.SUPERSEDED,
        rule=None,
        threshold=None,
        intended_value=ZERO,
        client_order_ids=(),
        order_qty=ZERO,
        cum_qty=ZERO,
        gross_trade_amt=ZERO,
        cross_quantity=ZERO,
        reason="",
    )
