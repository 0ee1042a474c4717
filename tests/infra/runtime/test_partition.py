"""Judging one partition: any interleaving, any crash, any redelivery gives a log that replays."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runtime import partition as partition_module
from schemas.record import Record
from tests.infra.runtime.paper import INPUTS, Log, PaperWorker
from tests.infra.runtime.toy import inputs, reading, request

KINDS = ("run", "run", "reading", "reading", "again", "silent")


class Story:
    """Inputs arrive, are judged in any order of topics, committed in any portions; the worker dies at any moment."""

    def __init__(self) -> None:
        self.log = Log()
        self.worker = PaperWorker(self.log)
        self.fed = 0
        self.runs = 0

    def feed(self, kinds: list[str]) -> None:
        for kind in kinds:
            if kind == "reading":
                self.log.feed([reading(max(0, self.runs - 1))])
            elif kind == "again":
                self.log.feed([request(max(0, self.runs - 2))])
            else:
                self.log.feed([request(self.runs, kind)])
                self.runs += 1
        self.fed += len(kinds)

    def judge(self, topic: str, count: int) -> None:
        for _ in range(count):
            self.worker.judge_next(topic)

    def commit(self, count: int, hole: int) -> None:
        self.worker.commit(count, hole)

    def crash(self) -> None:
        self.worker.take_over()

    def check_what_is_shown(self) -> None:
        """Positions are shown up to where everything decided is committed, and no further."""
        shown, judged = self.worker.partition.durable, self.worker.partition.positions
        assert all(shown[where] <= judged[where] for where in judged)
        if not self.worker.committer.open:
            assert shown == judged

    def check(self) -> None:
        self.worker.take_over()
        self.worker.finish()
        verdict = self.log.rejudged()
        assert verdict.damages == []
        assert verdict.differences == []
        assert verdict.decisions + verdict.silent == self.fed
        causes = [decision.cause for decision in self.log.decisions()]
        assert len(causes) == len(set(causes))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 32))
def test_any_interleaving_any_redelivery_and_any_crash_give_a_log_that_replays(seed: int) -> None:
    chance = random.Random(seed)  # a drawn list of steps is mostly short, and the faults looked for need long ones
    story = Story()
    for _ in range(80):
        match chance.choices(("feed", "judge", "commit", "crash"), (3, 5, 4, 1))[0]:
            case "feed":
                story.feed(chance.choices(KINDS, k=3))
            case "judge":
                story.judge(chance.choice(INPUTS), chance.randint(1, 5))
            case "commit":
                story.commit(chance.randint(1, 6), chance.randint(0, 2))
            case "crash":
                story.crash()
        story.check_what_is_shown()
    story.check()
    story.worker.close()


@pytest.fixture
def worker() -> Iterator[PaperWorker]:
    log = Log()
    log.feed(inputs(10))
    worker = PaperWorker(log)
    yield worker
    worker.close()


def test_a_redelivered_record_is_passed_over(worker: PaperWorker) -> None:
    first = worker.log.of("run-requests.v1")[0]
    for _ in range(3):
        worker.loop.run_until_complete(worker.partition.handle(first))
    assert len(worker.committer.open) == 1


def test_judging_waits_while_too_much_is_uncommitted(worker: PaperWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "UNCOMMITTED_MAX", 2)
    waiting = _handle_third(worker)
    assert not waiting.done()
    worker.commit(1)
    worker.loop.run_until_complete(waiting)
    assert len(worker.committer.open) == 2


def test_who_waits_for_room_in_a_partition_that_is_lost_waits_no_longer(
    worker: PaperWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_module, "UNCOMMITTED_MAX", 2)
    waiting = _handle_third(worker)
    worker.partition.abandon()
    worker.loop.run_until_complete(asyncio.wait_for(waiting, 5))
    assert worker.committer.open == []
    assert worker.log.own() == []


def test_a_drain_ends_when_the_last_decision_is_committed(worker: PaperWorker) -> None:
    worker.judge_next("run-requests.v1")
    draining = worker.loop.create_task(worker.partition.drain(60))
    worker.loop.run_until_complete(asyncio.sleep(0))
    assert not draining.done()
    worker.commit(1)
    worker.loop.run_until_complete(asyncio.wait_for(draining, 5))
    assert len(worker.log.own()) == 1


def test_a_drain_that_takes_too_long_gives_up_and_the_next_owner_decides_it(
    worker: PaperWorker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.judge_next("run-requests.v1")
    worker.loop.run_until_complete(worker.partition.drain(0.01))
    assert "the next owner goes on" in caplog.text
    assert worker.log.own() == []
    worker.take_over()
    worker.finish()
    assert worker.log.rejudged().differences == []


def _handle_third(worker: PaperWorker) -> "asyncio.Task[None]":
    for _ in range(2):
        worker.judge_next("run-requests.v1")
    third = worker.log.of("run-requests.v1")[2]
    waiting = worker.loop.create_task(worker.partition.handle(third))
    worker.loop.run_until_complete(asyncio.sleep(0))
    return waiting


def test_what_is_judged_while_the_partition_is_lost_is_not_said(worker: PaperWorker) -> None:
    seen: asyncio.Future[None] = worker.loop.create_future()

    async def look(_record: Record) -> None:
        await seen

    worker.partition._look = look
    judging = worker.loop.create_task(worker.partition.handle(worker.log.of("run-requests.v1")[0]))
    worker.loop.run_until_complete(asyncio.sleep(0))
    worker.partition.abandon()
    seen.set_result(None)
    worker.loop.run_until_complete(judging)
    assert worker.committer.open == []
    assert worker.partition.positions["run-requests.v1", 0] == 0
