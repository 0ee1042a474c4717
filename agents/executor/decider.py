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
- The end of a leg whose line has another one to come is remembered by a receipt: an Execution of the stage the run is
  in, with that one order in `ended_orders`. Such a leg is a cross, or a reducing order that was executed in full. The
  gateway answers intents in order, so a cross ends before its line's order.
- REDUCED is said once for every plan with work to do, also when nothing had to be reduced.
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

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from immutables import Map

from agents.decider import Message
from agents.executor import intents
from agents.executor.lines import (
    CROSS_LEG,
    INCREASING_LEG,
    REDUCING_LEG,
    accepted,
    counted,
    has_leg,
    has_work,
    key_of,
    legs_of,
    line_of,
)
from agents.executor.outcomes import ended_outcome, idle_outcome, late_outcome, unsent_outcome
from agents.executor.progress import LegEnded, Progress, Waiting, after_execution, after_intent, after_outcome
from agents.executor.turns import free_lines
from schemas.account import OrderProgress
from schemas.execution import Execution, ExecutionStatus, LineOutcome, LineUnderWay
from schemas.order import TERMINAL, OrderEvent, OrderIntent
from schemas.plan import Plan
from schemas.portfolio import Portfolio, PortfolioContent, PortfolioStatus
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
            return _and_what_follows(state, event.account_id, _ended(_of(state, event.account_id), event))
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
        more = _following(account_id, _of(state, account_id))
        said = [*said, *more]
    return said


# --- what a message says ---------------------------------------------------------------------------------------------


def _wished(progress: Progress, portfolio: Portfolio) -> list[Record]:
    account_id, run_id = portfolio.account_id, portfolio.run_id
    if run_id in progress.runs:
        return []
    if portfolio.status is PortfolioStatus.QUORUM_MISSED:
        return [_step(account_id, run_id, None, ExecutionStatus.ABANDONED, _missed(portfolio))]
    if portfolio.content.scope is not None:
        return [_wished_beside(progress, portfolio)]
    older = [each.run_id for each in progress.waiting]
    if progress.is_under_way:
        superseded = [_superseded(account_id, each, None, run_id) for each in older]
        clearing = _clearing(portfolio, f"waits for the end of {len(progress.open)} orders")
        return [*superseded, clearing, *(_cancels(progress, account_id) if progress.successor is None else ())]
    if progress.stage is ExecutionStatus.CLEARED and progress.run_id is not None:
        older = [progress.run_id, *older]
    superseded = [_superseded(account_id, each, None, run_id) for each in older]
    return [*superseded, _cleared(progress, account_id, run_id, portfolio.content)]


def _wished_beside(progress: Progress, portfolio: Portfolio) -> Execution:
    """Return what becomes of a run of a scope: it takes its turn, unless a whole run is about to judge anew."""
    account_id, run_id = portfolio.account_id, portfolio.run_id
    if progress.successor is not None:
        return _superseded(account_id, run_id, None, progress.successor.run_id)
    if progress.is_busy:
        return _clearing(portfolio, f"waits for the end of run {progress.run_id}")
    return _cleared(progress, account_id, run_id, portfolio.content)


def _missed(portfolio: Portfolio) -> str:
    failed, missing = (", ".join(each) or "none" for each in (portfolio.failed, portfolio.missing))
    quorum = portfolio.content.terms.rules.quorum
    return f"QUORUM_MISSED quorum {quorum}, failed: {failed}, missing: {missing}; nothing is traded"


def _clearing(portfolio: Portfolio, detail: str) -> Execution:
    step = _step(portfolio.account_id, portfolio.run_id, None, ExecutionStatus.CLEARING, detail)
    return step.model_copy(update={"portfolio": portfolio.content})


def _cancels(progress: Progress, account_id: str) -> Iterable[Record]:
    return (intents.cancel(account_id, name, terms) for name, terms in progress.open_broker_orders)


def _cleared(progress: Progress, account_id: str, run_id: UUID, content: PortfolioContent) -> Execution:
    ended = tuple(OrderProgress(client_order_id=name, cum_qty=progress.ended[name]) for name in sorted(progress.ended))
    step = _step(account_id, run_id, None, ExecutionStatus.CLEARED, "")
    return step.model_copy(update={"portfolio": content, "ended_orders": ended})


def _planned(progress: Progress, plan: Plan) -> list[Record]:
    if plan.plan_id in progress.plans:
        return []
    if plan.run_id != progress.run_id or progress.stage is not ExecutionStatus.CLEARED:
        reason = f"its run was superseded, current is run {progress.run_id}"
        late = _step(plan.account_id, plan.run_id, plan.plan_id, ExecutionStatus.SUPERSEDED, reason)
        return [late, *(late_outcome(plan, line, reason) for line in plan.lines)]
    found = accepted(plan)
    step = _step(plan.account_id, plan.run_id, plan.plan_id, ExecutionStatus.ACCEPTED, counted(plan, found))
    place = (plan.account_id, plan.plan_id, plan.run_id)
    return [
        step.model_copy(update={"plan": found}),
        *(idle_outcome(plan, line) for line in plan.lines if not has_work(plan, line)),
        *(intents.cross(place, found, line) for line in found.lines if has_leg(line, CROSS_LEG)),
    ]


def _ended(progress: Progress, event: OrderEvent) -> list[Record]:
    """Return the outcome of the line whose last leg this was, or a receipt when another one is still to come."""
    if event.client_order_id not in progress.open or progress.plan is None:
        return []
    terms = progress.open[event.client_order_id]
    place = (event.account_id, terms.plan_id, terms.run_id)
    line = line_of(progress.plan, key_of(terms))
    before = progress.legs_ended(key_of(line))
    if terms.leg != CROSS_LEG and has_leg(line, CROSS_LEG) and not before:
        raise ValueError(
            f"order {event.client_order_id} has ended, the cross of its line {line.symbol} of {line.book} has not"
        )
    if _has_more(line, event):
        return [_receipt(progress, place, event)]
    by = None if progress.successor is None else progress.successor.run_id
    last = LegEnded(event.client_order_id, terms.leg, terms.order_qty, event.cum_qty)
    return [ended_outcome(place, line, (*before, last), event, by)]


def _has_more(line: LineUnderWay, event: OrderEvent) -> bool:
    """Say whether another leg follows on this one: an order stands whatever became of the cross, not so the second."""
    is_last = event.order.leg == legs_of(line)[-1][0]
    return not is_last and (event.order.leg == CROSS_LEG or event.cum_qty == event.order.order_qty)


def _receipt(progress: Progress, place: tuple[str, UUID, UUID], event: OrderEvent) -> Execution:
    account_id, plan_id, run_id = place
    stage = progress.stage or ExecutionStatus.ACCEPTED
    step = _step(
        account_id, run_id, plan_id, stage, f"{event.client_order_id} {event.ord_status} {event.reason}".strip()
    )
    done = OrderProgress(client_order_id=event.client_order_id, cum_qty=event.cum_qty)
    return step.model_copy(update={"ended_orders": (done,)})


# --- what follows from where the account stands ----------------------------------------------------------------------


def _following(account_id: str, progress: Progress) -> list[Record]:
    if progress.plan is None or progress.plan_id is None or progress.run_id is None:
        waiting = () if progress.is_busy else progress.waiting[:1]
        return [_cleared(progress, account_id, each.run_id, each.portfolio) for each in waiting]
    place = (account_id, progress.plan_id, progress.run_id)
    match progress.stage:
        case _ if progress.successor is not None:
            return [] if progress.open else _handed_over(place, progress, progress.successor)
        case ExecutionStatus.ACCEPTED if not progress.plan.lines:
            return [_finished(place, progress)]
        case ExecutionStatus.ACCEPTED:
            reduced = _step(account_id, progress.run_id, progress.plan_id, ExecutionStatus.REDUCED, "")
            return _sent(place, progress, REDUCING_LEG) or ([] if progress.open else [reduced])
        case ExecutionStatus.REDUCED:
            return _sent(place, progress, INCREASING_LEG) or ([] if progress.open else [_finished(place, progress)])
        case _:
            return []


def _sent(place: tuple[str, UUID, UUID], progress: Progress, leg: int) -> list[Record]:
    if progress.plan is None:
        return []
    return [intents.order(place, progress.plan, line, leg) for line in free_lines(progress, leg)]


def _handed_over(place: tuple[str, UUID, UUID], progress: Progress, newer: Waiting) -> list[Record]:
    account_id, plan_id, run_id = place
    unsent = [
        unsent_outcome(place, line, progress.legs_ended(key_of(line)), newer.run_id)
        for line in progress.unfinished_lines
    ]
    cleared = _cleared(progress, account_id, newer.run_id, newer.portfolio)
    return [*unsent, _superseded(account_id, run_id, plan_id, newer.run_id), cleared]


def _finished(place: tuple[str, UUID, UUID], progress: Progress) -> Execution:
    account_id, plan_id, run_id = place
    counts = Counter(progress.outcomes[key].value for key in sorted(progress.outcomes))
    detail = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    return _step(account_id, run_id, plan_id, ExecutionStatus.FINISHED, detail)


def _superseded(account_id: str, run_id: UUID, plan_id: UUID | None, by: UUID) -> Execution:
    return _step(account_id, run_id, plan_id, ExecutionStatus.SUPERSEDED, f"by run {by}")


def _step(account_id: str, run_id: UUID, plan_id: UUID | None, status: ExecutionStatus, detail: str) -> Execution:
    return Execution(
        account_id=account_id,
        run_id=run_id,
        plan_id=plan_id,
        status=status,
        detail=detail,
        portfolio=None,
        plan=None,
        ended_orders=(),
    )
