"""What goes wrong inside a worker: its body raises, a record cannot be read, it is told to stop, nobody watches it."""

import os
import signal
from pathlib import Path

from infra.runtime.exits import CRASHED, ORPHANED, SUPERVISOR_PID
from schemas.dead_letter import DeadLetter
from tests.infra.runtime.bench import Bench, undisturbed, until
from tests.infra.runtime.toy import reading, request
from topics.codec import decode

POISON = "run-requests.v1"


def test_an_undisturbed_run_says_what_a_plain_fold_says(bench: Bench) -> None:
    fed = bench.feed(request(number) for number in range(100))
    worker = bench.worker()
    bench.judged(worker)
    assert worker.stop() == 0
    assert worker.text == ""  # no banner, no spinner, no warning
    assert bench.said() == undisturbed(fed)
    assert bench.check().decisions == 100


def test_an_exception_in_the_body_ends_the_process_and_the_input_is_decided_once(bench: Bench, tmp_path: Path) -> None:
    fed = bench.feed(request(number) for number in range(40))
    raising = {"TOY_RAISE_ON": "run-20", "TOY_MARKER": str(tmp_path / "raised")}
    first = bench.worker(**raising)
    assert first.wait() == CRASHED
    assert "run-requests.v1/0/20: TapeError: the agent's body raised" in first.text
    assert "next:  tape why TOY" in first.text
    assert "_misbehave" in first.text  # the traceback
    assert bench.shown()["run-requests.v1", 0] <= 20
    second = bench.worker(**raising)
    bench.judged(second)
    assert second.stop() == 0
    assert bench.said() == undisturbed(fed)
    bench.check()


def test_a_record_that_is_lost_inside_the_worker_ends_the_process_and_is_decided_after_all(bench: Bench) -> None:
    fed = bench.feed(request(number) for number in range(30))
    first = bench.worker(TOY_LOSE="12")
    assert first.wait() == CRASHED
    assert "expected run-requests.v1/0/12: it was lost on its way" in first.text
    second = bench.worker()
    bench.judged(second)
    assert second.stop() == 0
    assert bench.said() == undisturbed(fed)
    bench.check()


def test_poison_becomes_a_dead_letter_in_sequence_and_the_partition_goes_on(bench: Bench) -> None:
    headers = [("traceparent", b"00-1"), ("odd", b"\xff\xfe")]
    bench.feed([request(0), request(1)])
    bench.feed_raw(POISON, b"\x00not avro", b"its key", headers)
    bench.feed_raw(POISON, None, b"a tombstone", [])
    bench.feed([request(2)])
    worker = bench.worker()
    bench.judged(worker)
    worker.stop()

    found = bench.decisions()
    assert [decision.seq for decision in found] == [1, 2, 3, 4, 5]
    assert [decision.records[0].topic for decision in found[2:4]] == ["dead-letters.v1"] * 2
    letter = decode(found[2].records[0]).record
    assert isinstance(letter, DeadLetter)
    assert (letter.origin_topic, letter.origin_partition, letter.origin_offset) == (POISON, 0, 2)
    assert (letter.raw_key, letter.raw_value) == (b"its key", b"\x00not avro")
    assert _unblocked(letter.raw_headers) == headers
    tombstone = decode(found[3].records[0]).record
    assert isinstance(tombstone, DeadLetter)
    assert (tombstone.raw_key, tombstone.raw_value) == (b"a tombstone", None)
    assert bench.check().decisions == 5


def test_poison_is_put_away_once_although_the_worker_is_killed(bench: Bench) -> None:
    bench.feed([request(0)])
    bench.feed_raw(POISON, b"bad", b"key", [])
    bench.feed([request(1)])
    assert bench.worker(TOY_AT="produced:1:SIGKILL").wait() == -signal.SIGKILL
    assert bench.worker(TOY_AT="committed:1:SIGKILL").wait() == -signal.SIGKILL
    worker = bench.worker()
    bench.judged(worker)
    worker.stop()
    assert bench.check().decisions == 3


def test_inputs_that_fell_silent_are_judged_again_and_stay_silent(bench: Bench) -> None:
    bench.feed([request(0), *(request(number, "silent") for number in range(1, 60)), reading(70)])
    first = bench.worker()
    bench.judged(first)
    first.kill()
    assert bench.decisions()[-1].inputs["run-requests.v1", 0] <= 1  # recovery starts before the silent ones
    bench.feed([request(70)])
    second = bench.worker()
    bench.judged(second)
    assert second.stop() == 0
    verdict = bench.check()
    assert (verdict.decisions, verdict.silent) in {(2, 60), (3, 59)}  # the reading may now come after its run


def test_a_worker_told_to_stop_while_busy_commits_what_it_decided_and_ends_well(bench: Bench) -> None:
    bench.feed(request(number) for number in range(400))
    first = bench.worker(TOY_SLOW_S="0.002")
    until("something was decided", lambda: bench.written() > 0)
    assert first.stop() == 0
    at_end = bench.shown()["run-requests.v1", 0]
    found = bench.decisions()
    assert 0 < len(found) < 400
    assert found[-1].inputs["run-requests.v1", 0] == at_end == len(found)  # nothing decided was dropped
    second = bench.worker()
    bench.judged(second)
    assert second.stop() == 0
    bench.check()


def test_a_worker_whose_supervisor_is_gone_before_it_is_up_ends_too(bench: Bench) -> None:
    assert bench.worker(**{SUPERVISOR_PID: str(os.getpid())}).wait() == ORPHANED  # not its parent


def test_positions_that_somebody_moved_in_the_group_change_nothing(bench: Bench) -> None:
    fed = bench.feed(request(number) for number in range(30))
    first = bench.worker(TOY_INSTANCE="")  # its place in the group goes with it
    bench.judged(first)
    first.stop()
    fed += bench.feed(request(number) for number in range(30, 40))
    bench.show(bench.ends())
    second = bench.worker(TOY_INSTANCE="")
    until("all is said", lambda: len(bench.decisions()) == 40)
    second.stop()
    bench.show(dict.fromkeys(bench.ends(), 0))
    third = bench.worker(TOY_INSTANCE="")
    bench.judged(third)
    assert third.stop() == 0
    assert bench.said() == undisturbed(fed)
    bench.check()


def _unblocked(block: bytes) -> list[tuple[str, bytes]]:
    parts: list[bytes] = []
    while block:
        length = int.from_bytes(block[:4], "big")
        parts.append(block[4 : 4 + length])
        block = block[4 + length :]
    return [(name.decode(), value) for name, value in zip(parts[::2], parts[1::2], strict=True)]
