"""`tape decide`: a person's word reaches the collector once, and its outcome comes back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from infra.cli import decide as decide_module
from infra.cli.decide import chosen, decision_on, flagged, told
from infra.embedded.folders import CHECKOUT
from infra.embedded.testing import shared_stack
from infra.errors import TapeError
from infra.kafka import admin
from infra.kafka.log import read_all
from infra.kafka.publish import Publisher, from_outside
from schemas.identity import decided_run_id, derived
from schemas.portfolio import (
    Conflict,
    ConflictChoice,
    ConflictDecision,
    ConflictOutcome,
    ConflictStatus,
    Contribution,
    Portfolio,
    PortfolioStatus,
)
from schemas.record import Record
from schemas.run import ConflictRule, RunTerms
from schemas.signal import Signal, SignalStatus, TargetWeight
from tests import made
from topics.codec import Event, decode
from topics.wire import Incoming

UNTIL = datetime(2012, 6, 1, 16, 30, tzinfo=UTC)


def conflict(symbol: str, is_open: bool = True) -> Conflict:
    wishes = (
        Contribution(strategy_id="core", weight=Decimal("0.1")),
        Contribution(strategy_id="trend", weight=Decimal("-0.04")),
    )
    return Conflict(symbol=symbol, rule=ConflictRule.FLAG, wishes=wishes, decided_by=None, is_open=is_open)


def portfolio(name: str = "first") -> Portfolio:
    content = made.portfolio_content(made.run_terms(name), conflicts=(conflict("AAPL", is_open=False), conflict("IBM")))
    return Portfolio(
        account_id=made.ACCOUNT,
        run_id=content.terms.run_id,
        status=PortfolioStatus.FORMED,
        is_partial=False,
        failed=(),
        missing=(),
        signal_ids=(),
        content=content,
    )


def on_the_log(record: Record) -> Incoming:
    out = from_outside(record, derived("test"), made.AS_OF, None, 1, "test")
    return Incoming(out.topic, out.partition, 0, 0, out.key, out.value, out.headers)


@pytest.mark.parametrize(
    ("take", "total", "hold", "choice"),
    [
        ("core", False, False, ConflictChoice.TAKE),
        (None, True, False, ConflictChoice.SUM),
        (None, False, True, ConflictChoice.HOLD),
    ],
)
def test_one_of_three_is_chosen(take: str | None, total: bool, hold: bool, choice: ConflictChoice) -> None:
    assert chosen(take, total, hold) is choice


@pytest.mark.parametrize(
    ("take", "total", "hold", "was"),
    [(None, False, False, "none of them"), ("core", True, False, "--take and --sum"), (None, True, True, "--sum and")],
)
def test_none_and_several_are_wrong_usage(take: str | None, total: bool, hold: bool, was: str) -> None:
    with pytest.raises(typer.BadParameter, match=was):
        chosen(take, total, hold)


def test_a_run_is_found_by_the_first_digits_of_its_id() -> None:
    first, second = portfolio(), portfolio("second")
    log = [on_the_log(second), on_the_log(first)]
    assert flagged(log, str(first.run_id)[:6].upper()) == first


@pytest.mark.parametrize("digits", ["ffff", "", "x"])
def test_digits_of_no_run_are_refused(digits: str) -> None:
    with pytest.raises(TapeError, match=f"begins with '{digits}', was none"):
        flagged([on_the_log(portfolio())], digits)


def test_digits_of_two_runs_are_no_run() -> None:
    runs = [portfolio(f"run {number}") for number in range(17)]
    digits = next(d for d in "0123456789abcdef" if sum(str(each.run_id).startswith(d) for each in runs) > 1)
    with pytest.raises(TapeError, match=f"begins with '{digits}', was {digits}.*, {digits}"):
        flagged(map(on_the_log, runs), digits)


def test_a_decision_says_who_what_why_and_until_when() -> None:
    said = decision_on(portfolio(), "IBM", ConflictChoice.TAKE, "trend", "maria", "earnings", UNTIL)
    assert said == ConflictDecision(
        account_id=made.ACCOUNT,
        run_id=portfolio().run_id,
        symbol="IBM",
        choice=ConflictChoice.TAKE,
        strategy_id="trend",
        decided_by="maria",
        reason="earnings",
        valid_until=UNTIL,
    )


def test_what_was_not_flagged_is_refused_before_anything_is_published() -> None:
    with pytest.raises(TapeError, match=r"flagged \(IBM\), was AAPL") as refused:
        decision_on(portfolio(), "AAPL", ConflictChoice.SUM, None, "maria", "", UNTIL)
    assert refused.value.next_command == f"tape why AAPL --run {portfolio().run_id}"
    with pytest.raises(TapeError, match=r"for IBM \(core 0.1, trend -0.04\), was value"):
        decision_on(portfolio(), "IBM", ConflictChoice.TAKE, "value", "maria", "", UNTIL)


def outcome(status: ConflictStatus) -> ConflictOutcome:
    run_id = portfolio().run_id
    return ConflictOutcome(
        account_id=made.ACCOUNT,
        run_id=run_id,
        symbol="IBM",
        status=status,
        choice=ConflictChoice.TAKE,
        strategy_id="trend",
        decided_by="maria",
        follow_up_run_id=decided_run_id(run_id, "IBM") if status is ConflictStatus.ACCEPTED else None,
    )


def test_an_accepted_decision_names_the_run_that_trades_it() -> None:
    text = told(outcome(ConflictStatus.ACCEPTED))
    assert text.startswith(f"ACCEPTED: IBM of run {portfolio().run_id}: TAKE trend, by maria\n")
    assert text.endswith(f"next:  tape trace {decided_run_id(portfolio().run_id, 'IBM')}")


@pytest.mark.parametrize("status", [each for each in ConflictStatus if each is not ConflictStatus.ACCEPTED])
def test_every_other_outcome_says_why(status: ConflictStatus) -> None:
    first, why, following = told(outcome(status)).splitlines()
    assert first.startswith(f"{status}: ")
    assert why.strip() == decide_module.WHY_NOT[status]
    assert following == f"  next:  tape trace {portfolio().run_id}"


# --- with Kafka and a running collector -------------------------------------------------------------------------------


@dataclass
class Floor:
    """A broker with every topic, the environment that names it, and where processes write."""

    servers: str
    environment: dict[str, str]
    folder: Path

    def signal(self, run: RunTerms, strategy_id: str, weight: str) -> None:
        """Let a strategy speak about IBM."""
        said = Signal(
            account_id=made.ACCOUNT,
            signal_id=derived("signal", run.run_id, strategy_id),
            strategy_id=strategy_id,
            status=SignalStatus.READY,
            failure=None,
            detail="",
            targets=(TargetWeight(symbol="IBM", weight=Decimal(weight)),),
            skipped=(),
            decision_path=(),
            bars_until=(),
            bars_count=0,
            bars_sha256="",
            terms=run,
        )
        publisher = Publisher(self.servers, 1, "test")
        publisher.publish(said, said.signal_id, made.AS_OF, correlation_id=run.run_id)
        publisher.flush()

    def events(self, *records: type[Record]) -> list[Event]:
        """Return what the log holds of these records."""
        return [decode(each) for each in read_all(self.servers, [record.topic for record in records])]

    def decide(self, *arguments: str) -> Result:
        """Run the command."""
        single = typer.Typer()
        single.command()(decide_module.decide)
        return CliRunner(env=self.environment).invoke(single, [*arguments, "--by", "maria"])

    def collector(self) -> "subprocess.Popen[bytes]":
        """Start the collector."""
        with (self.folder / "collector.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "infra.worker", "collector"], env=self.environment, stdout=log, stderr=log
            )


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Lend a broker of this module's own: the topics are those of the product."""
    folder = tmp_path_factory.mktemp("decide")
    with shared_stack(folder, {"kafka"}) as stack:
        admin.apply(stack.bootstrap_servers, 1)
        environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "TAPE_HOME": str(folder),
            "TAPE_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
            "TAPE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "TAPE_PARTITIONS": "1",
            "TAPE_CLOCK": "system",
        }
        yield Floor(stack.bootstrap_servers, environment, folder)


def test_a_persons_decision_becomes_a_run_of_its_own_once(floor: Floor) -> None:
    run = made.run_terms("decided", rules=made.rules(conflict_rule=ConflictRule.FLAG))
    floor.signal(run, "core", "0.2")
    floor.signal(run, "trend", "-0.08")
    collector = floor.collector()
    try:
        while not floor.events(Portfolio):
            assert collector.poll() is None, (floor.folder / "collector.log").read_text(encoding="utf-8")
        digits = str(run.run_id)[:8]
        before = datetime.now(UTC)
        first = floor.decide(digits, "ibm", "--take", "trend", "--reason", "earnings", "--valid-for", "30")
        again = floor.decide(digits, "IBM", "--hold", "--json")
    finally:
        collector.terminate()
        collector.wait(30)

    follow_up = decided_run_id(run.run_id, "IBM")
    assert (first.exit_code, again.exit_code) == (0, 1)
    assert first.stdout.splitlines()[0] == f"ACCEPTED: IBM of run {run.run_id}: TAKE trend, by maria"
    assert ConflictOutcome.model_validate_json(again.stdout).status is ConflictStatus.DUPLICATE
    said, _ = floor.events(ConflictDecision)
    assert isinstance(said.record, ConflictDecision)
    assert (said.record.reason, said.envelope.correlation_id) == ("earnings", run.run_id)
    assert timedelta(minutes=30) <= said.record.valid_until - before < timedelta(minutes=31)
    traded = floor.events(Portfolio)[-1]
    assert isinstance(traded.record, Portfolio)
    assert (traded.record.run_id, traded.record.content.scope) == (follow_up, ("IBM",))
    assert traded.record.content.targets[0].weight == Decimal("-0.04")
    assert traded.envelope.correlation_id == follow_up


def test_without_a_collector_the_command_says_that_the_decision_waits(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide_module, "ANSWER_TIMEOUT_S", 0.5)
    waiting = portfolio("waiting")
    publisher = Publisher(floor.servers, 1, "test")
    publisher.publish(waiting, derived("waiting"), made.AS_OF)
    publisher.flush()

    done = floor.decide(str(waiting.run_id), "IBM", "--sum")

    assert isinstance(done.exception, TapeError)
    assert "stays on the log" in str(done.exception)
    assert any(getattr(each.record, "run_id", None) == waiting.run_id for each in floor.events(ConflictDecision))


@pytest.mark.parametrize("arguments", [("--hold", "--sum"), ("--hold", "--by", " ")])
def test_wrong_usage_ends_with_two(floor: Floor, arguments: tuple[str, ...]) -> None:
    single = typer.Typer()
    single.command()(decide_module.decide)
    done = CliRunner(env=floor.environment).invoke(single, ["0", "IBM", "--by", "maria", *arguments])
    assert done.exit_code == 2
