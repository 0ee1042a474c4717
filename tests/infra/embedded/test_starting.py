"""Starting and stopping, on PostgreSQL alone: two starters, stale pids, interrupted first starts, a failing start."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra.embedded.folders import CHECKOUT
from infra.embedded.processes import ProcessIdentity, birth_of, is_alive
from infra.embedded.service import identity_of
from infra.embedded.stack import Stack
from infra.embedded.state import ServiceState, StackState, load_state, save_state, state_path
from infra.errors import TapeError

STARTER = """
import sys
from pathlib import Path
from infra.embedded.stack import Stack
Stack(Path(sys.argv[1])).up({"postgres"})
"""


def starter(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", STARTER, str(home)], env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )


def test_of_two_starters_at_once_one_starts_and_both_find_it_running(small: Stack) -> None:
    starters = [starter(small.home), starter(small.home)]
    assert [process.wait(60) for process in starters] == [0, 0]

    log = (small.home / "logs" / "postgres.log").read_text()
    assert log.count("starting PostgreSQL") == 1
    assert is_alive(identity_of(load_state(small.home).service("postgres")))


def test_what_another_process_started_is_found_and_stopped(small: Stack) -> None:
    assert starter(small.home).wait(60) == 0
    assert small.down() == ("postgres",)
    assert small.down() == ()
    assert [status.is_running for status in small.status()] == [False, False, False]


def test_a_stale_pid_that_now_belongs_to_another_process_is_left_alone(small: Stack) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        stale = ServiceState(ports={"sql": 20001}, pid=bystander.pid, birth="an earlier life", facts={"password": "x"})
        save_state(small.home, StackState({"postgres": stale}))

        assert small.down() == ()
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_ports_and_password_stay_the_same_over_a_restart(small: Stack) -> None:
    first = small.up({"postgres"})
    small.down()
    assert small.up({"postgres"}) == first


def test_a_first_start_that_was_interrupted_leaves_nothing_in_the_way(small: Stack) -> None:
    small.up({"postgres"})
    small.down()
    folder = Path(load_state(small.home).service("postgres").facts["folder"])
    (folder / "data").rename(folder / "data.new")
    (folder / "data.new" / "PG_VERSION").unlink()

    small.up({"postgres"})
    assert small.status()[2].is_ready


def test_starting_changes_no_permission_of_a_folder_that_is_not_ours(small: Stack) -> None:
    ancestors = list(small.home.parents)
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in ancestors]
    small.up({"postgres"})
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in ancestors] == before


def test_a_service_that_cannot_start_says_why_with_the_end_of_its_log(small: Stack) -> None:
    small.up({"postgres"})
    small.down()
    folder = Path(load_state(small.home).service("postgres").facts["folder"])
    (folder / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(TapeError, match="no_such_setting") as refused:
        small.up({"postgres"})
    assert str(small.home / "logs" / "postgres.log") in refused.value.where


def test_deleting_a_stack_takes_its_database_along(small: Stack) -> None:
    small.up({"postgres"})
    state = load_state(small.home).service("postgres")
    small.destroy()
    assert not is_alive(identity_of(state))
    assert not small.home.exists()
    assert not Path(state.facts["folder"]).exists()


def test_an_address_of_a_stack_that_was_never_started_names_the_command_to_run(home: Path) -> None:
    with pytest.raises(TapeError, match="kafka was never started") as refused:
        _ = Stack(home).bootstrap_servers
    assert refused.value.next_command == "tape up"


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    birth = birth_of(os.getpid())
    assert birth is not None
    me = ProcessIdentity(os.getpid(), birth)
    assert is_alive(me)
    assert not is_alive(replace(me, birth="an earlier life"))


def test_a_state_file_that_cannot_be_read_is_never_guessed_at(home: Path) -> None:
    home.mkdir()
    for text in ("{", '{"version": 99, "services": {}}', '{"version": 1, "services": {"kafka": {"pids": 1}}}'):
        state_path(home).write_text(text)
        with pytest.raises(TapeError) as refused:
            load_state(home)
        assert refused.value.where == str(state_path(home))
