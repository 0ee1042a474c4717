"""The steps of a run, as they are said: cleared, accepted, reduced, finished, superseded; and receipts of orders."""

from collections import Counter
from uuid import UUID

from agents.executor.outcomes import plain
from agents.executor.progress import Progress
from schemas.account import OrderProgress
from schemas.execution import AcceptedPlan, Execution, ExecutionStatus
from schemas.order import OrderEvent
from schemas.portfolio import Portfolio, PortfolioContent

Place = tuple[str, UUID, UUID]
"""Account, plan and run."""


def abandoned(portfolio: Portfolio) -> Execution:
    """Return the end of a run whose quorum was missed."""
    failed, missing = (", ".join(each) or "none" for each in (portfolio.failed, portfolio.missing))
    quorum = portfolio.content.terms.rules.quorum
    detail = f"QUORUM_MISSED quorum {quorum}, failed: {failed}, missing: {missing}; nothing is traded"
    return _step(portfolio.account_id, portfolio.run_id, None, ExecutionStatus.ABANDONED, detail)


def clearing(portfolio: Portfolio, detail: str) -> Execution:
    """Return that a run waits for an older one to end."""
    step = _step(portfolio.account_id, portfolio.run_id, None, ExecutionStatus.CLEARING, detail)
    return step.model_copy(update={"portfolio": portfolio.content})


def cleared(progress: Progress, account_id: str, run_id: UUID, content: PortfolioContent) -> Execution:
    """Return that the account is quiet: the run may be planned on a snapshot that is read from now on."""
    ended = tuple(progress.ended[name] for name in sorted(progress.ended))
    step = _step(account_id, run_id, None, ExecutionStatus.CLEARED, "")
    return step.model_copy(update={"portfolio": content, "ended_orders": ended})


def accepted(place: Place, plan: AcceptedPlan, detail: str) -> Execution:
    """Return that a plan is carried out, with all that is to be remembered of it."""
    account_id, plan_id, run_id = place
    step = _step(account_id, run_id, plan_id, ExecutionStatus.ACCEPTED, detail)
    return step.model_copy(update={"plan": plan})


def receipt(place: Place, stage: ExecutionStatus | None, event: OrderEvent) -> Execution:
    """Return that an order has ended whose line goes on."""
    account_id, plan_id, run_id = place
    told = f"{event.client_order_id} {event.ord_status} {plain(event.cum_qty)} of {plain(event.order.order_qty)}"
    step = _step(account_id, run_id, plan_id, stage or ExecutionStatus.ACCEPTED, f"{told} {event.reason}".strip())
    done = OrderProgress(
        client_order_id=event.client_order_id, cum_qty=event.cum_qty, gross_trade_amt=event.gross_trade_amt
    )
    return step.model_copy(update={"ended_orders": (done,)})


def reduced(place: Place, detail: str) -> Execution:
    """Return that all crosses and reducing orders have ended."""
    account_id, plan_id, run_id = place
    return _step(account_id, run_id, plan_id, ExecutionStatus.REDUCED, detail)


def finished(place: Place, progress: Progress) -> Execution:
    """Return that every line of a plan has ended, and how many in which way."""
    account_id, plan_id, run_id = place
    counts = Counter(progress.outcomes[key].value for key in sorted(progress.outcomes))
    detail = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    return _step(account_id, run_id, plan_id, ExecutionStatus.FINISHED, detail)


def superseded(account_id: str, run_id: UUID, plan_id: UUID | None, detail: str) -> Execution:
    """Return that a newer run has taken the place of a run."""
    return _step(account_id, run_id, plan_id, ExecutionStatus.SUPERSEDED, detail)


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
