"""Headers say where an event stands; the hash covers all of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import derived
from topics.wire import (
    GENESIS,
    Place,
    Standing,
    chain_hash,
    header,
    header_or_none,
    identity_headers,
    parse_positions,
    positions_text,
    record_hash,
    sealed,
    standing_headers,
)

names = st.from_regex(r"[a-z-]+\.v[0-9]", fullmatch=True)
positions = st.dictionaries(st.tuples(names, st.integers(0, 99)), st.integers(0, 2**40), max_size=4)
some_bytes = st.none() | st.binary(max_size=4)
headers = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=3).map(tuple)
STANDING = Standing("planner", "0badc0ffee", 3, GENESIS, "books.v1/0/7", {("books.v1", 0): 8})


@given(positions=positions)
def test_positions_are_read_as_they_were_written(positions: dict[tuple[str, int], int]) -> None:
    assert parse_positions(positions_text(positions)) == positions


def test_positions_are_sorted_text() -> None:
    assert positions_text({("runs.v1", 10): 3, ("bars.v1", 2): 1, ("runs.v1", 9): 2}) == (
        "bars.v1/2=1,runs.v1/9=2,runs.v1/10=3"
    )


@pytest.mark.parametrize("text", ["runs.v1", "runs.v1/0", "runs.v1=3", "runs.v1/x=3", "runs.v1/0=x"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_positions(text)


@given(name=names, partition=st.integers(0, 99), offset=st.integers(0, 2**40))
def test_a_place_is_read_as_it_was_written(name: str, partition: int, offset: int) -> None:
    place = Place(name, partition, offset)

    assert Place.parse(str(place)) == place


@given(one=st.tuples(some_bytes, some_bytes, headers), other=st.tuples(some_bytes, some_bytes, headers))
def test_two_records_have_the_same_hash_only_when_they_are_the_same(
    one: tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]],
    other: tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]],
) -> None:
    assert (record_hash(*one) == record_hash(*other)) == (one == other)


def test_moving_a_byte_from_key_to_value_changes_the_hash() -> None:
    assert record_hash(b"ab", b"c", ()) != record_hash(b"a", b"bc", ())
    assert record_hash(b"", b"", ()) != record_hash(None, b"", ())


def test_a_sealed_record_carries_the_hash_of_all_but_the_hash() -> None:
    sent = sealed("runs.v1", 0, b"key", b"value", (("agent", b"scheduler"),))

    assert sent.sha256 == record_hash(b"key", b"value", sent.headers) == header(sent.headers, "sha256")


def test_the_hash_of_a_decision_depends_on_the_order_of_its_events() -> None:
    assert chain_hash(["a", "b"]) == chain_hash(iter(["a", "b"])) != chain_hash(["b", "a"])


def test_headers_say_who_and_where_in_words_a_console_shows() -> None:
    ids = (derived("event"), derived("run"), derived("cause"))
    found = dict((*identity_headers(ids, "Plan", "PA3XYZ", "planner"), *standing_headers(STANDING, 0, 1)))

    assert {name: value.decode() for name, value in found.items()} == {
        "event_id": str(derived("event")),
        "correlation_id": str(derived("run")),
        "causation_id": str(derived("cause")),
        "event_type": "Plan",
        "account_id": "PA3XYZ",
        "agent": "planner",
        "agent_version": "0badc0ffee",
        "seq": "3",
        "ordinal": "0",
        "count": "1",
        "prev": GENESIS,
        "cause": "books.v1/0/7",
        "inputs": "books.v1/0=8",
    }


def test_a_missing_header_is_named_beside_those_that_are_there() -> None:
    with pytest.raises(KeyError, match="header seq is missing, has agent, cause"):
        header((("agent", b""), ("cause", b"")), "seq")


def test_a_header_that_is_absent_null_or_no_text_does_not_stop_a_reader() -> None:
    assert header_or_none((), "seq") is None
    assert header_or_none((("seq", None),), "seq") is None  # type: ignore[arg-type]
    assert header_or_none((("seq", b"\xff1"),), "seq") == "\ufffd1"
