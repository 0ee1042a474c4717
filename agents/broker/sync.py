"""Whether the account can be followed: the stream is sending, and a poll has read what it left out before.

Only then an order is sent, because only then its executions, and those of the orders before it, are heard of.
"""

import threading
from collections.abc import Callable

SYNC_PATIENCE_S = 30.0
"""How long an order waits for it, from the loss or the confirmation on: what takes longer was priced long ago."""


class Sync:
    """In sync from the first poll after the stream is confirmed until the stream is lost. Safe between threads."""

    def __init__(self, seconds: Callable[[], float], patience_s: float) -> None:
        self._seconds = seconds
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._connection = 0
        self._is_listening = False
        self._is_stopped = False
        self._lost_s = seconds()
        self._missing = "the stream of trade updates was not confirmed yet"

    @property
    def connection(self) -> int:
        """Return which confirmation of the stream is the latest; a poll that began before it does not count."""
        return self._connection

    @property
    def is_in_sync(self) -> bool:
        """Say whether nothing is missing."""
        return not self._missing

    def listening(self) -> None:
        """Note that the stream is sending; what happened before is read by a poll that begins now."""
        with self._changed:
            self._connection += 1
            self._lost_s = self._seconds()
            self._lose("the first poll after the stream was confirmed is not done yet", is_listening=True)

    def lost(self, why: str) -> None:
        """Note that the stream is lost."""
        with self._changed:
            self._lose(f"the stream of trade updates is {why}", is_listening=False)

    def polled(self, connection: int) -> None:
        """Note that a poll is done and published that began while `connection` was the latest."""
        with self._changed:
            if self._is_listening and connection == self._connection:
                self._missing = ""
                self._changed.notify_all()

    def stop(self) -> None:
        """End all waiting: the account is followed no more. Stopping twice is harmless."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def missing(self) -> str:
        """Return what is missing to be in sync, empty when nothing is; waits a while for it, counted from the loss."""
        with self._changed:
            patience_s = max(0.0, self._lost_s + self._patience_s - self._seconds())
            self._changed.wait_for(lambda: self._is_stopped or not self._missing, patience_s)
            return "this process follows the account no more" if self._is_stopped else self._missing

    def _lose(self, missing: str, *, is_listening: bool) -> None:
        if not self._missing:
            self._lost_s = self._seconds()
        self._is_listening = is_listening
        self._missing = missing
