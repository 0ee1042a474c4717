"""The main job, whole, and every command of the README on what it leaves; all of it real but the broker."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.endpoints import endpoints_of
from infra.embedded.state import load_state
from infra.kafka.log import high_watermarks, partitions_of
from tests.infra.demo.commands import README, between, tape
from topics.registry import TOPICS
from topics.wire import Partition


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@dataclass(frozen=True)
class Done:
    home: Path
    found: Any


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Five sessions, done; the services are up again so that the log can be asked."""
    home = tmp_path_factory.mktemp("demo")
    done = tape(home, "demo", "--sessions", "5", "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert tape(home, "up", "--quiet").returncode == 0
    yield Done(home, last_line(done))
    tape(home, "reset", "--yes")


def test_every_run_goes_through_to_the_ledger(demo: Done) -> None:
    found = demo.found

    assert found["sessions"] == found["runs"] == found["plans"] == 5
    assert found["signals"] == 15
    assert found["orders"] > 0
    assert found["fills"] >= found["orders"]
    assert found["ledger"]["entries"] > found["fills"]


def test_every_decision_replays_byte_for_byte(demo: Done) -> None:
    found = demo.found

    assert found["decisions"]["total"] > 50
    assert found["decisions"]["identical"] == found["decisions"]["total"]
    assert found["log"]["gaps"] == found["log"]["hash_mismatches"] == 0


def test_books_equal_the_broker_and_strategies_add_up_to_the_account(demo: Done) -> None:
    found = demo.found

    assert found["ledger"]["unbalanced"] == 0
    assert found["ledger"]["rebuild_identical"] is True
    assert found["reconciliation"]["quantity_differences"] == 0
    assert found["reconciliation"]["cash_difference"] == "0"
    assert found["pnl"]["difference"] == "0"
    assert found["broker"] == {"orders": found["orders"], "duplicate_client_order_ids": 0}


def test_the_whole_log_replays_after_a_restart_of_the_services(demo: Done) -> None:
    replayed = tape(demo.home, "replay", "--all", "--json")

    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["decisions"] == demo.found["decisions"]


def test_one_run_is_traced_from_the_request_to_the_ledger_and_replayed(demo: Done) -> None:
    run = demo.found["example"]
    traced = tape(demo.home, "trace", run, "--json")
    roots = json.loads(traced.stdout)
    kinds = {node["headers"]["event_type"] for node in _nodes(roots)}

    assert [root["headers"]["event_type"] for root in roots] == ["RunRequest"]
    assert {"Signal", "Plan", "OrderIntent", "OrderEvent", "BrokerReport", "Fill", "LedgerEntry"} <= kinds
    assert tape(demo.home, "replay", run).stdout.rstrip().endswith("decisions identical")


def written(demo: Done) -> dict[Partition, int]:
    """Return how far every topic of ours is written."""
    servers = endpoints_of(load_state(demo.home)).bootstrap_servers or ""
    return high_watermarks(servers, partitions_of(servers, [topic.name for topic in TOPICS]))


def test_a_run_rewound_through_real_workers_is_judged_as_from_the_log_and_nothing_is_published(demo: Done) -> None:
    run, before = demo.found["example"], written(demo)
    judged = json.loads(tape(demo.home, "replay", run, "--json").stdout)
    rewound = tape(demo.home, "replay", run, "--rewind", "--json")
    found = json.loads(rewound.stdout)

    assert rewound.returncode == 0, rewound.stderr
    assert found["decisions"] == judged["decisions"]
    assert found["decisions"]["total"] > 0
    assert (found["silent_inputs"], found["log"]) == (judged["silent_inputs"], judged["log"])
    assert {name: each for name, each in judged["agents"].items() if any(each.values())} == {
        name: each for name, each in found["agents"].items() if any(each.values())
    }
    assert written(demo) == before
    groups = tape(demo.home, "kafka", "groups", "--", "--list").stdout.split()
    assert "planner" in groups
    assert [group for group in groups if group.startswith("replay-")] == []


def test_every_claim_holds_over_the_log(demo: Done) -> None:
    done = tape(demo.home, "verify", "--json")
    found = json.loads(done.stdout)

    assert (done.returncode, found["holds"], found["accounts_at_broker"]) == (0, True, 0)
    assert {each["claim"] for each in found["claims"] if each["findings"]} == set()
    assert {"I4 not more than planned", "I5 every fill booked once"} <= {
        each["claim"] for each in found["claims"] if each["checked"]
    }
    assert found["replay"]["decisions"] == demo.found["decisions"]


def test_every_run_went_through_under_the_limits_that_were_set_and_no_halt_is_in_force(demo: Done) -> None:
    runs = json.loads(tape(demo.home, "runs", "--json").stdout)
    assert {each["stage"] for each in runs} == {"FINISHED"}
    assert {each["run_id"] for each in runs} >= {demo.found["example"]}
    assert len(runs) == 5

    halts = json.loads(tape(demo.home, "halts", "--json").stdout)
    assert (halts["halts"], halts["halt_file"], halts["orders_under_way"]) == ([], None, [])

    (limits,) = json.loads(tape(demo.home, "limits", "show", "--json").stdout)
    assert limits["limits"]["symbols_allowed"] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


def test_a_run_nobody_knows_is_not_found(demo: Done) -> None:
    assert tape(demo.home, "replay", "00000000-0000-0000-0000-000000000000").returncode == 2
    assert tape(demo.home, "trace", "00000000-0000-0000-0000-000000000000").returncode == 2


def test_a_demo_does_not_delete_what_somebody_goes_on_with(demo: Done) -> None:
    refused = tape(demo.home, "demo", "--sessions", "1")

    assert refused.returncode == 1
    assert "are running, and a demo begins by deleting" in refused.stderr
    assert "tape reset --yes" in refused.stderr
    assert tape(demo.home, "replay", "--all").returncode == 0


def test_more_sessions_than_there_are_is_a_sentence_and_not_a_traceback(tmp_path: Path) -> None:
    refused = tape(tmp_path, "demo", "--sessions", "100000")

    assert refused.returncode == 1
    assert refused.stderr.startswith("tape: expected 1 to 667 sessions, was 100000")


def _nodes(roots: list[Any]) -> Iterator[Any]:
    for root in roots:
        yield root
        yield from _nodes(root["children"])


#: Commands of the README that other tests run, by what they begin with.
ELSEWHERE = {
    "demo": "the fixture, and test_scenarios.py",
    "run": "test_scenarios.py: test_a_run_from_the_readmes_file_goes_through_on_a_kept_demo",
    "decide": "tests/infra/cli/test_decide.py",
    "test": "runs this file",
    "storm": "test_workers_killed_at_random_leave_the_same_books_and_orders, and tests/infra/storm",
    "bench": "a measurement, run by hand",
    "up": "the fixture",
    "down": "tests/infra/embedded",
    "reset": "the fixture",
    "worker": "every worker of the demo; --live in tests/infra/alpaca/test_safeguards.py",
    "limits set": "tests/infra/cli/test_gate_commands.py",
    "halt": "test_scenarios.py; --hard in tests/infra/alpaca/test_hard.py",
    "resume": "as halt",
    "resolve": "tests/infra/cli/test_gate_commands.py",
    "simulator": "every simulator of the demo, and tests/infra/simulator/test_process.py",
}


def is_run_here(command: str) -> bool:
    return not any(f"{command} ".startswith(f"{each} ") for each in ELSEWHERE)


def readme_commands() -> list[str]:
    """Every command of the README, in text and in blocks; the ten questions are test_cookbook.py's."""
    text = README.replace(between("cookbook"), "")
    named = re.findall(r"`\./tape ([^`\n]+)`", text)
    fenced = re.findall(r"^(?:\$ )?\./tape (.+?)(?:\s+#.*)?$", text, re.MULTILINE)
    return sorted({*named, *fenced})


ANSWERS = {
    "status": "kafka",
    "doctor": "kafka",
    "env": "BOOTSTRAP_SERVERS",
    "trace": "RunRequest",
    "replay": "identical",
    "runs": "FINISHED",
    "verify": "hold",
    "halts": "no halt is in force",
    "limits": "order_notional_max",
    "why": "IBM",
    "sql": "symbol",
    "tail": "fill",
    "rewind": "",
    "plan": "of",
    "ledger": "",
    "topics": "",
    "schemas": "",
    "kafka": "",
}


@pytest.mark.parametrize("command", list(filter(is_run_here, readme_commands())))
def test_every_command_of_the_readme_works(demo: Done, command: str) -> None:
    words = shlex.split(command.replace("RUN", demo.found["example"]))
    done = tape(demo.home, *words)

    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert ANSWERS[words[0]].lower() in (done.stdout + done.stderr).lower()


def test_the_readme_names_only_commands_that_exist() -> None:
    from infra.cli.main import COMMANDS

    assert {each.split()[0] for each in readme_commands()} <= {each.name for each in COMMANDS}


def test_workers_killed_at_random_leave_the_same_books_and_orders(tmp_path: Path) -> None:
    done = tape(tmp_path, "storm", "--sessions", "4", "--kills", "6", "--json")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-4000:]
    found = last_line(done)
    assert found["same_ledger"] is True
    assert found["same_orders"] is True
    assert found["killed"]["kills"] >= 6
    assert found["killed"]["broker"]["duplicate_client_order_ids"] == 0
