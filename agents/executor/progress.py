"""How far an account has come: the fold of the executor's own records, one account at a time."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from immutables import Map

from schemas.execution import AcceptedPlan, Execution, ExecutionStatus, LineOutcome, LineUnderWay, Outcome
from schemas.order import IntentAction, OrderIntent, OrderTerms, Phase, Venue
from schemas.portfolio import PortfolioContent

ZERO = Decimal(0)


@dataclass(frozen=True)
class Waiting:
    """A run that waits until the orders of an older one have ended."""

    run_id: UUID
    portfolio: PortfolioContent


@dataclass(frozen=True)
class Progress:
    """One account.

    `run_id` is the current run and `stage` how far it has come. `plan_id` and `plan` are of its accepted plan, until it
    has ended. `outcomes` are its lines that have ended; `crossed` what was crossed of lines that have not. `ended` are
    all orders that ended since the last CLEARED, with what was executed of them.
    """

    runs: Map[UUID, bool] = field(default_factory=Map)
    plans: Map[UUID, bool] = field(default_factory=Map)
    run_id: UUID | None = None
    stage: ExecutionStatus | None = None
    waiting: Waiting | None = None
    plan_id: UUID | None = None
    plan: AcceptedPlan | None = None
    open: Map[str, OrderTerms] = field(default_factory=Map)
    outcomes: Map[str, Outcome] = field(default_factory=Map)
    crossed: Map[str, Decimal] = field(default_factory=Map)
    ended: Map[str, Decimal] = field(default_factory=Map)

    @property
    def is_under_way(self) -> bool:
        """Whether a plan was accepted and has not ended."""
        return self.plan is not None

    @property
    def open_broker_orders(self) -> tuple[tuple[str, OrderTerms], ...]:
        """The orders that can be canceled, sorted by id."""
        return tuple((name, self.open[name]) for name in sorted(self.open) if self.open[name].venue is Venue.BROKER)

    @property
    def is_first_phase_over(self) -> bool:
        """Whether every cross and every sell has ended."""
        return all(self.open[name].phase is Phase.BUYS for name in sorted(self.open))

    @property
    def unfinished_lines(self) -> tuple[LineUnderWay, ...]:
        """The lines of the accepted plan without an outcome."""
        lines = () if self.plan is None else self.plan.lines
        return tuple(each for each in lines if each.symbol not in self.outcomes)


def after_execution(progress: Progress, said: Execution) -> Progress:
    """Return the progress after a step of a run."""
    seen = replace(progress, runs=progress.runs.set(said.run_id, True))
    if said.plan_id is not None:
        seen = replace(seen, plans=seen.plans.set(said.plan_id, True))
    match said.status:
        case ExecutionStatus.CLEARING if said.portfolio is not None:
            seen = replace(seen, waiting=Waiting(said.run_id, said.portfolio))
        case ExecutionStatus.CLEARED:
            cleared = replace(seen, run_id=said.run_id, stage=said.status, waiting=None, ended=Map[str, Decimal]())
            seen = _without_plan(cleared)
        case ExecutionStatus.ACCEPTED if progress.plan_id != said.plan_id:
            seen = replace(seen, plan_id=said.plan_id, plan=said.plan, stage=said.status)
        case ExecutionStatus.ACCEPTED | ExecutionStatus.SELLS_DONE:
            seen = _after_receipts(replace(seen, stage=said.status), said)
        case ExecutionStatus.SUPERSEDED if seen.waiting is not None and seen.waiting.run_id == said.run_id:
            seen = replace(seen, waiting=None)
        case ExecutionStatus.SUPERSEDED | ExecutionStatus.FINISHED if seen.run_id == said.run_id:
            seen = replace(_without_plan(seen), stage=said.status)
        case ExecutionStatus.SUPERSEDED:
            pass  # a run whose plan came after its end
        case status:
            raise ValueError(f"run {said.run_id}: {status} does not follow on {progress.stage} of {progress.run_id}")
    return seen


def after_intent(progress: Progress, said: OrderIntent) -> Progress:
    """Return the progress after an order was asked for; asking for its cancellation ends nothing."""
    if said.action is IntentAction.CANCEL:
        return progress
    return replace(progress, open=progress.open.set(said.client_order_id, said.order))


def after_outcome(progress: Progress, said: LineOutcome) -> Progress:
    """Return the progress after a line has ended, and with it its orders."""
    if said.plan_id != progress.plan_id:
        return progress
    current = replace(progress, outcomes=progress.outcomes.set(said.symbol, said.outcome))
    for name in sorted(current.open):
        terms = current.open[name]
        if terms.symbol == said.symbol:
            executed = said.cross_quantity if terms.venue is Venue.INTERNAL else said.cum_qty
            current = _ended(current, name, executed)
    return current


def _after_receipts(progress: Progress, said: Execution) -> Progress:
    for each in said.ended_orders:
        symbol = progress.open[each.client_order_id].symbol
        progress = _ended(progress, each.client_order_id, each.cum_qty)
        progress = replace(progress, crossed=progress.crossed.set(symbol, each.cum_qty))
    return progress


def _ended(progress: Progress, name: str, executed: Decimal) -> Progress:
    return replace(progress, open=progress.open.delete(name), ended=progress.ended.set(name, executed))


def _without_plan(progress: Progress) -> Progress:
    return replace(progress, plan_id=None, plan=None, outcomes=Map[str, Outcome](), crossed=Map[str, Decimal]())
