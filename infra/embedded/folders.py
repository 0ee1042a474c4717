"""Where things are: one home folder per stack, one cache folder per user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.state import ServiceName

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Folders:
    """The folders of one stack: `home` is its own, `cache` is shared by all stacks of the user."""

    home: Path
    cache: Path

    def log_of(self, name: ServiceName) -> Path:
        """Return the log file of a service."""
        return self.home / "logs" / f"{name}.log"


def default_home() -> Path:
    """Return the home folder: `TAPE_HOME`, else `.tape` in the checkout."""
    named = os.environ.get("TAPE_HOME")
    return Path(named).absolute() if named else CHECKOUT / ".tape"


def default_cache() -> Path:
    """Return the cache folder: `TAPE_CACHE`, else the user's own for tradetape."""
    named = os.environ.get("TAPE_CACHE")
    if named:
        return Path(named).absolute()
    from platformdirs import user_cache_path  # noqa: PLC0415 - only where it is needed: every command comes by here

    return user_cache_path("tradetape")
