"""The ledger: every fact booked once, whose every share and cent is, and the books put beside the broker's account."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.ledger import decider as ledger
from agents.ledger.agent import AGENT
from agents.testing import Story, given
from schemas.ledger import Books, BooksStatus, EntryKind, LedgerEntry
from schemas.order import Side
from schemas.record import Record
from tests.agents.executor.made import run
from tests.agents.ledger.made import activity, fill, order, order_name, snapshot
from tests.agents.ledger.words import books, opened

BUY = order()
SELL = order(side=Side.SELL)
CROSS = order("MSFT", wishes={"core": "3"}, sold_by={"dip": "1", "trend": "2"})


def entry(story: Story) -> LedgerEntry:
    (found,) = [each for each in story.said if isinstance(each, LedgerEntry)]
    return found


def postings(story: Story) -> dict[tuple[str, str], Any]:
    return {(each.owner, each.commodity): each.amount for each in entry(story).postings}


def held(found: Books) -> dict[tuple[str, str], Any]:
    """Return what each owner has, cash included, zero left out."""
    own: dict[tuple[str, str], Any] = {(each.strategy_id, "USD"): each.cash for each in found.content.strategies}
    for each in found.content.strategies:
        own |= {(each.strategy_id, holding.symbol): holding.quantity for holding in each.holdings}
    return {who: amount for who, amount in own.items() if amount}


def test_the_agent_decides_with_this_decider() -> None:
    assert AGENT.name == "ledger"
    assert AGENT.decider is ledger


# --- entries


def test_a_deposit_belongs_to_the_system() -> None:
    story = opened()

    assert entry(story).kind is EntryKind.DEPOSIT
    assert postings(story) == {("system", "USD"): 100_000, ("street", "USD"): -100_000}
    story.when(activity()).then()


@pytest.mark.parametrize("kind", ["CSW", "JNLC", "ACATC", "TRANS"])
def test_a_withdrawal_is_a_deposit_of_less_than_nothing(kind: str) -> None:
    story = given(ledger).when(activity("-250.75", kind))
    assert entry(story).kind is EntryKind.DEPOSIT
    assert postings(story) == {("system", "USD"): Decimal("-250.75"), ("street", "USD"): Decimal("250.75")}


def test_other_activities_are_booked_to_the_system_as_such() -> None:
    story = opened().when(activity("-0.02", "FEE", "fee-1"))

    assert entry(story).kind is EntryKind.OTHER_ACTIVITY
    assert entry(story).activity_id == "fee-1"
    assert postings(story)["system", "USD"] == Decimal("-0.02")


@pytest.mark.parametrize("amount", [None, "", "abc", "NaN", "1e-16", True, [], "0", 0])
def test_an_activity_that_moves_no_cash_is_not_booked(amount: Any) -> None:
    given(ledger).when(activity(amount)).then()


def test_an_amount_given_as_a_number_is_exact() -> None:
    assert postings(given(ledger).when(activity(0.1)))["system", "USD"] == Decimal("0.1")


def test_an_execution_among_the_activities_is_not_booked() -> None:
    opened().when(activity("-1000", "FILL", "execution-1")).then()


def test_a_fill_is_shares_against_cash_for_each_strategy_and_the_street() -> None:
    story = opened().when(fill(BUY, "10", "10", "560.5"))

    assert entry(story).kind is EntryKind.FILL
    assert postings(story) == {
        ("core", "AAPL"): 6,
        ("core", "USD"): Decimal(-3363),
        ("trend", "AAPL"): 4,
        ("trend", "USD"): Decimal(-2242),
        ("street", "AAPL"): -10,
        ("street", "USD"): Decimal(5605),
    }
    assert [(each.commodity, each.owner) for each in entry(story).postings] == sorted(
        (each.commodity, each.owner) for each in entry(story).postings
    )


def test_a_sell_gives_the_cash_to_those_who_sold() -> None:
    story = opened().when(fill(SELL, "10", "10"))
    assert (postings(story)["core", "AAPL"], postings(story)["core", "USD"]) == (-6, 60)


def test_a_fill_of_one_share_goes_to_one_strategy_and_the_other_is_not_mentioned() -> None:
    assert {owner for owner, _ in postings(opened().when(fill(BUY, "1", "1")))} == {"core", "street"}


def test_the_fills_of_a_line_are_split_as_one() -> None:
    story, got = opened(), {"core": Decimal(0), "trend": Decimal(0)}
    for cum in range(1, 11):
        story = story.when(fill(BUY, str(cum), "1"))
        for owner in got:
            got[owner] += postings(story).get((owner, "AAPL"), 0)
    assert got == {"core": 6, "trend": 4}


def test_lines_of_other_plans_and_other_symbols_are_split_by_themselves() -> None:
    story = opened().when(fill(BUY, "1", "1")).when(fill(order(name="second"), "1", "1"))
    assert postings(story)["core", "AAPL"] == 1
    assert postings(story.when(fill(order("IBM"), "1", "1")))["core", "IBM"] == 1


def test_the_same_fill_again_says_nothing() -> None:
    story = opened().when(fill(BUY, "4", "4")).when(fill(BUY, "10", "6"))
    story.when(fill(BUY, "4", "4")).then()
    story.when(fill(BUY, "10", "6")).then()


def test_a_fill_that_skips_a_quantity_stops_the_process() -> None:
    with pytest.raises(ValueError, match="expected one after 0"):
        opened().when(fill(BUY, "10", "6"))


def test_a_cross_moves_shares_and_cash_between_strategies_and_none_to_the_street() -> None:
    story = opened().when(fill(CROSS, "3", "3", "30.25"))

    assert entry(story).kind is EntryKind.CROSS
    assert postings(story) == {
        ("core", "MSFT"): 3,
        ("core", "USD"): Decimal("-90.75"),
        ("dip", "MSFT"): -1,
        ("dip", "USD"): Decimal("30.25"),
        ("trend", "MSFT"): -2,
        ("trend", "USD"): Decimal("60.5"),
    }


def test_a_cross_is_not_part_of_the_split_of_its_lines_order() -> None:
    cross = order(wishes={"core": "3"}, sold_by={"dip": "3"})
    story = opened().when(fill(cross, "3", "3")).when(fill(BUY, "10", "10"))
    assert (postings(story)["core", "AAPL"], postings(story)["trend", "AAPL"]) == (6, 4)


def test_a_cross_with_one_side_only_stops_the_process() -> None:
    lame = order(wishes={"core": "3"}, sold_by={"dip": "2"})
    with pytest.raises(ValueError, match="buys are 3"):
        opened().when(fill(lame, "3", "3"))


def test_a_symbol_that_is_spelled_like_cash_stops_the_process() -> None:
    with pytest.raises(ValueError, match="is cash in the books"):
        opened().when(fill(order("USD"), "10", "10"))


# --- books


def test_books_that_equal_the_account_are_ready() -> None:
    found = books(opened().when(snapshot()))

    assert (found.status, found.detail, found.differences) == (BooksStatus.READY, "", ())
    assert [each.strategy_id for each in found.content.strategies] == ["core", "system", "trend"]
    assert held(found) == {("system", "USD"): 100_000}


def test_books_name_everybody_who_owns_something() -> None:
    owner = order(wishes={"retired": "2"})
    story = opened().when(fill(owner, "2", "2")).when(snapshot("99980", {"AAPL": "2"}))

    assert books(story).status is BooksStatus.READY
    assert held(books(story)) == {
        ("retired", "AAPL"): 2,
        ("retired", "USD"): -20,
        ("system", "USD"): 100_000,
    }


def test_what_was_sold_again_is_left_out_of_the_books() -> None:
    sold_later = order(side=Side.SELL, name="second")
    story = opened().when(fill(BUY, "10", "10")).when(fill(sold_later, "10", "10", "11"))
    found = books(story.when(snapshot("100010")))
    assert held(found) == {("core", "USD"): 6, ("trend", "USD"): 4, ("system", "USD"): 100_000}


def test_the_same_run_again_says_nothing() -> None:
    opened().when(snapshot()).when(snapshot("1")).then()


def test_books_that_differ_block_the_run_and_say_where() -> None:
    story = opened().when(fill(BUY, "10", "10")).when(snapshot("99900.01", {"AAPL": "9", "IBM": "1"}))

    found = books(story)
    assert found.status is BooksStatus.BLOCKED
    items = [(each.item, each.ledger, each.broker) for each in found.differences]
    assert items == [
        ("AAPL", Decimal(10), Decimal(9)),
        ("IBM", Decimal(0), Decimal(1)),
        ("USD", Decimal(99_900), Decimal("99900.01")),
    ]
    assert found.detail == (
        "books and broker differ: AAPL 10 here, 9 there, IBM 0 here, 1 there, USD 99900 here, 99900.01 there"
    )


def test_an_account_that_could_not_be_read_blocks_the_run() -> None:
    found = books(opened().when(snapshot("0", failed="account, 3 tries: HTTP 500")))
    assert found.status is BooksStatus.BLOCKED
    assert "HTTP 500" in found.detail


def test_a_missing_fill_is_waited_for_and_the_books_follow_its_entry() -> None:
    ended = {order_name(BUY): "10"}
    story = opened().when(fill(BUY, "4", "4")).when(snapshot("99900", {"AAPL": "10"}, ended))
    assert books(story).status is BooksStatus.PENDING
    assert books(story).detail == f"fills are still to be booked: {order_name(BUY)} 4 of 10"

    story = story.when(fill(BUY, "10", "6"))
    assert [type(each) for each in story.said] == [LedgerEntry, Books]
    found = books(story)
    assert (found.status, found.run_id) == (BooksStatus.READY, run("first"))
    assert held(found)["core", "AAPL"] == 6


def test_every_missing_fill_is_waited_for() -> None:
    ended = {order_name(BUY): "10"}
    story = opened().when(snapshot("99900", {"AAPL": "10"}, ended)).when(fill(BUY, "4", "4"))

    assert [type(each) for each in story.said] == [LedgerEntry]
    assert books(story.when(fill(BUY, "10", "6"))).status is BooksStatus.READY


def test_books_that_still_differ_when_nothing_is_missing_block_the_run() -> None:
    ended = {order_name(BUY): "10"}
    story = opened().when(snapshot("99901", {"AAPL": "10"}, ended)).when(fill(BUY, "10", "10"))
    assert books(story).status is BooksStatus.BLOCKED


def test_a_missing_cross_is_waited_for_although_it_moves_no_total() -> None:
    ended = {order_name(CROSS): "3"}
    story = opened().when(snapshot(ended=ended))
    assert books(story).status is BooksStatus.PENDING

    found = books(story.when(fill(CROSS, "3", "3")))
    assert found.status is BooksStatus.READY
    assert held(found)["core", "MSFT"] == 3


def test_an_order_that_ended_without_a_fill_is_not_waited_for() -> None:
    assert books(opened().when(snapshot(ended={"canceled-at-once": "0"}))).status is BooksStatus.READY


def test_the_first_deposit_is_waited_for() -> None:
    story = given(ledger).when(snapshot())
    assert books(story).status is BooksStatus.PENDING

    story = story.when(activity())
    assert [type(each) for each in story.said] == [LedgerEntry, Books]
    assert books(story).status is BooksStatus.READY


def test_an_opening_in_two_deposits_is_waited_for_and_a_later_run_names_what_is_missing() -> None:
    story = given(ledger).when(snapshot()).when(activity("60000"))
    assert [type(each) for each in story.said] == [LedgerEntry]

    assert books(story.when(snapshot(name="second"))).status is BooksStatus.BLOCKED
    assert books(story.when(activity("40000", name="more"))).status is BooksStatus.READY


def test_positions_nobody_booked_are_not_explained_by_a_deposit() -> None:
    assert books(given(ledger).when(snapshot("0", {"AAPL": "1"}))).status is BooksStatus.BLOCKED


def test_a_newer_snapshot_takes_the_place_of_a_pending_one() -> None:
    ended = {order_name(BUY): "10"}
    story = opened().when(snapshot("99900", {"AAPL": "10"}, ended)).when(snapshot("1", name="second"))
    assert books(story).status is BooksStatus.PENDING

    found = books(story.when(fill(BUY, "10", "10")))
    assert (found.run_id, found.status) == (run("second"), BooksStatus.BLOCKED)


def test_a_cross_that_a_pending_run_waited_for_is_waited_for_by_the_run_after_it() -> None:
    story = opened().when(snapshot(ended={order_name(CROSS): "3"})).when(snapshot(name="second"))
    assert books(story).status is BooksStatus.PENDING
    assert books(story).detail == f"fills are still to be booked: {order_name(CROSS)} 0 of 3"

    found = books(story.when(fill(CROSS, "3", "3")))
    assert (found.run_id, found.status) == (run("second"), BooksStatus.READY)
    assert held(found)["core", "MSFT"] == 3


def test_a_cross_that_an_unreadable_snapshot_named_is_waited_for_by_the_run_after_it() -> None:
    unread = snapshot("0", ended={order_name(CROSS): "3"}, failed="HTTP 500")
    story = opened().when(unread).when(snapshot(name="second"))
    assert books(story).status is BooksStatus.PENDING
    assert books(story.when(fill(CROSS, "3", "3"))).status is BooksStatus.READY


def test_what_was_booked_before_the_next_snapshot_is_not_waited_for() -> None:
    story = opened().when(snapshot("0", ended={order_name(CROSS): "3"}, failed="HTTP 500"))
    story = story.when(fill(CROSS, "3", "3"))
    assert books(story.when(snapshot(name="second"))).status is BooksStatus.READY


def test_two_accounts_keep_books_of_their_own() -> None:
    other = activity("7").model_copy(update={"account_id": "DEMO-2"})
    assert books(opened().when(other).when(snapshot())).status is BooksStatus.READY


def test_books_follow_from_the_log_alone() -> None:
    story = opened()
    said: list[Record] = [*story.said]
    for each in (fill(BUY, "4", "4"), snapshot("99900", {"AAPL": "10"}, {order_name(BUY): "10"})):
        story = story.when(each)
        said += story.said
    again = given(ledger, *said).when(fill(BUY, "10", "6"))

    assert again.said == story.when(fill(BUY, "10", "6")).said


# --- laws


@st.composite
def facts(draw: st.DrawFn) -> list[Record]:
    """Return a deposit and, mixed, the fills of a few lines and crosses."""
    found: list[list[Record]] = []
    for symbol in draw(st.sets(st.sampled_from(["AAPL", "FB", "IBM"]), min_size=1)):
        wishes = draw(st.dictionaries(st.sampled_from(["core", "dip", "trend"]), st.integers(1, 20), min_size=1))
        terms = order(symbol, draw(st.sampled_from(list(Side))), {each: str(qty) for each, qty in wishes.items()})
        steps = sorted({*draw(st.sets(st.integers(1, sum(wishes.values())), max_size=4))})
        price = str(draw(st.decimals("0.01", "999", places=4)))
        before = [0, *steps]
        found.append([fill(terms, str(cum), str(cum - last), price) for last, cum in zip(before, steps, strict=False)])
        if draw(st.booleans()):
            crossed = order(symbol, wishes={"core": "2"}, sold_by={"dip": "1", "trend": "1"})
            found.append([fill(crossed, "2", "2", price)])
    mixed: list[Record] = []
    while found:
        line = draw(st.sampled_from(found))
        if line:
            mixed.append(line.pop(0))
        else:
            found.remove(line)
    return mixed


@settings(max_examples=30, deadline=None)
@for_all(facts())
def test_every_entry_balances_and_strategies_together_are_the_account(told: list[Record]) -> None:
    story, said = opened(), list[Record](opened().said)
    for each in told:
        story = story.when(each)
        said += story.said
        assert story.when(each).said == ()
    for each in said:
        assert isinstance(each, LedgerEntry)
        assert _sums(each.postings, lambda posting: posting.commodity) == {}
    found = books(story.when(snapshot("1")))
    strategies = _sums(held(found).items(), lambda item: item[0][1], lambda item: item[1])
    assert strategies == _account(told)


def _account(told: Iterable[Record]) -> dict[str, Decimal]:
    """Return what the account must hold, from the fills alone: a cross moves nothing."""
    total = {"USD": Decimal(100_000)}
    for each in told:
        terms = each.order  # type: ignore[attr-defined]
        if terms.leg:
            sign = 1 if terms.side is Side.BUY else -1
            quantity = sign * each.last_qty  # type: ignore[attr-defined]
            total[terms.symbol] = total.get(terms.symbol, Decimal(0)) + quantity
            total["USD"] -= quantity * each.last_px  # type: ignore[attr-defined]
    return {commodity: amount for commodity, amount in total.items() if amount}


def _sums(items: Iterable[Any], key: Any, value: Any = lambda posting: posting.amount) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for each in items:
        sums[key(each)] = sums.get(key(each), Decimal(0)) + value(each)
    return {name: amount for name, amount in sums.items() if amount}
