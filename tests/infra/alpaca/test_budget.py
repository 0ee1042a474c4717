"""How many requests leave in a minute, whoever sends them and whatever the broker counts."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.alpaca.budget import MINUTE_S, RequestBudget

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Time:
    """A clock that moves only when somebody waits, and what was waited."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now_s += seconds
        return False


def budget(time: Time, per_minute: int = 5, kept_for_orders: int = 2) -> RequestBudget:
    return RequestBudget(per_minute, kept_for_orders, time, time.pause)


def said(left: int, reset_in_s: int, limit: int = 5, at: datetime = NOON) -> dict[str, str]:
    """Return the headers of an answer sent at `at`."""
    reset = at + timedelta(seconds=reset_in_s)
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": str(int(reset.timestamp())),
        "Date": format_datetime(at, usegmt=True),
    }


def test_reads_leave_a_part_to_orders() -> None:
    time = Time()
    tokens = budget(time)

    reads = [tokens.take(is_order=False) for _ in range(4)]
    orders = [tokens.take(is_order=True) for _ in range(3)]

    assert reads == [0, 0, 0, 60]
    assert orders == [0, 0, 60]


def test_a_token_comes_back_a_minute_after_it_was_taken() -> None:
    time = Time()
    tokens = budget(time, per_minute=2, kept_for_orders=0)
    tokens.take(is_order=True)
    time.now_s += 40
    tokens.take(is_order=True)

    assert tokens.take(is_order=True) == 20
    time.now_s += 20
    assert tokens.take(is_order=True) == 0
    assert tokens.take(is_order=True) == 40


@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60),
    per_minute=st.integers(1, 6),
    data=st.data(),
)
def test_no_minute_sees_more_than_allowed_and_nothing_waits_longer_than_it_must(
    steps: list[tuple[int, bool]], per_minute: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, per_minute - 1))
    time = Time()
    tokens = budget(time, per_minute, kept)
    sent: list[tuple[float, bool]] = []

    for quiet_s, is_order in steps:
        time.now_s += quiet_s
        asked = time.now_s
        assert tokens.wait(is_order, patience_s=10_000) == 0
        allowed = per_minute if is_order else per_minute - kept
        if time.now_s > asked:
            assert sum(at > time.now_s - MINUTE_S - 1 for at, _ in sent) >= allowed
        sent.append((time.now_s, is_order))

    for index, (at, is_order) in enumerate(sent):
        within = [each for each, _ in sent[: index + 1] if each > at - MINUTE_S]
        assert len(within) <= (per_minute if is_order else per_minute - kept)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(sent))


def test_what_would_come_too_late_is_not_waited_for() -> None:
    time = Time()
    tokens = budget(time, per_minute=1, kept_for_orders=0)
    tokens.take(is_order=True)
    time.now_s += 45

    assert tokens.wait(is_order=True, patience_s=10) == 15
    assert time.pauses == []
    assert tokens.wait(is_order=True, patience_s=15) == 0
    assert time.pauses == [15]


@pytest.mark.parametrize(("left", "read", "order"), [(0, 30, 30), (2, 30, 0), (3, 0, 0)])
def test_the_broker_may_have_counted_more_than_we_did(left: int, read: float, order: float) -> None:
    tokens = budget(Time())

    tokens.heard(200, said(left, reset_in_s=30))

    assert tokens.take(is_order=False) == read
    if read:
        assert tokens.take(is_order=True) == order


def test_what_we_send_counts_until_the_broker_has_said_so() -> None:
    time = Time()
    tokens = budget(time)
    tokens.heard(200, said(2, reset_in_s=30))

    assert [tokens.take(is_order=True) for _ in range(3)] == [0, 0, 30]
    tokens.heard(200, said(1, reset_in_s=29, at=NOON + timedelta(seconds=1)))  # an answer that was overtaken
    assert tokens.take(is_order=True) == 30
    time.now_s += 30
    assert tokens.take(is_order=True) == 0


def test_the_brokers_next_minute_is_another_count() -> None:
    tokens = budget(Time())
    tokens.heard(200, said(0, reset_in_s=1))

    tokens.heard(200, said(4, reset_in_s=60, at=NOON + timedelta(seconds=1)))

    assert tokens.take(is_order=True) == 0


def test_a_higher_limit_of_the_broker_raises_nothing() -> None:
    tokens = budget(Time(), per_minute=2, kept_for_orders=0)

    tokens.heard(200, said(1000, reset_in_s=60, limit=1000))

    assert [tokens.take(is_order=True) for _ in range(3)] == [0, 0, 60]


def test_a_lower_limit_of_the_broker_holds_and_orders_keep_their_share() -> None:
    tokens = budget(Time(), per_minute=10, kept_for_orders=5)

    tokens.heard(200, said(1000, reset_in_s=60, limit=4))

    assert [tokens.take(is_order=False) for _ in range(3)] == [0, 0, 60]
    assert [tokens.take(is_order=True) for _ in range(3)] == [0, 0, 60]


def test_after_a_refusal_nothing_leaves_until_the_reset() -> None:
    time = Time()
    tokens = budget(time)

    tokens.heard(429, said(0, reset_in_s=17))

    assert tokens.take(is_order=True) == 17
    time.now_s += 17
    assert tokens.take(is_order=True) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-RateLimit-Reset": "soon", "Date": "noon"},
        {"X-RateLimit-Reset": "1", "X-RateLimit-Remaining": "0", "Date": format_datetime(NOON, usegmt=True)},
        {**said(0, reset_in_s=17), "Date": ""},
        said(0, reset_in_s=3600),
        said(0, reset_in_s=0),
    ],
    ids=["no headers", "words", "long ago", "no date", "in an hour", "now"],
)
def test_a_refusal_that_does_not_say_how_long_is_waited_out_longer_each_time(headers: dict[str, str]) -> None:
    time = Time()
    tokens = budget(time)
    waits = []

    for _ in range(8):
        tokens.heard(429, headers)
        waits.append(tokens.take(is_order=True))
        time.now_s += waits[-1]
    tokens.heard(200, {})
    tokens.heard(429, headers)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert tokens.take(is_order=True) == 1


def test_closing_ends_the_waiting_without_a_token() -> None:
    tokens = RequestBudget(1, 0)
    assert tokens.wait(is_order=True, patience_s=0) == 0
    tokens.close()

    assert 0 < tokens.wait(is_order=True, patience_s=100) <= 60
