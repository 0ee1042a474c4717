"""Polls: they say what is new, once, executions before ends, and insist on an end until it can be believed."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.broker import facts
from agents.broker.facts import Origin
from agents.broker.forgetting import FOLLOWED_FOR
from agents.broker.memory import AccountMemory
from agents.broker.poll import CLOSED_OVERLAP, TRIES
from agents.broker.ports import NewOrder, Reply
from agents.broker.watch import AccountWatch
from agents.declaration import Fact
from schemas.account import AccountSnapshot, Position, SnapshotStatus
from schemas.client_order_id import client_order_id
from schemas.identity import derived
from schemas.order import ReportRequest
from schemas.record import Envelope
from tests.agents.broker.fake import SILENT, FakeBrokerage, refusal
from tests.agents.gateway.words import ACCOUNT, AS_OF
from tests.made import snapshot_content

ORDER = NewOrder("core-AAPL-1", "AAPL", "BUY", Decimal(10), "MARKET", None, "DAY")
NAME = ORDER.client_order_id
AT_MARKET: Any = ("MARKET", None, "DAY")
ENVELOPE = Envelope(
    event_id=derived("snapshot"), correlation_id=derived("run"), causation_id=derived("cleared"), occurred_at=AS_OF
)


@dataclass
class Post:
    """A watch that is polled by hand; `said` is what it published."""

    brokerage: FakeBrokerage = field(
        default_factory=lambda: FakeBrokerage(prices={"AAPL": Decimal(10)}, fills_at=lambda _: [], is_heard=False)
    )
    said: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.at, self.at_s = AS_OF, 0.0
        self.memory = AccountMemory(ACCOUNT)
        self.begins()

    def begins(self) -> None:
        """Begin to watch, with what the memory says."""
        self.watch = AccountWatch(
            self.brokerage, self.memory, self.said.append, lambda: self.at, 3600, lambda: self.at_s
        )
        self.brokerage.listen(self.watch._on_message, self.watch._on_gap)

    def sends(self, trouble: Reply | str | None = None) -> None:
        """Send the order as the performer does, and report the answer."""
        if trouble is not None:
            self.brokerage.trouble("submit", trouble)
        self.memory.submitting(NAME, Origin(derived("run"), derived("submitting"), 1))
        reply = self.brokerage.submit(ORDER)
        asking = facts.Asking(self.at, self.at, derived("submitting"))
        self.memory.note_fact(facts.answer(self.memory.subject(NAME), ReportRequest.SUBMIT, reply, asking, 1))

    def polls(self) -> list[str]:
        """Poll and return what was said because of it of orders and activities."""
        return [word for word in self.polls_all() if not word.startswith("positions")]

    def polls_all(self) -> list[str]:
        """Poll and return all that was said because of it."""
        self.said.clear()
        self.watch.poll()
        return [_word(fact.record) for fact in self.said]


def _word(record: Any) -> str:
    if not hasattr(record, "kind"):
        return str(record.activity_type)
    if record.request is ReportRequest.FILLS:
        rows = json.loads(record.body)
        return f"fills to {rows[-1]['cum_qty']}" if rows else "no fills"
    if record.request is ReportRequest.ACCOUNT:
        assert record.client_order_id == ""
        if record.http_status != 200:
            return f"account {record.http_status}"
        return " ".join(["positions", *(f"{row['symbol']} {row['qty']}" for row in json.loads(record.body))])
    if record.http_status is None:
        return "silence"
    shown = json.loads(record.body)
    return f"order {shown['status']}" if record.http_status == 200 else f"order {record.http_status}"


def test_a_poll_of_a_quiet_account_says_nothing(post: Post) -> None:
    assert post.polls() == []


def test_an_activity_is_said_once_and_an_execution_is_none(post: Post) -> None:
    post.brokerage.deposit("100000")
    assert post.polls() == ["CSD"]
    assert post.polls() == []
    post.brokerage.deposit("-0.01", "FEE")
    assert post.polls() == ["FEE"]


def test_an_order_that_was_answered_is_not_said_again(post: Post) -> None:
    post.sends()
    assert post.polls() == []


def test_an_order_whose_answer_was_lost_is_said_once(post: Post) -> None:
    post.sends("lost")
    assert post.polls() == ["order new"]
    assert post.polls() == []


def test_an_order_that_never_arrived_is_said_to_be_missing_once_a_day(post: Post) -> None:
    post.sends(SILENT)
    assert post.polls() == ["order 404"]
    assert post.polls() == []
    post.at += timedelta(days=1)
    assert post.polls() == ["order 404"]
    post.at += FOLLOWED_FOR
    assert post.polls() == []


def test_lost_executions_are_said_before_the_order_and_once(post: Post) -> None:
    post.sends()
    post.brokerage.fill(NAME, Decimal(4))
    assert post.polls() == ["fills to 4", "order partially_filled"]
    assert post.polls() == []
    post.brokerage.fill(NAME, Decimal(10))
    assert post.polls() == ["fills to 10", "order filled"]
    assert post.polls() == []


def test_what_the_stream_said_is_not_said_again(post: Post) -> None:
    post.brokerage.is_heard = True
    post.sends()
    post.brokerage.fill(NAME, Decimal(4))
    post.brokerage.fill(NAME, Decimal(10))
    assert len(post.said) == 3
    assert post.polls() == []


def test_an_execution_the_stream_lost_is_said_although_a_later_one_was_heard(post: Post) -> None:
    post.sends()
    post.brokerage.fill(NAME, Decimal(4))
    post.brokerage.is_heard = True
    post.brokerage.fill(NAME, Decimal(10))
    assert post.polls() == ["fills to 10", "order filled"]
    assert post.polls() == []


def test_a_lost_end_is_said(post: Post) -> None:
    post.sends()
    post.brokerage.end(NAME, "canceled")
    assert post.polls() == ["order canceled"]
    assert post.polls() == []


def test_an_end_is_repeated_until_the_executions_before_it_were_said(post: Post) -> None:
    post.sends()
    post.brokerage.fill(NAME, Decimal(4))
    post.brokerage.end(NAME, "canceled")
    late = post.brokerage.activity.pop()
    assert post.polls() == ["order canceled"]
    assert post.polls() == ["order canceled"]
    post.brokerage.activity.append(late)
    assert post.polls() == ["fills to 4", "order canceled"]
    assert post.polls() == []


def test_an_execution_after_the_end_is_said(post: Post) -> None:
    post.sends()
    post.brokerage.end(NAME, "canceled")
    assert post.polls() == ["order canceled"]
    post.brokerage.fill(NAME, Decimal(4))
    assert post.polls() == ["fills to 4"]


def test_an_open_order_sent_by_hand_is_said_too(post: Post) -> None:
    post.brokerage.submit(ORDER)
    assert post.polls() == ["order new"]
    assert post.polls() == []


def test_what_cannot_be_read_is_passed_over_until_it_can(post: Post) -> None:
    post.sends()
    post.brokerage.deposit("100000")
    post.brokerage.fill(NAME, Decimal(10))
    no, torn = refusal(500, 50010000, "no"), Reply(200, "[{", None)
    for request in ("order", "orders", "closed", "activities", "positions"):
        post.brokerage.trouble(request, *(no, torn) * TRIES)
    assert post.polls() == []
    assert post.polls() == []
    assert post.polls() == ["fills to 10", "order filled", "CSD"]


def test_an_order_that_was_refused_is_not_followed(post: Post) -> None:
    post.sends(refusal(403, 40310000, "insufficient buying power"))
    assert post.polls() == []


def test_an_order_that_was_refused_and_is_open_all_the_same_is_said_once(post: Post) -> None:
    post.sends(refusal(403, 40310000, "insufficient buying power"))
    post.memory.ended(NAME)
    post.brokerage.submit_late(NAME)
    assert post.polls() == ["order new"]
    assert post.polls() == []


def test_an_order_refused_as_a_duplicate_is_followed_because_it_may_live(post: Post) -> None:
    post.sends(refusal(400, 40010001, "client order id must be unique"))
    assert post.polls() == ["order 404"]


def test_activities_are_read_again_from_some_days_before_the_latest(post: Post) -> None:
    post.brokerage.deposit("100000")
    post.polls()
    late = {**post.brokerage.activity[0], "id": "20120528000000000::late", "date": "2012-05-28"}
    post.brokerage.activity.append(late)
    assert post.polls() == ["CSD"]


def test_an_order_that_was_sent_and_closed_in_a_gap_is_said_although_nobody_followed_it(post: Post) -> None:
    own = NewOrder(client_order_id("core", "AAPL", AS_OF, derived("intent")), "AAPL", "BUY", Decimal(10), *AT_MARKET)
    for order in (own, NewOrder("by-phone", "AAPL", "BUY", Decimal(1), *AT_MARKET)):
        post.brokerage.submit(order)
        post.brokerage.end(order.client_order_id, "canceled")
    assert post.polls() == ["order canceled"]
    assert post.said[0].record.client_order_id == own.client_order_id  # type: ignore[attr-defined]
    assert post.polls() == []


def test_closed_orders_are_read_from_shortly_before_the_last_poll_that_read_everything(post: Post) -> None:
    post.brokerage.trouble("positions", *(SILENT,) * TRIES)
    post.polls()
    post.at += timedelta(hours=1)
    post.polls()
    post.at += timedelta(hours=1)
    post.polls()
    assert post.brokerage.closed_after == [
        AS_OF - FOLLOWED_FOR,
        AS_OF + timedelta(hours=1) - FOLLOWED_FOR,
        AS_OF + timedelta(hours=1) - CLOSED_OVERLAP,
    ]


@pytest.mark.parametrize("request_name", ["orders", "closed", "activities", "positions"])
def test_only_a_poll_that_has_read_everything_lets_orders_pass(post: Post, request_name: str) -> None:
    post.sends("lost")
    post.brokerage.unlisted.add(NAME)
    post.brokerage.trouble(request_name, *(SILENT,) * TRIES)
    post.polls()
    post.at_s += 3600
    assert "the first poll after the stream was confirmed" in post.watch.missing()
    post.polls()
    assert post.watch.missing() == ""


@pytest.mark.parametrize("request_name", ["orders", "closed", "activities", "positions"])
def test_a_listing_that_is_read_at_the_last_try_is_read(post: Post, request_name: str) -> None:
    post.brokerage.trouble(request_name, *(SILENT,) * (TRIES - 1))
    post.polls()
    assert post.watch.missing() == ""


def test_one_order_that_cannot_be_read_does_not_keep_the_account_out_of_sync(post: Post) -> None:
    post.sends("lost")
    post.brokerage.unlisted.add(NAME)
    post.brokerage.trouble("order", SILENT)
    post.polls()
    assert post.watch.missing() == ""


def test_positions_are_said_when_they_are_other_ones_than_before(post: Post) -> None:
    assert post.polls_all() == []
    post.brokerage.trade_by_hand("by-phone", "BUY", "AAPL", "5")
    assert post.polls_all() == ["FILL", "positions AAPL 5"]
    post.brokerage.prices["AAPL"] = Decimal(11)
    assert post.polls_all() == []
    post.brokerage.trade_by_hand("by-phone-too", "SELL", "AAPL", "5")
    assert post.polls_all() == ["FILL", "positions"]


def test_positions_that_a_snapshot_has_shown_are_not_said(post: Post) -> None:
    post.brokerage.held["AAPL"] = Decimal(5)
    content = snapshot_content(positions=(Position(symbol="AAPL", quantity=Decimal(5)),))
    failed, read = (
        AccountSnapshot(account_id=ACCOUNT, run_id=derived("run"), status=status, detail="", content=shown)
        for status, shown in ((SnapshotStatus.FAILED, snapshot_content()), (SnapshotStatus.READ, content))
    )
    for snapshot in (read, failed):
        post.memory.note_fact(Fact(snapshot, ENVELOPE))
    assert post.polls_all() == []


def test_refused_keys_are_said_once_at_every_poll(post: Post) -> None:
    no = refusal(401, 0, "unauthorized.")
    for request in ("orders", "closed", "activities", "positions"):
        post.brokerage.trouble(request, no)
    assert post.polls_all() == ["account 401"]
    post.brokerage.trouble("positions", no)
    assert post.polls_all() == ["account 401"]
    assert post.polls_all() == []
