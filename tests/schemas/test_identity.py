"""Identity is derived: the same thing has the same id, and different things have different ids."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from schemas.identity import (
    decided_run_id,
    event_id,
    fill_id,
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
    assert intent_id(plan_id(RUN), "net", "AAPL", 1, 1) == UUID("02fe79a2-78f1-5f99-af23-3d3aea33f714")


def test_an_instant_names_the_same_run_in_any_time_zone() -> None:
    assert run_id("PA3XYZ", NOON.astimezone(timezone(timedelta(hours=-4))), "daily") == RUN


def test_different_things_have_different_ids() -> None:
    plan = plan_id(RUN)
    ids = [
        RUN,
        run_id("PA3XYZ", NOON, "weekly"),
        run_id("PA4XYZ", NOON, "daily"),
        plan,
        intent_id(plan, "net", "AAPL", 1, 1),
        intent_id(plan, "net", "AAPL", 1, 2),
        intent_id(plan, "net", "AAPL", 2, 1),
        intent_id(plan, "net", "MSFT", 1, 1),
        intent_id(plan, "core", "AAPL", 1, 1),
        decided_run_id(RUN, "AAPL"),
        decided_run_id(RUN, "MSFT"),
        fill_id("order", "1.000000000"),
        fill_id("order", "2.000000000"),
        place_id("runs.v1", 0, 7),
        place_id("runs.v1", 7, 0),
        event_id(RUN, "planner", 0),
        event_id(RUN, "planner", 1),
        event_id(RUN, "executor", 0),
    ]

    assert len(set(ids)) == len(ids)
