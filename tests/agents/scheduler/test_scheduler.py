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
from agents.scheduler import refusals
from agents.scheduler.agent import AGENT
from agents.scheduler.sessions import FIRST, LAST, is_session, session_date
from agents.testing import given, through_the_wire
from schemas.identity import run_id
from schemas.run import (
    ClockReading,
    DeadlinePassed,
    Mode,
    OrderStyle,
    OverlapPolicy,
    Parameter,
    PartitionPosition,
    Run,
    RunRefusal,
    RunRequest,
    RunStatus,
    StrategyTerms,
    SyncRule,
)
from tests import made

ACCOUNT = "paper-1"
FRIDAY = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)


def strategy(name: str = "momentum-us", allocation: str = "0.5", **changed: Any) -> StrategyTerms:
    terms: dict[str, Any] = {
        "kind": "momentum",
        "allocation": Decimal(allocation),
        "parameters": (Parameter(name="n", value="1"), Parameter(name="window", value="20")),
    }
    return made.strategy(name, **{**terms, **changed})


def request(as_of: datetime = FRIDAY, name: str = "daily", **changed: Any) -> RunRequest:
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "run_id": run_id(ACCOUNT, as_of, name),
        "request_id": name,
        "requested_by": "operator",
        "as_of": as_of,
        "strategies": (strategy(),),
        "limits": made.limits(),
        "rules": made.rules(),
        "execution": made.execution(),
        "valid_until": as_of + timedelta(hours=1),
        "deadline_at": as_of + timedelta(minutes=5),
        "bars_until": (PartitionPosition(partition=0, next_offset=700),),
    }
    return RunRequest(**{**fields, **changed})


def reading(asked: RunRequest, seconds_after_as_of: float) -> ClockReading:
    read_at = asked.as_of + timedelta(seconds=seconds_after_as_of)
    due_at = asked.deadline_at or asked.as_of
    return ClockReading(account_id=ACCOUNT, run_id=asked.run_id, due_at=due_at, read_at=read_at)


def passed(run: Run) -> DeadlinePassed:
    assert run.terms.deadline_at is not None
    return DeadlinePassed(account_id=ACCOUNT, run_id=run.run_id, deadline_at=run.terms.deadline_at, terms=run.terms)


def judged(asked: RunRequest) -> Run:
    (run,) = given(scheduler).when(asked).said
    assert isinstance(run, Run)
    return run


def test_a_request_becomes_a_run_that_carries_the_whole_configuration() -> None:
    asked = request()
    run = judged(asked)
    assert (run.status, run.refusal, run.detail, run.warnings) == (RunStatus.REQUESTED, None, "", ())
    assert run.terms.model_dump() == {name: getattr(asked, name) for name in type(run.terms).model_fields} | {
        "strategies": tuple(each.model_dump() for each in asked.strategies),
        "limits": asked.limits.model_dump(),
        "rules": asked.rules.model_dump(),
        "execution": asked.execution.model_dump(),
        "bars_until": tuple(each.model_dump() for each in asked.bars_until),
    }


def test_asking_twice_is_asking_once() -> None:
    given(scheduler).when(request()).when(request()).then()


def test_a_refused_request_is_refused_once() -> None:
    twice = request(strategies=(strategy("net"),))
    given(scheduler).when(twice).when(twice).then()


@pytest.mark.parametrize(
    ("changed", "refusal", "detail"),
    [
        pytest.param(
            {"strategies": (strategy("a"), strategy("b"), strategy("a"))},
            RunRefusal.DUPLICATE_STRATEGY,
            "'a' twice",
            id="one name twice",
        ),
        pytest.param(
            {"strategies": (strategy("system", mode=Mode.BOOK),)},
            RunRefusal.RESERVED_NAME,
            "expected mode NETTED of 'system', which has no book of its own, was BOOK",
            id="system with a book",
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
            {"execution": made.execution(limit_offset=Decimal("0.01"))},
            RunRefusal.EXECUTION_NOT_POSSIBLE,
            "expected a limit_offset of 0 with order style MARKET, was 0.01",
            id="an offset of no limit",
        ),
        pytest.param(
            {"execution": made.execution(is_extended_hours=True)},
            RunRefusal.EXECUTION_NOT_POSSIBLE,
            "expected a limit style outside the regular session, was MARKET",
            id="at the market outside the session",
        ),
        pytest.param(
            {
                "execution": made.execution(is_extended_hours=True, order_style=OrderStyle.LIMIT),
                "limits": made.limits(quantity_step=Decimal("0.001")),
            },
            RunRefusal.EXECUTION_NOT_POSSIBLE,
            "expected a quantity_step of whole shares outside the regular session, was 0.001",
            id="parts of a share outside the session",
        ),
        pytest.param(
            {"strategies": (strategy("a", "0.98"),), "rules": made.rules(is_full_allocation_required=True)},
            RunRefusal.ALLOCATION_NOT_FULL,
            "expected allocations of 1 together, give or take 0.01, was 0.98",
            id="less than the whole",
        ),
        pytest.param(
            {"rules": made.rules(sync_rule=SyncRule.QUORUM)},
            RunRefusal.QUORUM_NOT_POSSIBLE,
            "expected a quorum from 1 to the number of strategies, which is 1, was None",
            id="a quorum of nobody knows how many",
        ),
        pytest.param(
            {"rules": made.rules(sync_rule=SyncRule.QUORUM, quorum=2)},
            RunRefusal.QUORUM_NOT_POSSIBLE,
            "which is 1, was 2",
            id="a quorum of more than there are",
        ),
        pytest.param(
            {"strategies": (), "rules": made.rules(sync_rule=SyncRule.QUORUM, quorum=1)},
            RunRefusal.QUORUM_NOT_POSSIBLE,
            "which is 0, was 1",
            id="a quorum of nobody",
        ),
        pytest.param(
            {"rules": made.rules(quorum=1)},
            RunRefusal.QUORUM_NOT_POSSIBLE,
            "expected no quorum with sync rule ALL, was 1",
            id="a quorum that is not asked for",
        ),
        pytest.param(
            {
                "strategies": (strategy("b", "0.1", symbols=("IBM", "MSFT")), strategy("a", "0.1", mode=Mode.BOOK)),
                "rules": made.rules(overlap_policy=OverlapPolicy.FORBID),
            },
            RunRefusal.OVERLAP_FORBIDDEN,
            "expected every symbol of one strategy only, was IBM of a, b",
            id="one symbol of two",
        ),
        pytest.param(
            {"rules": made.rules(sync_rule=SyncRule.DEADLINE), "deadline_at": None},
            RunRefusal.DEADLINE_MISSING,
            "expected a deadline with sync rule DEADLINE, was none",
            id="no deadline to wait for",
        ),
        pytest.param(
            {"rules": made.rules(sync_rule=SyncRule.QUORUM, quorum=1), "deadline_at": None},
            RunRefusal.DEADLINE_MISSING,
            "QUORUM",
            id="a quorum that may be waited for without end",
        ),
    ],
)
def test_a_request_that_cannot_be_run_is_refused_with_its_reason(
    changed: dict[str, Any], refusal: RunRefusal, detail: str
) -> None:
    run = judged(request(**changed))
    assert (run.status, run.refusal) == (RunStatus.REFUSED, refusal)
    assert detail in run.detail


@pytest.mark.parametrize("name", ["street", "manual", "net", "alch"])
def test_a_name_that_means_somebody_else_is_refused(name: str) -> None:
    run = judged(request(strategies=(strategy(name),)))
    assert run.refusal is RunRefusal.RESERVED_NAME
    assert run.detail.startswith(f"expected a name of the strategy's own, was '{name}': ")


def test_system_is_a_strategy_for_trades_of_the_account_itself() -> None:
    assert judged(request(strategies=(strategy("system"),))).status is RunStatus.REQUESTED


def test_a_run_may_have_no_strategies_at_all() -> None:
    assert judged(request(strategies=())).status is RunStatus.REQUESTED


@pytest.mark.parametrize("allocation", ["0.99", "1"])
def test_nearly_the_whole_is_the_whole(allocation: str) -> None:
    asked = request(strategies=(strategy("a", allocation),), rules=made.rules(is_full_allocation_required=True))
    assert judged(asked).status is RunStatus.REQUESTED


def test_a_quorum_of_all_is_possible() -> None:
    assert judged(request(rules=made.rules(sync_rule=SyncRule.QUORUM, quorum=1))).status is RunStatus.REQUESTED


SHARED = (strategy("b", "0.1", symbols=("MSFT", "IBM")), strategy("a", "0.1"), strategy("c", "0.1", symbols=("IBM",)))


def test_symbols_that_several_name_are_warned_of_by_name() -> None:
    run = judged(request(strategies=SHARED, rules=made.rules(overlap_policy=OverlapPolicy.WARN)))
    assert (run.status, run.warnings) == (RunStatus.REQUESTED, ("IBM is named by a, b, c",))


def test_nobody_is_warned_where_sharing_is_allowed_or_the_run_is_refused() -> None:
    assert judged(request(strategies=SHARED)).warnings == ()
    refused = judged(
        request(strategies=(*SHARED, strategy("net", "0")), rules=made.rules(overlap_policy=OverlapPolicy.WARN))
    )
    assert (refused.refusal, refused.warnings) == (RunRefusal.RESERVED_NAME, ())


def test_the_checks_are_made_in_the_order_of_the_reasons() -> None:
    assert list(RunRefusal)[:2] == [RunRefusal.RUN_ID_MISMATCH, RunRefusal.DIFFERENT_REQUEST]
    assert [refusal for refusal, _ in refusals.CHECKS] == list(RunRefusal)[2:]


def test_asking_for_something_else_under_the_same_name_is_refused_and_changes_nothing() -> None:
    first = request()
    other = request(strategies=(strategy("momentum-us", "0.4"),))

    story = given(scheduler).when(first).when(other)

    (refused,) = story.said
    assert isinstance(refused, Run)
    assert (refused.status, refused.refusal) == (RunStatus.REFUSED, RunRefusal.DIFFERENT_REQUEST)
    assert refused.detail.endswith("was other strategies")
    assert story.when(first).said == ()


@pytest.mark.parametrize(
    ("named", "counted"),
    [
        ({"strategies": (strategy("x" * 65),)}, "was 65"),
        ({"strategies": (strategy("a-b" * 13),)}, "was 65"),
        ({"strategies": (strategy("a", symbols=("S" * 33,)),)}, "was 33"),
        ({"strategies": (strategy("a", symbols=("",)),)}, "was 0"),
    ],
)
def test_a_name_that_would_not_fit_into_a_client_order_id_is_refused(named: dict[str, Any], counted: str) -> None:
    refused = judged(request(**named))

    assert refused.refusal is RunRefusal.NAME_TOO_LONG
    assert counted in refused.detail
    assert judged(request(strategies=(strategy("x" * 64, symbols=("S" * 32,)),))).status is RunStatus.REQUESTED


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

    story = given(scheduler).when(foreign).then(refused).when(right).then(run)
    story.when(foreign).then(refused).when(right).then().when(reading(right, 300)).then(passed(run))


def test_a_deadline_is_said_once_when_the_clock_has_reached_it() -> None:
    asked = request()
    story = given(scheduler).when(asked)
    story.when(reading(asked, 299.999999)).then()
    story.when(reading(asked, 300)).then(passed(judged(asked))).when(reading(asked, 301)).then()


def test_a_deadline_carries_the_terms_of_its_run_also_after_a_restart() -> None:
    run = judged(request(strategies=()))
    given(scheduler, run).when(reading(request(), 300)).then(passed(run))
    given(scheduler, run, passed(run)).when(reading(request(), 300)).then()


def test_a_run_without_a_deadline_is_waited_for_without_end() -> None:
    asked = request(deadline_at=None)
    given(scheduler).when(asked).when(reading(asked, 1e6)).then()


def test_refused_and_unknown_runs_have_no_deadline() -> None:
    refused, unknown = request(strategies=(strategy("net"),)), request(name="never asked")
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
        given(scheduler).when(passed(judged(request())))
    with pytest.raises(TypeError, match="was RunRequest"):
        given(scheduler, request())


def test_the_table_of_holidays_is_what_the_calendar_library_says() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls what a newer pandas deprecates
        calendar = get_calendar("XNYS", start=FIRST, end=LAST)
    days = (FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1))

    assert {day for day in days if is_session(day)} == {session.date() for session in calendar.sessions}
