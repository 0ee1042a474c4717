"""Starting a worker as a fork of a process that has imported everything already.

Importing Faust, pydantic's models and the clients takes over a second of CPU for each of nine workers; a fork shares
it, so a killed worker is back at once. Forking is safe only while the parent has a single thread and no client of its
own: librdkafka does not survive a fork. The supervisor is such a parent; `launch` refuses any other.
"""

import contextlib
import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from agents.decision import agent_version
from infra.errors import TapeError
from infra.runtime.exits import CRASHED

#: What every worker needs.
PRELOADED = (
    "infra.worker",
    "infra.runtime.app",
    "infra.runtime.keeper",
    "topics.codec",
    "agents.decision",
    "setproctitle",
)

#: What only one of them needs; imported right before its first fork, so that the others do not wait for it.
NEEDED = {
    "broker": "infra.alpaca.brokerage",
    "clock": "agents.clock.performer",
    "projector": "infra.runtime.projecting",
}

#: numpy, which alpaca-py brings through pandas, would start threads of its own, and a fork copies only one.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Forked:
    """A forked worker, with the face of subprocess.Popen that the supervisor uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def preload() -> None:
    """Import what the workers share, once, in the parent."""
    os.environ.update(ONE_THREAD)
    for name in PRELOADED:
        import_module(name)
    gc.freeze()  # keeps the shared pages shared: the collector would touch every object


def launch(run: Callable[[str], None], name: str, log: Path, environment: Mapping[str, str]) -> Forked:
    """Fork a worker that calls `run(name)` in a session of its own, with its outputs appended to `log`."""
    if threading.active_count() > 1:
        raise TapeError(f"a worker can only be forked from one thread, there are {threading.active_count()}")
    for module in (f"agents.{name}.agent", NEEDED.get(name)):
        if module is not None:
            import_module(module)
    agent_version(name)  # of the code that was imported here, even if the files change before a later fork
    pid = os.fork()
    if pid:
        return Forked(pid)
    try:
        _become(name, log, environment)
        run(name)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(2, f"{name}: {error!r}\n".encode())
    os._exit(CRASHED)


def _become(name: str, log: Path, environment: Mapping[str, str]) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with log.open("ab") as out, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    import_module("setproctitle").setproctitle(f"tape worker {name}")
