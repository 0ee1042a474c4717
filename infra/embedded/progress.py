"""How long work reports itself: a callback, so that the library knows nothing of terminals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One step forward: what is being done and, for downloads, how many of how many bytes."""

    what: str
    done_bytes: int | None = None
    total_bytes: int | None = None


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report to nobody."""
