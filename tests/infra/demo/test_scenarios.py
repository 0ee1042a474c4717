"""A kept demo goes on; two strategies share a symbol, netted and each with its book."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from infra.demo.stack import wait_until
from tests.infra.demo.commands import between, tape

IBM_ONLY = """
account_id = "DEMO-1"
[[strategies]]
strategy_id = "core"
kind = "fixed-weights"
allocation = 1
symbols = ["IBM"]
parameters = { IBM = "0.5" }
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A demo that goes on running, and the page it printed."""
    home = tmp_path_factory.mktemp("kept")
    done = tape(home, "demo", "--sessions", "2", "--keep")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    yield home, done.stdout
    tape(home, "reset", "--yes")


def test_a_kept_demo_holds_and_says_that_it_goes_on(kept: tuple[Path, str]) -> None:
    _, page = kept

    assert "everything holds" in page
    assert "services and workers are running; ./tape down ends them" in page


def test_a_run_from_the_readmes_file_goes_through_on_a_kept_demo(kept: tuple[Path, str]) -> None:
    home, _ = kept
    file = home / "run.toml"
    file.write_text(between("run-file").replace("PAPER-1", "DEMO-1"), encoding="utf-8")

    asked = tape(home, "run", str(file), "--as-of", "2013-03-01T15:59:30-05:00")
    assert asked.returncode == 0, asked.stderr
    run = asked.stdout.strip()
    wait_until(lambda: "status=FINISHED" in tape(home, "trace", run).stdout, f"the end of run {run}", 60.0)

    shown = tape(home, "plan", "show", run).stdout
    assert "sync QUORUM, conflict FLAG" in shown
    assert tape(home, "replay", run).stdout.rstrip().endswith("decisions identical")


def test_a_halted_symbol_is_not_traded_until_the_halt_is_over(kept: tuple[Path, str]) -> None:
    home, _ = kept
    file = home / "core.toml"
    file.write_text(IBM_ONLY, encoding="utf-8")
    halt = json.loads(tape(home, "halt", "--symbol", "IBM", "--reason", "earnings", "--json").stdout)

    stopped = finished(home, file, "halted")
    assert (
        f"HALTED: halt {halt['halt_id']} of SYMBOL IBM: earnings" in tape(home, "why", "IBM", "--run", stopped).stdout
    )
    assert "no order is under way" in tape(home, "halts").stdout

    assert tape(home, "resume", halt["halt_id"][:8], "--reason", "they are out").returncode == 0
    traded = finished(home, file, "resumed")
    assert "it ended FILLED: bought" in tape(home, "why", "IBM", "--run", traded).stdout
    found = json.loads(tape(home, "runs", "--json").stdout)
    assert {each["stage"] for each in found} == {"FINISHED"}


def test_a_halt_of_this_machine_stops_an_order_that_the_gate_let_pass(kept: tuple[Path, str]) -> None:
    home, _ = kept
    file = home / "core.toml"
    file.write_text(IBM_ONLY.replace('"0.5"', '"0.1"'), encoding="utf-8")
    (home / "halt").write_text("something is wrong here", encoding="utf-8")
    try:
        stopped = finished(home, file, "kept-back")
    finally:
        (home / "halt").unlink()
    why = tape(home, "why", "IBM", "--run", stopped).stdout
    assert "sold 0 of" in why
    assert "something is wrong here" in why


def finished(home: Path, file: Path, name: str) -> str:
    """Ask for a run, wait until it is finished, and return its id."""
    asked = tape(home, "run", str(file), "--as-of", "2013-03-01T15:59:30-05:00", "--name", name)
    assert asked.returncode == 0, asked.stderr
    run = asked.stdout.strip()
    wait_until(lambda: "status=FINISHED" in tape(home, "trace", run).stdout, f"the end of run {run}", 60.0)
    return run


def test_a_kept_demo_goes_on_running_and_ends_with_down(kept: tuple[Path, str]) -> None:
    home, _ = kept
    pids = json.loads((home / "workers.json").read_text(encoding="utf-8"))

    assert all(psutil.pid_exists(pid) for pid in pids.values())
    stopped = tape(home, "down").stdout
    assert {"workers", "simulator", "kafka", "registry", "postgres"} <= set(re.findall(r"[a-z]+", stopped))
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


@pytest.mark.parametrize("scenario", ["netting", "books"])
def test_two_strategies_share_a_symbol_in_both_ways_of_keeping_the_books(tmp_path: Path, scenario: str) -> None:
    try:
        done = tape(tmp_path, "demo", "--scenario", scenario)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        assert "everything holds" in done.stdout
        assert ("crossed inside the account" in done.stdout) is (scenario == "netting")
        assert "what is left of it is taken back" in done.stdout
        if scenario == "netting":
            shown = [line for line in between("netting").splitlines() if line.strip() and not line.startswith("$")]
            assert [line for line in shown if line.rstrip() not in done.stdout] == []
    finally:
        tape(tmp_path, "reset", "--yes")


def test_a_small_scenario_takes_no_number_of_sessions(tmp_path: Path) -> None:
    refused = tape(tmp_path, "demo", "--scenario", "netting", "--sessions", "3")

    assert refused.returncode == 1
    assert "expected no --sessions with scenario netting" in refused.stderr
