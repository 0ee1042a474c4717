"""Identity is derived: the same thing has the same id, and different things have different ids."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import (
    CLIENT_ORDER_ID_LENGTH_MAX,
    client_order_id,
    derived,
    event_id,
    fill_id,
    id_part,
    intent_id,
    place_id,
    plan_id,
    run_id,
)

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
RUN = run_id("PA3XYZ", NOON, "daily")


def test_ids_are_the_same_next_year_because_these_are_their_values() -> None:
    assert UUID("f3fdaa90-6608-5ac1-b3b3-582b0306d6bb") == RUN
    assert event_id(RUN, "planner", 0) == UUID("d306d5fb-af86-5295-a873-e728926cd6d6")
    assert intent_id(plan_id(RUN), "AAPL", 1, 1) == UUID("5619192e-15d2-575d-871c-b821aacbd114")


def test_an_instant_names_the_same_run_in_any_time_zone() -> None:
    assert run_id("PA3XYZ", NOON.astimezone(timezone(timedelta(hours=-4))), "daily") == RUN


def test_different_things_have_different_ids() -> None:
    plan = plan_id(RUN)
    ids = [
        RUN,
        run_id("PA3XYZ", NOON, "weekly"),
        run_id("PA4XYZ", NOON, "daily"),
        plan,
        intent_id(plan, "AAPL", 1, 1),
        intent_id(plan, "AAPL", 1, 2),
        intent_id(plan, "AAPL", 2, 1),
        intent_id(plan, "MSFT", 1, 1),
        fill_id("order", "1.000000000"),
        fill_id("order", "2.000000000"),
        place_id("runs.v1", 0, 7),
        place_id("runs.v1", 7, 0),
        event_id(RUN, "planner", 0),
        event_id(RUN, "planner", 1),
        event_id(RUN, "executor", 0),
    ]

    assert len(set(ids)) == len(ids)


def test_a_client_order_id_says_who_what_and_when() -> None:
    intent = intent_id(plan_id(RUN), "BRK.B", 1, 1)

    assert (
        client_order_id("momentum-12/1", "BRK.B", NOON, intent)
        == f"momentum_12_1-BRK.B-20120601T160000-{intent.hex[:8]}"
    )


def test_a_client_order_id_that_the_broker_would_not_take_is_refused_and_not_cut() -> None:
    intent = derived("intent")
    fixed = len(client_order_id("", "AAPL", NOON, intent))

    assert len(client_order_id("x" * (CLIENT_ORDER_ID_LENGTH_MAX - fixed), "AAPL", NOON, intent)) == 128
    with pytest.raises(ValueError, match="129 characters, at most 128"):
        client_order_id("x" * (CLIENT_ORDER_ID_LENGTH_MAX - fixed + 1), "AAPL", NOON, intent)


@given(text=st.text())
def test_a_part_of_an_id_holds_only_letters_digits_dots_and_underscores(text: str) -> None:
    part = id_part(text)

    assert all(character.isascii() and (character.isalnum() or character in "._") for character in part)
    assert id_part(part.replace("_", "/")) == part
