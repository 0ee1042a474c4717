"""What follows from where an account stands, one step at a time, as long as something does."""

from agents.executor import executions, intents
from agents.executor.budget import held_back, reduced
from agents.executor.executions import Place
from agents.executor.lines import INCREASING_LEG, REDUCING_LEG, key_of
from agents.executor.outcomes import unsent_outcome
from agents.executor.progress import Progress, Waiting
from agents.executor.turns import free_lines
from schemas.execution import AcceptedPlan, ExecutionStatus
from schemas.record import Record


def following(account_id: str, progress: Progress) -> list[Record]:
    """Return the next step of an account; nothing when it waits for the outside."""
    plan = progress.plan
    if plan is None or progress.plan_id is None or progress.run_id is None:
        waiting = () if progress.is_busy else progress.waiting[:1]
        return [executions.cleared(progress, account_id, each.run_id, each.portfolio) for each in waiting]
    place = (account_id, progress.plan_id, progress.run_id)
    if progress.successor is not None:
        return [] if progress.open else _handed_over(place, progress, progress.successor)
    match progress.stage:
        case ExecutionStatus.ACCEPTED if not plan.lines:
            return [executions.finished(place, progress)]
        case ExecutionStatus.ACCEPTED:
            return _sent(place, progress, plan, REDUCING_LEG) or _reduced(place, progress, plan)
        case ExecutionStatus.REDUCED:
            sent = _sent(place, progress, plan, INCREASING_LEG)
            return sent if sent or progress.open else [executions.finished(place, progress)]
        case _:
            return []


def _sent(place: Place, progress: Progress, plan: AcceptedPlan, leg: int) -> list[Record]:
    lines = free_lines(progress, leg)
    return [intents.order(place, plan, each, progress.rest_of(each, leg)) for each in lines]


def _reduced(place: Place, progress: Progress, plan: AcceptedPlan) -> list[Record]:
    if progress.open:
        return []
    return [executions.reduced(place, reduced(progress, plan).told), *held_back(place, progress, plan)]


def _handed_over(place: Place, progress: Progress, newer: Waiting) -> list[Record]:
    account_id, plan_id, run_id = place
    unsent = [
        unsent_outcome(place, line, progress.orders_ended(key_of(line)), newer.run_id)
        for line in progress.unfinished_lines
    ]
    return [
        *unsent,
        executions.superseded(account_id, run_id, plan_id, f"by run {newer.run_id}"),
        executions.cleared(progress, account_id, newer.run_id, newer.portfolio),
    ]
