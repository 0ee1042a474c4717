"""One process per account: in a file of this machine, in PostgreSQL, and after kill -9."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest

from infra.embedded.folders import CHECKOUT
from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.locks import DatabaseLock, FileLock, LockedElsewhereError

NAME = "127.0.0.1:8090 SIM000001"

HOLD = """
import sys
from pathlib import Path
from infra.locks import DatabaseLock, FileLock
kind, place, name = sys.argv[1:]
lock = FileLock(Path(place), name) if kind == "file" else DatabaseLock(place, name)
lock.take()
print("held", flush=True)
sys.stdin.read()
"""

Holder = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def holder() -> Iterator[Holder]:
    """Return a function that starts a process which holds a lock until it is killed."""
    made: list[subprocess.Popen[str]] = []

    def started(kind: str, place: object, name: str = NAME) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, kind, str(place), name],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield started
    for child in made:
        child.kill()
        child.communicate()


def test_the_second_process_is_refused_with_the_first_ones_pid(tmp_path: Path, holder: Holder) -> None:
    first = holder("file", tmp_path)

    with pytest.raises(LockedElsewhereError, match=f"{NAME} is traded by process {first.pid} already") as refused:
        FileLock(tmp_path, NAME).take()

    assert refused.value.where == str(tmp_path / "127.0.0.1_8090_SIM000001.lock")
    assert refused.value.next_command


def test_kill_9_frees_the_lock_at_once(tmp_path: Path, holder: Holder) -> None:
    first = holder("file", tmp_path)
    first.send_signal(signal.SIGKILL)
    first.wait()

    second = holder("file", tmp_path)

    with pytest.raises(LockedElsewhereError, match=f"process {second.pid} "):
        FileLock(tmp_path, NAME).take()


def test_being_refused_takes_nothing_from_the_holder(tmp_path: Path, holder: Holder) -> None:
    first = holder("file", tmp_path)

    for _ in range(2):
        with pytest.raises(LockedElsewhereError, match=f"process {first.pid} "):
            FileLock(tmp_path, NAME).take()


def test_two_accounts_are_two_locks(tmp_path: Path, holder: Holder) -> None:
    holder("file", tmp_path)

    lock = FileLock(tmp_path, "127.0.0.1:8090 SIM000002")
    lock.take()
    lock.release()
    lock.release()
    lock.take()
    lock.release()


def test_only_its_user_can_look_into_the_folder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "locks", NAME)
    lock.take()
    lock.release()

    assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700
    assert lock.path.stat().st_mode & 0o777 == 0o600


def test_a_folder_of_no_use_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TapeError, match="cannot be taken: ") as refused:
        FileLock(tmp_path / "file" / "locks", NAME).take()

    assert "TAPE_LOCKS" in refused.value.next_command


class Logged:
    """What was logged, and a way to wait for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self.arrived = Event()
        monkeypatch.setattr("infra.locks.log.warning", self._note)

    def _note(self, text: str, *values: Any) -> None:
        self.lines.append(text % values)
        self.arrived.set()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    return Logged(monkeypatch)


def test_postgresql_refuses_the_second_and_says_who_the_first_is(
    stack: Stack, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = holder("database", stack.database_url)

    second = DatabaseLock(stack.database_url, NAME)
    with monkeypatch.context() as patience:
        patience.setattr("infra.locks.HANDOVER_S", 0)
        with pytest.raises(LockedElsewhereError, match=f"'tape {NAME}' from 127.0.0.1, PostgreSQL's process"):
            second.take()

    first.send_signal(signal.SIGKILL)
    first.wait()
    assert second.take()
    second.release()
    second.release()


def test_without_postgresql_there_is_no_lock_and_no_refusal(logged: Logged) -> None:
    assert not DatabaseLock("postgresql://tape:open-sesame@127.0.0.1:1/tape", NAME).take()

    (line,) = logged.lines
    assert line.startswith(f"{NAME}: PostgreSQL is away, only this machine's lock is held: ")
    assert "open-sesame" not in line


def test_a_lost_connection_is_told_and_nothing_ends(stack: Stack, logged: Logged) -> None:
    lock = DatabaseLock(stack.database_url, f"lost-{os.getpid()}")
    assert lock.take()

    with psycopg.connect(stack.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            (f"tape lost-{os.getpid()}",),
        )

    assert logged.arrived.wait(10)
    assert "the lock in PostgreSQL is lost, only this machine's is held" in logged.lines[0]
    lock.release()


def test_a_lock_that_is_let_go_is_no_loss(stack: Stack, logged: Logged) -> None:
    lock = DatabaseLock(stack.database_url, NAME)
    lock.take()
    lock.release()

    again = DatabaseLock(stack.database_url, NAME)
    assert again.take()
    again.release()
    assert logged.lines == []
