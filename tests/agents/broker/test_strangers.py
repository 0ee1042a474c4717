"""Trades by hand: told from our own by the order's client order id, whatever was lost on the way."""

import json
from decimal import Decimal
from typing import Any

import pytest

from agents.broker.ports import NewOrder, Reply
from agents.declaration import Fact
from schemas.account import AccountActivity, AccountSnapshot, SnapshotStatus
from schemas.client_order_id import client_order_id
from schemas.identity import derived
from schemas.order import ReportKind
from tests.agents.broker.fake import SILENT, FakeBrokerage, refusal
from tests.agents.broker.test_performer import SUBMITTING, Desk, cleared, resting
from tests.agents.broker.test_watch import NAME, Post
from tests.agents.gateway.words import ACCOUNT, AS_OF

BY_PHONE = "3f1c8a52-9f6e-4d6e-9b8e-6d2f0f2f7f10"
OLDER = "alch-AAPL-20120601T155500-1a2b3c4d"
OURS = client_order_id("net", "AAPL", AS_OF, derived("intent"))


def trades(said: list[Any]) -> list[tuple[str, str | None]]:
    return [(each.activity_type, each.client_order_id) for each in said if isinstance(each, AccountActivity)]


def polled(post: Post) -> list[tuple[str, str | None]]:
    post.said.clear()
    post.watch.poll()
    return trades([each.record for each in post.said])


@pytest.mark.parametrize("name", [BY_PHONE, OLDER, "mobile app order"])
def test_a_trade_by_hand_is_said_once_with_the_name_of_its_order(post: Post, name: str) -> None:
    post.brokerage.trade_by_hand(name, "BUY", "AAPL", "5")
    assert polled(post) == [("FILL", name)]
    assert polled(post) == []
    assert len(post.brokerage.looked_up) == 1


def test_a_trade_by_hand_is_said_in_the_brokers_words(post: Post) -> None:
    post.brokerage.trade_by_hand(BY_PHONE, "SELL", "AAPL", "5")
    post.watch.poll()
    (record,) = [each.record for each in post.said if isinstance(each.record, AccountActivity)]
    assert json.loads(record.body) == post.brokerage.activity[0]


def test_our_own_executions_are_no_activities_and_nothing_is_asked_about_them(post: Post) -> None:
    post.sends()
    post.brokerage.fill(NAME, Decimal(10))
    assert polled(post) == []
    assert post.brokerage.looked_up == []


@pytest.mark.parametrize("trouble", ["lost", SILENT])
def test_an_order_whose_answer_was_lost_is_ours(post: Post, trouble: Reply | str) -> None:
    post.sends(trouble)
    if trouble == SILENT:
        post.brokerage.trade_by_hand(NAME, "BUY", "AAPL", "10")
    else:
        post.brokerage.fill(NAME, Decimal(10))
    assert polled(post) == []


def test_an_order_that_a_predecessor_sent_right_before_it_died_is_ours(post: Post) -> None:
    """Nothing was published about it: only its name says so."""
    post.brokerage.trade_by_hand(OURS, "BUY", "AAPL", "10")
    assert polled(post) == []


def test_an_order_placed_by_hand_is_none_of_ours_although_the_stream_told_of_it(post: Post) -> None:
    post.brokerage.is_heard = True
    post.brokerage.fills_at = lambda order: [order.order_qty]
    tell = post.watch._on_message
    post.brokerage.listen(tell, post.watch._on_gap)
    post.brokerage.submit(NewOrder(BY_PHONE, "AAPL", "BUY", Decimal(5), "MARKET", None, "DAY"))
    assert [each.record.kind for each in post.said if hasattr(each.record, "kind")] == [ReportKind.STREAM] * 2
    assert polled(post) == [("FILL", BY_PHONE)]
    assert post.brokerage.looked_up == []


def test_an_order_that_cannot_be_read_is_asked_for_again(post: Post) -> None:
    post.brokerage.trade_by_hand(BY_PHONE, "BUY", "AAPL", "5")
    post.brokerage.trouble("order", SILENT, refusal(404, 40410000, "order not found"), Reply(200, "[]", None))
    assert [polled(post) for _ in range(4)] == [[], [], [], [("FILL", BY_PHONE)]]


def test_a_trade_that_was_said_is_not_asked_for_by_the_next_owner(post: Post) -> None:
    post.brokerage.trade_by_hand(BY_PHONE, "BUY", "AAPL", "5")
    post.watch.poll()
    heir = Post(brokerage=post.brokerage)
    for fact in post.said:
        heir.memory.note_fact(fact)
    assert polled(heir) == []
    assert len(post.brokerage.looked_up) == 1


def snapshot_of(facts: list[Any]) -> AccountSnapshot:
    (found,) = [each for each in facts if isinstance(each, AccountSnapshot)]
    return found


def test_a_snapshot_has_what_happened_outside_our_orders_by_value_sorted(desk: Desk) -> None:
    desk.brokerage.deposit("100000")
    desk.perform(SUBMITTING)
    desk.brokerage.trade_by_hand(BY_PHONE, "BUY", "AAPL", "5")
    said = desk.perform(cleared())

    assert trades(said) == [("CSD", None), ("FILL", BY_PHONE)]
    content = snapshot_of(said).content
    assert [(each.activity_type, each.client_order_id) for each in content.activities] == trades(said)
    assert [each.activity_id for each in content.activities] == sorted(each["id"] for each in _others(desk))
    assert [(each.symbol, each.quantity) for each in content.positions] == [("AAPL", Decimal(15))]
    again = desk.perform(cleared())
    assert snapshot_of(again).content.activities == content.activities
    assert trades(again) == []


def _others(desk: Desk) -> list[dict[str, Any]]:
    own = desk.brokerage.book[SUBMITTING.client_order_id].id
    return [each for each in desk.brokerage.activity if each.get("order_id") != own]


def test_a_snapshot_asks_again_until_it_can_be_said_whose_a_trade_is(desk: Desk) -> None:
    desk.brokerage.trade_by_hand(BY_PHONE, "BUY", "AAPL", "5")
    desk.brokerage.trouble("order", Reply(200, '{"id": "61e6', None), refusal(429, 42910000, "too many requests"))
    assert trades(desk.perform(cleared())) == [("FILL", BY_PHONE)]


def test_a_snapshot_fails_while_it_cannot_be_said_whose_a_trade_is(desk: Desk) -> None:
    desk.brokerage.trade_by_hand(BY_PHONE, "BUY", "AAPL", "5")
    desk.brokerage.trouble("order", SILENT, SILENT, SILENT)
    snapshot = snapshot_of(desk.perform(cleared()))

    assert snapshot.status is SnapshotStatus.FAILED
    assert snapshot.detail.startswith(f"order {desk.brokerage.book[BY_PHONE].id}, 3 tries")


class Restless(FakeBrokerage):
    """An account in which a fee is posted while it is read."""

    fees = 1

    def positions(self) -> Reply:
        if self.fees:
            self.fees -= 1
            self.cash -= Decimal("0.02")
            self.deposit("-0.02", "FEE")
        return super().positions()


@pytest.mark.parametrize("fees", [1, 2])
def test_what_happens_while_the_account_is_read_is_in_the_cash_and_among_the_activities(fees: int) -> None:
    desk = Desk(brokerage=Restless(prices={"AAPL": Decimal(10)}))
    desk.brokerage.fees = fees  # type: ignore[attr-defined]
    content = snapshot_of(desk.perform(cleared())).content

    assert len(content.activities) == fees
    assert content.cash == Decimal(100_000) - fees * Decimal("0.02")


def test_an_account_that_never_comes_to_rest_is_read_three_times_and_no_more() -> None:
    brokerage = Restless(prices={"AAPL": Decimal(10)})
    brokerage.fees = 100
    assert snapshot_of(Desk(brokerage=brokerage).perform(cleared())).status is SnapshotStatus.READ
    assert brokerage.fees == 97


def test_symbols_without_a_price_are_asked_about_and_only_those(desk: Desk) -> None:
    desk.brokerage.assets = {"XYZ": {"status": "inactive", "tradable": False}}
    (state,) = snapshot_of(desk.perform(cleared())).content.instruments
    assert (state.symbol, state.detail) == ("XYZ", "asset status inactive, tradable no")

    desk.brokerage.assets = {"XYZ": {"status": "active", "tradable": True}}
    assert snapshot_of(desk.perform(cleared())).content.instruments == ()
    desk.brokerage.trouble("asset", SILENT)
    assert snapshot_of(desk.perform(cleared())).content.instruments == ()


def test_a_crash_right_after_sending_makes_no_trade_by_hand_of_our_order() -> None:
    """The heir polls before it performs the same event again: what it finds is ours all the same."""
    desk = Desk()
    desk.begins()
    resting(desk)
    event = SUBMITTING.model_copy(update={"client_order_id": OURS})
    desk.perform(event)
    desk.performer.release(0)
    desk.brokerage.fill(OURS, Decimal(10))
    heir = Desk(brokerage=desk.brokerage)
    heir.begins()
    heir.performer._watches[ACCOUNT].poll()
    said: list[Fact] = list(heir.facts(event))
    heir.performer._watches[ACCOUNT].poll()
    heir.performer.release(0)

    while not heir.unasked.empty():
        said.append(heir.unasked.get())
    assert trades([each.record for each in said]) == []
