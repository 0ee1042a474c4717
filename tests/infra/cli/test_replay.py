"""`tape replay`: which questions go together, and what a person is told."""

import io
import sys

import pytest
from typer.testing import CliRunner

from infra.cli.main import app
from infra.cli.replay import replay, show, show_changes, shown_progress
from infra.errors import TapeError
from infra.replay.find import Found
from infra.replay.verdict import Damage, Verdict
from infra.settings import Settings

ASKED = {
    "correlation_id": None,
    "every": False,
    "since": None,
    "until": None,
    "agent": None,
    "strategy": None,
    "other_code": None,
    "settings": None,
}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "expected a correlation id or --all"),
        ({"correlation_id": "run", "every": True}, "expected a correlation id or --all"),
        ({"correlation_id": "run", "since": "10m"}, "narrow --all"),
        ({"correlation_id": "run", "agent": ["planner"]}, "narrow --all"),
        ({"every": True, "settings": ["trade_value_min=25"]}, "ask about one run"),
        ({"every": True, "since": "yesterday"}, "expected a time such as"),
        ({"every": True, "agent": ["nobody"]}, "there is no agent 'nobody'"),
    ],
)
def test_questions_that_do_not_go_together_are_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(TapeError, match=said):
        replay(**{**ASKED, **asked})  # type: ignore[arg-type]


def test_a_verdict_is_told_with_its_count_last(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict(records=9)
    verdict.of("planner").decisions = verdict.of("planner").identical = 3
    show(verdict)
    assert capsys.readouterr().out.splitlines()[-1] == "3/3 decisions identical"


def test_damage_is_told_where_changes_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict()
    verdict.add_damage(Damage("planner", 0, "a decision is missing", "plans.v1/0/7"), is_of_hash=False)
    show_changes(verdict.as_json(), [])
    assert "damaged: planner partition 0: a decision is missing (plans.v1/0/7)" in capsys.readouterr().out


def test_a_run_that_is_not_there_has_no_changes(capsys: pytest.CaptureFixture[str]) -> None:
    show_changes(Verdict().as_json(), [])
    assert capsys.readouterr().out.startswith("nothing found")


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, is_drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with shown_progress() as on_progress:
            on_progress(50, 100)
        assert ("50/100" in stream.getvalue()) is is_drawn


@pytest.mark.parametrize(("options", "is_from_zero"), [((), False), (("--from-zero",), True)])
def test_a_run_in_real_workers_is_judged_from_zero_when_asked(
    options: tuple[str, ...], is_from_zero: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def shadowed(*_: object, from_zero: bool) -> Verdict:
        asked.append(from_zero)
        return Verdict()

    monkeypatch.setenv("TAPE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr("infra.cli.asking.settings_of_kafka", lambda *_: Settings())
    monkeypatch.setattr("infra.replay.find.find", lambda *_: Found("run", (), 0))
    monkeypatch.setattr("infra.replay.shadow.shadowed", shadowed)

    CliRunner().invoke(app, ["replay", "run", "--rewind", *options])

    assert asked == [is_from_zero]
