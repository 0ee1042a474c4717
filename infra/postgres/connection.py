"""Connections to PostgreSQL, and what to do while it is away.

Every connection runs in autocommit and UTC. A server that vanished without a word is noticed within half a minute,
and nobody waits longer than that for somebody else's lock.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from infra.errors import TapeError

log = logging.getLogger("tape.postgres")

Connection = psycopg.Connection[TupleRow]
T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
SILENCE_MAX_MS = 30_000
LOCK_TIMEOUT_MS = 30_000
PATIENCE_S = 600.0
PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 5.0

#: Conditions that pass by themselves: connection lost, server stopping or starting, out of connections, disk or memory,
#: a lock that was waited for too long, a deadlock.
_PASSING_CLASSES = ("08", "53", "57")
_PASSING = ("55P03", "40001", "40P01")


def connect(database_url: str, *, schema: str | None = None, is_durable: bool = True) -> Connection:
    """Return a new connection; with `schema`, tables are looked for there and nowhere else.

    `is_durable` = False lets a crash of the server lose the last commits: for what can be made again. Raises
    psycopg.OperationalError when the server does not answer.
    """
    options = {"TimeZone": "UTC", "lock_timeout": str(LOCK_TIMEOUT_MS)}
    if schema is not None:
        options["search_path"] = schema
    if not is_durable:
        options["synchronous_commit"] = "off"
    given = str(conninfo_to_dict(database_url).get("options") or "")
    return psycopg.connect(
        make_conninfo(
            database_url,
            options=" ".join([given, *(f"-c {name}={value}" for name, value in options.items())]).strip(),
            application_name="tradetape",
            connect_timeout=CONNECT_TIMEOUT_S,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=SILENCE_MAX_MS,
        ),
        autocommit=True,
    )


def is_away(error: BaseException) -> bool:
    """Say whether the error is one that passes by itself: PostgreSQL is away, overloaded, or a lock was not free."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    state = error.sqlstate
    return state is None or state[:2] in _PASSING_CLASSES or state in _PASSING


def reconnecting(
    attempt: Callable[[], T], *, patience_s: float = PATIENCE_S, stopping: threading.Event | None = None
) -> T:
    """Make the attempt until it succeeds, with growing pauses, for as long as PostgreSQL is away.

    The attempt must be safe to repeat. Other errors are raised at once. When `patience_s` is over, or `stopping` is
    set while PostgreSQL is away, raises TapeError; nothing has moved then, and the next start goes on from there.
    """
    stopped = stopping or threading.Event()
    started = time.monotonic()
    pause = PAUSE_MIN_S
    while True:
        try:
            return attempt()
        except psycopg.OperationalError as error:
            if not is_away(error):
                raise
            away_s = time.monotonic() - started
            if stopped.is_set() or away_s + pause > patience_s:
                raise TapeError(
                    f"PostgreSQL has been away for {away_s:.0f} s of at most {patience_s:.0f} s: {error}",
                    next_command="tape status",
                ) from error
            log.warning("PostgreSQL is away, trying again in %.1f s: %s", pause, str(error).strip())
        stopped.wait(pause)
        pause = min(pause * 2, PAUSE_MAX_S)
