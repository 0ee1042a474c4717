"""Starts workers, each in a process of its own, and starts them again when they end, within a crash budget.

A worker that ends with an error has not done its inputs; starting it again is always safe. One that keeps ending would
only hide a bug: beyond the budget the supervisor stops everything, so that trading halts instead of limping.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from infra.errors import TapeError
from infra.runtime.exits import SUPERVISOR_PID

log = logging.getLogger("tape.supervisor")

#: A worker may crash this often within the window before everything is stopped. kill -9 from outside counts too. With
#: the longest wait between restarts (5 s) a worker that dies at once spends it in two and a half minutes, one that dies
#: of the watchdog every minute in half an hour.
CRASHES_MAX = 30
CRASH_WINDOW_S = 3600.0
#: Wait before a restart, by how many crashes there were in the last two minutes; none at all after the first.
BACKOFF_WINDOW_S = 120.0
BACKOFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
STOP_TIMEOUT_S = 20.0


class Process(Protocol):
    """A started worker: what subprocess.Popen offers of it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


Launch = Callable[[str, Path, Mapping[str, str]], Process]
"""(name, log file, environment) -> the started worker."""


@dataclass
class Child:
    """One supervised worker."""

    name: str
    process: Process
    crashes: deque[float] = field(default_factory=deque)
    restart_at: float | None = None
    restarts: int = 0


class Supervisor:
    """Supervises one process per worker name; `run` blocks until `stop` or until the budget of a worker is spent."""

    def __init__(
        self,
        names: Sequence[str],
        command: Callable[[str], Sequence[str]],
        logs: Path,
        environment: Mapping[str, str],
        on_change: Callable[[Mapping[str, int]], None] = lambda _: None,
        launch: Launch | None = None,
        crashes_max: int | None = None,
    ) -> None:
        self._launch = launch or (lambda name, log, environment: launch_command(command(name), log, environment))
        self._logs = logs
        self._crashes_max = CRASHES_MAX if crashes_max is None else crashes_max
        self._environment = {**environment, SUPERVISOR_PID: str(os.getpid())}
        self._stopping = threading.Event()
        logs.mkdir(parents=True, exist_ok=True)
        self._on_change = on_change
        self.children = {name: Child(name, self._start(name)) for name in names}
        self._tell()

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Keep the workers running; raises TapeError when one has spent its crash budget."""
        try:
            while not self._stopping.is_set() and not until():
                for child in self.children.values():
                    self._look_after(child)
                self._stopping.wait(0.02)
        finally:
            self._end_all()

    def stop(self) -> None:
        """End `run`, and with it the workers."""
        self._stopping.set()

    def pid(self, name: str) -> int:
        """Return the process id of a worker now."""
        return self.children[name].process.pid

    @property
    def restarts(self) -> dict[str, int]:
        """Return how often each worker was started again."""
        return {name: child.restarts for name, child in self.children.items()}

    def _tell(self) -> None:
        self._on_change({name: child.process.pid for name, child in self.children.items()})

    def _start(self, name: str) -> Process:
        return self._launch(name, self._logs / f"{name}.log", self._environment)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.process, child.restart_at = self._start(child.name), None
                child.restarts += 1
                self._tell()
            return
        code = child.process.poll()
        if code is None:
            return
        child.crashes.append(now)
        while child.crashes[0] < now - CRASH_WINDOW_S:
            child.crashes.popleft()
        if len(child.crashes) > self._crashes_max:
            raise TapeError(
                f"worker {child.name} ended {len(child.crashes)} times in {CRASH_WINDOW_S:.0f} s, last with {code}",
                where=str(self._logs / f"{child.name}.log"),
                next_command="read the log, then tape worker --all",
            )
        recent = sum(1 for at in child.crashes if at > now - BACKOFF_WINDOW_S)
        wait = BACKOFF_S[min(recent - 1, len(BACKOFF_S) - 1)]
        log.warning("worker %s ended with %s; starting it again in %.1f s", child.name, code, wait)
        child.restart_at = now + wait

    def _end_all(self) -> None:
        running = [child.process for child in self.children.values() if child.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_TIMEOUT_S
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def launch_command(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a worker by its command line; Ctrl-C reaches the supervisor, which stops the workers in order."""
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )


def python_worker(name: str) -> Sequence[str]:
    """Return the command of one worker process."""
    return (sys.executable, "-m", "infra.worker", name)
