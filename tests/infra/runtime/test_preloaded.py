"""A forked worker: a process of its own that can be ended and restarted like any other."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra.errors import TapeError
from infra.runtime.exits import CRASHED

#: Forking is refused in a process with threads, and a test session has some: so each story runs in a fresh one.
STORY = """
import os, sys
from pathlib import Path
from infra.runtime.preloaded import launch
import infra.runtime.preloaded as preloaded
preloaded.NEEDED = {{}}
def run(name):
    {body}
log = Path(sys.argv[1])
forked = launch(run, "planner", log, {{"GREETING": "hello"}})
print(forked.wait(20), forked.pid != os.getpid())
"""


def told(tmp_path: Path, body: str) -> tuple[str, str]:
    log = tmp_path / "planner.log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    command = [sys.executable, "-c", STORY.format(body=body), str(log)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip(), log.read_text(encoding="utf-8")


def test_a_worker_runs_in_its_own_process_with_its_environment_and_log(tmp_path: Path) -> None:
    said, log = told(
        tmp_path, "print(name, os.environ['GREETING'], os.getsid(0) == os.getpid(), flush=True); os._exit(0)"
    )

    assert said == "0 True"
    assert log.strip() == "planner hello True"


def test_a_worker_that_raises_ends_as_crashed_and_says_why(tmp_path: Path) -> None:
    said, log = told(tmp_path, "raise ValueError('no price')")

    assert said == f"{CRASHED} True"
    assert "planner: ValueError('no price')" in log


def test_a_worker_killed_by_a_signal_says_which(tmp_path: Path) -> None:
    said, _ = told(tmp_path, "os.kill(os.getpid(), 9)")

    assert said == "-9 True"


def test_forking_with_several_threads_is_refused(tmp_path: Path) -> None:
    from infra.runtime.preloaded import launch

    release = threading.Event()
    threading.Thread(target=release.wait, daemon=True).start()
    try:
        with pytest.raises(TapeError, match="can only be forked from one thread"):
            launch(lambda _: None, "planner", tmp_path / "log", {})
    finally:
        release.set()
