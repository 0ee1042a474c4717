"""Service processes: started in their own session, known again by pid and start time, ended only if they are ours.

A pid alone proves nothing: after a crash or a reboot it may belong to someone else. So a process is remembered with
its *birth*, a text that no second holder of the same pid shares, and nothing is signalled unless both agree.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

LOG_BYTES_MAX = 16 * 1024 * 1024
POLL_SECONDS = 0.02

# Popen objects of our own children: they must be polled, or a dead child stays a zombie and looks alive.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of this boot of this machine."""

    pid: int
    birth: str


@dataclass(frozen=True)
class Account:
    """The unprivileged account under which a service runs when we are root."""

    name: str
    uid: int
    gid: int


def _linux_birth(pid: int) -> str | None:
    """Return the boot id and the start tick; wall-clock start times drift when the clock is set."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The command name, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}/{start_ticks}"


def _portable_birth(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def birth_of(pid: int) -> str | None:
    """Return what tells this holder of the pid from any other, or None when no living process holds it."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return None
    return _linux_birth(pid) if Path("/proc/self/stat").exists() else _portable_birth(pid)


def is_alive(identity: ProcessIdentity | None) -> bool:
    """Tell whether this very process still runs."""
    return identity is not None and birth_of(identity.pid) == identity.birth


def rss_bytes(identity: ProcessIdentity) -> int:
    """Return the resident memory of the process and its children in bytes, 0 when it is gone."""
    try:
        process = psutil.Process(identity.pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
) -> ProcessIdentity:
    """Start a service in its own session, so that Ctrl-C in a terminal does not reach it.

    Both its outputs are appended to `log`; the file of an earlier start moves to `<log>.1` once it is large.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=cwd,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    _children[child.pid] = child
    return ProcessIdentity(child.pid, birth_of(child.pid) or "gone")


def _signal(identity: ProcessIdentity, number: signal.Signals) -> None:
    if is_alive(identity):
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def request_stop(identity: ProcessIdentity, number: signal.Signals) -> None:
    """Ask the process to end, unless it is gone or its pid now belongs to another."""
    _signal(identity, number)


def wait_until_gone(identity: ProcessIdentity, timeout_seconds: float) -> bool:
    """Wait for the end of the process; False when it still runs after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def stop(identity: ProcessIdentity, number: signal.Signals, timeout_seconds: float) -> None:
    """End the process: first politely, after the timeout by force. Idempotent."""
    request_stop(identity, number)
    if not wait_until_gone(identity, timeout_seconds):
        _signal(identity, signal.SIGKILL)
        wait_until_gone(identity, timeout_seconds)


def log_tail(log: Path, lines: int = 12, bytes_max: int = 16_384) -> str:
    """Return the last lines of a log file, empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - bytes_max))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
