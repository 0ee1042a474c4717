"""Rows are written in batches, in order, and an error in writing is never passed over."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest

from infra.runtime import projecting
from infra.runtime.projecting import ProjectionKeeper
from tests.infra.runtime.paper import Log
from tests.infra.runtime.toy import request
from topics.codec import Event
from topics.wire import Incoming, Partition

WHERE = ("run-requests.v1", 0)


class Rows:
    """Stands where PostgreSQL stands: takes batches, or is in trouble."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.troubles: list[Exception] = []
        self.open = threading.Event()
        self.open.set()

    def positions(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        self._go_through()
        return dict.fromkeys(partitions, len(self.written))

    def apply(self, batch: Sequence[tuple[Incoming, Event | None]]) -> None:
        self.open.wait(30)
        self._go_through()
        self.written += [record.offset for record, _ in batch]

    def _go_through(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


class EndedError(BaseException):
    """The process would have ended here."""


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the process said when it ended."""
    said: list[str] = []

    def die(code: int, why: str, error: BaseException | None = None) -> None:
        said.append(f"{code} {why}: {error}")
        raise EndedError

    monkeypatch.setattr(projecting, "die", die)
    return said


@pytest.fixture
def run() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def records(count: int) -> list[Incoming]:
    log = Log()
    log.feed(request(number) for number in range(count))
    return log.records


def keeper_of(rows: Rows, run: asyncio.Runner, batch_max: int = 500) -> ProjectionKeeper:
    keeper = ProjectionKeeper(rows, run.get_loop(), batch_max)
    keeper.take_over([WHERE])
    return keeper


async def handle(keeper: ProjectionKeeper, given: Sequence[Incoming]) -> None:
    for record in given:
        await keeper.handle(record)


def test_records_are_written_in_order_and_shown_only_when_they_are(rows: Rows, run: asyncio.Runner) -> None:
    keeper = keeper_of(rows, run, batch_max=3)
    rows.open.clear()

    async def story() -> None:
        handling = asyncio.ensure_future(handle(keeper, records(10)))
        await asyncio.wait({handling}, timeout=0.05)
        assert not handling.done()  # a full batch is waited for
        assert keeper.durable() == {WHERE: 0}
        rows.open.set()
        await handling
        assert await keeper.release([WHERE], lost=False) == {WHERE: 10}

    run.run(story())
    assert rows.written == list(range(10))
    assert keeper.durable() == {}


def test_an_error_in_writing_ends_the_process_before_a_later_batch_is_written(
    rows: Rows, run: asyncio.Runner, ended: list[str]
) -> None:
    keeper = keeper_of(rows, run, batch_max=2)
    rows.troubles = [psycopg.ProgrammingError("no such column")]

    async def story() -> None:
        await handle(keeper, records(6))
        with pytest.raises(EndedError):
            await keeper._flushing

    run.run(story())
    assert ended == ["70 writing to PostgreSQL: no such column"]
    assert rows.written == []


def test_while_postgresql_is_away_nothing_is_lost_and_nothing_ends(
    rows: Rows, run: asyncio.Runner, ended: list[str]
) -> None:
    rows.troubles = [psycopg.OperationalError("away")]
    keeper = keeper_of(rows, run)
    rows.troubles = [psycopg.OperationalError("away"), psycopg.OperationalError("still away")]

    async def story() -> None:
        await handle(keeper, records(4))
        await keeper.release([WHERE], lost=False)

    run.run(story())
    assert rows.written == [0, 1, 2, 3]
    assert ended == []


@pytest.mark.parametrize("lost", [True, False])
def test_partitions_can_be_given_up_while_postgresql_is_away(
    rows: Rows, run: asyncio.Runner, ended: list[str], monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    monkeypatch.setattr(projecting, "DRAIN_TIMEOUT_S", 0.05)
    keeper = keeper_of(rows, run, batch_max=2)
    rows.open.clear()

    async def story() -> None:
        given = records(3)
        handling = asyncio.ensure_future(handle(keeper, given))
        await asyncio.sleep(0)
        assert await keeper.release([WHERE], lost) == ({} if lost else {WHERE: 0})
        rows.open.set()
        await handling

    run.run(story())
    assert ended == []
    assert rows.written in ([], [0, 1], [0])  # what was under way may still arrive; nothing after it
