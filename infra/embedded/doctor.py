"""Looks the embedded stack over and says, for each thing that is not right, what to do about it. Starts nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from infra.embedded.ports import is_free
from infra.embedded.postgres import installation_for, unprivileged_account
from infra.embedded.processes import log_tail
from infra.embedded.stack import ServiceStatus, Stack
from infra.embedded.state import ServiceState, load_state
from infra.errors import TapeError

Verdict = Literal["ok", "note", "wrong"]
DISK_BYTES_MIN = 2 * 1024**3
GIBIBYTE = 1024**3
PACKAGES = ("confluent-kafka", "faust-streaming", "fastavro", "psycopg", "alpaca-py")
VERSION_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `note` is worth knowing, `wrong` needs the hint carried out."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""


def examine(stack: Stack) -> tuple[Finding, ...]:
    """Return all findings, in the order in which things depend on each other."""
    return (
        Finding("python", "ok", f"{sys.version.split()[0]} at {sys.executable}"),
        *_packages(),
        *_java(stack),
        _downloads(stack),
        _postgres_programs(),
        *_disk(stack),
        *_services(stack),
    )


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("package", "ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("package", "wrong", f"{name} is not installed", "delete .venv and run tape again")


def _java(stack: Stack) -> Iterator[Finding]:
    try:
        choice = stack.supplies.java_choice
    except TapeError as error:
        yield Finding("java", "wrong", error.what, error.next_command)
        return
    yield Finding("java", "ok", f"Java {choice.java.major} from {choice.java.source}: {choice.java.executable}")
    for refused in choice.refused:
        yield Finding("java", "note", f"passed over {refused.source}: {refused.reason}")


def _downloads(stack: Stack) -> Finding:
    lock = stack.supplies.lock
    missing = stack.supplies.missing()
    if not missing:
        versions = {a.artifact: a.version for a in lock}
        names = f"Kafka {versions['kafka_2.13']}, Apicurio {versions['apicurio-registry-app']}"
        return Finding("downloads", "ok", f"{names}: {len(lock)} files verified in {stack.folders.cache}")
    size = sum(a.size for a in missing) // 1024**2
    return Finding(
        "downloads", "note", f"{len(missing)} of {len(lock)} files ({size} MiB) are to be fetched", "tape up"
    )


def _postgres_programs() -> Finding:
    try:
        account = unprivileged_account()
        program = installation_for(account) / "bin" / "postgres"
        answer = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_SECONDS, check=True
        )
    except TapeError as error:
        return Finding("postgres", "wrong", error.what, error.next_command)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("postgres", "wrong", f"its programs do not run: {error}", "delete .venv and run tape again")
    runs_as = f", runs as {account.name}" if account else ""
    return Finding("postgres", "ok", f"{answer.stdout.strip()}{runs_as}: {program}")


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _disk(stack: Stack) -> Iterator[Finding]:
    for folder in (stack.home, stack.folders.cache):
        free = shutil.disk_usage(_existing(folder)).free
        detail = f"{free / GIBIBYTE:.1f} GiB free at {folder}"
        if free < DISK_BYTES_MIN:
            wanted = DISK_BYTES_MIN / GIBIBYTE
            yield Finding(
                "disk", "wrong", f"{detail}, {wanted:.0f} GiB are wanted", "free some space, or set TAPE_HOME"
            )
        else:
            yield Finding("disk", "ok", detail)


def _services(stack: Stack) -> Iterator[Finding]:
    try:
        state = load_state(stack.home)
        statuses = stack.status()
    except TapeError as error:
        yield Finding("state", "wrong", error.what, error.next_command)
        return
    for status in statuses:
        yield from _service(status, state.service(status.name))


def _service(status: ServiceStatus, remembered: ServiceState) -> Iterator[Finding]:
    ports = ", ".join(f"{name} {port}" for name, port in status.ports.items())
    if status.is_ready:
        yield Finding(status.name, "ok", f"ready, pid {status.pid}, {ports}")
    elif status.is_running:
        hint = f"tape down {status.name}; tape up; or read {status.log}"
        yield Finding(status.name, "wrong", f"pid {status.pid} runs, but does not answer on {ports}", hint)
    elif remembered.pid is not None:
        last = log_tail(status.log, lines=1)
        yield Finding(status.name, "wrong", f"pid {remembered.pid} ended unasked; its last words: {last}", "tape up")
    else:
        yield Finding(status.name, "note", "not started", "tape up")
    for name, port in status.ports.items():
        if not status.is_running and not is_free(port):
            yield Finding(status.name, "note", f"its {name} port {port} was taken by another program", "tape up")
