"""Words for stories of the executor: a plan accepted, the orders it sends, how lines ended."""

from collections.abc import Iterable
from typing import Any

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Execution, LineOutcome
from schemas.order import IntentAction, OrderIntent, Side
from schemas.plan import PlanLine
from tests.agents.executor.made import line, plan, portfolio


def planned(*lines: PlanLine, **terms: Any) -> Story:
    """Return the story after a plan of these lines was accepted."""
    return given(executor).when(portfolio()).when(plan(*lines, **terms))


def sent(said: Iterable[object]) -> list[OrderIntent]:
    """Return the orders sent to the broker."""
    return [each for each in said if isinstance(each, OrderIntent) and each.action is IntentAction.SUBMIT]


def crossed(said: Iterable[object]) -> list[OrderIntent]:
    """Return the crosses asked for."""
    return [each for each in said if isinstance(each, OrderIntent) and each.action is IntentAction.CROSS]


def shapes(said: Iterable[object]) -> list[tuple[str, str, Side, int]]:
    """Return the orders sent: whose, of what, on which side, how many."""
    return [(each.order.book, each.order.symbol, each.order.side, int(each.order.order_qty)) for each in sent(said)]


def the_outcome(said: Iterable[object]) -> Any:
    """Return how the one line ended that has."""
    (found,) = ends(said)
    return found


def ends(said: Iterable[object]) -> list[Any]:
    """Return how lines ended, in order."""
    return [each for each in said if isinstance(each, LineOutcome)]


def the_detail(said: Iterable[object], status: str) -> str:
    """Return what the one step of a status says."""
    (found,) = [each for each in said if isinstance(each, Execution) and each.status == status]
    return found.detail


def own(book: str, symbol: str, quantity: int, **more: Any) -> PlanLine:
    """Return a line of a strategy's own book, signed shares."""
    return line(symbol, {book: quantity}, book=book, **more)
