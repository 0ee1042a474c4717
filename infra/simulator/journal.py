"""The simulator's memory: every event in one SQLite file, written before anyone is told of it."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.errors import TapeError
from infra.simulator.events import EVENTS, AnyEvent

FILE_NAME = "simulator.sqlite3"

#: Rises whenever events of an older journal could no longer be read, or would mean something else.
VERSION = 2


class JournalError(TapeError):
    """The journal cannot be used."""


class JournalInUseError(JournalError):
    """Another process holds the journal."""


class JournalVersionError(JournalError):
    """The journal was written by a simulator of another version."""


class Journal:
    """An append-only list of events; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open or create the journal in `folder`.

        Raises JournalInUseError when another simulator runs there, JournalVersionError for one of another version.
        """
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
                next_command="stop the simulator that runs there, or choose another --state",
            ) from error
        self._check_version()

    def _check_version(self) -> None:
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        (count,) = self._database.execute("SELECT count(*) FROM events").fetchone()
        if count == 0:
            self._database.execute(f"PRAGMA user_version = {VERSION}")
        elif found != VERSION:
            self._database.close()
            raise JournalVersionError(
                f"the simulator's journal is of version {found}, this simulator writes version {VERSION}",
                where=str(self.path),
                next_command="delete the file to open a new account, or choose another --state",
            )

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
