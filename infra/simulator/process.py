"""A simulator as a child process: started, found by its ready line, stopped, killed, started again where it was."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from infra.errors import TapeError
from infra.simulator.settings import SimulatorSettings, SimulatorUrls, Terms

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
LOG_TAIL = 2000


class SimulatorNotReadyError(TapeError):
    """The simulator did not come up."""


class SimulatorProcess:
    """One simulator with its journal and log in `home`; it ends with its parent unless it is `detached`."""

    def __init__(
        self,
        home: Path,
        terms: Terms | None = None,
        port: int = 0,
        detached: bool = False,
        recording: Path | None = None,
    ) -> None:
        """Describe the process; nothing is started. `terms` are for an account that does not exist in `home` yet."""
        self._home = home
        self._recording = recording
        self._terms = terms or Terms()
        self._port = port
        self._detached = detached
        self._child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The running child's process id, None when there is none."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def log_path(self) -> Path:
        """Where the child writes what it has to complain about."""
        return self._home / "simulator.log"

    def start(self) -> SimulatorUrls:
        """Start the child and wait until it is ready; a second start comes up on the same port with the same state.

        Raises SimulatorNotReadyError, with the end of its log, when it exits or stays silent for 20 s.
        """
        if self.pid is not None:
            raise SimulatorNotReadyError(f"already running as process {self.pid}", next_command="stop it first")
        self._home.mkdir(parents=True, exist_ok=True)
        settings = SimulatorSettings(
            state=self._home.resolve(),
            port=self._port,
            recording=self._recording,
            terms=self._terms,
            ends_with_stdin=not self._detached,
        )
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with self.log_path.open("a") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "infra.simulator", settings.model_dump_json()],
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
        self._child = child
        line = _first_line(child, READY_TIMEOUT_S)
        if not line:
            self.kill()
            end = self.log_path.read_text(errors="replace")[-LOG_TAIL:]
            raise SimulatorNotReadyError(
                f"the simulator did not get ready; its log ends with: {end}", where=str(self.log_path)
            )
        urls = SimulatorUrls(**json.loads(line))
        self._port = int(urls.url.rpartition(":")[2])
        return urls

    def stop(self) -> None:
        """Ask the child to end and wait for it; kill it after 5 s. Harmless when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the child at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, sign: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(sign)
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _first_line(child: subprocess.Popen[str], timeout: float) -> str:
    """Return the first line the child prints, '' when it ends or says nothing in time."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read(pipe: IO[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            lines.put(pipe.readline())

    if child.stdout is None:
        raise ValueError("the child was started without a pipe for its output")
    threading.Thread(target=read, args=(child.stdout,), daemon=True, name="simulator-ready").start()
    try:
        return lines.get(timeout=timeout)
    except queue.Empty:
        return ""
