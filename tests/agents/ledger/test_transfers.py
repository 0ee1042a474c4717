"""Books of their own: funded from the account's equity, brought back to it, and moved when the mode changes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.testing import Story
from schemas.ledger import BooksStatus, EntryKind, LedgerEntry, StrategyBook
from schemas.order import Side
from schemas.run import DriftRule, Mode
from tests.agents.executor.made import AS_OF
from tests.agents.ledger.made import by_hand, fill, order, order_name, snapshot
from tests.agents.ledger.words import books, entries, opened
from tests.made import strategy

BOOK = {"mode": Mode.BOOK}
MINE = strategy("mine", allocation=Decimal("0.4"), **BOOK)
YOURS = strategy("yours", allocation=Decimal("0.2"), **BOOK)
NETTED = strategy("mine", allocation=Decimal("0.4"))


def kinds(story: Story) -> list[str]:
    return [each.kind.value if isinstance(each, LedgerEntry) else "Books" for each in story.said]


def book(story: Story, owner: str) -> StrategyBook:
    (found,) = [each for each in books(story).content.strategies if each.strategy_id == owner]
    return found


def transferred(story: Story) -> dict[str, Any]:
    return {
        posting.owner: posting.amount
        for each in entries(story.said)
        if each.kind is EntryKind.TRANSFER
        for posting in each.postings
        if posting.owner != "system"
    }


def bought(quantity: str = "100", price: str = "100") -> Story:
    """Return books in which `mine` was funded with 40,000 and has bought AAPL for itself."""
    story = opened().when(snapshot(strategies=[MINE]))
    return story.when(fill(order("AAPL", Side.BUY, {"mine": quantity}, book="mine"), quantity, quantity, price))


# --- funding


def test_a_book_is_funded_with_its_allocation_of_the_equity_before_its_first_plan() -> None:
    story = opened().when(snapshot(strategies=[MINE, YOURS]))

    assert kinds(story) == ["TRANSFER", "TRANSFER", "Books"]
    assert transferred(story) == {"mine": 40_000, "yours": 20_000}
    assert entries(story.said)[0].detail == "first funding: 0 to 40000"
    assert books(story).status is BooksStatus.READY
    assert (book(story, "mine").mode, book(story, "mine").capital, book(story, "mine").cash) == (
        Mode.BOOK,
        40_000,
        40_000,
    )
    assert book(story, "system").cash == 40_000


def test_all_are_funded_from_one_equity_and_a_netted_strategy_is_not() -> None:
    story = opened().when(snapshot(strategies=[strategy("core"), MINE], equity="90000.000000000000001"))
    assert transferred(story) == {"mine": 36_000}
    assert (book(story, "core").mode, book(story, "core").capital) == (Mode.NETTED, None)


def test_parts_of_an_equity_are_rounded_down_so_that_they_never_exceed_it() -> None:
    thirds = [strategy(name, allocation=Decimal("0.333333333333"), **BOOK) for name in ("a", "b", "c")]
    story = opened().when(snapshot(strategies=thirds, equity="0.00001"))
    assert transferred(story) == dict.fromkeys("abc", Decimal("0.000003333333333"))


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_nothing_is_given_of_an_equity_that_is_not_positive(equity: str) -> None:
    story = opened().when(snapshot(strategies=[MINE], equity=equity))
    assert kinds(story) == ["Books"]
    assert book(story, "mine").capital == 0


@pytest.mark.parametrize("status", ["blocked", "failed", "pending"])
def test_only_books_that_are_ready_move_capital(status: str) -> None:
    taken = {
        "blocked": snapshot("1", strategies=[MINE]),
        "failed": snapshot("0", failed="HTTP 500", strategies=[MINE]),
        "pending": snapshot(ended={"late": "1"}, strategies=[MINE]),
    }[status]
    assert kinds(opened().when(taken)) == ["Books"]


def test_books_that_become_ready_later_are_funded_then() -> None:
    late = order()
    story = opened().when(
        snapshot("99900", {"AAPL": "10"}, {order_name(late): "10"}, strategies=[MINE], equity="90000")
    )
    assert kinds(story) == ["Books"]
    story = story.when(fill(late, "10", "10"))

    assert kinds(story) == ["FILL", "TRANSFER", "Books"]
    assert transferred(story) == {"mine": 36_000}


def test_account_level_trades_have_no_book_of_their_own() -> None:
    story = opened().when(snapshot(strategies=[strategy("system", **BOOK)]))
    assert kinds(story) == ["Books"]
    assert (book(story, "system").mode, book(story, "system").capital) == (None, None)


# --- drift


GAIN = {"cash": "90000", "positions": {"AAPL": "100"}, "name": "second", "strategies": [MINE]}


@pytest.mark.parametrize(
    ("price", "equity", "rule", "moved"),
    [
        ("140", "104000", DriftRule.LET_RUN, None),
        ("140", "104000", DriftRule.PERIODIC, "-2400"),
        ("140", "104000", DriftRule.THRESHOLD, None),
        ("180", "108000", DriftRule.THRESHOLD, "-4800"),
        ("20", "92000", DriftRule.THRESHOLD, "4800"),
        ("100", "100000", DriftRule.PERIODIC, None),
    ],
)
def test_a_book_is_brought_back_to_its_allocation_by_the_runs_rule(
    price: str, equity: str, rule: DriftRule, moved: str | None
) -> None:
    quotes = {"AAPL": (str(Decimal(price) - 1), str(Decimal(price) + 1))}
    story = bought().when(snapshot(**GAIN, quotes=quotes, equity=equity, drift_rule=rule))

    value = 30_000 + 100 * Decimal(price)
    assert transferred(story) == ({} if moved is None else {"mine": Decimal(moved)})
    assert book(story, "mine").capital == value + Decimal(moved or 0)
    if moved:
        assert book(story, "mine").capital == Decimal(equity) * Decimal("0.4")


@pytest.mark.parametrize(("price", "is_moved"), [("140", False), ("140.01", True)])
def test_the_threshold_itself_is_not_a_drift(price: str, is_moved: bool) -> None:
    """44,000 dollars are ten per cent above 40,000."""
    quotes = {"AAPL": (price, price)}
    story = bought().when(snapshot(**GAIN, quotes=quotes, equity="100000"))
    assert bool(transferred(story)) is is_moved


@pytest.mark.parametrize("quotes", [{}, {"AAPL": ("0", "100")}, {"AAPL": ("100", "0")}])
def test_a_book_with_a_holding_without_a_price_gets_nothing_and_has_no_capital(quotes: Any) -> None:
    story = bought().when(snapshot(**GAIN, quotes=quotes, drift_rule=DriftRule.PERIODIC))
    assert kinds(story) == ["Books"]
    assert book(story, "mine").capital is None


def test_a_book_that_lost_its_allocation_gives_everything_back() -> None:
    out = strategy("mine", allocation=Decimal(0), **BOOK)
    story = opened().when(snapshot(strategies=[MINE])).when(snapshot(strategies=[out], name="second"))
    assert transferred(story) == {"mine": -40_000}
    assert book(story, "mine").capital == 0

    story = story.when(snapshot(strategies=[MINE], name="third", drift_rule=DriftRule.LET_RUN))
    assert entries(story.said)[0].detail == "first funding: 0 to 40000"


def test_a_book_that_is_worth_its_allocation_already_is_funded_without_a_transfer() -> None:
    """It brings the 25,000 dollars it has earned, exactly its part; later it is let run."""
    part = strategy("mine", allocation=Decimal("0.2"), **BOOK)
    wish = {"mine": "100"}
    story = opened().when(fill(order(wishes=wish), "100", "100", "100"))
    story = story.when(fill(order(side=Side.SELL, wishes=wish, name="sold"), "100", "100", "350"))
    story = story.when(snapshot("125000", strategies=[part]))
    assert kinds(story) == ["MODE_SWITCH", "Books"]
    assert book(story, "mine").capital == 25_000

    story = story.when(snapshot("125000", strategies=[MINE], name="second", drift_rule=DriftRule.LET_RUN))
    assert kinds(story) == ["Books"]
    story = story.when(snapshot("125000", strategies=[NETTED], name="third"))
    assert kinds(story) == ["MODE_SWITCH", "Books"]
    story = story.when(snapshot("125000", strategies=[MINE], name="fourth", drift_rule=DriftRule.LET_RUN))
    assert kinds(story) == ["MODE_SWITCH", "TRANSFER", "Books"], "who gave up its book is funded anew"


def test_a_book_without_an_allocation_is_funded_when_it_gets_one() -> None:
    out = strategy("mine", allocation=Decimal(0), **BOOK)
    story = opened().when(snapshot(strategies=[out]))
    assert kinds(story) == ["Books"]
    story = story.when(snapshot(strategies=[MINE], name="second", drift_rule=DriftRule.LET_RUN))
    assert entries(story.said)[0].detail == "first funding: 0 to 40000"


def test_the_same_snapshot_again_moves_nothing() -> None:
    taken = snapshot(strategies=[MINE])
    opened().when(taken).when(taken).then()


# --- books outside the run


def test_a_book_outside_the_run_keeps_its_capital_and_the_others_share_what_is_left() -> None:
    whole = strategy("yours", allocation=Decimal(1), **BOOK)
    story = opened().when(snapshot(strategies=[MINE])).when(snapshot(strategies=[whole], name="second"))

    assert transferred(story) == {"yours": 60_000}
    assert (book(story, "mine").capital, book(story, "yours").capital) == (40_000, 60_000)
    assert book(story, "system").cash == 0
    assert books(story).detail == ""


def test_a_book_outside_the_run_that_is_worth_less_than_nothing_leaves_the_others_no_more() -> None:
    sold = fill(order("AAPL", Side.SELL, {"mine": "1000"}, book="mine", name="short"), "1000", "1000", "10")
    story = opened().when(snapshot(strategies=[MINE])).when(sold)
    taken = snapshot(
        "110000", {"AAPL": "-1000"}, strategies=[YOURS], name="second", quotes={"AAPL": ("60", "60")}, equity="50000"
    )
    story = story.when(taken)
    assert book(story, "mine").capital == -10_000
    assert transferred(story) == {"yours": 10_000}


@pytest.mark.parametrize(
    ("quotes", "equity", "said"),
    [
        ({"AAPL": ("99", "101")}, "40000", "no capital is given: equity 40000, books outside the run: mine 40000"),
        ({}, "100000", "no capital is given: equity 100000, books outside the run: mine has no price"),
    ],
)
def test_where_nothing_is_left_to_share_no_book_is_funded_and_the_books_say_why(
    quotes: Any, equity: str, said: str
) -> None:
    shown: dict[str, Any] = {"cash": "90000", "positions": {"AAPL": "100"}, "strategies": [YOURS]}
    story = bought().when(snapshot(**shown, name="second", quotes=quotes, equity=equity))

    assert kinds(story) == ["Books"]
    assert (books(story).status, books(story).detail) == (BooksStatus.READY, said)
    priced = {"AAPL": ("99", "101")}
    story = story.when(snapshot(**shown, name="third", quotes=priced, equity="100000", drift_rule=DriftRule.LET_RUN))
    assert transferred(story) == {"yours": 12_000}
    assert books(story).detail == ""


# --- follow-up runs


def test_a_follow_up_run_moves_neither_modes_nor_capital() -> None:
    story = bought()
    shown: dict[str, Any] = {"cash": "90000", "positions": {"AAPL": "100"}, "quotes": {"AAPL": ("179", "181")}}
    shown |= {"equity": "108000", "drift_rule": DriftRule.PERIODIC}
    for name, strategies in (("second", [MINE, YOURS]), ("third", [NETTED])):
        story = story.when(snapshot(**shown, name=name, strategies=strategies, scope=("IBM",)))
        assert kinds(story) == ["Books"]
        assert (books(story).status, books(story).detail) == (BooksStatus.READY, "")
        assert (book(story, "mine").mode, book(story, "mine").capital) == (Mode.BOOK, 48_000)

    story = story.when(snapshot(**shown, name="fourth", strategies=[MINE, YOURS]))
    assert transferred(story) == {"mine": -4_800, "yours": 21_600}
    assert entries(story.said)[1].detail == "first funding: 0 to 21600"


def test_a_follow_up_run_does_not_use_up_the_first_funding_of_a_book() -> None:
    held = fill(order("AAPL", wishes={"mine": "100"}, book="mine"), "100", "100", "100")
    shown: dict[str, Any] = {"cash": "90000", "positions": {"AAPL": "100"}, "quotes": {"AAPL": ("99", "101")}}
    shown |= {"equity": "100000", "strategies": [MINE], "drift_rule": DriftRule.LET_RUN}
    story = opened().when(held).when(snapshot(**shown, scope=("IBM",)))
    assert kinds(story) == ["Books"]
    assert transferred(story.when(snapshot(**shown, name="second"))) == {"mine": 40_000}


def test_a_follow_up_run_still_books_what_the_broker_has_rounded() -> None:
    odd = fill(order(wishes={"core": "1"}), "1", "1", "10.001")
    assert kinds(opened().when(odd).when(snapshot("99990", {"AAPL": "1"}, scope=("AAPL",)))) == ["ROUNDING", "Books"]


# --- modes


def test_a_strategy_that_gets_a_book_of_its_own_takes_its_lots_along_and_is_funded() -> None:
    held = fill(order("AAPL", wishes={"mine": "100"}), "100", "100", "100")
    taken = snapshot("90000", {"AAPL": "100"}, strategies=[MINE], quotes={"AAPL": ("99", "101")}, equity="100000")
    story = opened().when(held).when(taken)

    assert kinds(story) == ["MODE_SWITCH", "TRANSFER", "Books"]
    switch, transfer = entries(story.said)
    assert [(each.owner, each.mode, each.commodity, each.amount) for each in switch.postings] == [
        ("mine", Mode.BOOK, "AAPL", 100),
        ("mine", Mode.NETTED, "AAPL", -100),
        ("mine", Mode.BOOK, "USD", -10_000),
        ("mine", Mode.NETTED, "USD", 10_000),
    ]
    assert switch.detail == "NETTED to BOOK"
    assert transfer.detail == "first funding: 0 to 40000"
    assert (book(story, "mine").mode, book(story, "mine").capital, book(story, "mine").cash) == (
        Mode.BOOK,
        40_000,
        30_000,
    )


def test_a_strategy_that_gives_up_its_book_gives_back_what_it_was_given_and_keeps_what_it_earned() -> None:
    sold = fill(order("AAPL", Side.SELL, {"mine": "100"}, book="mine", name="sold"), "100", "100", "150")
    story = bought().when(sold).when(snapshot("105000", name="second", strategies=[NETTED]))

    assert kinds(story) == ["MODE_SWITCH", "TRANSFER", "Books"]
    assert transferred(story) == {"mine": -40_000}
    assert (book(story, "mine").mode, book(story, "mine").capital, book(story, "mine").cash) == (
        Mode.NETTED,
        None,
        5_000,
    )
    assert book(story, "system").cash == 100_000


def test_funds_go_back_also_when_a_holding_has_no_price() -> None:
    story = bought().when(snapshot("90000", {"AAPL": "100"}, name="second", strategies=[NETTED]))
    assert kinds(story) == ["MODE_SWITCH", "TRANSFER", "Books"]
    assert transferred(story) == {"mine": -40_000}


def test_a_strategy_that_comes_back_to_its_book_is_funded_anew() -> None:
    story = opened().when(snapshot(strategies=[MINE])).when(snapshot(strategies=[NETTED], name="second"))
    assert kinds(story) == ["MODE_SWITCH", "TRANSFER", "Books"]
    story = story.when(snapshot(strategies=[MINE], name="third", drift_rule=DriftRule.LET_RUN))
    assert transferred(story) == {"mine": 40_000}


def test_a_strategy_that_is_not_in_the_run_keeps_its_mode_and_its_funds() -> None:
    story = bought().when(snapshot("90000", {"AAPL": "100"}, name="second", quotes={"AAPL": ("99", "101")}))
    assert kinds(story) == ["Books"]
    assert (book(story, "mine").mode, book(story, "mine").capital) == (Mode.BOOK, 40_000)


def test_a_late_fill_goes_to_the_books_as_they_are_kept_when_it_arrives() -> None:
    early = order("AAPL", wishes={"mine": "100"})
    story = opened().when(fill(early, "40", "40", "100"))
    taken = snapshot("96000", {"AAPL": "40"}, strategies=[MINE], quotes={"AAPL": ("99", "101")}, equity="100000")
    story = story.when(taken).when(fill(early, "100", "60", "100"))

    (entry,) = entries(story.said)
    assert {(each.owner, each.mode) for each in entry.postings} == {("mine", Mode.BOOK), ("street", None)}


@pytest.mark.parametrize(("name", "mode"), [("net", Mode.NETTED), ("mine", Mode.BOOK)])
def test_the_fill_of_a_strategy_that_has_nothing_is_booked_as_its_order_says(name: str, mode: Mode) -> None:
    (entry,) = entries(opened().when(fill(order(wishes={"mine": "3"}, book=name), "3", "3")).said)
    assert entry.book == name
    assert {each.mode for each in entry.postings if each.owner == "mine"} == {mode}


def test_an_order_of_a_book_in_which_somebody_else_has_a_part_stops_the_process() -> None:
    with pytest.raises(ValueError, match="have a part in an order of the book mine"):
        opened().when(fill(order(wishes={"mine": "3", "core": "1"}, book="mine"), "4", "4"))


def test_lines_of_other_books_are_split_by_themselves() -> None:
    story = opened().when(fill(order(wishes={"core": "1", "mine": "2"}), "3", "3"))
    story = story.when(fill(order(wishes={"mine": "2"}, book="mine"), "2", "2"))
    assert entries(story.said)[0].book == "mine"


def test_both_orders_of_a_line_are_split_as_one() -> None:
    """The line crosses zero at the account: 4 shares reduce, 6 increase, and the wishes are those of the line."""
    wishes = {"core": "6", "trend": "4"}
    story = opened().when(fill(order(wishes=wishes, leg=1), "4", "4"))
    first = {each.owner: each.amount for each in entries(story.said)[0].postings if each.commodity == "AAPL"}
    story = story.when(fill(order(wishes=wishes, leg=2), "6", "6"))
    then = {each.owner: each.amount for each in entries(story.said)[0].postings if each.commodity == "AAPL"}
    assert {each: first[each] + then[each] for each in wishes} == {"core": 6, "trend": 4}


# --- what was traded


def test_books_say_what_was_traded_at_the_broker_on_the_day_of_the_snapshot() -> None:
    yesterday = fill(order(name="old"), "10", "10", at=AS_OF - timedelta(days=1))
    crossed = fill(order("MSFT", wishes={"core": "3"}, sold_by={"trend": "3"}), "3", "3")
    sold = fill(order("AAPL", Side.SELL, {"core": "2"}, name="sold"), "2", "2", "12")
    story = opened()
    for each in (yesterday, fill(order(), "10", "10", "11"), crossed, sold, by_hand("buy", "1")):
        story = story.when(each)
    story = story.when(snapshot("99804", {"AAPL": "19"}))

    assert books(story).status is BooksStatus.READY
    assert book(story, "core").traded_value == 6 * 11 + 2 * 12
    assert book(story, "trend").traded_value == 4 * 11
    assert (book(story, "manual").traded_value, book(story, "system").traded_value) == (0, 0)
    tomorrow = story.when(snapshot("99804", {"AAPL": "19"}, name="second", taken_at=AS_OF + timedelta(days=1)))
    assert book(tomorrow, "core").traded_value == 0


def test_who_has_traded_today_is_named_although_nothing_is_left() -> None:
    story = opened().when(fill(order(wishes={"retired": "1"}), "1", "1"))
    story = story.when(fill(order(side=Side.SELL, wishes={"retired": "1"}, name="sold"), "1", "1"))
    story = story.when(snapshot())
    assert (book(story, "retired").traded_value, book(story, "retired").cash) == (20, 0)
