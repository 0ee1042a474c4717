"""Kill -9 of the projecting process, and PostgreSQL going away: nothing is lost, nothing is counted twice."""

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.postgres.connection import Connection, connect, reconnecting
from infra.postgres.migrate import migrate
from infra.postgres.projection import Projection, ProjectionFencedError
from infra.postgres.rebuild import rebuild_and_compare
from infra.postgres.tracking import tracked
from schemas.order import OrderEvent
from tests.infra.postgres.proxy import Proxy
from tests.infra.postgres.stories import ACCOUNT, Log, deposit, example, trade

KILLS_MIN = 5
KILL_WITHIN_S = 0.05
ENTRIES = ("ledger-entries.v1", 0)


def _story(trades: int) -> Log:
    log = Log()
    log.say(deposit("100000"))
    for number in range(trades):
        log.say(example(OrderEvent, account_id=ACCOUNT, client_order_id=f"order-{number % 7}"))
        log.say(trade("momentum", "AAPL", "1", "10.01", number))
    return log


def _expect_all_of(log: Log, database_url: str, connection: Connection) -> None:
    """Expect every record once: in the index, in the positions, in the books, and as a rebuild has it."""
    assert tracked(connection, "projector") == log.ends
    indexed = connection.execute("SELECT topic, count(*) FROM log_index GROUP BY topic").fetchall()
    assert dict(indexed) == Counter(incoming.topic for incoming in log.incoming())
    trades = sum(incoming.topic == ENTRIES[0] for incoming in log.incoming()) - 1
    assert connection.execute("SELECT quantity FROM positions").fetchall() == [(trades,)]
    assert rebuild_and_compare(database_url, log.incoming).is_identical


@contextmanager
def _nursery(database_url: str, log: Log, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    file = folder / "log"
    file.write_bytes(pickle.dumps(log.incoming()))
    command = [sys.executable, "-m", "tests.infra.postgres.nursery", database_url, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        yield nursery
        if nursery.stdin is not None:
            nursery.stdin.close()


def _start_child(nursery: "subprocess.Popen[str]") -> int:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    print(file=nursery.stdin, flush=True)
    return int(nursery.stdout.readline())


def _exit_code(nursery: "subprocess.Popen[str]") -> int:
    assert nursery.stdout is not None
    return int(nursery.stdout.readline())


def test_a_projecting_process_killed_at_random_moments_loses_and_doubles_nothing(
    database_url: str, connection: Connection, tmp_path: Path
) -> None:
    log = _story(150)
    moments = random.Random(20120601)
    kills = 0
    with _nursery(database_url, log, tmp_path) as nursery:
        while True:
            child = _start_child(nursery)
            time.sleep(moments.uniform(0, KILL_WITHIN_S) * (1 + kills / 50))  # longer each time: slow machines end too
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(child, signal.SIGKILL)
            if _exit_code(nursery) == 0:
                break
            kills += 1

    assert kills >= KILLS_MIN
    _expect_all_of(log, database_url, connection)


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """Return a proxy before the test's database."""
    proxy = _proxy_before(database_url)
    yield proxy
    proxy.close()


def _proxy_before(database_url: str) -> Proxy:
    return Proxy(_address(database_url))


def _address(database_url: str) -> tuple[str, int]:
    facts = conninfo_to_dict(database_url)
    return str(facts["host"]), int(str(facts["port"]))


@pytest.fixture
def distant(database_url: str, proxy: Proxy) -> Iterator[Projection]:
    """Return a projection that reaches its database through the proxy."""
    projection = Projection(make_conninfo(database_url, port=proxy.port))
    yield projection
    projection.close()


def test_a_commit_whose_answer_is_lost_counts_once(
    distant: Projection, proxy: Proxy, database_url: str, connection: Connection
) -> None:
    log = _story(3)
    distant.positions(log.ends)
    proxy.lose_answer_to(b"COMMIT")

    with pytest.raises(psycopg.OperationalError):
        distant.apply(log.read[:5])
    distant.apply(log.read[:5])
    distant.apply(log.read[5:])

    _expect_all_of(log, database_url, connection)


def test_a_batch_that_did_not_reach_postgresql_is_written_when_it_is_given_again(
    distant: Projection, proxy: Proxy, database_url: str, connection: Connection
) -> None:
    log = _story(3)
    distant.positions(log.ends)
    proxy.go_away()

    with pytest.raises(psycopg.OperationalError):
        distant.apply(log.read)
    assert tracked(connection, "projector") == dict.fromkeys(log.ends, 0)
    proxy.come_back()
    distant.apply(log.read)

    _expect_all_of(log, database_url, connection)


def test_another_owner_that_moved_on_after_a_lost_answer_is_not_taken_for_oneself(
    distant: Projection, proxy: Proxy, database_url: str
) -> None:
    log = _story(3)
    distant.positions(log.ends)
    proxy.lose_answer_to(b"COMMIT")
    with pytest.raises(psycopg.OperationalError):
        distant.apply(log.read[:5])
    successor = Projection(database_url)
    reconnecting(lambda: successor.positions(log.ends))
    successor.apply(log.read)
    successor.close()

    with pytest.raises(ProjectionFencedError):
        distant.apply(log.read[:5])


def test_the_projection_waits_for_postgresql_and_goes_on_where_it_was(
    distant: Projection, proxy: Proxy, database_url: str, connection: Connection
) -> None:
    log = _story(3)
    distant.positions(log.ends)
    distant.apply(log.read[:2])
    proxy.go_away()
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            proxy.come_back()
        distant.apply(log.read[2:])

    reconnecting(attempt)

    assert tries >= 3
    _expect_all_of(log, database_url, connection)


def _lost() -> None:
    raise psycopg.OperationalError("connection refused")


def test_patience_with_postgresql_ends(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TapeError, match=r"PostgreSQL has been away .* connection refused"):
        reconnecting(_lost, patience_s=0.25)

    assert "trying again" in caplog.text


def test_a_process_that_is_told_to_stop_does_not_wait_for_postgresql() -> None:
    stopping = Event()
    stopping.set()

    with pytest.raises(TapeError):
        reconnecting(_lost, stopping=stopping)


def test_an_error_that_does_not_pass_by_itself_is_raised_at_once() -> None:
    def refused() -> None:
        raise psycopg.errors.ProgramLimitExceeded("index row too large")

    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        reconnecting(refused)


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """Return a PostgreSQL that this test alone may kill."""
    stack = Stack(tmp_path / "home")
    stack.up({"postgres"})
    yield stack
    stack.destroy()


def _kill_projecting_backend(database_url: str) -> None:
    """Kill -9 the server process behind the projection; PostgreSQL ends all others then, and recovers from its log."""
    with reconnecting(partial(connect, database_url)) as watcher:
        others = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tradetape' AND pid <> pg_backend_pid()"
        for (pid,) in watcher.execute(others).fetchall():
            os.kill(pid, signal.SIGKILL)


def test_postgresql_crashing_in_the_middle_of_its_work_loses_and_doubles_nothing(own_stack: Stack) -> None:
    url = own_stack.database_url
    migrate(url)
    log = _story(120)
    projection = Projection(url)
    projection.positions(log.ends)
    batches = [log.read[start : start + 2] for start in range(0, len(log.read), 2)]
    moments = {number: Event() for number in (20, 60, 100)}

    def project() -> None:
        for number, batch in enumerate(batches):
            reconnecting(partial(projection.apply, batch), patience_s=60)
            if number in moments:
                moments[number].set()

    with ThreadPoolExecutor(1) as pool:
        projecting = pool.submit(project)
        for moment in moments.values():
            while not moment.wait(0.05):
                assert not projecting.done(), projecting.exception()
            _kill_projecting_backend(url)
        projecting.result()
    projection.close()

    with reconnecting(partial(connect, url)) as connection:  # the last crash may have come after the last batch
        _expect_all_of(log, url, connection)
