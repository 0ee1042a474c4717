"""Whatever comes in between: never READY while something is owed, and never more rounded than executions allow."""

from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.testing import Story
from schemas.ledger import SYSTEM, Books, BooksStatus, EntryKind, LedgerEntry
from schemas.order import Side
from tests.agents.ledger.made import by_hand, fill, order, order_name, snapshot
from tests.agents.ledger.words import opened

HALF_CENT = Decimal("0.005")
ZERO = Decimal(0)


def books(story: Story) -> Iterator[Books]:
    return (each for each in story.said if isinstance(each, Books))


@settings(max_examples=60, deadline=None)
@for_all(
    st.lists(
        st.one_of(
            st.tuples(st.just("ends"), st.integers(0, 3)),
            st.tuples(st.just("is booked"), st.integers(0, 3)),
            st.tuples(st.just("snapshot"), st.booleans()),
        ),
        max_size=14,
    )
)
def test_books_are_never_ready_while_an_order_that_a_snapshot_has_named_is_not_booked(
    happens: list[tuple[str, int]],
) -> None:
    """Each snapshot names what has ended since the last one; crosses move no total, so only their names tell."""
    story = opened()
    crosses = [order(wishes={"core": "3"}, sold_by={"dip": "3"}, name=f"cross {number}") for number in range(4)]
    ended, named, booked = set[int](), set[int](), set[int]()
    for number, (what, which) in enumerate(happens):
        if what == "ends":
            ended.add(which)
            continue
        if what == "is booked":
            booked.add(which)
            story = story.when(fill(crosses[which], "3", "3"))
        else:
            news = {order_name(crosses[each]): "3" for each in ended - named}
            named |= ended
            story = story.when(snapshot(ended=news, name=f"run {number}", failed="HTTP 500" if which else ""))
        for found in books(story):
            assert found.status is not BooksStatus.READY or named <= booked
            assert found.status is not BooksStatus.PENDING or not named <= booked
    for which in range(4):
        story = story.when(fill(crosses[which], "3", "3"))
    assert [each.status for each in books(story.when(snapshot(name="last")))] == [BooksStatus.READY]


@settings(max_examples=100, deadline=None)
@for_all(
    st.lists(
        st.one_of(
            st.tuples(st.just("fill"), st.integers(1, 4)),
            st.tuples(st.just("by hand"), st.just(1)),
            st.tuples(st.just("by hand, later"), st.just(1)),
            st.tuples(st.just("cash"), st.integers(-30, 30)),
        ),
        max_size=25,
    )
)
def test_all_that_was_ever_rounded_is_within_half_a_cent_for_each_execution_there_ever_was(
    happens: list[tuple[str, int]],
) -> None:
    """Cash is off by thousandths of a dollar, again and again, up and down; sometimes a trade is told early."""
    story, executions, rounded = opened(), 0, ZERO
    cash, shares = Decimal(100_000), 0
    for number, (what, much) in enumerate(happens):
        off, later = ZERO, False
        if what == "cash":
            off = Decimal(much) / 1000
        else:
            executions, later = executions + 1, what == "by hand, later"
            bought = order(side=Side.BUY, wishes={"core": str(much)}, name=str(number))
            told = by_hand("buy", str(much), name=f"{number:03}")
            story = story.when(fill(bought, str(much), str(much)) if what == "fill" else told)
            cash, shares = (cash, shares) if later else (cash - 10 * much, shares + much)
        held = {"AAPL": str(shares)} if shares else {}
        story = story.when(snapshot(str(cash + off), held, name=f"run {number}"))
        cash, shares = (cash - 10 * much, shares + much) if later else (cash, shares)
        for entry in story.said:
            if isinstance(entry, LedgerEntry) and entry.kind is EntryKind.ROUNDING:
                rounded += sum((each.amount for each in entry.postings if each.owner == SYSTEM), ZERO)
        if any(each.status is BooksStatus.READY for each in books(story)):
            cash += off
        assert abs(rounded) <= HALF_CENT * executions, (rounded, executions)
