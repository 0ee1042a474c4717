"""The view of bars: what was seen before a bound, the latest word per session, and no look ahead."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.strategist.bars import BarsView, sha256
from schemas.market import Bar
from schemas.run import DeadlinePassed, PartitionPosition
from tests.agents.strategist.runs import AS_OF, TODAY, all_of, bar, history, run, view_of

YESTERDAY = TODAY - timedelta(days=1)


def at(next_offset: int, partition: int = 0) -> tuple[PartitionPosition, ...]:
    return (PartitionPosition(partition=partition, next_offset=next_offset),)


def prices(view: BarsView, bound: Sequence[PartitionPosition], symbol: str = "AAPL", count: int = 99) -> list[Decimal]:
    return [close.adjusted_close for close in view.until(bound).last(symbol, count)]


def test_the_last_bars_come_oldest_first() -> None:
    view = view_of(history("AAPL", 1, 2, 3, 4), history("IBM", 9))
    assert prices(view, at(5), count=3) == [2, 3, 4]
    assert prices(view, at(5), "IBM") == [9]
    assert prices(view, at(5), "MSFT") == []


def test_what_lies_at_or_after_the_bound_was_not_seen() -> None:
    view = view_of(history("AAPL", 1, 2, 3))
    assert prices(view, at(2)) == [1, 2]
    assert prices(view, at(0)) == []


def test_of_a_partition_the_bound_does_not_name_nothing_was_seen() -> None:
    view = view_of(history("AAPL", 1))
    assert prices(view, ()) == []
    assert prices(view, at(9, partition=1)) == []


def test_a_correction_counts_from_its_own_offset_on() -> None:
    view = view_of(history("AAPL", 1, 2), [bar("AAPL", YESTERDAY, 7)])
    assert prices(view, at(2)) == [1, 2]
    assert prices(view, at(3)) == [7, 2]


def test_bars_that_arrive_late_stand_in_the_order_of_their_sessions() -> None:
    view = view_of([bar("AAPL", TODAY, 3)], [bar("AAPL", TODAY - timedelta(days=9), 1)], [bar("AAPL", YESTERDAY, 2)])
    assert prices(view, at(3)) == [1, 2, 3]


def test_sessions_after_the_day_are_not_shown() -> None:
    view = view_of(history("AAPL", 1, 2, 3, last=TODAY + timedelta(days=1)))
    assert [close.session_date for close in all_of(view).up_to(TODAY).last("AAPL", 99)] == [YESTERDAY, TODAY]
    assert all_of(view).up_to(YESTERDAY).up_to(TODAY).last("AAPL", 1)[0].session_date == YESTERDAY


def test_a_slice_stays_what_it_was_when_more_is_read() -> None:
    view = view_of(history("AAPL", 1, 2))
    before = view.until(at(2))
    said = before.last("AAPL", 99)
    view.add(0, 2, bar("AAPL", TODAY, 99))
    view.add(0, 3, bar("AAPL", TODAY - timedelta(days=30), 98))
    assert before.last("AAPL", 99) == said


def test_a_record_taken_in_twice_counts_once() -> None:
    view = view_of(history("AAPL", 1, 2))
    view.add(0, 0, bar("AAPL", YESTERDAY, 55))
    assert prices(view, at(9)) == [1, 2]


def test_a_bar_without_a_positive_adjusted_close_is_no_bar() -> None:
    assert prices(view_of(history("AAPL", 1, 0, -3, 4)), at(9)) == [1, 4]


def test_the_hash_speaks_of_symbol_session_and_both_closes() -> None:
    one = all_of(view_of([bar("AAPL", TODAY, "1.5", 3)])).last("AAPL", 1)
    others = [bar("IBM", TODAY, "1.5", 3), bar("AAPL", YESTERDAY, "1.5", 3), bar("AAPL", TODAY, 1, 3)]
    others += [bar("AAPL", TODAY, "1.5", 4)]
    hashes = {sha256([all_of(view_of([each])).last(each.symbol, 1)]) for each in others}
    assert len(hashes) == 4
    assert sha256([one]) not in hashes
    assert one[0].text == b"AAPL 2012-06-01 1.500000 3.000000\n"


def test_a_record_that_is_no_bar_is_named_with_its_place() -> None:
    passed = DeadlinePassed(account_id="paper-1", run_id=run().run_id, deadline_at=AS_OF, terms=run().terms)
    with pytest.raises(TypeError, match=r"bars\.v1/2/7, was DeadlinePassed"):
        BarsView().add(2, 7, passed)


days = st.integers(0, 6).map(lambda number: TODAY + timedelta(days=number))
records = st.lists(st.tuples(st.sampled_from(["AAPL", "IBM"]), days, st.integers(-1, 50)), max_size=30)


@settings(max_examples=80, deadline=None)
@for_all(records, st.integers(0, 31), st.integers(0, 8), days)
def test_a_slice_is_what_a_reader_of_the_log_would_have_seen(
    log: list[tuple[str, date, int]], bound: int, count: int, day: date
) -> None:
    bars: list[Bar] = [bar(*each) for each in log]
    seen = view_of(bars).until(at(bound)).up_to(day)
    for symbol in ("AAPL", "IBM"):
        latest = {each.session_date: each.adjusted_close for each in bars[:bound] if each.symbol == symbol}
        expected = [(on, price) for on, price in sorted(latest.items()) if on <= day and price > 0]
        found = [(close.session_date, close.adjusted_close) for close in seen.last(symbol, count)]
        assert found == expected[max(0, len(expected) - count) :]


@settings(max_examples=300)
@for_all(
    told=st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 3), st.integers(0, 1)), max_size=12),
    bound=st.integers(0, 12),
    through=st.integers(0, 6),
    count=st.integers(1, 8),
)
def test_the_shorter_way_to_the_last_bars_finds_the_same(
    told: list[tuple[int, int, int]], bound: int, through: int, count: int
) -> None:
    """Any sessions in any order, corrections, prices that are none, two partitions: as a look at every bar says."""
    view, days, offsets = BarsView(), [TODAY + timedelta(days=number) for number in range(7)], {0: 0, 1: 0}
    latest: dict[date, tuple[int, int]] = {}
    for number, (day, price, partition) in enumerate(told):
        offset, offsets[partition] = offsets[partition], offsets[partition] + 1
        view.add(partition, offset, bar("AAPL", days[day], 1).model_copy(update={"adjusted_close": Decimal(price)}))
        if offset < bound and days[day] <= days[through]:
            latest[days[day]] = (price, number)
    expected = [price for _, (price, _) in sorted(latest.items()) if price > 0][-count:]

    shown = view.until((*at(bound, 0), *at(bound, 1))).up_to(days[through])
    assert [close.adjusted_close for close in shown.last("AAPL", count)] == expected
