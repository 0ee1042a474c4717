"""Whose an execution is when its order cannot simply be read: it is gone, it is one of many, its log is gone."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.broker.ports import Reply
from agents.broker.strangers import ASKED_MAX, GONE_AFTER
from agents.declaration import Fact
from agents.ledger import decider as ledger
from agents.testing import given
from schemas.account import AccountActivity, AccountSnapshot, OrderProgress, SnapshotStatus
from schemas.client_order_id import client_order_id
from schemas.identity import derived
from schemas.ledger import MANUAL, LedgerEntry
from tests.agents.broker.fake import SILENT, refusal
from tests.agents.broker.test_performer import SUBMITTING, Desk, cleared
from tests.agents.broker.test_watch import Post
from tests.agents.gateway.words import AS_OF, NAME

GONE = ""
BY_HAND = "by-hand"
OF_ANOTHER_LOG = client_order_id("net", "AAPL", AS_OF, derived("another log's intent"))


def trades(said: list[Any]) -> list[str | None]:
    return [each.client_order_id for each in said if isinstance(each, AccountActivity) and each.activity_type == "FILL"]


def activities(said: Iterable[Fact]) -> list[str]:
    return [each.record.activity_type for each in said if isinstance(each.record, AccountActivity)]


def snapshot_of(said: list[Any]) -> AccountSnapshot:
    (found,) = [each for each in said if isinstance(each, AccountSnapshot)]
    return found


def polled(post: Post) -> list[str | None]:
    post.said.clear()
    post.watch.poll()
    return trades([each.record for each in post.said])


def traded(where: Desk | Post, count: int) -> list[str]:
    names = [f"{BY_HAND}-{number:03}" for number in range(count)]
    for name in names:
        where.brokerage.trade_by_hand(name, "BUY", "AAPL", "1")
    return names


# --- orders that are gone


def test_an_execution_whose_order_is_gone_is_a_trade_by_hand_without_a_name(desk: Desk) -> None:
    traded(desk, 1)
    desk.brokerage.forget(f"{BY_HAND}-000")
    said = desk.perform(cleared())

    assert snapshot_of(said).status is SnapshotStatus.READ
    assert trades(said) == [GONE]
    booked = given(ledger).when(snapshot_of(said)).said
    entries = [each for each in booked if isinstance(each, LedgerEntry)]
    assert MANUAL in {each.owner for entry in entries for each in entry.postings}
    again = desk.perform(cleared())
    assert snapshot_of(again).content.activities == snapshot_of(said).content.activities
    assert len(desk.brokerage.looked_up) == 1


@pytest.mark.parametrize("trouble", [SILENT, refusal(429, 42910000, "wait"), refusal(500, 50010000, "no")])
def test_an_answer_that_is_no_definite_no_leaves_the_owner_open(desk: Desk, trouble: Reply) -> None:
    traded(desk, 1)
    desk.brokerage.trouble("order", trouble, trouble, trouble)
    assert snapshot_of(desk.perform(cleared())).status is SnapshotStatus.FAILED
    assert trades(desk.perform(cleared())) == [f"{BY_HAND}-000"]


def test_an_execution_of_our_own_order_is_ours_although_the_order_is_gone(desk: Desk) -> None:
    desk.perform(SUBMITTING)
    desk.brokerage.forget(NAME)
    assert trades(desk.perform(cleared())) == []


def test_a_poll_believes_that_an_order_is_gone_when_its_execution_is_not_fresh(post: Post) -> None:
    traded(post, 1)
    post.brokerage.forget(f"{BY_HAND}-000")
    assert polled(post) == []
    post.at += GONE_AFTER
    assert polled(post) == [GONE]
    assert polled(post) == []


# --- an account with a history


def test_the_orders_of_a_long_history_are_named_by_their_listing(desk: Desk) -> None:
    names = traded(desk, 3 * ASKED_MAX)
    said = desk.perform(cleared())
    assert sorted(name or "" for name in trades(said)) == names
    assert desk.brokerage.looked_up == []


def test_a_poll_names_the_orders_of_a_long_history_by_their_listing(post: Post) -> None:
    names = traded(post, 3 * ASKED_MAX)
    assert polled(post) == names
    assert post.brokerage.looked_up == []


def test_a_listing_that_cannot_be_read_leaves_the_orders_to_be_asked_for_singly(post: Post) -> None:
    names = traded(post, ASKED_MAX + 1)
    post.brokerage.trouble("orders", Reply(200, "[]", None), Reply(200, "[{", None))
    assert len(polled(post)) == ASKED_MAX
    assert len(polled(post)) == 1
    assert len(post.brokerage.looked_up) == len(names)


def test_a_snapshot_asks_for_so_many_orders_and_says_how_many_are_left(desk: Desk) -> None:
    names = traded(desk, 2 * ASKED_MAX + 5)
    desk.brokerage.unlisted = set(names)
    snapshot = snapshot_of(desk.perform(cleared()))
    assert snapshot.status is SnapshotStatus.FAILED
    assert f"the executions of {ASKED_MAX + 5} orders are is unknown" in snapshot.detail
    assert len(desk.brokerage.looked_up) == ASKED_MAX


def test_every_try_gets_further_until_all_of_the_history_is_said(desk: Desk) -> None:
    desk.brokerage.deposit("100000")
    names = traded(desk, 2 * ASKED_MAX + 5)
    desk.brokerage.unlisted = set(names)
    states = [snapshot_of(said := desk.perform(cleared())).status for _ in range(3)]
    assert states == [SnapshotStatus.FAILED, SnapshotStatus.FAILED, SnapshotStatus.READ]
    assert sorted(name or "" for name in trades(said)) == names
    assert len(desk.brokerage.looked_up) == len(names)


def test_an_old_trade_is_said_although_its_order_was_read_long_after_newer_news(post: Post) -> None:
    """Readings begin some days before the latest news: news that is too new waits for the old trade."""
    traded(post, 1)
    post.brokerage.activity.append(_deposited(post.at + timedelta(days=30)))
    post.brokerage.trouble("order", SILENT)
    assert polled(post) == []
    assert activities(post.said) == []

    heir = Post(brokerage=post.brokerage)
    assert polled(heir) == [f"{BY_HAND}-000"]
    assert activities(heir.said) == ["FILL", "CSD"]


def test_a_snapshot_that_failed_has_not_forgotten_what_happened_long_ago(desk: Desk) -> None:
    traded(desk, 1)
    desk.brokerage.activity.append(_deposited(AS_OF + timedelta(days=30)))
    desk.brokerage.trouble("order", SILENT, SILENT, SILENT)
    assert snapshot_of(desk.perform(cleared())).status is SnapshotStatus.FAILED
    assert trades(desk.perform(cleared())) == [f"{BY_HAND}-000"]


def _deposited(at: datetime) -> dict[str, Any]:
    amount = {"activity_type": "CSD", "net_amount": "5"}
    return {"id": f"{at:%Y%m%d}000000000::late", "date": at.date().isoformat(), **amount}


# --- a log that is gone


def test_an_order_in_our_form_that_this_log_never_told_of_is_said_by_the_snapshot(desk: Desk) -> None:
    desk.brokerage.trade_by_hand(OF_ANOTHER_LOG, "BUY", "AAPL", "5")
    said = desk.perform(cleared())
    assert trades(said) == [OF_ANOTHER_LOG]
    assert snapshot_of(said).content.activities[0].client_order_id == OF_ANOTHER_LOG
    assert trades(desk.perform(cleared())) == []


def test_polls_before_that_snapshot_say_nothing_of_it_and_lose_nothing(desk: Desk) -> None:
    desk.brokerage.trade_by_hand(OF_ANOTHER_LOG, "BUY", "AAPL", "5")
    desk.brokerage.activity.append(_deposited(AS_OF + timedelta(days=30)))
    (watch,) = desk.performer._watches.values()
    watch.poll()
    watch.poll()
    assert activities(desk.unasked.queue) == []
    assert trades(desk.perform(cleared())) == [OF_ANOTHER_LOG]


def test_an_order_that_a_cleared_run_says_has_ended_is_ours_before_it_is_read_again_that_it_was_sent(
    desk: Desk,
) -> None:
    desk.brokerage.trade_by_hand(OF_ANOTHER_LOG, "BUY", "AAPL", "5")
    ended = (OrderProgress(client_order_id=OF_ANOTHER_LOG, cum_qty=SUBMITTING.leaves_qty, gross_trade_amt=Decimal(0)),)
    run = cleared().model_copy(update={"ended_orders": ended})
    first = desk.facts(run)
    assert trades([each.record for each in first]) == []

    heir = Desk(brokerage=desk.brokerage)
    heir.begins(first)
    assert trades(heir.perform(cleared())) == []
    heir.performer.release(0)


# --- quotes


@pytest.mark.parametrize("bad", [{"XYZ"}, {"AAPL"}, {"AAPL", "XYZ"}])
def test_a_symbol_that_makes_the_broker_refuse_all_quotes_has_none_and_the_others_have_theirs(
    desk: Desk, bad: set[str]
) -> None:
    desk.brokerage.prices["XYZ"] = desk.brokerage.prices["AAPL"]
    desk.brokerage.unquotable = bad
    snapshot = snapshot_of(desk.perform(cleared()))
    assert snapshot.status is SnapshotStatus.READ
    assert {each.symbol for each in snapshot.content.quotes} == {"AAPL", "XYZ"} - bad
    assert {each.symbol for each in snapshot.content.instruments} == bad
