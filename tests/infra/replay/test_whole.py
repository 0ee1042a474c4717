"""The log in one pass: however it is cut, the verdict is that of the whole; what is being written is left alone."""

import gc
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.declaration import Agent
from infra.embedded.folders import CHECKOUT
from infra.replay import seen as seen_module
from infra.replay import whole
from infra.replay.history import decision_path
from infra.replay.judging import Terms
from infra.replay.rejudge import Judges
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.sharing import Share, shares
from infra.replay.slices import Moment
from infra.replay.verdict import Verdict
from infra.worker import deciding
from tests.infra.runtime.paper import Log, resealed, with_header, written
from tests.infra.runtime.toy import AGENT, inputs
from topics.codec import decode
from topics.registry import written_by
from topics.wire import Incoming, Partition, header

LOG = written(inputs(30))


def ends_of(log: Log) -> dict[Partition, int]:
    ends: dict[Partition, int] = {}
    for record in log.records:
        ends[record.topic, 0] = max(ends.get((record.topic, 0), 0), record.offset + 1)
    return ends


def in_slices(
    log: Log, cuts: list[Mapping[Partition, int]], settled: Mapping[Partition, int] | None = None, agent: Agent = AGENT
) -> Verdict:
    verdict = Verdict()
    judges = Judges([agent], Terms(Scope(), verdict))
    for start, end in pairwise([{}, *cuts, ends_of(log)]):
        for record in sorted(log.records, key=lambda each: (each.topic, each.offset)):
            where = (record.topic, 0)
            if start.get(where, 0) <= record.offset < end.get(where, 0):
                judges.add(Seen(record))
        judges.advance(end)
    judges.finish(settled or {})
    return verdict


@st.composite
def any_cuts(draw: st.DrawFn) -> list[Mapping[Partition, int]]:
    ends = ends_of(LOG)
    count = draw(st.integers(1, 5))
    drawn = {where: sorted(draw(st.integers(0, end)) for _ in range(count)) for where, end in sorted(ends.items())}
    return [{where: offsets[number] for where, offsets in drawn.items()} for number in range(count)]


@settings(max_examples=40, deadline=None)
@given(any_cuts())
def test_however_the_log_is_cut_the_verdict_is_that_of_the_whole(cuts: list[Mapping[Partition, int]]) -> None:
    once, sliced = LOG.rejudged(), in_slices(LOG, cuts)
    assert sliced.as_json() == once.as_json()
    assert once.decisions == once.identical > 0


def test_what_is_decided_again_byte_for_byte_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def counted(record: Incoming, *, is_sealed: bool) -> object:
        decoded.append(record.topic)
        return decode(record, is_sealed=is_sealed)

    monkeypatch.setattr(seen_module, "decode", counted)
    assert in_slices(LOG, []).exit_code == 0
    assert set(decoded) == {"run-requests.v1", "clock-readings.v1"}


def test_a_decision_that_was_still_being_written_is_left_for_the_next_time() -> None:
    log = written(inputs(30))
    decided = log.decisions()
    last = next(each for each in reversed(decided) if len(each.records) == 2)
    for decision in decided[last.seq :]:
        for record in decision.records:
            log.change(record)
    first, second = last.records
    log.change(second)
    settled = ends_of(log) | {(first.topic, 0): first.offset}
    verdict = Verdict()
    judges = Judges([AGENT], Terms(Scope(), verdict), {AGENT.name: decided[last.seq - 2].inputs})
    for record in log.records:
        judges.add(Seen(record))
    judges.advance(None)
    judges.finish(settled)
    assert (verdict.exit_code, verdict.decisions) == (0, last.seq - 1)

    (damage,) = in_slices(log, []).damages  # the same log, if all of it had been there for long
    assert "a record is missing or doubled: ordinals expected [0, 1], was [0]" in damage.what


def test_a_record_written_again_later_is_a_fork_wherever_the_log_is_cut() -> None:
    log = written(inputs(20))
    doubled = log.single()
    log.records.append(replace(doubled, offset=ends_of(log)[doubled.topic, 0]))
    late = {where: end - (where == (doubled.topic, 0)) for where, end in ends_of(log).items()}
    for cuts in ([], [late]):
        (damage,) = in_slices(log, cuts).damages
        assert "a record is missing or doubled" in damage.what


def test_what_lies_behind_a_damage_is_counted_and_not_judged() -> None:
    log = written(inputs(20))
    total = len(log.decisions())
    for record in [each for each in log.own() if header(each.headers, "seq") == "5"]:
        log.change(record)
    verdict = in_slices(log, [{where: end // 2 for where, end in ends_of(log).items()}])
    counts = verdict.of(AGENT.name)
    assert (counts.decisions, counts.not_judged, verdict.gaps) == (4, total - 5, 1)


def test_a_forged_chain_ends_the_agent_where_it_is_broken() -> None:
    log = written(inputs(20))
    record = log.single()
    log.change(record, resealed(with_header(record, "prev", "0" * 64)))
    (damage,) = in_slices(log, []).damages
    assert damage.what.startswith("the chain is broken: prev expected")


def test_a_decision_that_names_inputs_the_log_does_not_have_is_damage() -> None:
    log = written(inputs(20))
    last = log.own()[-1]
    log.change(last, resealed(with_header(last, "inputs", "clock-readings.v1/0=999,run-requests.v1/0=999")))
    (damage,) = in_slices(log, []).damages
    assert "are not in the log: expected records up to" in damage.what
    assert damage.where == str(last.place)


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Return a log that a whole replay finds where Kafka would be."""
    log = written(inputs(30))
    ends = ends_of(log)
    monkeypatch.setattr(whole, "judged_until", lambda *_: {})
    monkeypatch.setattr(whole, "partitions_of", lambda *_: tuple(ends))
    monkeypatch.setattr(whole, "moment", lambda *_: Moment(ends, ends))
    monkeypatch.setattr(whole, "slices", lambda _, start, ends: [ends])

    def read_slice(_: str, start: Mapping[Partition, int], end: Mapping[Partition, int]) -> list[Incoming]:
        return [
            each for each in log.records if start.get((each.topic, 0), 0) <= each.offset < end.get((each.topic, 0), 0)
        ]

    monkeypatch.setattr(whole, "read_slice", read_slice)
    return log


def test_the_whole_log_is_judged_and_checked_and_its_progress_told(paper: Log) -> None:
    told: list[tuple[int, int]] = []
    verdict = whole.replay_log("nowhere", [AGENT], Scope(), lambda *each: told.append(each))
    assert (verdict.exit_code, verdict.decisions, verdict.records) == (0, len(paper.decisions()), len(paper.records))
    assert told[-1] == (len(paper.records), len(paper.records))


def test_one_run_is_judged_alone(paper: Log) -> None:
    run = header(paper.decisions()[9].records[0].headers, "correlation_id")
    verdict = whole.replay_log("nowhere", [AGENT], Scope(run))
    assert (verdict.decisions, verdict.identical, verdict.differences) == (1, 1, [])
    nobody = whole.replay_log("nowhere", [AGENT], Scope("nobody"))
    assert nobody.exit_code == 2


def test_a_span_of_time_is_judged_alone(paper: Log) -> None:
    for number, record in enumerate(list(paper.records)):
        paper.change(record, replace(record, timestamp_ms=1000 + number))
    at = {str(each.place): each.timestamp_ms for each in paper.records}
    spoken = [at[str(each.records[0].place)] for each in paper.decisions()]
    verdict = whole.replay_log("nowhere", [AGENT], Scope(since_ms=spoken[3], until_ms=spoken[7]))
    assert (verdict.decisions, verdict.exit_code) == (4, 0)


def test_agents_are_shared_out_whole_and_every_topic_is_checked_by_one() -> None:
    agents = deciding()
    ends = {(topic, 0): 10 for topic in decision_path()}
    for jobs in (1, 2, 3, 100):
        divided = shares(agents, ends, jobs)
        assert sorted(name for share in divided for name in share.agents) == sorted(agent.name for agent in agents)
        audited = [topic for share in divided for topic in share.audited]
        assert sorted(audited) == sorted(topic for topic, _ in ends)
        assert len(divided) == min(jobs, len(agents))


def test_each_share_checks_what_its_agents_write_or_another_one_does() -> None:
    divided = shares(deciding(), {(topic, 0): 10 for topic in decision_path()}, 2)
    assert divided[0].audited | divided[1].audited == frozenset(decision_path())
    assert not divided[0].audited & divided[1].audited
    for share in divided:
        assert isinstance(share, Share)
        assert all(written_by(name) for name in share.agents)


HELPED = """
from infra.errors import TapeError
from infra.replay.sharing import Share, helpers
from infra.replay.verdict import Verdict
import os, sys

def work(share, known, on_done):
    if known == "fail":
        raise TapeError("it cannot be read", where="runs.v1/0/7")
    if known == "die":
        os._exit(9)
    on_done(known)
    verdict = Verdict()
    verdict.of(share.agents[0]).decisions = known
    return verdict

def main(known):
    told = []
    with helpers(3, work) as ready:
        given = [(Share((name,), frozenset()), known) for name in ("a", "b")]
        try:
            whole = Verdict()
            for each in ready.done(given, told.append):
                whole.add(each)
            print(whole.decisions, sorted(whole.agents), told)
        except TapeError as error:
            print("|".join(str(error).splitlines()))

main(int(sys.argv[1]) if sys.argv[1].isdecimal() else sys.argv[1])
"""


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("5", "10 ['a', 'b'] [5, 5]"),
        ("fail", "it cannot be read|  where: runs.v1/0/7"),
        ("die", "ended without a word"),
    ],
)
def test_processes_do_their_shares_and_what_stops_one_is_told(known: str, said: str) -> None:
    command = [sys.executable, "-P", "-c", HELPED, known]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert said in done.stdout, done.stderr


def test_memory_holds_what_still_waits_and_not_what_was_judged() -> None:
    judges = Judges([AGENT], Terms(Scope(), Verdict()))
    read_to: dict[Partition, int] = {}
    alive = []
    for decision in LOG.decisions():
        here = dict(decision.inputs)
        for record in LOG.records:
            where = (record.topic, 0)
            if where in here and read_to.get(where, 0) <= record.offset < here[where]:
                judges.add(Seen(record))
        for record in decision.records:
            judges.add(Seen(record))
        judges.advance(here)
        read_to = here
        alive.append(sum(isinstance(each, Seen) for each in gc.get_objects()))
    assert max(alive) < 10 < len(LOG.records)
