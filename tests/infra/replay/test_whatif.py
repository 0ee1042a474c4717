"""What if: other limits or other code on the recorded causes and state, and what would have changed by it."""

import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from agents.decider import Message
from agents.declaration import Agent
from infra.cli.replay import show_changes
from infra.embedded.folders import CHECKOUT
from infra.errors import TapeError
from infra.replay import whatif
from infra.replay.judging import Terms
from infra.replay.rejudge import Judges
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.verdict import Verdict
from infra.replay.whatif import changed_by, decided_elsewhere, decisions_changed, settings_of
from infra.settings import Settings
from schemas.record import Record
from schemas.run import Run, RunRequest
from tests.infra.runtime.paper import Log, written
from tests.infra.runtime.toy import AGENT, State, Toy, inputs
from topics.wire import header

LIMIT = Decimal(1000)


class Careful(Toy):
    """Says nothing about a run whose smallest trade is large."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        record = message.record
        if isinstance(record, RunRequest) and record.limits.trade_value_min >= LIMIT:
            return []
        return super().decide(state, message)


def what_if(log: Log, agent: Agent, settings: Sequence[str], run: str | None = None) -> Verdict:
    verdict = Verdict()
    judges = Judges([agent], Terms(Scope(run), verdict, changed_by(settings_of(settings))))
    for record in log.records:
        judges.add(Seen(record))
    judges.advance(None)
    judges.finish({})
    return verdict


def test_another_limit_shows_the_decisions_that_would_not_have_been_made() -> None:
    log, agent = written(inputs(10)), Agent("scheduler", decider=Careful())
    assert what_if(log, agent, []).exit_code == 0
    assert what_if(log, agent, ["trade_value_min=999"]).exit_code == 0
    found = what_if(log, agent, [f"trade_value_min={LIMIT}"]).as_json()
    asked = [each for each in log.decisions() if header(each.records[0].headers, "event_type") == "Run"]
    changes = decisions_changed(found, ["trade_value_min"])
    assert len(changes) == len(asked) > 0
    assert {each["kind"] for differences in changes.values() for each in differences} == {"SILENT_WHERE_SPOKE"}


class Remembering(Toy):
    """Keeps the smallest trade of every run in mind, and says it of each later one."""

    def initial_state(self) -> State:
        self.limits: list[Decimal] = []
        return super().initial_state()

    def evolve(self, state: State, record: Record) -> State:
        if isinstance(record, Run):
            self.limits.append(record.terms.limits.trade_value_min)
        return super().evolve(state, record)


def test_what_an_agent_remembers_of_the_run_has_the_other_limit_too_and_that_of_other_runs_has_not() -> None:
    log, decider = written(inputs(10)), Remembering()
    runs = [each.records[0] for each in log.decisions() if header(each.records[0].headers, "event_type") == "Run"]
    what_if(log, Agent("scheduler", decider=decider), ["trade_value_min=77"], header(runs[2].headers, "correlation_id"))
    changed = [number for number, limit in enumerate(decider.limits) if limit == 77]
    assert (changed, len(decider.limits)) == ([2], len(runs))


def test_a_decision_that_only_carries_the_setting_on_has_not_changed() -> None:
    carried = {"kind": "FIELD", "agent": "planner", "partition": 0, "seq": 4, "place": "plans.v1/0/3"}
    found = {"differences": [{**carried, "field": "books.terms.limits.trade_value_min"}]}
    assert decisions_changed(found, ["trade_value_min"]) == {}
    also = {"differences": [*found["differences"], {**carried, "field": "lines[0 IBM].status"}]}
    assert list(decisions_changed(also, ["trade_value_min"])) == ["planner seq 4 (partition 0)"]


def test_settings_are_read_as_the_schema_reads_them() -> None:
    found = settings_of(["trade_value_min=25", "is_short_allowed=true", "conflict_rule=LAST", "trade_value_max=null"])
    assert found["trade_value_min"] == Decimal(25)
    assert found["is_short_allowed"] is True
    assert found["conflict_rule"].value == "LAST"
    assert found["trade_value_max"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trade_value_min", "expected name=value"),
        ("min_trade=25", "expected name=value with a name of the run's limits or rules, was 'min_trade=25'"),
        ("trade_value_min=much", "trade_value_min cannot be 'much'"),
        ("cash_reserve=7", "cash_reserve cannot be '7': Input should be less than 1"),
        ("trade_value_min=null", "trade_value_min cannot be 'null'"),
    ],
)
def test_a_setting_that_no_run_has_or_could_have_is_refused(text: str, said: str) -> None:
    with pytest.raises(TapeError) as refusal:
        settings_of([text])
    assert said in refusal.value.what


def test_a_refused_name_is_told_with_those_there_are() -> None:
    with pytest.raises(TapeError) as refusal:
        settings_of(["min_trade=25"])
    assert "trade_value_min" in refusal.value.where


def test_agents_and_schemas_come_from_the_other_folder_and_the_rest_from_here(tmp_path: Path) -> None:
    for name in ("agents", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'whose = "theirs: {name}"\n')
    ask = "import agents, schemas, infra.errors, topics; print(agents.whose, schemas.whose, hasattr(topics, 'whose'))"
    with whatif._overlaid(tmp_path) as root:
        command = [sys.executable, "-P", "-c", ask]
        done = subprocess.run(command, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "theirs: agents theirs: schemas False"
    assert not root.exists()


def test_a_folder_without_the_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="without agents/"):
        decided_elsewhere(tmp_path, "run", [], Settings(bootstrap_servers="nowhere:1"))


def test_code_that_cannot_be_imported_is_told_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "agents").symlink_to(CHECKOUT / "agents")
    (tmp_path / "schemas").mkdir()
    with pytest.raises(TapeError, match="could not be run: ModuleNotFoundError"):
        decided_elsewhere(tmp_path, "run", [], Settings(bootstrap_servers="127.0.0.1:1", home=tmp_path))


def test_changes_are_told_decision_by_decision_and_never_as_a_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    log = written(inputs(10))
    found = what_if(log, Agent("scheduler", decider=Careful()), [f"trade_value_min={LIMIT}"]).as_json()
    show_changes(found, ["trade_value_min"])
    said = capsys.readouterr().out
    assert "scheduler seq 1 (partition 0)\n  events: was Run, would be nothing" in said
    assert "decisions would have been different" in said
    assert "this is not a simulation of the market" in said
    assert AGENT.name in said
