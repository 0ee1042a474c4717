"""The main job, whole: real Kafka, registry and PostgreSQL, the simulator, every agent a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def tape(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAPE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "infra.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("demo")
    done = tape(home, "demo", "--sessions", "5", "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    yield home, last_line(done)
    tape(home, "reset", "--yes")


def test_every_run_goes_through_to_the_ledger(demo: Any) -> None:
    _, found = demo

    assert found["sessions"] == found["runs"] == found["plans"] == 5
    assert found["signals"] == 15
    assert found["orders"] > 0
    assert found["fills"] >= found["orders"]
    assert found["ledger"]["entries"] > found["fills"]


def test_every_decision_replays_byte_for_byte(demo: Any) -> None:
    _, found = demo

    assert found["decisions"]["total"] > 50
    assert found["decisions"]["identical"] == found["decisions"]["total"]
    assert found["log"]["gaps"] == found["log"]["hash_mismatches"] == 0


def test_books_equal_the_broker_and_strategies_add_up_to_the_account(demo: Any) -> None:
    _, found = demo

    assert found["ledger"]["unbalanced"] == 0
    assert found["ledger"]["rebuild_identical"] is True
    assert found["reconciliation"]["quantity_differences"] == 0
    assert found["reconciliation"]["cash_difference"] == "0"
    assert found["pnl"]["difference"] == "0"
    assert found["broker"] == {"orders": found["orders"], "duplicate_client_order_ids": 0}


def test_the_log_can_be_asked_after_the_demo(demo: Any) -> None:
    home, found = demo
    assert tape(home, "up", "--quiet").returncode == 0
    try:
        replayed = tape(home, "replay", "--all", "--json")
        assert replayed.returncode == 0, replayed.stderr
        assert json.loads(replayed.stdout)["decisions"] == found["decisions"]

        verified = tape(home, "ledger", "rebuild", "--verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        tape(home, "down")


def test_workers_killed_at_random_leave_the_same_books_and_orders(tmp_path: Path) -> None:
    done = tape(tmp_path, "storm", "--sessions", "4", "--kills", "6", "--json")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-4000:]
    found = last_line(done)
    assert found["same_ledger"] is True
    assert found["same_orders"] is True
    assert found["killed"]["kills"] >= 6
    assert found["killed"]["broker"]["duplicate_client_order_ids"] == 0
