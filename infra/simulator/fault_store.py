"""Where troubles outlive the process: a storm goes on where a killed simulator comes back, and its counts with it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from infra.simulator.faults import Fault, FaultKind, FaultProfile

FILE_NAME = "faults.sqlite3"
TABLES = ("ordered", "profiles", "seen", "totals", "ghosts")
SCHEMA = """
CREATE TABLE IF NOT EXISTS ordered (n INTEGER PRIMARY KEY, body TEXT NOT NULL, struck INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS profiles (n INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (identity TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS totals (kind TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ghosts (client_order_id TEXT PRIMARY KEY);
"""


class FaultStore:
    """Troubles in one SQLite file beside the journal, whose lock keeps others away; without a folder, in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open or create the file."""
        self._database = sqlite3.connect(":memory:" if folder is None else folder / FILE_NAME, isolation_level=None)
        # The operating system keeps what a killed process wrote; a power cut may lose counts, and no order.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def clear(self) -> None:
        """Forget everything."""
        for table in TABLES:
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of the constant above

    def ordered(self) -> list[tuple[Fault, int]]:
        """Return the ordered troubles, oldest first, with how often each has struck."""
        rows = self._database.execute("SELECT body, struck FROM ordered ORDER BY n")
        return [(Fault.model_validate_json(body), struck) for body, struck in rows]

    def order(self, faults: Sequence[Fault]) -> None:
        """Add troubles."""
        rows = [(fault.model_dump_json(),) for fault in faults]
        self._database.executemany("INSERT INTO ordered (body, struck) VALUES (?, 0)", rows)

    def strike(self, fault: Fault) -> None:
        """Count a strike of the oldest ordered trouble that reads like this one and is not used up."""
        self._database.execute(
            "UPDATE ordered SET struck = struck + 1 WHERE n ="
            " (SELECT min(n) FROM ordered WHERE body = ? AND struck < ?)",
            (fault.model_dump_json(), fault.times),
        )

    def profiles(self) -> list[FaultProfile]:
        """Return the standing profiles."""
        rows = self._database.execute("SELECT body FROM profiles ORDER BY n")
        return [FaultProfile.model_validate_json(body) for (body,) in rows]

    def stand(self, profiles: Sequence[FaultProfile]) -> None:
        """Replace the standing profiles."""
        self._database.execute("DELETE FROM profiles")
        rows = [(profile.model_dump_json(),) for profile in profiles]
        self._database.executemany("INSERT INTO profiles (body) VALUES (?)", rows)

    def see(self, identity: str) -> int:
        """Count a request or message; return how often it came before."""
        row = self._database.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count - 1",
            (identity,),
        ).fetchone()
        return int(row[0])

    def add_total(self, kind: FaultKind) -> None:
        """Count a strike of a kind."""
        self._database.execute("INSERT INTO totals VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (kind,))

    def totals(self) -> dict[FaultKind, int]:
        """Return how often each kind has struck."""
        return {FaultKind(kind): count for kind, count in self._database.execute("SELECT kind, count FROM totals")}

    def haunt(self, client_order_id: str) -> None:
        """Count an id as used, without an order."""
        self._database.execute("INSERT OR IGNORE INTO ghosts VALUES (?)", (client_order_id,))

    def is_haunted(self, client_order_id: str) -> bool:
        """Say whether an id counts as used without an order."""
        found = self._database.execute("SELECT 1 FROM ghosts WHERE client_order_id = ?", (client_order_id,))
        return found.fetchone() is not None
