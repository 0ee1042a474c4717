"""`tape runs`: how far every run has come, since when, and which one came no further."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

import infra.clock
from infra.cli.main import Command, load
from infra.postgres.projection import Projection
from schemas.account import AccountSnapshot, SnapshotStatus
from schemas.execution import Execution, ExecutionStatus
from schemas.order import BrokerReport, ExecType, OrderEvent, OrdStatus
from schemas.portfolio import Portfolio, PortfolioStatus
from schemas.record import Record
from schemas.run import Run, RunStatus
from tests.infra.postgres import stories
from tests.infra.postgres.databases import database_url, migrated_url, projection, server_url
from tests.infra.postgres.stories import Log, blank
from tests.made import ACCOUNT, portfolio_content, run_terms, snapshot_content

FIXTURES = (database_url, migrated_url, projection, server_url)
RUNS = load(Command("runs", "infra.cli.runs:runs", "Show runs."))
MORNING = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@dataclass
class Day:
    """A day's log in a database: what is said of a run, and when Kafka got it."""

    projection: Projection
    monkeypatch: pytest.MonkeyPatch
    log: Log = field(default_factory=Log)

    def says(self, minute: int, *records: Record) -> None:
        """Append records of one run so many minutes after half past nine."""
        read = []
        for record in records:
            run = getattr(record, "run_id", None) or record.order.run_id  # type: ignore[attr-defined]
            self.monkeypatch.setattr(stories, "RUN", run)
            incoming, event = self.log.say(record)
            at = MORNING + timedelta(minutes=minute)
            read.append((replace(incoming, timestamp_ms=int(at.timestamp() * 1000)), event))
        self.projection.positions(self.log.ends)
        self.projection.apply(read)

    def shows(self, minute: int, *arguments: str) -> Result:
        """Run the command so many minutes after half past nine."""
        now = MORNING + timedelta(minutes=minute)
        self.monkeypatch.setattr(infra.clock, "system_clock", lambda: now)
        result = CliRunner(env={"COLUMNS": "160"}).invoke(RUNS, [*arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def found(self, minute: int, *arguments: str) -> list[dict[str, Any]]:
        """Return what the command says as JSON."""
        return list(json.loads(self.shows(minute, "--json", *arguments).stdout))


@pytest.fixture
def day(projection: Projection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Day:
    monkeypatch.setenv("TAPE_DATABASE_URL", database_url)
    return Day(projection, monkeypatch)


def asked(name: str = "first") -> Run:
    terms = run_terms(name)
    return blank(Run, account_id=ACCOUNT, run_id=terms.run_id, status=RunStatus.REQUESTED, terms=terms)


def formed(run: Run, status: PortfolioStatus = PortfolioStatus.FORMED) -> Portfolio:
    content = portfolio_content(run.terms)
    return blank(Portfolio, account_id=ACCOUNT, run_id=run.run_id, status=status, content=content)


def step(run: Run, status: ExecutionStatus, detail: str = "") -> Execution:
    return blank(Execution, account_id=ACCOUNT, run_id=run.run_id, status=status, detail=detail)


def order(run: Run, status: OrdStatus, kind: type[Record] = OrderEvent) -> Any:
    event = stories.example(OrderEvent)
    terms = event.order.model_copy(update={"run_id": run.run_id})
    changed = {"exec_type": ExecType.UNKNOWN, "ord_status": status, "client_order_id": "net-IBM-1", "order": terms}
    return event.model_copy(update=changed)


def test_nothing_was_asked_for(day: Day) -> None:
    assert day.shows(0).stdout == "no run was ever asked for\n"


def test_a_run_that_went_through_says_when_its_reducing_and_its_increasing_orders_were_done(day: Day) -> None:
    run = asked()
    day.says(0, run, formed(run))
    for minute, status in enumerate(("CLEARING", "CLEARED", "ACCEPTED", "REDUCED", "REDUCED", "FINISHED"), start=1):
        day.says(minute, step(run, ExecutionStatus(status)))
    result = day.shows(60)

    assert result.exit_code == 0
    assert "FINISHED  2026-11-20 09:30:00Z  +4 min   +6 min  +6 min" in result.stdout
    (found,) = day.found(60)
    assert (found["stage"], found["is_stuck"], found["orders"]) == ("FINISHED", False, [])


@pytest.mark.parametrize(
    ("records", "stage"),
    [
        (lambda run: [], "REQUESTED"),
        (lambda run: [formed(run)], "FORMED"),
        (lambda run: [formed(run), step(run, ExecutionStatus.CLEARED)], "CLEARED"),
        (lambda run: [formed(run), step(run, ExecutionStatus.REDUCED)], "REDUCED"),
    ],
)
def test_a_run_that_came_no_further_for_ten_minutes_is_stuck(
    day: Day, records: Callable[[Run], list[Record]], stage: str
) -> None:
    run = asked()
    day.says(0, run)
    for record in records(run):
        day.says(5, record)
    minute = 5 if records(run) else 0
    assert [(each["stage"], each["is_stuck"]) for each in day.found(minute + 10)] == [(stage, False)]

    result = day.shows(minute + 11)
    assert result.exit_code == 1
    assert f"{stage}, stuck" in result.stdout
    since = MORNING + timedelta(minutes=minute)
    assert f"run {run.run_id} is stuck, {stage} since {since:%Y-%m-%d %H:%M:%S}Z: " in result.stderr
    assert f"tape trace {run.run_id}" in result.stderr
    assert day.shows(minute + 11, "--stuck-after", "60").exit_code == 0


def test_a_stuck_run_says_what_it_waits_for(day: Day) -> None:
    run = asked()
    day.says(0, run, formed(run), step(run, ExecutionStatus.CLEARED))
    content = snapshot_content(portfolio_content(run.terms))
    failed = blank(
        AccountSnapshot,
        account_id=ACCOUNT,
        run_id=run.run_id,
        status=SnapshotStatus.FAILED,
        detail="account, 3 tries: HTTP 500",
        content=content,
    )
    day.says(0, failed)
    assert "the account could not be read. account, 3 tries: HTTP 500" in day.shows(30).stderr

    day.says(1, step(run, ExecutionStatus.ACCEPTED), order(run, OrdStatus.UNKNOWN))
    assert "order net-IBM-1 is UNKNOWN" in day.shows(30).stderr


def test_that_the_broker_is_asked_again_and_again_is_no_progress(day: Day) -> None:
    run = asked()
    day.says(0, run, formed(run), step(run, ExecutionStatus.ACCEPTED), order(run, OrdStatus.UNKNOWN))
    day.monkeypatch.setattr(stories, "RUN", run.run_id)
    incoming, event = day.log.say(blank(BrokerReport, account_id=ACCOUNT, client_order_id="net-IBM-1"))
    at = int((MORNING + timedelta(minutes=20)).timestamp() * 1000)
    day.projection.positions(day.log.ends)
    day.projection.apply([(replace(incoming, timestamp_ms=at), event)])

    assert day.shows(20).exit_code == 1


@pytest.mark.parametrize("status", [ExecutionStatus.SUPERSEDED, ExecutionStatus.ABANDONED, None])
def test_a_run_that_ended_in_another_way_is_not_stuck(day: Day, status: ExecutionStatus | None) -> None:
    run = asked()
    missed = status is None
    day.says(0, run, formed(run, PortfolioStatus.QUORUM_MISSED if missed else PortfolioStatus.FORMED))
    day.says(1, *([] if status is None else [step(run, status)]))
    (found,) = day.found(600)
    assert (found["stage"], found["is_stuck"]) == (status.value if status else "QUORUM_MISSED", False)
    assert found["ended_at"] is not None


def test_those_under_way_are_shown_however_few_of_the_last_are_wanted(day: Day) -> None:
    first, second, third = (asked(name) for name in ("first", "second", "third"))
    day.says(0, first, formed(first), step(first, ExecutionStatus.FINISHED))
    day.says(1, second, formed(second), step(second, ExecutionStatus.FINISHED))
    day.says(2, third)

    assert len(day.found(3)) == 3
    assert {each["run_id"] for each in day.found(3, "--last", "0")} == {str(third.run_id)}
    assert day.found(3, "--account", "OTHER") == []
