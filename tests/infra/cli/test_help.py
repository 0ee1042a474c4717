"""The table of commands: each one there, each one lazy, each failure a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli.main import COMMANDS, Command, load
from infra.embedded.folders import CHECKOUT

# What a command may need and `tape --help` must not wait for.
HEAVY = (
    *("pydantic", "confluent_kafka", "psycopg", "rich", "faust", "fastavro", "jgo", "psutil", "filelock", "asyncio"),
    *("duckdb", "sqlglot", "prompt_toolkit", "arro3"),
)

IMPORTED = """
import sys
from infra.cli.main import main
sys.argv = ["tape", "--help"]
try:
    main()
except SystemExit:
    pass
print("imported:", *sorted(sys.modules))
"""


def tape(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TAPE_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_with_its_whole_sentence(tmp_path: Path) -> None:
    text = " ".join(tape("--help", home=tmp_path).stdout.split())
    for command in COMMANDS:
        assert f"{command.name} {command.help}" in text


def test_help_imports_no_library_that_only_a_command_needs() -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-P", "-c", IMPORTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    imported = set(done.stdout.partition("imported:")[2].split())
    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_row_of_the_table_leads_to_a_command_with_help(command: Command) -> None:
    loaded = load(command)
    assert loaded.name == command.name
    assert loaded.help or getattr(loaded, "commands", None)
    assert command.help.endswith(".")


def test_names_are_given_once() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


def test_a_command_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = tape("downn", home=tmp_path)
    assert done.returncode == 2
    assert "downn" in done.stderr


def test_an_error_of_ours_is_text_with_the_next_command_and_no_traceback(tmp_path: Path) -> None:
    done = tape("env", home=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "tape: the embedded stack was never started",
        f"  where: {tmp_path}",
        "  next:  tape up",
    ]


def test_with_debug_the_traceback_is_there(tmp_path: Path) -> None:
    assert "Traceback" in tape("env", home=tmp_path, TAPE_DEBUG="1").stderr


def test_reset_without_yes_deletes_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    done = tape("reset", home=tmp_path)
    assert done.returncode == 1
    assert "tape reset --yes" in done.stderr
    assert (tmp_path / "kept").exists()


def test_status_of_what_was_never_started_is_stopped(tmp_path: Path) -> None:
    done = tape("status", home=tmp_path / "never")
    assert done.returncode == 3
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["kafka", "stopped"],
        ["registry", "stopped"],
        ["postgres", "stopped"],
    ]
    assert not (tmp_path / "never").exists()
