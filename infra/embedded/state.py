"""What the embedded stack remembers between two commands: ports, processes, secrets, where the data is.

One small JSON file, replaced atomically and readable by its owner only (it holds the database password). It is
a record of what was started, not of what runs: who reads it checks the processes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from infra.errors import TapeError

ServiceName = Literal["kafka", "registry", "postgres"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)
STATE_VERSION = 1


@dataclass(frozen=True)
class ServiceState:
    """One service: the ports it was given (by name), its process if it was started, and facts of its own."""

    ports: dict[str, int] = field(default_factory=dict)
    pid: int | None = None
    birth: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackState:
    """All services of one home folder."""

    services: dict[str, ServiceState] = field(default_factory=dict)

    def service(self, name: ServiceName) -> ServiceState:
        """Return what is remembered of a service; an empty state when it was never started."""
        return self.services.get(name, ServiceState())

    def with_service(self, name: ServiceName, service: ServiceState) -> StackState:
        """Return a copy in which one service is replaced."""
        return replace(self, services={**self.services, name: service})


def state_path(home: Path) -> Path:
    """Return the place of the state file in a home folder."""
    return home / "state.json"


def load_state(home: Path) -> StackState:
    """Read the state file; an empty state when there is none.

    Raises TapeError for a file that is not ours to read: it is never guessed at, since pids are in it.
    """
    path = state_path(home)
    try:
        raw = path.read_text()
    except FileNotFoundError:
        return StackState()
    try:
        document: dict[str, Any] = json.loads(raw)
        if document["version"] != STATE_VERSION:
            raise TapeError(
                f"the state file has version {document['version']}, this tape reads {STATE_VERSION}",
                where=str(path),
                next_command="tape reset --yes (deletes the embedded data), or use the tape that wrote it",
            )
        return StackState({name: ServiceState(**service) for name, service in document["services"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TapeError(
            f"the state file cannot be read: {error}",
            where=str(path),
            next_command=f"stop the services by hand, then delete {path}",
        ) from error


def save_state(home: Path, state: StackState) -> None:
    """Replace the state file atomically; its mode is 0600."""
    path = state_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    document = {"version": STATE_VERSION, "services": {name: asdict(s) for name, s in state.services.items()}}
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=2, sort_keys=True)
        file.write("\n")
    temporary.replace(path)
