"""The supervisor starts workers again, gives up on one that keeps ending, and leaves nothing running."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.errors import TapeError
from infra.runtime import supervisor as supervisor_module
from infra.runtime.supervisor import Supervisor
from tests.infra.runtime.bench import Bench, until

SLEEPS = "import signal; signal.pause()"
FAILS = "raise SystemExit(70)"
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


def supervise(
    folder: Path, workers: Mapping[str, str], on_change: Callable[[Mapping[str, int]], None] = lambda _: None
) -> Supervisor:
    return Supervisor(
        list(workers), lambda name: (sys.executable, "-c", workers[name]), folder, {"PATH": "/usr/bin"}, on_change
    )


@contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    """Let it supervise beside the test, and stop it in the end."""
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join(30)
    assert not thread.is_alive()


def test_a_worker_that_is_killed_is_started_again_under_a_new_pid(tmp_path: Path) -> None:
    told: list[Mapping[str, int]] = []
    supervisor = supervise(tmp_path, {"a": SLEEPS, "b": SLEEPS}, told.append)
    before = {name: supervisor.pid(name) for name in "ab"}
    with running(supervisor):
        psutil.Process(before["a"]).kill()
        until("a runs again", lambda: supervisor.restarts["a"] == 1)
        assert supervisor.pid("a") != before["a"]
        assert supervisor.pid("b") == before["b"]
        assert told == [before, {"a": supervisor.pid("a"), "b": before["b"]}]


def test_a_worker_that_keeps_ending_spends_the_budget_and_everything_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "CRASHES_MAX", 3)
    monkeypatch.setattr(supervisor_module, "CRASH_WINDOW_S", 60.0)
    supervisor = supervise(tmp_path, {"good": SLEEPS, "bad": FAILS})
    good = psutil.Process(supervisor.pid("good"))
    with pytest.raises(TapeError, match=r"worker bad ended 4 times in 60 s, last with 70") as raised:
        supervisor.run()
    assert raised.value.where == str(tmp_path / "bad.log")
    assert supervisor.restarts == {"good": 0, "bad": 3}
    assert not good.is_running()


def test_crashes_long_ago_are_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "CRASHES_MAX", 1)
    monkeypatch.setattr(supervisor_module, "CRASH_WINDOW_S", 0.0)
    supervisor = supervise(tmp_path, {"bad": FAILS})
    with running(supervisor):
        until("more restarts than the budget", lambda: supervisor.restarts["bad"] > 3)


def test_stop_ends_every_worker_also_one_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_TIMEOUT_S", 0.2)
    supervisor = supervise(tmp_path, {"deaf": DEAF, "good": SLEEPS})
    processes = [supervisor.children[name].process for name in ("deaf", "good")]
    with running(supervisor):
        until("the deaf one is up", lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    assert [process.poll() for process in processes] == [-signal.SIGKILL, -signal.SIGTERM]


def test_what_a_worker_says_is_kept_over_its_restarts(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, {"a": "print('here', flush=True); raise SystemExit(70)"})
    with running(supervisor):
        until("two lives", lambda: (tmp_path / "a.log").read_text().count("here") >= 2)


SUPERVISES_A_TOY = """
import os, sys
from pathlib import Path
from infra.runtime.supervisor import Supervisor
worker, bootstrap, folder = sys.argv[1:]
Supervisor(["toy"], lambda _: (sys.executable, worker, bootstrap), Path(folder), os.environ).run()
"""


def test_a_real_worker_is_restarted_and_ends_when_its_supervisor_is_killed(bench: Bench, tmp_path: Path) -> None:
    worker = Path(__file__).with_name("toy_worker.py")
    environment = {"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin", "TOY_GROUP": tmp_path.name}
    with subprocess.Popen(
        (sys.executable, "-c", SUPERVISES_A_TOY, worker, bench.bootstrap, tmp_path), env=environment, cwd=tmp_path
    ) as supervisor:
        family = psutil.Process(supervisor.pid)
        until("the toy is started", lambda: bool(family.children()))
        (first,) = family.children()
        first.kill()
        until("the toy is started again", lambda: [each for each in family.children() if each.pid != first.pid])
        (second,) = family.children()
        supervisor.kill()
        second.wait(30)
    assert "exit 77: the supervisor" in (tmp_path / "toy.log").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.log"]  # and it leaves no folder behind


@pytest.mark.parametrize("lives_for_s", [0.0, 60.0])
def test_a_worker_that_keeps_ending_spends_its_budget_within_the_window(lives_for_s: float) -> None:
    """With the real constants: one that dies at once, and one that the watchdog ends every minute."""
    at, crashes = 0.0, []
    for _ in range(supervisor_module.CRASHES_MAX + 1):
        at += lives_for_s
        crashes.append(at)
        recent = sum(1 for each in crashes if each > at - supervisor_module.BACKOFF_WINDOW_S)
        at += supervisor_module.BACKOFF_S[min(recent - 1, len(supervisor_module.BACKOFF_S) - 1)]

    assert crashes[-1] - crashes[0] < supervisor_module.CRASH_WINDOW_S
