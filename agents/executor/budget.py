"""What the reducing orders brought, and which increasing ones may not go because of it.

Judged once, when the last reducing order has ended: the lines that are held back end in that decision, and whatever is
left may go. So nothing of it has to be remembered.

As long as every reducing order was executed in full, nothing is held back: what prices did to the sells they do to the
buys as well, and limits, the gate's collar and the broker's buying power judge prices. When one failed, what there is
to spend is reckoned anew from what was really paid and received.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from agents.executor.lines import INCREASING_LEG, REDUCING_LEG, ZERO, key_of
from agents.executor.outcomes import held_back_outcome, plain
from agents.executor.progress import Progress
from schemas.execution import AcceptedPlan, LineOutcome, LineUnderWay
from schemas.order import Side
from schemas.plan import Rule


class Reduced(NamedTuple):
    """What a plan's reducing orders came to, dollars: their value and what of it failed; the cash they freed."""

    planned: Decimal
    failed: Decimal
    expected: Decimal
    freed: Decimal

    @property
    def told(self) -> str:
        """What failed, for a person; empty when nothing did."""
        if not self.failed:
            return ""
        freed, expected = plain(self.freed), plain(self.expected)
        return f"{plain(self.failed)} of {plain(self.planned)} dollars failed; freed {freed} of {expected}"


def reduced(progress: Progress, plan: AcceptedPlan) -> Reduced:
    """Return what the reducing orders of a plan came to: sells bring cash, covers spend it.

    Values are at the midpoint, expectations at the touch the plan was made with. Without leverage a cover is paid from
    its collateral, which is no part of `cash_available`: only what it cost more or less than that is cash.
    """
    planned = failed = expected = freed = ZERO
    for line in plan.lines:
        if not line.reducing_qty:
            continue
        orders = progress.orders_ended(key_of(line), REDUCING_LEG)
        executed = sum((each.cum_qty for each in orders), ZERO)
        paid = sum((each.gross_trade_amt for each in orders), ZERO)
        planned += line.reducing_qty * line.price
        failed += (line.reducing_qty - executed) * line.price
        if line.side is Side.SELL:
            expected += _at_touch(line, line.reducing_qty)
            freed += paid
        elif plan.is_leverage_allowed:
            expected -= _at_touch(line, line.reducing_qty)
            freed -= paid
        else:
            freed += _at_touch(line, executed) - paid
    return Reduced(planned, failed, expected, freed)


def held_back(place: tuple[str, UUID, UUID], progress: Progress, plan: AcceptedPlan) -> Iterator[LineOutcome]:
    """Yield the ends of the lines whose increasing order may not go; `place` is account, plan and run."""
    done = reduced(progress, plan)
    if not done.failed:
        return
    most = plan.execution.failed_reducing_max
    left = plan.cash_available + done.freed
    for line in progress.unsent_lines(INCREASING_LEG):
        needed = _needed(plan, line)
        if most is not None and done.failed > most * done.planned:
            rule, threshold = Rule.REDUCING_FAILED, most
            why = f"reducing orders: {done.told}; at most {plain(most)} of them may fail"
        elif needed > max(left, ZERO):
            rule, threshold = Rule.CASH_NOT_FREED, left
            why = f"it needs {plain(needed)} dollars, {plain(left)} are left; reducing orders: {done.told}"
        else:
            left -= needed
            continue
        found = held_back_outcome(place, line, progress.orders_ended(key_of(line)), rule, threshold)
        yield found.model_copy(update={"reason": f"{_what(line)} was not sent: {why}"})


def _needed(plan: AcceptedPlan, line: LineUnderWay) -> Decimal:
    """Return what an increasing order takes of the budget: a new short only uses buying power."""
    if line.side is Side.SELL and not plan.is_leverage_allowed:
        return ZERO
    return _at_touch(line, line.order_qty - line.reducing_qty)


def _at_touch(line: LineUnderWay, quantity: Decimal) -> Decimal:
    return line.notional * quantity / line.order_qty


def _what(line: LineUnderWay) -> str:
    return f"its increasing order of {plain(line.order_qty - line.reducing_qty)}" if line.reducing_qty else "it"
