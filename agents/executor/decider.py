"""Carry a plan out: clear the account, cross, reduce, then increase, and give every line its one outcome.

What a message says comes first; then, as long as something follows from where the account stands, that is said too:

a whole run waits, and no order is open      -> the rest of the older run is SUPERSEDED, the waiting run is CLEARED
a run of a scope waits, and no other goes on -> it is CLEARED
an accepted plan has nothing to do           -> FINISHED
a reducing order may go (see turns)          -> that order
its crosses and reducing orders have ended   -> REDUCED
then an increasing order may go              -> that order
its increasing orders have ended as well     -> FINISHED

Where the contract leaves room:

- A line that crosses zero at the account has two orders: the broker refuses one that turns a position around. The
  second goes only if the first was executed in full, else it would start from a position nobody planned on.
- An order that ends CANCELED although nobody here asked for that goes again, with what is left of its leg, as the next
  step: at most `steps_max` times in all, while the plan is valid, and never for a run that is being superseded. Only a
  cancel: an order that expired or was refused would be so again. What is executed of the canceled one after its end is
  no part of what is left; the gate counts it against the line.
- The end of an order whose line goes on is remembered by a receipt: an Execution of the stage the run is in, with that
  one order in `ended_orders`. Such an order is a cross, a reducing order that was executed in full, or one that goes
  again. The gateway answers intents in order, so a cross ends before its line's order.
- REDUCED is said once for every plan with work to do, also when nothing had to be reduced; the increasing lines that
  may not go because of what failed end with it (see budget).
- An order the broker would not take as it is (see prices) is not sent: its line is BLOCKED, and says why.
- A line whose order the gate refused because of a halt ends HALTED; all other refusals are REJECTED.
- Only a CANCELED order of a superseded run becomes SUPERSEDED; executed shares and refusals stay what they are.
- A run that is superseded before its plan comes is SUPERSEDED at once, and its plan's lines when the plan comes.
- A cross cannot be canceled: superseding waits for it as for the canceled orders.
- A run of a scope (what a person decided about one symbol) would not plan again what it cancels. So it supersedes
  nothing and waits until the run under way has ended by itself. A whole run supersedes it like any other.
- A run whose quorum was missed is ABANDONED: it trades nothing, so an older run goes on as if nothing had been said.
- A run that was cleared may end without a plan, or with a blocked one, before the books have what ended for its sake.
  So CLEARED names what ended of the last plan with work to do, again and again until there is another such plan.
- What is executed of an order after its end is the ledger's business: the line keeps its outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from immutables import Map

from agents.decider import Message
from agents.executor import executions, intents
from agents.executor.following import following
from agents.executor.lines import (
    CROSS_LEG,
    accepted,
    counted,
    has_leg,
    has_work,
    key_of,
    legs_of,
    line_of,
    sendable,
)
from agents.executor.outcomes import ended_outcome, idle_outcome, late_outcome
from agents.executor.progress import Progress, after_execution, after_intent, after_outcome
from schemas.execution import AcceptedPlan, Execution, ExecutionStatus, LineOutcome, LineUnderWay
from schemas.order import TERMINAL, OrderEvent, OrderIntent, OrdStatus
from schemas.plan import Plan
from schemas.portfolio import Portfolio, PortfolioStatus
from schemas.record import Record


@dataclass(frozen=True)
class State:
    """How far every account has come."""

    accounts: Map[str, Progress]


def initial_state() -> State:
    """Return the state before the first run."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return what follows from a wish, a plan or the end of an order; other news of orders says nothing."""
    match message.record:
        case Portfolio() as portfolio:
            return _and_what_follows(state, portfolio.account_id, _wished(_of(state, portfolio.account_id), portfolio))
        case Plan() as plan:
            return _and_what_follows(state, plan.account_id, _planned(_of(state, plan.account_id), plan))
        case OrderEvent(ord_status=status) as event if status in TERMINAL:
            said = _ended(_of(state, event.account_id), event, message.occurred_at)
            return _and_what_follows(state, event.account_id, said)
        case OrderEvent():
            return []
        case other:
            raise TypeError(f"the executor reads Portfolio, Plan and OrderEvent, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the executor's own records."""
    match record:
        case Execution(account_id=account_id) as said:
            progress = after_execution(_of(state, account_id), said)
        case OrderIntent(account_id=account_id) as said:
            progress = after_intent(_of(state, account_id), said)
        case LineOutcome(account_id=account_id) as said:
            progress = after_outcome(_of(state, account_id), said)
        case other:
            raise TypeError(
                f"the executor publishes Execution, OrderIntent and LineOutcome, was {type(other).__name__}"
            )
    return State(state.accounts.set(account_id, progress))


def _of(state: State, account_id: str) -> Progress:
    return state.accounts.get(account_id) or Progress()


def _and_what_follows(state: State, account_id: str, said: list[Record]) -> list[Record]:
    more = said
    while more:
        for record in more:
            state = evolve(state, record)
        more = following(account_id, _of(state, account_id))
        said = [*said, *more]
    return said


# --- a wish ----------------------------------------------------------------------------------------------------------


def _wished(progress: Progress, portfolio: Portfolio) -> list[Record]:
    account_id, run_id = portfolio.account_id, portfolio.run_id
    if run_id in progress.runs:
        return []
    if portfolio.status is PortfolioStatus.QUORUM_MISSED:
        return [executions.abandoned(portfolio)]
    if portfolio.content.scope is not None:
        return [_wished_beside(progress, portfolio)]
    older = [each.run_id for each in progress.waiting]
    if not progress.is_under_way and progress.stage is ExecutionStatus.CLEARED and progress.run_id is not None:
        older = [progress.run_id, *older]
    superseded = [executions.superseded(account_id, each, None, f"by run {run_id}") for each in older]
    if not progress.is_under_way:
        return [*superseded, executions.cleared(progress, account_id, run_id, portfolio.content)]
    clearing = executions.clearing(portfolio, f"waits for the end of {len(progress.open)} orders")
    return [*superseded, clearing, *(_cancels(progress, account_id) if progress.successor is None else ())]


def _wished_beside(progress: Progress, portfolio: Portfolio) -> Execution:
    """Return what becomes of a run of a scope: it takes its turn, unless a whole run is about to judge anew."""
    account_id, run_id = portfolio.account_id, portfolio.run_id
    if progress.successor is not None:
        return executions.superseded(account_id, run_id, None, f"by run {progress.successor.run_id}")
    if progress.is_busy:
        return executions.clearing(portfolio, f"waits for the end of run {progress.run_id}")
    return executions.cleared(progress, account_id, run_id, portfolio.content)


def _cancels(progress: Progress, account_id: str) -> Iterable[Record]:
    return (intents.cancel(account_id, name, terms) for name, terms in progress.open_broker_orders)


# --- a plan ----------------------------------------------------------------------------------------------------------


def _planned(progress: Progress, plan: Plan) -> list[Record]:
    if plan.plan_id in progress.plans:
        return []
    if plan.run_id != progress.run_id or progress.stage is not ExecutionStatus.CLEARED:
        reason = f"its run was superseded, current is run {progress.run_id}"
        late = executions.superseded(plan.account_id, plan.run_id, plan.plan_id, reason)
        return [late, *(late_outcome(plan, line, reason) for line in plan.lines)]
    place = (plan.account_id, plan.plan_id, plan.run_id)
    plan, reasons = sendable(plan)
    found = accepted(plan)
    idle = (each for each in plan.lines if not has_work(plan, each))
    return [
        executions.accepted(place, found, counted(plan, found)),
        *(idle_outcome(plan, each, reasons.get(key_of(each))) for each in idle),
        *(intents.cross(place, found, each) for each in found.lines if has_leg(each, CROSS_LEG)),
    ]


# --- the end of an order ---------------------------------------------------------------------------------------------


def _ended(progress: Progress, event: OrderEvent, at: datetime) -> list[Record]:
    """Return the outcome of the line whose last order this was, or a receipt when another one is still to come."""
    name, plan = event.client_order_id, progress.plan
    if name not in progress.open or plan is None:
        return []
    terms = progress.open[name]
    place = (event.account_id, terms.plan_id, terms.run_id)
    line = line_of(plan, key_of(terms))
    if terms.leg != CROSS_LEG and has_leg(line, CROSS_LEG) and not progress.orders_ended(key_of(line), CROSS_LEG):
        raise ValueError(f"order {name} has ended, the cross of its line {line.symbol} of {line.book} has not")
    if _has_more(line, event) or _goes_again(progress, plan, event, at):
        return [executions.receipt(place, progress.stage, event)]
    by = None if progress.successor is None else progress.successor.run_id
    return [ended_outcome(place, line, progress.orders_with(event), event, by)]


def _has_more(line: LineUnderWay, event: OrderEvent) -> bool:
    """Say whether another leg follows on this one: an order stands whatever became of the cross, not so the second."""
    is_last = event.order.leg == legs_of(line)[-1][0]
    return not is_last and (event.order.leg == CROSS_LEG or event.cum_qty == event.order.order_qty)


def _goes_again(progress: Progress, plan: AcceptedPlan, event: OrderEvent, at: datetime) -> bool:
    """Say whether what an order left is sent again: it was canceled, and not for a newer run."""
    is_wanted = event.ord_status is OrdStatus.CANCELED and progress.successor is None
    is_left = event.order.leg != CROSS_LEG and event.cum_qty < event.order.order_qty
    return is_wanted and is_left and event.order.step < plan.execution.steps_max and at <= plan.valid_until
