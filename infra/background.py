"""Processes left running beside the embedded services: the workers' supervisor and a simulator.

They are remembered in the home folder by pid and birth, so that `tape down` ends them and nothing else.
"""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.processes import ProcessIdentity, is_alive, stop

STOP_TIMEOUT_S = 30.0
BACKGROUND_FILE = "background.json"
ORDER = ("workers", "simulator")
"""Stopped in this order: workers leave their groups while the broker still answers."""


@dataclass(frozen=True)
class Background:
    """What is remembered of one home folder."""

    home: Path

    @property
    def _file(self) -> Path:
        return self.home / BACKGROUND_FILE

    def remember(self, name: str, identity: ProcessIdentity, facts: Mapping[str, str]) -> None:
        """Note a process of ours and how to reach it."""
        entries = self._load()
        entries[name] = {"pid": identity.pid, "birth": identity.birth, **facts}
        self._save(entries)

    def running(self) -> dict[str, ProcessIdentity]:
        """Return the processes that still run, by name."""
        found = {name: ProcessIdentity(int(str(e["pid"])), str(e["birth"])) for name, e in self._load().items()}
        return {name: identity for name, identity in found.items() if is_alive(identity)}

    def known(self) -> tuple[str, ...]:
        """Return the names of all that was ever noted, in the order in which they are stopped."""
        return tuple(sorted(self._load(), key=ORDER.index))

    def facts(self, name: str) -> dict[str, str]:
        """Return what was noted of a process, also after it has ended; empty when it was never noted."""
        return {key: str(value) for key, value in self._load().get(name, {}).items() if key not in ("pid", "birth")}

    def stop(self) -> tuple[str, ...]:
        """End what still runs and return the names. Idempotent."""
        running = self.running()
        for name in sorted(running, key=ORDER.index):
            stop(running[name], signal.SIGTERM, STOP_TIMEOUT_S)
        return tuple(running)

    def _load(self) -> dict[str, dict[str, object]]:
        if not self._file.exists():
            return {}
        entries: dict[str, dict[str, object]] = json.loads(self._file.read_text(encoding="utf-8"))
        return entries

    def _save(self, entries: Mapping[str, Mapping[str, object]]) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(entries, indent=2), encoding="utf-8")
        temporary.replace(self._file)
