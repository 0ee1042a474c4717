"""Recovery folds a whole log, and refuses one with a hole, a fork or a forgery in it, naming the place."""

import random
from dataclasses import replace

import pytest

from agents.declaration import Agent
from infra.runtime.recovery import LogDamagedError, recovered
from tests.infra.runtime.paper import INPUTS, Log, PaperWorker, resealed, with_header, written
from tests.infra.runtime.toy import AGENT, PERFORMS, State, inputs, reading, request
from topics.wire import GENESIS, header


@pytest.fixture
def log() -> Log:
    return written(inputs(20))


def test_an_agent_that_never_spoke_starts_at_the_beginning() -> None:
    start = Log().recovered()
    assert (start.state, start.seq, start.prev, start.positions) == (State(), 0, GENESIS, {})


def test_recovery_stands_where_the_last_decision_left_it(log: Log) -> None:
    start, last = log.recovered(), log.decisions()[-1]
    assert start.seq == last.seq == len(log.decisions())
    assert start.prev == last.hash
    assert start.positions == last.inputs
    assert set(start.positions) == {(topic, 0) for topic in INPUTS}
    assert start.state.decided == len(log.own())


def test_records_may_be_read_in_any_order_of_partitions(log: Log) -> None:
    start = log.recovered()
    random.Random(1).shuffle(log.records)
    assert log.recovered() == start


def test_what_others_have_written_to_the_same_topics_is_no_memory(log: Log) -> None:
    start = log.recovered()
    other = with_header(log.own()[3], "agent", "executor")
    stray = replace(log.own()[3], headers=(("agent", b"scheduler"),))
    log.records += [other, stray]
    assert log.recovered() == start


def test_a_performer_remembers_its_own_facts(log: Log) -> None:
    start = recovered(PERFORMS, log.decisions())
    assert [str(each) for each in start.state] == [header(record.headers, "event_id") for record in log.own()]


def test_one_without_a_memory_knows_where_it_stands_and_nothing_else(log: Log) -> None:
    start = recovered(Agent(AGENT.name, performs=True), log.decisions())
    assert replace(log.recovered(), state=None) == start


def test_a_missing_decision_is_a_gap(log: Log) -> None:
    gone = [record for record in log.own() if header(record.headers, "seq") == "7"]
    for record in gone:
        log.change(record)
    with pytest.raises(LogDamagedError, match="a decision is missing: seq expected 7, was 8"):
        log.recovered()


def test_a_missing_record_of_a_decision_is_named(log: Log) -> None:
    pair = next(record for record in log.own() if header(record.headers, "count") == "2")
    log.change(pair)
    with pytest.raises(LogDamagedError, match=r"missing or doubled: ordinals expected \[0, 1\], was \[1\]"):
        log.recovered()


def test_a_doubled_record_is_named(log: Log) -> None:
    record = log.single()
    log.change(record, record, replace(record, offset=record.offset + 1000))
    with pytest.raises(LogDamagedError, match=r"missing or doubled: ordinals expected \[0\], was \[0, 0\]"):
        log.recovered()


def test_a_fork_of_two_authors_is_named(log: Log) -> None:
    record = log.single()
    other = resealed(with_header(record, "cause", "run-requests.v1/0/19"))
    log.change(record, record, replace(other, offset=record.offset + 1000))
    with pytest.raises(LogDamagedError, match="missing or doubled"):
        log.recovered()


def test_a_forged_decision_breaks_the_chain_of_the_next(log: Log) -> None:
    record = log.single()
    log.change(record, resealed(replace(record, key=b"another")))
    with pytest.raises(LogDamagedError, match="the chain is broken: prev expected") as raised:
        log.recovered()
    assert f"seq {int(header(record.headers, 'seq')) + 1}" in raised.value.where


@pytest.mark.parametrize("forgotten", ["run-requests.v1", "clock-readings.v1"])
def test_an_input_that_was_decided_twice_is_named(forgotten: str) -> None:
    log = Log()
    log.feed([request(0), reading(0)])
    worker = PaperWorker(log)
    worker.finish()
    log.feed([reading(0)])
    worker.partition.positions[forgotten, 0] = 0  # as a runtime that starts at the wrong place would have it
    worker.loop.run_until_complete(worker.partition.handle(log.of("clock-readings.v1")[0]))
    worker.judge_next("clock-readings.v1")
    worker.commit(2)
    worker.close()
    with pytest.raises(LogDamagedError, match=f"judged twice: position of {forgotten}/0 expected 1 or more, was 0"):
        log.recovered()


def test_an_altered_record_is_refused_with_both_hashes(log: Log) -> None:
    record = log.single()
    value = record.value or b""
    log.change(record, replace(record, value=value[:-1] + bytes([value[-1] ^ 1])))
    with pytest.raises(LogDamagedError, match=r"BAD_HASH.*header sha256 says") as raised:
        log.recovered()
    assert raised.value.where == str(record.place)


@pytest.mark.parametrize("name", ["ordinal", "count", "seq"])
def test_a_header_that_says_nothing_is_a_damage_with_its_place(log: Log, name: str) -> None:
    record = log.single()
    log.change(record, with_header(record, name, "nonsense"))
    with pytest.raises(LogDamagedError, match=f"header {name}.*nonsense") as raised:
        log.recovered()
    assert raised.value.where == str(record.place)


@pytest.mark.parametrize("name", ["prev", "inputs", "cause", "sha256", "ordinal", "count"])
def test_a_missing_header_is_a_damage_and_no_crash(log: Log, name: str) -> None:
    record = log.own()[-1]
    log.change(record, replace(record, headers=tuple(each for each in record.headers if each[0] != name)))
    with pytest.raises(LogDamagedError):
        log.recovered()


def test_an_own_event_of_an_unknown_schema_is_not_skipped(log: Log) -> None:
    record = log.single()
    log.change(record, resealed(replace(record, value=b"\x00\x7f\xff\xff\xff" + (record.value or b"")[5:])))
    with pytest.raises(LogDamagedError):
        recovered(AGENT, log.decisions()[:5])


def test_a_state_with_a_refused_input_is_the_same_after_recovery() -> None:
    log = written([request(0), request(1)])
    assert log.recovered().state.decided == 2
