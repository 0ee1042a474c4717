"""The simulator's memory: every event in one SQLite file, written before anyone is told of it."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.errors import TapeError
from infra.simulator.events import EVENTS, AnyEvent

FILE_NAME = "simulator.sqlite3"


class JournalInUseError(TapeError):
    """Another process holds the journal."""


class Journal:
    """An append-only list of events; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open or create the journal in `folder`; raises JournalInUseError when another simulator runs there."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            # The operating system keeps what a killed process wrote; only a power cut could lose the last orders.
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS events (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise JournalInUseError(
                f"the simulator's journal cannot be opened alone: {error}",
                where=str(self.path),
                next_command="stop the simulator that runs there, or choose another --data",
            ) from error

    def __iter__(self) -> Iterator[AnyEvent]:
        for (body,) in self._database.execute("SELECT body FROM events ORDER BY n"):
            yield EVENTS.validate_json(body)

    def append(self, events: Sequence[AnyEvent]) -> None:
        """Write the events in order, all or none."""
        self._write(events, afresh=False)

    def restart(self, events: Sequence[AnyEvent]) -> None:
        """Forget everything and begin with these events, all or nothing."""
        self._write(events, afresh=True)

    def _write(self, events: Sequence[AnyEvent], afresh: bool) -> None:
        rows = [(EVENTS.dump_json(event),) for event in events]
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if afresh:
                self._database.execute("DELETE FROM events")
            self._database.executemany("INSERT INTO events (body) VALUES (?)", rows)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Release the file."""
        self._database.close()
