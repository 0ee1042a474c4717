"""One worker per broker account, held outside Kafka: a locked file on this machine, and a lock in PostgreSQL.

Kafka fences a former owner's writes, but not its requests to a broker: for those only a lock that the operating system
takes back with the process will do. The file is the lock that counts. PostgreSQL's, for workers on several machines,
is held where it is reachable at the start: orders do not wait for a database.
"""

import fcntl
import hashlib
import logging
import os
import re
import select
import threading
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from infra.errors import TapeError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3
#: A killed holder's connection is noticed by PostgreSQL within milliseconds; a stopping one ends a little later.
HANDOVER_S = 5.0
LOOK_AFTER_S = 30.0
#: A holder whose machine is gone is noticed by PostgreSQL after 10 + 3 * 5 s.
KEEPALIVES = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"


class LockedElsewhereError(TapeError):
    """Another process holds the lock."""


class FileLock:
    """A lock of this machine by name; freed by `release`, or by the process's end, however it ends."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.lock"
        self._name = name
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; raises LockedElsewhereError that names the holder, or TapeError for a folder of no use."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TapeError(
                f"the lock of {self._name} cannot be taken: {error.strerror}",
                where=str(self.path),
                next_command="set TAPE_LOCKS to a folder that every worker of this machine can write to",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise LockedElsewhereError(
                f"{self._name} is traded by process {holder or 'unknown'} already, and two would send orders twice",
                where=str(self.path),
                next_command="tape down, or stop that process",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Free the lock. Releasing twice is harmless; the file stays, its content says nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DatabaseLock:
    """A lock in PostgreSQL by name, held by a connection of its own for as long as the process lives."""

    def __init__(self, database_url: str, name: str) -> None:
        self._url = database_url
        self._name = name
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def take(self) -> bool:
        """Take the lock and return whether there is one: False when PostgreSQL cannot be reached, which is logged.

        Raises LockedElsewhereError that names the holder.
        """
        try:
            connection = psycopg.connect(
                self._url,
                connect_timeout=CONNECT_TIMEOUT_S,
                autocommit=True,
                application_name=f"tape {self._name}"[:63],
                options=KEEPALIVES,
            )
            is_held = self._is_held_within(connection, HANDOVER_S)
        except psycopg.Error as error:
            log.warning("%s: PostgreSQL is away, only this machine's lock is held: %s", self._name, error)
            return False
        if not is_held:
            holder = self._holder(connection)
            connection.close()
            raise LockedElsewhereError(
                f"{self._name} is traded elsewhere already, and two would send orders twice: {holder}",
                where="PostgreSQL, pg_locks",
                next_command="stop that worker",
            )
        self._connection = connection
        threading.Thread(target=self._watch, args=(connection,), daemon=True, name="database-lock").start()
        return True

    def release(self) -> None:
        """Free the lock. Releasing twice is harmless."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _key(self) -> int:
        return int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8], "big", signed=True)

    def _is_held_within(self, connection: psycopg.Connection[tuple[object, ...]], wait_s: float) -> bool:
        until = time.monotonic() + wait_s
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
            if row is not None and row[0]:
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.1)

    def _holder(self, connection: psycopg.Connection[tuple[object, ...]]) -> str:
        key = self._key & 0xFFFFFFFFFFFFFFFF
        with suppress(psycopg.Error):
            row = connection.execute(
                "SELECT a.application_name, coalesce(host(a.client_addr), 'a local socket'), a.pid"
                " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s AND l.objsubid = 1",
                (key >> 32, key & 0xFFFFFFFF),
            ).fetchone()
            if row is not None:
                return f"{row[0]!r} from {row[1]}, PostgreSQL's process {row[2]}"
        return "by whom PostgreSQL does not say"

    def _watch(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Say when the connection, and the lock with it, is lost. A thread."""
        try:
            while self._connection is connection:
                select.select([connection.fileno()], [], [], LOOK_AFTER_S)
                connection.execute("SELECT 1")
        except (psycopg.Error, OSError, ValueError) as error:
            if self._connection is connection:
                log.warning("%s: the lock in PostgreSQL is lost, only this machine's is held: %s", self._name, error)
