"""What is forgotten can never matter again: with it or without it the very same is said, and no fill is lost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.broker import forgetting, memory
from agents.broker.forgetting import EVERY, KEPT_FOR, before
from agents.declaration import Fact
from agents.testing import remembered
from schemas.account import AccountActivity, AccountSnapshot
from schemas.order import BrokerReport, ReportRequest
from schemas.record import Record
from tests.agents.broker.weeks import LOST, Weeks

happenings = st.one_of(
    st.tuples(st.just("sends"), st.sampled_from(LOST)),
    st.tuples(st.just("fills"), st.integers(1, 10)),
    st.tuples(st.just("is_heard"), st.booleans()),
    st.tuples(st.just("trades_by_hand"), st.sampled_from(["BUY", "SELL"])),
    st.tuples(st.just("passes"), st.integers(1, 9)),
    st.tuples(st.just("passes"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["charges", "polls", "clears", "clears", "restarts"])),
)
stories = st.lists(happenings, min_size=10, max_size=60)


def lived(story: list[tuple[Any, ...]], **how: Any) -> Weeks:
    weeks = Weeks(**how)
    for what, *details in story:
        getattr(weeks, what)(*details)
    weeks.polls()
    weeks.clears()
    return weeks


def told(weeks: Weeks) -> list[tuple[Record, UUID | None]]:
    """Return what was said, and what is not of an order under which id.

    Which run and which attempt a report answers to is not known any more once its order is forgotten.
    """
    return [
        (each.record.model_copy(update={"attempt": 0, "report_id": UUID(int=0)}), None)
        if isinstance(each.record, BrokerReport) and each.record.client_order_id
        else (each.record, each.envelope.event_id)
        for each in weeks.facts
    ]


@settings(max_examples=40, deadline=None)
@example([*[("sends", None)] * 6, ("sends", "lost"), ("passes", 6), ("passes", 9), ("trades_by_hand", "BUY")])
@given(stories)
def test_who_forgets_says_the_very_same_as_who_remembers_all(story: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(forgetting, "KEPT_FOR", timedelta(days=10_000))
        elephant = lived(story)
    forgetful = lived(story)

    assert told(forgetful) == told(elephant)
    assert elephant.known.forgotten_until is None or elephant.known.forgotten_until.year < 2000


@settings(max_examples=40, deadline=None)
@given(stories, st.data())
def test_from_a_snapshot_and_its_tail_the_same_is_remembered_as_from_zero(
    story: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    cuts = data.draw(st.frozensets(st.integers(0, 60)))
    weeks = lived(story, is_cut=cuts.__contains__)

    assert weeks.state == remembered(memory, weeks.facts)


@settings(max_examples=40, deadline=None)
@example([("is_heard", False), ("sends", "lost"), ("fills", 7), ("passes", 9), ("restarts",)])
@given(stories)
def test_every_execution_of_our_orders_is_said_and_none_is_taken_for_a_trade_by_hand(
    story: list[tuple[Any, ...]],
) -> None:
    weeks = lived(story)
    ours = {each.id for each in weeks.brokerage.book.values() if each.new.client_order_id in weeks.names}
    theirs = [each for each in weeks.brokerage.activity if each.get("order_id") not in ours]

    assert len(weeks.trades()) == len(theirs)
    assert not {name for _, name in weeks.trades()} & set(weeks.names)
    for order in weeks.brokerage.book.values():
        if order.id in ours and order.filled_qty:
            said = [each.body for each in weeks.said(BrokerReport) if each.client_order_id == order.new.client_order_id]
            assert any(f'"{order.filled_qty}"' in body for body in said)


def busy_day(weeks: Weeks) -> None:
    weeks.sends()
    weeks.fills(4)
    weeks.fills(6)
    weeks.trades_by_hand("BUY")
    weeks.charges()
    weeks.clears()
    weeks.passes(1)


def test_what_is_remembered_does_not_grow_with_the_weeks() -> None:
    weeks, sizes = Weeks(), []
    for _ in range(80):
        busy_day(weeks)
        known = weeks.known
        parts = (known.orders, known.names, known.activities, known.strangers)
        sizes.append(tuple(len(each) for each in parts))

    assert sizes[-1] == sizes[40]
    assert all(size <= 2 * (KEPT_FOR + EVERY).days + 4 for size in sizes[-1])
    assert len(weeks.trades()) == 160


def test_trading_alone_moves_on_what_is_read_and_what_is_forgotten() -> None:
    """No fee and no deposit: still a reading begins a week before the last snapshot's executions."""
    weeks = Weeks()
    for _ in range(40):
        weeks.sends()
        weeks.fills(10)
        weeks.clears()
        weeks.passes(1)

    assert weeks.trades() == []
    assert len(weeks.known.orders) < 20
    weeks.restarts()
    after = weeks.hands._memories["DEMO-1"].activities_after()
    assert after is not None
    assert weeks.clock.at - after < timedelta(days=9)


def test_a_failed_snapshot_has_read_nothing() -> None:
    weeks = Weeks()
    weeks.sends()
    weeks.fills(10)
    weeks.brokerage.trouble("account", *LOST[2:] * 3)
    weeks.clears()

    assert [each.status.value for each in weeks.said(AccountSnapshot)] == ["FAILED"]
    assert weeks.known.latest_activity is None


def test_a_date_out_of_this_world_makes_nobody_forget() -> None:
    weeks = Weeks()
    weeks.sends()
    weeks.fills(10)
    weeks.charges()
    weeks.brokerage.activity[-1]["date"] = "2999-01-01"
    weeks.polls()

    assert weeks.known.latest_activity == datetime(2999, 1, 1, tzinfo=UTC)
    assert weeks.names[0] in weeks.known.orders
    assert before(datetime.min.replace(tzinfo=UTC), KEPT_FOR) == datetime.min.replace(tzinfo=UTC)


def test_an_activity_that_does_not_say_when_it_happened_is_never_forgotten_nor_said_twice() -> None:
    weeks = Weeks()
    weeks.charges()
    timeless = weeks.brokerage.activity[-1]["id"]
    weeks.brokerage.activity[-1]["date"] = "someday"
    weeks.brokerage._after = lambda _: list(weeks.brokerage.activity)  # type: ignore[method-assign]
    for _ in range(40):
        busy_day(weeks)

    assert timeless in weeks.known.activities
    assert [each.activity_id for each in weeks.said(AccountActivity)].count(timeless) == 1


def test_an_order_that_may_be_there_is_kept_until_a_snapshot_says_that_all_has_ended() -> None:
    weeks = Weeks()
    weeks.sends(LOST[2])
    for day in range(40):
        weeks.sends()
        weeks.charges()
        weeks.polls()
        weeks.passes(1)
        if day == 8:
            weeks.restarts()  # nobody tells the heir that it is UNKNOWN: it is read once more, and no more
    assert weeks.known.orders[weeks.names[0]].is_unanswered
    weeks.clears()
    for _ in range(30):
        busy_day(weeks)
    assert weeks.names[0] not in weeks.known.orders


def test_a_resting_order_by_hand_is_said_daily_and_so_never_forgotten() -> None:
    weeks = Weeks()
    order = weeks.brokerage.submit_late("by-hand")
    for _ in range(40):
        weeks.charges()
        weeks.polls()
        weeks.clock.at += timedelta(days=1)

    assert "by-hand" in weeks.known.orders
    assert len([each for each in weeks.said(BrokerReport) if each.request is ReportRequest.ORDER]) == 40
    assert order.is_open


def test_a_listing_that_shows_more_than_was_asked_for_makes_no_trade_by_hand_of_a_forgotten_order() -> None:
    weeks = Weeks()
    for _ in range(40):
        busy_day(weeks)
    assert weeks.names[0] not in weeks.known.orders
    weeks.brokerage._after = lambda _: list(weeks.brokerage.activity)  # type: ignore[method-assign]
    weeks.restarts()
    weeks.clears()

    assert not {name for _, name in weeks.trades()} & set(weeks.names)
    assert not {each.client_order_id for each in weeks.said(AccountSnapshot)[-1].content.activities} & set(weeks.names)


def test_a_message_of_a_forgotten_order_is_the_same_report_again() -> None:
    weeks = Weeks()
    messages: list[str] = []
    hear = weeks.brokerage.on_message
    assert hear is not None
    weeks.brokerage.on_message = lambda body: (messages.append(body), hear(body))[1]
    busy_day(weeks)
    message = messages[-1]
    first: list[Fact] = [each for each in weeks.facts if getattr(each.record, "body", "") == message]
    for _ in range(40):
        busy_day(weeks)
    assert weeks.names[0] not in weeks.known.orders
    weeks.hands.hear("DEMO-1", message)

    assert [each.envelope.event_id for each in first] == [weeks.facts[-1].envelope.event_id]
    assert Decimal(10) == weeks.brokerage.book[weeks.names[0]].filled_qty
