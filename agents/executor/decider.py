"""Carry a plan out: clear the account, send crosses and sells, then buys, and give every line its one outcome.

What a message says comes first; then, as long as something follows from where the account stands, that is said too:

a run waits, and no order is open        -> the rest of the older run is SUPERSEDED, the waiting run is CLEARED
an accepted plan has nothing to do       -> FINISHED
its crosses and sells have ended         -> SELLS_DONE and the buys
its buys have ended as well              -> FINISHED

Where the contract leaves room:

- The end of a cross whose line has an order too is remembered by a receipt: an Execution of the stage the run is in,
  with that one order in `ended_orders`. The gateway answers intents in order, so a cross ends before its line's order.
- SELLS_DONE is said once for every plan with work to do, also when nothing had to be sold.
- Only a CANCELED order of a superseded run becomes SUPERSEDED; executed shares and refusals stay what they are.
- A run that is superseded before its plan comes is SUPERSEDED at once, and its plan's lines when the plan comes.
- A cross cannot be canceled: superseding waits for it as for the canceled orders.
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
    accepted,
    buys_of,
    counted,
    ended_outcome,
    has_work,
    idle_outcome,
    late_outcome,
    line_of,
    sells_of,
    unsent_outcome,
)
from agents.executor.progress import ZERO, Progress, after_execution, after_intent, after_outcome
from schemas.account import OrderProgress
from schemas.execution import AcceptedPlan, Execution, ExecutionStatus, LineOutcome
from schemas.order import TERMINAL, OrderEvent, OrderIntent
from schemas.plan import Plan
from schemas.portfolio import Portfolio, PortfolioContent
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
    if progress.is_under_way:
        return [*_clearing(progress, portfolio), *(_cancels(progress, account_id) if progress.waiting is None else ())]
    is_waiting_for_its_plan = progress.stage is ExecutionStatus.CLEARED
    older = _superseded(account_id, progress.run_id, None, run_id) if is_waiting_for_its_plan else ()
    return [*older, _cleared(progress, account_id, run_id, portfolio.content)]


def _clearing(progress: Progress, portfolio: Portfolio) -> Iterable[Record]:
    account_id, run_id = portfolio.account_id, portfolio.run_id
    if progress.waiting is not None:
        yield from _superseded(account_id, progress.waiting.run_id, None, run_id)
    step = _step(
        account_id, run_id, None, ExecutionStatus.CLEARING, f"waits for the end of {len(progress.open)} orders"
    )
    yield step.model_copy(update={"portfolio": portfolio.content})


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
    lines = accepted(plan)
    step = _step(plan.account_id, plan.run_id, plan.plan_id, ExecutionStatus.ACCEPTED, counted(plan, lines))
    return [
        step.model_copy(update={"plan": lines}),
        *(idle_outcome(plan, line) for line in plan.lines if not has_work(plan, line)),
        *_first_intents(plan, lines),
    ]


def _first_intents(plan: Plan, lines: AcceptedPlan) -> Iterable[Record]:
    place = (plan.account_id, plan.plan_id, plan.run_id)
    yield from (intents.cross(place, lines, line) for line in lines.lines if line.cross_qty)
    yield from (intents.order(place, lines, line) for line in sells_of(lines))


def _ended(progress: Progress, event: OrderEvent) -> list[Record]:
    """Return the outcome of the line whose last order this was, or a receipt when an order of it is still to come."""
    if event.client_order_id not in progress.open or progress.plan is None:
        return []
    terms = progress.open[event.client_order_id]
    place = (event.account_id, terms.plan_id, terms.run_id)
    line = line_of(progress.plan, terms.symbol)
    is_cross = terms.leg == intents.CROSS_LEG
    if is_cross and line.side is not None:
        return [_receipt(progress, place, event)]
    if not is_cross and line.cross_qty and line.symbol not in progress.crossed:
        raise ValueError(f"order {event.client_order_id} has ended, the cross of its line {line.symbol} has not")
    crossed = event.cum_qty if is_cross else progress.crossed.get(line.symbol, ZERO)
    by = None if progress.waiting is None else progress.waiting.run_id
    return [ended_outcome(place, line, crossed, event, by)]


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
        return []
    place = (account_id, progress.plan_id, progress.run_id)
    match progress.stage:
        case _ if progress.waiting is not None:
            return [] if progress.open else _handed_over(place, progress)
        case ExecutionStatus.ACCEPTED if not progress.plan.lines:
            return [_finished(place, progress)]
        case ExecutionStatus.ACCEPTED if progress.is_first_phase_over:
            done = _step(account_id, progress.run_id, progress.plan_id, ExecutionStatus.SELLS_DONE, "")
            return [done, *(intents.order(place, progress.plan, line) for line in buys_of(progress.plan))]
        case ExecutionStatus.SELLS_DONE if not progress.open:
            return [_finished(place, progress)]
        case _:
            return []


def _handed_over(place: tuple[str, UUID, UUID], progress: Progress) -> list[Record]:
    if progress.waiting is None:
        return []
    account_id, plan_id, run_id = place
    newer = progress.waiting
    unsent = [
        unsent_outcome(place, line, progress.crossed.get(line.symbol, ZERO), newer.run_id)
        for line in progress.unfinished_lines
    ]
    cleared = _cleared(progress, account_id, newer.run_id, newer.portfolio)
    return [*unsent, *_superseded(account_id, run_id, plan_id, newer.run_id), cleared]


def _finished(place: tuple[str, UUID, UUID], progress: Progress) -> Execution:
    account_id, plan_id, run_id = place
    counts = Counter(progress.outcomes[symbol].value for symbol in sorted(progress.outcomes))
    detail = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    return _step(account_id, run_id, plan_id, ExecutionStatus.FINISHED, detail)


def _superseded(account_id: str, run_id: UUID | None, plan_id: UUID | None, by: UUID) -> Iterable[Record]:
    if run_id is not None:
        yield _step(account_id, run_id, plan_id, ExecutionStatus.SUPERSEDED, f"by run {by}")


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
