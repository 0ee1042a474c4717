"""`tape run`: what its help shows is a file that loads, and whose account is asked for is known."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra import gate_limits
from infra.cli.main import app
from infra.cli.run import EXAMPLE, _check_account, _tell
from infra.errors import TapeError
from infra.run_file import EXECUTION, LIMITS, RULES, load
from infra.settings import Settings
from schemas.run import ExecutionRules, Limits, OrderStyle, Run, RunRefusal, RunRules
from tests.infra.postgres.stories import example


def test_help_shows_a_file_that_loads_with_the_usual_values(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(EXAMPLE)
    found = load(tmp_path / "run.toml")
    assert (found.limits, found.rules, found.execution) == (LIMITS, RULES, EXECUTION)


def test_help_names_every_setting_and_every_order_style() -> None:
    said = CliRunner().invoke(app, ["run", "--help"]).output
    for name in (*Limits.model_fields, *RunRules.model_fields, *ExecutionRules.model_fields, *OrderStyle):
        assert name in said


def test_a_run_of_an_account_that_nobody_knows_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_limits, "current", lambda _: {"DEMO-1": None})
    settings = Settings.model_construct(bootstrap_servers="nowhere", account_ids=("PAPER-1",))
    for known in ("DEMO-1", "PAPER-1"):
        _check_account(settings, known)
    with pytest.raises(TapeError, match="account DEMO-2 is not known") as refused:
        _check_account(settings, "DEMO-2")
    assert refused.value.where == "known are DEMO-1, PAPER-1"


def test_another_request_of_the_same_name_is_told_how_to_be_another_run() -> None:
    refused = example(Run).model_copy(update={"refusal": RunRefusal.DIFFERENT_REQUEST, "warnings": ()})
    with pytest.raises(TapeError) as said:
        _tell(refused, "manual")
    assert "--name OTHER" in said.value.next_command


@pytest.mark.parametrize("state", ["/dev/null", "/dev/null/below"])
def test_a_simulator_whose_state_has_no_folder_says_so(state: str) -> None:
    done = CliRunner().invoke(app, ["simulator", "--state", state])
    assert isinstance(done.exception, TapeError)
    assert state in str(done.exception)
