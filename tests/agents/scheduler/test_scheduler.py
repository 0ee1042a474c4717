"""The scheduler: what becomes a run, what is refused and why, and when a deadline has passed."""

import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from exchange_calendars import get_calendar
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.decider import Decider
from agents.scheduler import decider as scheduler
from agents.scheduler.agent import AGENT
from agents.scheduler.sessions import FIRST, LAST, is_session, session_date
from agents.testing import given, through_the_wire
from schemas.identity import run_id
from schemas.run import (
    ClockReading,
    ConflictRule,
    DeadlinePassed,
    Limits,
    Mode,
    Parameter,
    PartitionPosition,
    Run,
    RunRefusal,
    RunRequest,
    RunStatus,
    StrategyTerms,
)

ACCOUNT = "paper-1"
FRIDAY = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)
LIMITS = Limits(
    trade_value_min=Decimal(50),
    quantity_step=Decimal(1),
    weight_total_max=Decimal(1),
    cash_reserve=Decimal("0.02"),
    quote_age_max_s=60,
)


def strategy(name: str = "momentum-us", allocation: str = "0.5", **changed: Any) -> StrategyTerms:
    terms: dict[str, Any] = {
        "strategy_id": name,
        "kind": "momentum",
        "mode": Mode.NETTED,
        "allocation": Decimal(allocation),
        "priority": 1,
        "symbols": ("AAPL", "IBM"),
        "parameters": (Parameter(name="n", value="1"), Parameter(name="window", value="20")),
    }
    return StrategyTerms(**{**terms, **changed})


def request(as_of: datetime = FRIDAY, name: str = "daily", **changed: Any) -> RunRequest:
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "run_id": run_id(ACCOUNT, as_of, name),
        "request_id": name,
        "requested_by": "operator",
        "as_of": as_of,
        "strategies": (strategy(),),
        "limits": LIMITS,
        "conflict_rule": ConflictRule.SUM,
        "valid_until": as_of + timedelta(hours=1),
        "deadline_at": as_of + timedelta(minutes=5),
        "bars_until": (PartitionPosition(partition=0, next_offset=700),),
    }
    return RunRequest(**{**fields, **changed})


def reading(asked: RunRequest, seconds_after_as_of: float) -> ClockReading:
    read_at = asked.as_of + timedelta(seconds=seconds_after_as_of)
    return ClockReading(account_id=ACCOUNT, run_id=asked.run_id, read_at=read_at)


def judged(asked: RunRequest) -> Run:
    (run,) = given(scheduler).when(asked).said
    assert isinstance(run, Run)
    return run


def test_a_request_becomes_a_run_that_carries_the_whole_configuration() -> None:
    asked = request()
    run = judged(asked)
    assert (run.status, run.refusal, run.detail) == (RunStatus.REQUESTED, None, "")
    assert run.terms.model_dump() == {name: getattr(asked, name) for name in type(run.terms).model_fields} | {
        "strategies": tuple(each.model_dump() for each in asked.strategies),
        "limits": asked.limits.model_dump(),
        "bars_until": tuple(each.model_dump() for each in asked.bars_until),
    }


def test_asking_twice_is_asking_once() -> None:
    given(scheduler).when(request()).when(request()).then()


def test_a_refused_request_is_refused_once() -> None:
    given(scheduler).when(request(strategies=())).when(request(strategies=())).then()


@pytest.mark.parametrize(
    ("changed", "refusal", "detail"),
    [
        pytest.param({"strategies": ()}, RunRefusal.NO_STRATEGIES, "was 0", id="nobody"),
        pytest.param(
            {"strategies": (strategy("a"), strategy("b"), strategy("a"))},
            RunRefusal.DUPLICATE_STRATEGY,
            "'a' twice",
            id="one name twice",
        ),
        pytest.param(
            {"strategies": (strategy("system"),)}, RunRefusal.DUPLICATE_STRATEGY, "ledger", id="ledger's name"
        ),
        pytest.param(
            {"strategies": (strategy("a", "0.7"), strategy("b", "0.300000000001"))},
            RunRefusal.ALLOCATION_EXCEEDS_ONE,
            "was 1.000000000001",
            id="more than the whole",
        ),
        pytest.param(
            {"deadline_at": FRIDAY - timedelta(microseconds=1)},
            RunRefusal.DEADLINE_BEFORE_AS_OF,
            "15:54:59.999999",
            id="deadline in the past",
        ),
        pytest.param(
            {"strategies": (strategy("a", "0.1"), strategy("b", "0.1", mode=Mode.BOOK))},
            RunRefusal.MODE_NOT_OFFERED,
            "expected mode NETTED, was BOOK of 'b'",
            id="a book of its own",
        ),
    ],
)
def test_a_request_that_cannot_be_run_is_refused_with_its_reason(
    changed: dict[str, Any], refusal: RunRefusal, detail: str
) -> None:
    run = judged(request(**changed))
    assert (run.status, run.refusal) == (RunStatus.REFUSED, refusal)
    assert detail in run.detail


def test_the_whole_may_be_allocated_and_a_deadline_may_be_the_as_of_itself() -> None:
    asked = request(strategies=(strategy("a", "0.7"), strategy("b", "0.3")), deadline_at=FRIDAY)
    assert judged(asked).status is RunStatus.REQUESTED


@pytest.mark.parametrize(
    ("as_of", "what"),
    [
        pytest.param(datetime(2012, 6, 2, 16, tzinfo=UTC), "Saturday 2012-06-02", id="saturday"),
        pytest.param(datetime(2012, 5, 28, 16, tzinfo=UTC), "Monday 2012-05-28", id="memorial day"),
        pytest.param(datetime(2012, 10, 29, 16, tzinfo=UTC), "Monday 2012-10-29", id="hurricane sandy"),
        pytest.param(
            datetime(2012, 6, 2, 4, 30, tzinfo=UTC), "Saturday 2012-06-02", id="half past midnight in new york"
        ),
        pytest.param(datetime(2050, 1, 3, 16, tzinfo=UTC), "Monday 2050-01-03", id="after the calendar's end"),
    ],
)
def test_an_as_of_without_a_session_is_refused(as_of: datetime, what: str) -> None:
    run = judged(request(as_of))
    assert run.refusal is RunRefusal.NOT_A_SESSION
    assert what in run.detail


@pytest.mark.parametrize(
    "as_of",
    [
        pytest.param(datetime(2012, 7, 3, 16, tzinfo=UTC), id="early close"),
        pytest.param(datetime(2012, 6, 2, 3, 30, tzinfo=UTC), id="friday evening in new york, saturday in utc"),
    ],
)
def test_a_session_is_judged_by_the_date_in_new_york(as_of: datetime) -> None:
    assert judged(request(as_of)).status is RunStatus.REQUESTED


def test_the_calendar_has_fixed_ends() -> None:
    assert is_session(FIRST + timedelta(days=1))
    assert is_session(LAST)
    assert not is_session(FIRST - timedelta(days=3))
    assert session_date(datetime(2012, 1, 1, 4, 59, tzinfo=UTC)).year == 2011


def test_the_first_check_that_fails_is_the_reason() -> None:
    saturday = datetime(2012, 6, 2, 16, tzinfo=UTC)
    two = (strategy("a", "0.9"), strategy("a", "0.9"))
    everything_wrong = request(saturday, strategies=two, deadline_at=FRIDAY)
    assert judged(everything_wrong).refusal is RunRefusal.DUPLICATE_STRATEGY


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"account_id": "paper-2"}, id="another account"),
        pytest.param({"as_of": FRIDAY + timedelta(seconds=1)}, id="another instant"),
        pytest.param({"request_id": "weekly"}, id="another request"),
    ],
)
def test_a_run_id_that_is_not_derived_from_the_request_is_refused_before_all_else(changed: dict[str, Any]) -> None:
    right = request()
    foreign = right.model_copy(update={"strategies": (), **changed})
    run = judged(foreign)

    assert (run.status, run.refusal, run.run_id) == (RunStatus.REFUSED, RunRefusal.RUN_ID_MISMATCH, right.run_id)
    derived = run_id(foreign.account_id, foreign.as_of, foreign.request_id)
    assert f"{derived} of account, as_of and request_id, was {right.run_id}" in run.detail


def test_a_request_under_the_id_of_another_run_changes_nothing_for_that_run() -> None:
    right, foreign = request(), request(request_id="weekly")
    refused, run = judged(foreign), judged(right)
    passed = DeadlinePassed(account_id=ACCOUNT, run_id=right.run_id, deadline_at=FRIDAY + timedelta(minutes=5))

    story = given(scheduler).when(foreign).then(refused).when(right).then(run)
    story.when(foreign).then(refused).when(right).then().when(reading(right, 300)).then(passed)


def test_a_deadline_is_said_once_when_the_clock_has_reached_it() -> None:
    asked = request()
    passed = DeadlinePassed(account_id=ACCOUNT, run_id=asked.run_id, deadline_at=asked.as_of + timedelta(minutes=5))
    story = given(scheduler).when(asked)
    story.when(reading(asked, 299.999999)).then()
    story.when(reading(asked, 300)).then(passed).when(reading(asked, 301)).then()


def test_a_run_without_a_deadline_is_waited_for_without_end() -> None:
    asked = request(deadline_at=None)
    given(scheduler).when(asked).when(reading(asked, 1e6)).then()


def test_refused_and_unknown_runs_have_no_deadline() -> None:
    refused, unknown = request(strategies=()), request(name="never asked")
    given(scheduler).when(refused).when(reading(refused, 400)).then().when(reading(unknown, 400)).then()


names = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@for_all(data=st.data(), chosen=names)
def test_the_order_in_which_the_asker_lists_things_changes_nothing(data: st.DataObject, chosen: list[str]) -> None:
    listed = [strategy(name, "0.2") for name in chosen]
    shuffled = [
        each.model_copy(
            update={
                "symbols": tuple(data.draw(st.permutations(each.symbols))),
                "parameters": tuple(data.draw(st.permutations(each.parameters))),
            }
        )
        for each in data.draw(st.permutations(listed))
    ]
    bounds = [PartitionPosition(partition=number, next_offset=number) for number in range(3)]
    one = judged(request(strategies=tuple(listed), bars_until=tuple(bounds)))
    other = judged(request(strategies=tuple(shuffled), bars_until=tuple(data.draw(st.permutations(bounds)))))
    assert one == other == through_the_wire(other)


def test_the_declaration_names_the_decider() -> None:
    checked: Decider[scheduler.State] = scheduler
    assert (AGENT.name, AGENT.decider, AGENT.view) == ("scheduler", checked, None)


def test_a_record_of_another_agent_is_a_fault_of_the_wiring() -> None:
    with pytest.raises(TypeError, match="was DeadlinePassed"):
        given(scheduler).when(DeadlinePassed(account_id=ACCOUNT, run_id=request().run_id, deadline_at=FRIDAY))
    with pytest.raises(TypeError, match="was RunRequest"):
        given(scheduler, request())


def test_the_table_of_holidays_is_what_the_calendar_library_says() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls what a newer pandas deprecates
        calendar = get_calendar("XNYS", start=FIRST, end=LAST)
    days = (FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1))

    assert {day for day in days if is_session(day)} == {session.date() for session in calendar.sessions}
