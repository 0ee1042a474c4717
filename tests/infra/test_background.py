"""What was left running is found again and ended; what is not ours is not."""

import signal
import sys
from pathlib import Path

from infra.background import Background
from infra.embedded.processes import ProcessIdentity, is_alive, spawn, stop

SLEEPS = (sys.executable, "-c", "import signal; signal.pause()")


def test_a_remembered_process_is_found_and_ended(tmp_path: Path) -> None:
    process = spawn(SLEEPS, log=tmp_path / "log")
    Background(tmp_path).remember("workers", process, {"control": "somewhere"})

    again = Background(tmp_path)
    assert again.running() == {"workers": process}
    assert again.facts("workers") == {"control": "somewhere"}
    assert again.stop() == ("workers",)
    assert not is_alive(process)
    assert again.running() == {}


def test_a_stranger_that_got_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    stranger = spawn(SLEEPS, log=tmp_path / "log")
    try:
        Background(tmp_path).remember("workers", ProcessIdentity(stranger.pid, "another birth"), {})

        assert Background(tmp_path).stop() == ()
        assert is_alive(stranger)
    finally:
        stop(stranger, signal.SIGKILL, 5.0)


def test_nothing_is_running_where_nothing_was_started(tmp_path: Path) -> None:
    assert Background(tmp_path / "new").stop() == ()
