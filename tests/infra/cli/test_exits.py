"""Exit codes: where a code is an answer, what kept a command from answering has another one."""

import pytest
from confluent_kafka import KafkaException
from typer.testing import CliRunner

from infra.cli import replay as replay_command
from infra.cli.main import ANSWERING, COMMANDS, app
from infra.errors import TapeError

NOBODY = {"TAPE_BOOTSTRAP_SERVERS": "127.0.0.1:1", "TAPE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}


def code_of(*arguments: str) -> int:
    """Return what `tape` ends with: a TapeError with its code."""
    done = CliRunner().invoke(app, [*arguments], env=NOBODY)
    return done.exception.exit_code if isinstance(done.exception, TapeError) else done.exit_code


@pytest.mark.parametrize(
    "line",
    [
        "replay",
        "replay run --all",
        "replay run --since 10m",
        "replay run --rewind --set a=1",
        "replay --all --since yesterday",
        "replay --all --agent nobody",
        "replay run --set no_such_limit=1",
        "replay --no-such-option",
        "replay run --jobs many",
        "trace",
        "trace run --format picture",
        "rewind planner",
        "why",
        "why IBM --no-such-option",
        "runs --last none",
        "verify --no-such-option",
    ],
)
def test_wrong_usage_is_no_answer(line: str) -> None:
    assert code_of(*line.split()) == 64


@pytest.mark.parametrize("line", ["replay run", "replay --all", "replay run --rewind", "trace run", "verify"])
def test_a_kafka_that_is_away_is_no_answer(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.asking.CONTACT_TIMEOUT_S", 0.2)
    assert code_of(*line.split()) == 69


@pytest.mark.parametrize("line", ["why IBM", "runs"])
def test_a_postgresql_and_a_log_that_are_away_are_no_answer(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.asking.CONTACT_TIMEOUT_S", 0.2)
    assert code_of(*line.split()) == 69


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> int:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(replay_command, "_replay_one", fail)
    return code_of("replay", "run")


def test_a_kafka_that_goes_away_meanwhile_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Word:
        def str(self) -> str:
            return "broker transport failure"

    assert failing(monkeypatch, KafkaException(Word())) == 69


def test_a_bug_of_ours_is_no_answer_and_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert failing(monkeypatch, ZeroDivisionError("a bug")) == 70


def test_each_command_whose_code_is_an_answer_says_what_else_it_ends_with() -> None:
    for name in sorted(ANSWERING & {each.name for each in COMMANDS}):
        said = " ".join(CliRunner().invoke(app, [name, "--help"]).output.split())
        assert "Exit code without an answer: 64 wrong usage" in said, name
