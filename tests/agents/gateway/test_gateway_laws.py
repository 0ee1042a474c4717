"""Laws of the gateway: whatever is lost, doubled or late, an order's executions are booked once, in their order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.gateway import decider as gateway
from agents.gateway.rules import CANCELS_MAX
from agents.gateway.sending import ATTEMPTS_MAX
from agents.testing import Story, given
from schemas.order import TERMINAL, BrokerReport, ExecType, Fill, IntentAction, OrderEvent, OrdStatus
from schemas.record import Record
from tests.agents.gateway.words import (
    AS_OF,
    answered,
    cancel_answered,
    checked,
    duplicate,
    fills,
    intent,
    limited,
    not_found,
    read,
    silent,
    traded,
    update,
)

ENDS = {"filled": OrdStatus.FILLED, "canceled": OrdStatus.CANCELED, "expired": OrdStatus.EXPIRED}


@st.composite
def truths(draw: st.DrawFn) -> tuple[list[int], str]:
    """Return what really happened to an order of ten: its cumulative quantities, and its end."""
    steps = sorted(draw(st.sets(st.integers(1, 9), max_size=3)))
    end = draw(st.sampled_from(sorted(ENDS)))
    return ([*steps, 10], end) if end == "filled" else (steps, end)


def told(steps: Sequence[int], end: str) -> list[BrokerReport]:
    """Return all that the broker may say about what really happened."""
    before = [0, *steps]
    stream = [traded(str(cum), str(cum - last)) for cum, last in zip(steps, before, strict=False)]
    rows = [(str(cum), str(cum - last)) for cum, last in zip(steps, before, strict=False)]
    filled = str(before[-1])
    listed = [fills(*rows[:count]) for count in range(1, len(rows) + 1)]
    shown = [read("partially_filled", str(cum)) for cum in steps if cum < 10]
    end_said = [] if end == "filled" else [update(end, end, filled)]
    answers = [answered(), duplicate(), silent(), answered(500), answered(429)]
    return [*stream, *end_said, *listed, *shown, read("new"), read(end, filled), update("new"), *answers, not_found()]


def truth_read(steps: Sequence[int], end: str) -> tuple[BrokerReport, BrokerReport]:
    """Return what a poll reads in the end: executions, then the order."""
    before = [0, *steps]
    rows = [(str(cum), str(cum - last)) for cum, last in zip(steps, before, strict=False)]
    return fills(*rows), read(end, str(before[-1]))


def run(reports: Sequence[Record]) -> tuple[Story, list[Record]]:
    story = given(gateway, limited()).when(intent(), at=AS_OF).when(checked())
    said = list(story.said)
    for each in reports:
        story = story.when(each)
        said += story.said
    return story, said


@settings(max_examples=80, deadline=None)
@for_all(st.data())
def test_every_execution_is_booked_once_in_cumulative_order_and_the_end_is_right(data: st.DataObject) -> None:
    steps, end = data.draw(truths())
    heard = data.draw(st.lists(st.sampled_from(told(steps, end)), max_size=8))
    _, said = run([*heard, *truth_read(steps, end), *heard])

    booked = [each for each in said if isinstance(each, Fill)]
    assert [each.cum_qty for each in booked] == steps
    assert sum((each.last_qty for each in booked), Decimal(0)) == (steps[-1] if steps else 0)
    events = [each for each in said if isinstance(each, OrderEvent)]
    assert events[-1].ord_status is ENDS[end]
    assert [each.cum_qty for each in events if each.exec_type is ExecType.TRADE] == steps
    for each in events:
        is_over = each.ord_status in TERMINAL
        assert each.leaves_qty == (0 if is_over else each.order.order_qty - each.cum_qty)


@settings(max_examples=40, deadline=None)
@for_all(st.data())
def test_said_twice_is_said_once(data: st.DataObject) -> None:
    steps, end = data.draw(truths())
    heard = data.draw(st.lists(st.sampled_from(told(steps, end)), max_size=8))
    _, once = run(heard)
    _, twice = run([report for each in heard for report in (each, each)])

    assert [each for each in twice if isinstance(each, Fill)] == [each for each in once if isinstance(each, Fill)]
    assert _steps(twice) == _steps(once)


@settings(max_examples=40, deadline=None)
@for_all(st.data())
def test_whatever_the_broker_says_an_order_is_never_sent_or_canceled_without_end(data: st.DataObject) -> None:
    steps, end = data.draw(truths())
    possible: list[Any] = [*told(steps, end), *(silent(attempt=each) for each in range(1, 9))]
    possible += [cancel_answered(500), cancel_answered(404), intent(IntentAction.CANCEL), intent()]
    heard = data.draw(st.lists(st.sampled_from(possible), max_size=20))
    _, said = run(heard)

    events = [each for each in said if isinstance(each, OrderEvent)]
    attempts = [each.attempt for each in events if each.exec_type is ExecType.SUBMITTING]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) <= ATTEMPTS_MAX
    assert len([each for each in events if each.exec_type is ExecType.CANCELING]) <= CANCELS_MAX
    assert {each.client_order_id for each in events} == {intent().client_order_id}
    ended = [index for index, each in enumerate(events) if each.ord_status in TERMINAL]
    assert all(each.exec_type is ExecType.TRADE for each in events[ended[0] + 1 :]) if ended else True


def _steps(said: Sequence[Record]) -> list[str]:
    asked = (ExecType.QUERYING,)
    return [each.exec_type.value for each in said if isinstance(each, OrderEvent) and each.exec_type not in asked]
