"""How far an account has come: the fold of the executor's own records, one account at a time."""

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from immutables import Map

from agents.copies import replace
from agents.executor.lines import (
    CROSS_LEG,
    INCREASING_LEG,
    REDUCING_LEG,
    ZERO,
    LegPart,
    LineKey,
    has_leg,
    key_of,
    legs_of,
    line_of,
)
from schemas.account import OrderProgress
from schemas.execution import AcceptedPlan, Execution, ExecutionStatus, LineOutcome, LineUnderWay, Outcome
from schemas.order import IntentAction, OrderEvent, OrderIntent, OrderTerms, Venue
from schemas.portfolio import PortfolioContent


@dataclass(frozen=True)
class Waiting:
    """A run that waits until an older one has ended."""

    run_id: UUID
    portfolio: PortfolioContent


@dataclass(frozen=True)
class Ended:
    """A cross or an order of a line that has ended."""

    client_order_id: str
    leg: int
    order_qty: Decimal
    cum_qty: Decimal
    gross_trade_amt: Decimal


@dataclass(frozen=True)
class Progress:
    """One account.

    `run_id` is the current run and `stage` how far it has come. `plan_id` and `plan` are of its accepted plan, until it
    has ended; `waiting` are the runs that come after it, in turn. `outcomes` are its lines that have ended; `orders`
    the crosses and orders of each line that have, in that order; `unsent` the lines that have something left of a leg
    which is not at the broker, by leg.
    `ended` are the orders of the last plan with work to do that have ended, with what was executed of them; every run
    names them with CLEARED. They are kept until another plan with work is accepted, for its books have all of them: a
    run that is superseded or blocked shows nothing of the kind, and one without work cannot be told from a blocked one.
    """

    runs: Map[UUID, bool] = field(default_factory=Map)
    plans: Map[UUID, bool] = field(default_factory=Map)
    run_id: UUID | None = None
    stage: ExecutionStatus | None = None
    waiting: tuple[Waiting, ...] = ()
    plan_id: UUID | None = None
    plan: AcceptedPlan | None = None
    open: Map[str, OrderTerms] = field(default_factory=Map)
    outcomes: Map[LineKey, Outcome] = field(default_factory=Map)
    orders: Map[LineKey, tuple[Ended, ...]] = field(default_factory=Map)
    unsent: Map[int, Map[LineKey, LineUnderWay]] = field(default_factory=Map)
    ended: Map[str, OrderProgress] = field(default_factory=Map)

    @property
    def is_under_way(self) -> bool:
        """Whether a plan was accepted and has not ended."""
        return self.plan is not None

    @property
    def is_busy(self) -> bool:
        """Whether a run has been cleared and has not ended."""
        return self.is_under_way or self.stage is ExecutionStatus.CLEARED

    @property
    def successor(self) -> Waiting | None:
        """The run for whose sake the one under way is being ended; no other run waits beside it."""
        return next((each for each in self.waiting if each.portfolio.scope is None), None)

    @property
    def open_broker_orders(self) -> tuple[tuple[str, OrderTerms], ...]:
        """The orders that are at the broker, or on their way there, sorted by id: those that can be canceled."""
        return tuple((name, self.open[name]) for name in sorted(self.open) if self.open[name].venue is Venue.BROKER)

    @property
    def unfinished_lines(self) -> tuple[LineUnderWay, ...]:
        """The lines of the accepted plan without an outcome."""
        lines = () if self.plan is None else self.plan.lines
        return tuple(each for each in lines if key_of(each) not in self.outcomes)

    def orders_ended(self, key: LineKey, leg: int | None = None) -> tuple[Ended, ...]:
        """Return the crosses and orders of a line, or of one leg of it, that have ended, in that order."""
        return tuple(each for each in self.orders.get(key, ()) if leg is None or each.leg == leg)

    def orders_with(self, event: OrderEvent) -> tuple[Ended, ...]:
        """Return the crosses and orders of an order's line that have ended, once it has."""
        terms = event.order
        last = Ended(event.client_order_id, terms.leg, terms.order_qty, event.cum_qty, event.gross_trade_amt)
        return (*self.orders_ended(key_of(terms)), last)

    def rest_of(self, line: LineUnderWay, leg: int) -> LegPart:
        """Return what the next order of a leg has to do: all that those before it did not execute."""
        before = self.orders_ended(key_of(line), leg)
        left = dict(legs_of(line))[leg] - sum((each.cum_qty for each in before), ZERO)
        return LegPart(leg, len(before) + 1, left)

    def unsent_lines(self, leg: int) -> tuple[LineUnderWay, ...]:
        """Return the unfinished lines with something of a leg that is not at the broker, the most urgent first."""
        lines = self.unsent.get(leg, Map[LineKey, LineUnderWay]())
        return tuple(sorted(lines.values(), key=lambda each: (each.priority, each.symbol, each.book)))


def after_execution(progress: Progress, said: Execution) -> Progress:
    """Return the progress after a step of a run."""
    seen = replace(progress, runs=progress.runs.set(said.run_id, True))
    if said.plan_id is not None:
        seen = replace(seen, plans=seen.plans.set(said.plan_id, True))
    match said.status:
        case ExecutionStatus.CLEARING if said.portfolio is not None:
            seen = replace(seen, waiting=(*seen.waiting, Waiting(said.run_id, said.portfolio)))
        case ExecutionStatus.CLEARED:
            seen = _without_plan(_not_waiting(replace(seen, run_id=said.run_id, stage=said.status), said.run_id))
        case ExecutionStatus.ACCEPTED if progress.plan_id != said.plan_id:
            seen = _after_plan(replace(seen, plan_id=said.plan_id, plan=said.plan, stage=said.status), said.plan)
        case ExecutionStatus.ACCEPTED | ExecutionStatus.REDUCED:
            seen = _after_receipts(replace(seen, stage=said.status), said)
        case ExecutionStatus.SUPERSEDED | ExecutionStatus.FINISHED if seen.run_id == said.run_id:
            seen = replace(_without_plan(seen), stage=said.status)
        case ExecutionStatus.SUPERSEDED:
            seen = _not_waiting(seen, said.run_id)  # or its plan came after its end
        case ExecutionStatus.ABANDONED:
            pass  # a run that trades nothing leaves everything as it was
        case status:
            raise ValueError(f"run {said.run_id}: {status} does not follow on {progress.stage} of {progress.run_id}")
    return seen


def after_intent(progress: Progress, said: OrderIntent) -> Progress:
    """Return the progress after an order was asked for; asking for its cancellation ends nothing."""
    if said.action is IntentAction.CANCEL:
        return progress
    sent = _sent(progress, key_of(said.order), said.order.leg)
    return replace(sent, open=progress.open.set(said.client_order_id, said.order))


def after_outcome(progress: Progress, said: LineOutcome) -> Progress:
    """Return the progress after a line has ended, and with it its orders."""
    if said.plan_id != progress.plan_id:
        return progress
    key = key_of(said)
    current = replace(progress, outcomes=progress.outcomes.set(key, said.outcome))
    for leg in (REDUCING_LEG, INCREASING_LEG):
        current = _sent(current, key, leg)
    for name in sorted(each for each, terms in current.open.items() if key_of(terms) == key):
        current = _ended(current, _last_of(said, name, current.open[name], progress.orders_ended(key)))
    return current


def _last_of(said: LineOutcome, name: str, terms: OrderTerms, before: tuple[Ended, ...]) -> OrderProgress:
    """Return what became of the order whose end is told by the outcome of its line."""
    if terms.venue is Venue.INTERNAL:
        crossed = said.cross_quantity
        return OrderProgress(client_order_id=name, cum_qty=crossed, gross_trade_amt=crossed * terms.reference_price)
    orders = [each for each in before if each.leg != CROSS_LEG]
    return OrderProgress(
        client_order_id=name,
        cum_qty=said.cum_qty - sum((each.cum_qty for each in orders), ZERO),
        gross_trade_amt=said.gross_trade_amt - sum((each.gross_trade_amt for each in orders), ZERO),
    )


def _after_plan(progress: Progress, plan: AcceptedPlan | None) -> Progress:
    if plan is None or not plan.lines:
        return progress
    return replace(progress, unsent=_unsent(plan), ended=Map[str, OrderProgress]())


def _after_receipts(progress: Progress, said: Execution) -> Progress:
    """Return the progress after orders whose lines go on; what an order left is not at the broker any more."""
    for each in said.ended_orders:
        terms = progress.open[each.client_order_id]
        progress = _ended(progress, each)
        if terms.leg != CROSS_LEG and each.cum_qty < terms.order_qty and progress.plan is not None:
            lines = progress.unsent.get(terms.leg, Map[LineKey, LineUnderWay]())
            lines = lines.set(key_of(terms), line_of(progress.plan, key_of(terms)))
            progress = replace(progress, unsent=progress.unsent.set(terms.leg, lines))
    return progress


def _unsent(plan: AcceptedPlan) -> Map[int, Map[LineKey, LineUnderWay]]:
    return Map(
        {
            leg: Map[LineKey, LineUnderWay]({key_of(each): each for each in plan.lines if has_leg(each, leg)})
            for leg in (REDUCING_LEG, INCREASING_LEG)
        }
    )


def _sent(progress: Progress, key: LineKey, leg: int) -> Progress:
    lines = progress.unsent.get(leg, Map[LineKey, LineUnderWay]())
    return replace(progress, unsent=progress.unsent.set(leg, lines.delete(key))) if key in lines else progress


def _ended(progress: Progress, done: OrderProgress) -> Progress:
    name, terms = done.client_order_id, progress.open[done.client_order_id]
    key = key_of(terms)
    order = Ended(name, terms.leg, terms.order_qty, done.cum_qty, done.gross_trade_amt)
    return replace(
        progress,
        open=progress.open.delete(name),
        ended=progress.ended.set(name, done),
        orders=progress.orders.set(key, (*progress.orders_ended(key), order)),
    )


def _not_waiting(progress: Progress, run_id: UUID) -> Progress:
    return replace(progress, waiting=tuple(each for each in progress.waiting if each.run_id != run_id))


def _without_plan(progress: Progress) -> Progress:
    return replace(
        progress,
        plan_id=None,
        plan=None,
        outcomes=Map[LineKey, Outcome](),
        orders=Map[LineKey, tuple[Ended, ...]](),
        unsent=Map[int, Map[LineKey, LineUnderWay]](),
    )
