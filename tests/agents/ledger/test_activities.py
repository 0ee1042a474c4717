"""What happens outside our orders: booked once, from the snapshot or from its own record, whichever comes first."""

from decimal import Decimal
from typing import Any

import pytest

from agents.ledger import decider as ledger
from agents.testing import Story, given
from schemas.ledger import Books, BooksStatus, EntryKind, LedgerEntry
from tests.agents.ledger.made import activity, by_hand, fill, order, order_name, snapshot
from tests.agents.ledger.words import books, entries, opened

FEE = activity("-0.02", "FEE", "paid-fee")


def moved(entry: LedgerEntry) -> dict[tuple[str, str], Decimal]:
    return {(each.owner, each.commodity): each.amount for each in entry.postings}


def owned(found: Books, owner: str) -> dict[str, Decimal]:
    (own,) = [each for each in found.content.strategies if each.strategy_id == owner]
    return {"USD": own.cash, **{each.symbol: each.quantity for each in own.holdings}}


# --- by value, in the snapshot


def test_a_fee_that_the_snapshot_shows_does_not_block_the_run() -> None:
    story = opened().when(snapshot("99999.98", activities=[activity(), FEE]))

    assert [(each.kind, each.activity_id) for each in entries(story.said)] == [(EntryKind.OTHER_ACTIVITY, "paid-fee")]
    assert books(story).status is BooksStatus.READY
    story.when(FEE).then()


def test_a_fee_that_was_booked_is_not_booked_again_from_a_snapshot() -> None:
    story = opened().when(FEE).when(snapshot("99999.98", activities=[activity(), FEE]))
    assert [type(each) for each in story.said] == [Books]


def test_the_first_deposit_may_come_with_the_snapshot() -> None:
    story = given(ledger).when(snapshot(activities=[activity()]))
    assert [type(each) for each in story.said] == [LedgerEntry, Books]
    assert books(story).status is BooksStatus.READY


def test_an_activity_has_the_same_entry_whichever_way_it_came() -> None:
    (from_snapshot,) = entries(opened().when(snapshot("99999.98", activities=[FEE])).said)
    (from_record,) = entries(opened().when(FEE).said)
    assert from_snapshot == from_record


def test_activities_are_booked_although_the_books_still_differ() -> None:
    story = opened().when(snapshot("1", activities=[FEE]))
    assert [type(each) for each in story.said] == [LedgerEntry, Books]
    assert books(story).status is BooksStatus.BLOCKED


def test_an_account_that_could_not_be_read_books_nothing() -> None:
    story = opened().when(snapshot("0", failed="activities, 3 tries: HTTP 500"))
    assert [type(each) for each in story.said] == [Books]


# --- trades by hand


def test_what_is_bought_by_hand_is_owned_by_manual() -> None:
    story = opened().when(by_hand("buy", "5", price="10.5"))

    (entry,) = entries(story.said)
    assert (entry.kind, entry.symbol, entry.fill_id, entry.client_order_id) == (
        EntryKind.MANUAL_FILL,
        "AAPL",
        None,
        None,
    )
    assert entry.detail == "buy by the order by-phone"
    assert moved(entry) == {
        ("manual", "AAPL"): 5,
        ("manual", "USD"): Decimal("-52.5"),
        ("street", "AAPL"): -5,
        ("street", "USD"): Decimal("52.5"),
    }
    found = books(story.when(snapshot("99947.5", {"AAPL": "5"})))
    assert found.status is BooksStatus.READY
    assert owned(found, "manual") == {"USD": Decimal("-52.5"), "AAPL": Decimal(5)}


@pytest.mark.parametrize("side", ["sell", "sell_short"])
def test_who_sells_by_hand_what_strategies_own_is_short_of_it_himself(side: str) -> None:
    story = opened().when(fill(order(), "10", "10")).when(by_hand(side, "4", price="11"))
    found = books(story.when(snapshot("99944", {"AAPL": "6"})))

    assert found.status is BooksStatus.READY
    assert owned(found, "manual") == {"USD": Decimal(44), "AAPL": Decimal(-4)}
    assert owned(found, "core")["AAPL"] == 6


def test_a_trade_by_hand_is_booked_although_the_broker_has_its_order_no_more() -> None:
    (entry,) = entries(opened().when(by_hand("buy", "5", client_order_id="")).said)
    assert (entry.kind, entry.detail) == (EntryKind.MANUAL_FILL, "buy by an order the broker has no more")


def test_an_execution_without_a_name_is_of_our_own_orders_and_not_booked() -> None:
    opened().when(by_hand("buy", "5", client_order_id=None)).then()


def test_an_execution_of_an_order_whose_fills_are_booked_is_ours_whatever_its_activity_says() -> None:
    bought = order()
    story = opened().when(fill(bought, "10", "10"))
    story.when(by_hand("buy", "10", client_order_id=order_name(bought))).then()


@pytest.mark.parametrize(
    "broken",
    [
        {"qty": None},
        {"qty": "0"},
        {"qty": "0.0000000001"},
        {"price": "-1"},
        {"price": "many"},
        {"side": "hold"},
        {"side": None},
        {"symbol": ""},
        {"symbol": "USD"},
        {"symbol": 7},
    ],
)
def test_a_trade_by_hand_that_cannot_be_read_is_not_booked_and_the_books_differ(broken: dict[str, Any]) -> None:
    strange = by_hand("buy", "5", said=broken)
    opened().when(strange).then()
    assert books(opened().when(snapshot("99950", {"AAPL": "5"}, activities=[strange]))).status is BooksStatus.BLOCKED


# --- activities and snapshots come by two topics


def test_a_fee_that_is_booked_before_an_older_snapshot_does_not_block_the_run() -> None:
    story = opened().when(snapshot()).when(FEE).when(snapshot(name="second", activities=[activity()]))

    assert books(story).status is BooksStatus.READY
    assert owned(books(story), "system") == {"USD": Decimal(100_000)}
    story = story.when(snapshot("99999.98", name="third", activities=[FEE]))
    assert owned(books(story), "system") == {"USD": Decimal("99999.98")}


def test_a_trade_by_hand_while_the_books_are_pending_does_not_block_the_run() -> None:
    bought = order()
    story = opened().when(snapshot("99900", {"AAPL": "10"}, {order_name(bought): "10"}))
    story = story.when(by_hand("buy", "5")).when(fill(bought, "10", "10"))

    assert books(story).status is BooksStatus.READY
    assert "manual" not in [each.strategy_id for each in books(story).content.strategies]
    story = story.when(snapshot("99850", {"AAPL": "15"}, name="second"))
    assert owned(books(story), "manual") == {"USD": Decimal(-50), "AAPL": Decimal(5)}


def test_an_activity_that_the_snapshot_knows_is_in_its_cash() -> None:
    story = opened().when(snapshot()).when(FEE).when(snapshot(name="second", activities=[activity(), FEE]))
    assert books(story).status is BooksStatus.BLOCKED


DATED = activity("-0.02", "FEE", "20120601000000000::fee")
"""A fee with the day it is dated by in its id, not the time at which it was posted."""

OPENING = activity(name="20120601093000000::opening")


def dated() -> Story:
    return given(ledger).when(OPENING).when(snapshot(activities=[OPENING]))


def test_a_fee_that_is_dated_before_all_that_the_snapshot_knows_may_have_been_posted_after_it() -> None:
    story = dated().when(DATED).when(snapshot(name="second", activities=[OPENING]))

    assert books(story).status is BooksStatus.READY
    assert owned(books(story), "system") == {"USD": Decimal(100_000)}
    story = story.when(snapshot("99999.98", name="third", activities=[DATED, OPENING]))
    assert owned(books(story), "system") == {"USD": Decimal("99999.98")}


def test_an_execution_before_all_that_the_snapshot_knows_happened_before_it() -> None:
    early = by_hand("buy", "1", name="20120601000000000::trade")
    story = dated().when(early).when(snapshot(name="second", activities=[OPENING]))
    assert books(story).status is BooksStatus.BLOCKED


def test_what_the_account_was_equal_with_is_never_set_aside_again() -> None:
    """The fee is in the cash of one run; the next one's list of activities begins after it."""
    story = dated().when(DATED).when(snapshot("99999.98", name="second", activities=[OPENING]))
    assert books(story).status is BooksStatus.READY
    story = story.when(snapshot(name="third", activities=[OPENING]))
    assert books(story).status is BooksStatus.BLOCKED


# --- rounding


def filled(times: int) -> Story:
    """Return books after some executions of one share at a tenth of a cent."""
    story, bought = opened(), order(wishes={"core": "20"})
    for cum in range(1, times + 1):
        story = story.when(fill(bought, str(cum), "1", "10.001"))
    return story


def test_what_the_broker_rounds_is_the_systems() -> None:
    story = filled(3).when(snapshot("99970", {"AAPL": "3"}))

    (entry,) = entries(story.said)
    assert entry.kind is EntryKind.ROUNDING
    assert moved(entry) == {("system", "USD"): Decimal("0.003"), ("street", "USD"): Decimal("-0.003")}
    assert entry.detail == "3 executions, cash at the broker 99970"
    assert (books(story).status, books(story).differences) == (BooksStatus.READY, ())
    assert owned(books(story), "system") == {"USD": Decimal("100000.003")}


@pytest.mark.parametrize(
    ("cash", "status"),
    [
        ("99969.982", BooksStatus.READY),
        ("99970.012", BooksStatus.READY),
        ("99969.981999", BooksStatus.BLOCKED),
        ("99970.012001", BooksStatus.BLOCKED),
    ],
)
def test_more_than_half_a_cent_for_each_execution_is_no_rounding(cash: str, status: BooksStatus) -> None:
    assert books(filled(3).when(snapshot(cash, {"AAPL": "3"}))).status is status


def test_cash_is_not_rounded_where_shares_differ() -> None:
    found = books(filled(3).when(snapshot("99970", {"AAPL": "3.001"})))
    assert (found.status, [each.item for each in found.differences]) == (BooksStatus.BLOCKED, ["AAPL", "USD"])


def test_only_executions_since_the_books_last_agreed_are_rounded() -> None:
    story = filled(3).when(snapshot("99970", {"AAPL": "3"})).when(snapshot("99970.001", {"AAPL": "3"}, name="second"))
    assert books(story).status is BooksStatus.BLOCKED


def test_a_fee_that_was_taken_for_rounding_comes_back_when_it_is_posted() -> None:
    """The broker took 0.01 and rounded 0.003; it tells of the fee a day later."""
    fee = activity("-0.01", "FEE", "paid-fee")
    story = filled(3).when(snapshot("99969.99", {"AAPL": "3"}))
    assert moved(entries(story.said)[0])["system", "USD"] == Decimal("-0.007")
    story = story.when(snapshot("99969.99", {"AAPL": "3"}, name="second", activities=[fee]))

    assert [each.kind for each in entries(story.said)] == [EntryKind.OTHER_ACTIVITY, EntryKind.ROUNDING]
    assert moved(entries(story.said)[1])["system", "USD"] == Decimal("0.01")
    assert books(story).status is BooksStatus.READY


def test_more_than_was_taken_for_rounding_does_not_come_back() -> None:
    fee = activity("-0.026", "FEE", "paid-fee")
    story = filled(3).when(snapshot("99969.99", {"AAPL": "3"}))
    story = story.when(snapshot("99969.99", {"AAPL": "3"}, name="second", activities=[fee]))
    assert books(story).status is BooksStatus.BLOCKED


def test_what_was_taken_for_rounding_comes_back_once() -> None:
    """Seven runs without any execution, each with two cents more in the cash."""
    story = filled(3).when(snapshot("99969.99", {"AAPL": "3"}))
    found = []
    for number in range(1, 8):
        cash = Decimal("99969.99") + number * Decimal("0.02")
        story = story.when(snapshot(str(cash), {"AAPL": "3"}, name=f"run {number}"))
        found.append(books(story).status)
    assert found == [BooksStatus.READY] + 6 * [BooksStatus.BLOCKED]


def test_two_fees_that_were_taken_for_one_rounding_come_back_one_by_one() -> None:
    fees = [activity("-0.005", "FEE", "fee-1"), activity("-0.007", "FEE", "fee-2")]
    story = filled(3).when(snapshot("99969.988", {"AAPL": "3"}))
    for number in (1, 2):
        taken = snapshot("99969.988", {"AAPL": "3"}, name=f"run {number}", activities=fees[:number])
        story = story.when(taken)
        assert [each.kind for each in entries(story.said)] == [EntryKind.OTHER_ACTIVITY, EntryKind.ROUNDING]
        assert books(story).status is BooksStatus.READY


def test_an_execution_after_a_snapshot_leaves_its_half_cent_to_the_next_one() -> None:
    story = filled(3).when(by_hand("buy", "1", "MSFT", "10"))
    said = []
    for cash, shares in (
        ("99969.98", {"AAPL": "3"}),
        ("99969.985", {"AAPL": "3"}),
        ("99959.98", {"AAPL": "3", "MSFT": "1"}),
        ("99959.975", {"AAPL": "3", "MSFT": "1"}),
    ):
        story = story.when(snapshot(cash, shares, name=cash))
        said.append((books(story).status.value, [moved(each)["system", "USD"] for each in entries(story.said)]))
    assert said == [
        ("BLOCKED", []),
        ("READY", [Decimal("-0.012")]),
        ("READY", [Decimal("-0.005")]),
        ("BLOCKED", []),
    ]


def test_executions_stay_to_be_rounded_until_the_books_agree() -> None:
    story = filled(3).when(snapshot("1", {"AAPL": "3"})).when(snapshot("99970", {"AAPL": "3"}, name="second"))
    assert books(story).status is BooksStatus.READY


def test_trades_by_hand_are_rounded_too_and_crosses_are_not() -> None:
    story = opened().when(by_hand("buy", "1", price="10.001"))
    assert books(story.when(snapshot("99990", {"AAPL": "1"}))).status is BooksStatus.READY

    crossed = order(wishes={"core": "3"}, sold_by={"dip": "3"})
    assert books(opened().when(fill(crossed, "3", "3")).when(snapshot("100000.001"))).status is BooksStatus.BLOCKED


def test_rounding_waits_for_the_fills_that_are_missing() -> None:
    bought = order(wishes={"core": "20"})
    story = filled(3).when(snapshot("99960", {"AAPL": "4"}, {order_name(bought): "4"}))
    assert books(story).status is BooksStatus.PENDING

    story = story.when(fill(bought, "4", "1", "10.001"))
    assert [each.kind for each in entries(story.said)] == [EntryKind.FILL, EntryKind.ROUNDING]
    assert books(story).status is BooksStatus.READY
