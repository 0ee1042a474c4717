"""Replay finds every way in which a log or a decider is not what it was."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.decider import Message
from agents.declaration import Agent
from infra.replay.history import History
from infra.replay.rejudge import Rejudge
from infra.replay.verdict import DifferenceKind
from infra.runtime import partition as partition_module
from schemas.record import Record
from schemas.run import Run, RunRequest
from tests.infra.runtime.paper import Log, resealed, with_header, written
from tests.infra.runtime.toy import AGENT, State, Toy, inputs, request
from topics.wire import header


class OtherWords(Toy):
    """Says the same, in other words, about one run."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        said = super().decide(state, message)
        return [
            each.model_copy(update={"detail": "changed"})
            if isinstance(each, Run) and each.detail == "decision 6"
            else each
            for each in said
        ]


class Talkative(Toy):
    """Speaks where the toy is silent."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        record = message.record
        if isinstance(record, RunRequest) and record.request_id == "silent-5":
            return super().decide(state, replace(message, record=record.model_copy(update={"request_id": "run-5"})))
        return super().decide(state, message)


class Taciturn(Toy):
    """Is silent where the toy speaks."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        record = message.record
        if isinstance(record, RunRequest) and record.request_id == "run-3":
            return []
        return super().decide(state, message)


class Broken(Toy):
    """Raises where the toy decides."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        if isinstance(message.record, RunRequest) and message.record.request_id == "run-3":
            raise ZeroDivisionError("by the new rule")
        return super().decide(state, message)


class Shorter(Toy):
    """Leaves the second event of a decision out."""

    def decide(self, state: State, message: Message) -> Sequence[Record]:
        return super().decide(state, message)[:1]


@pytest.fixture
def log() -> Log:
    return written(inputs(20))


def test_an_undisturbed_log_is_identical_and_every_input_is_accounted_for(log: Log) -> None:
    verdict = log.rejudged()
    fed = len(log.of("run-requests.v1")) + len(log.of("clock-readings.v1"))
    assert verdict.exit_code == 0
    assert verdict.identical == verdict.decisions == len(log.decisions())
    assert verdict.silent == fed - verdict.decisions > 0


def test_a_changed_decider_shows_as_the_field_that_differs(log: Log) -> None:
    verdict = log.rejudged(Agent("scheduler", decider=OtherWords()))
    (difference,) = verdict.differences
    assert (difference.kind, difference.agent, difference.field) == (DifferenceKind.FIELD, "scheduler", "detail")
    assert (difference.recorded, difference.decided_again) == ("decision 6", "changed")
    recorded = next(each for each in log.decisions() if each.seq == difference.seq)
    assert difference.place in {str(record.place) for record in recorded.records}
    assert str(difference).startswith(
        f"scheduler seq {difference.seq} at {difference.place}: detail: recorded decision 6"
    )
    assert verdict.identical == verdict.decisions - 1
    assert verdict.exit_code == 1


def test_a_decider_that_now_acts_on_an_input_that_used_to_be_silent_shows(log: Log) -> None:
    (difference,) = log.rejudged(Agent("scheduler", decider=Talkative())).differences
    assert (difference.kind, difference.seq) == (DifferenceKind.SPOKE_WHERE_SILENT, None)
    silent = next(each for each in log.of("run-requests.v1") if b"silent-5" in (each.value or b""))
    assert difference.place == str(silent.place)
    assert difference.recorded == "nothing"
    assert "Run(" in difference.decided_again


def test_a_decider_that_is_silent_about_what_it_once_decided_shows(log: Log) -> None:
    difference = log.rejudged(Agent("scheduler", decider=Taciturn())).differences[0]
    assert (difference.kind, difference.decided_again) == (DifferenceKind.SILENT_WHERE_SPOKE, "nothing")
    assert difference.seq is not None


def test_a_decider_that_raises_shows_and_the_replay_goes_on(log: Log) -> None:
    verdict = log.rejudged(Agent("scheduler", decider=Broken()))
    assert verdict.differences[0].kind is DifferenceKind.RAISED
    assert verdict.differences[0].decided_again == "ZeroDivisionError: by the new rule"
    assert verdict.decisions == len(log.decisions())


def test_other_records_of_a_decision_show(log: Log) -> None:
    difference = log.rejudged(Agent("scheduler", decider=Shorter())).differences[0]
    assert difference.kind is DifferenceKind.OTHER_RECORDS
    assert (difference.recorded, difference.decided_again) == ("Run, DeadlinePassed", "Run")


def test_a_decision_of_another_version_says_so_beside_its_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "agent_version", lambda _: "yesterday")
    log = written(inputs(20))
    assert log.rejudged().exit_code == 0  # another version that decides the same is no difference
    (difference,) = log.rejudged(Agent("scheduler", decider=OtherWords())).differences
    assert difference.recorded_version == "yesterday"
    assert f"recorded by version yesterday, decided again by {difference.version}" in str(difference)


def test_a_deleted_decision_is_a_gap(log: Log) -> None:
    for record in [each for each in log.own() if header(each.headers, "seq") == "7"]:
        log.change(record)
    verdict = log.rejudged()
    (damage,) = verdict.damages
    assert "a decision is missing: seq expected 7, was 8" in damage.what
    assert (verdict.gaps, verdict.exit_code) == (1, 3)


def test_a_deleted_last_decision_shows_as_an_input_that_should_have_been_decided(log: Log) -> None:
    for record in log.decisions()[-1].records:
        log.change(record)
    kinds = {difference.kind for difference in log.rejudged().differences}
    assert kinds == {DifferenceKind.SPOKE_WHERE_SILENT}


def test_a_deleted_cause_is_named(log: Log) -> None:
    decision = log.decisions()[4]
    cause = next(record for record in log.records if str(record.place) == decision.cause)
    log.change(cause)
    (damage,) = log.rejudged().damages
    assert f"the cause of seq 5 is not in the log: expected a record at {decision.cause}" in damage.what


def test_an_altered_record_is_a_hash_mismatch(log: Log) -> None:
    record = log.single()
    value = record.value or b""
    log.change(record, replace(record, value=value[:-1] + bytes([value[-1] ^ 1])))
    verdict = log.rejudged()
    (damage,) = verdict.damages
    assert damage.what.startswith("an altered record: header sha256 says")
    assert damage.where == str(record.place)
    assert verdict.hash_mismatches == 1


@pytest.mark.parametrize("name", ["seq", "ordinal", "count", "prev", "cause", "inputs"])
def test_an_altered_header_is_a_damage_and_never_a_crash(log: Log, name: str) -> None:
    record = log.single()
    log.change(record, with_header(record, name, "nonsense"))
    assert log.rejudged().exit_code == 3


def test_a_forged_record_with_a_seal_that_fits_breaks_the_chain(log: Log) -> None:
    record = log.single()
    log.change(record, resealed(replace(record, key=b"another")))
    verdict = log.rejudged()
    assert "the chain is broken" in verdict.damages[0].what


def test_a_forged_last_record_differs_from_what_is_decided_again(log: Log) -> None:
    record = log.own()[-1]
    log.change(record, resealed(replace(record, key=b"another")))
    verdict = log.rejudged()
    assert (verdict.damages, len(verdict.differences)) == ([], 1)


def test_one_correlation_id_is_judged_alone_in_the_state_of_the_whole_log(log: Log) -> None:
    decision = log.decisions()[9]
    correlation_id = header(decision.records[0].headers, "correlation_id")
    verdict = log.rejudged(correlation_id=correlation_id)
    assert (verdict.decisions, verdict.identical) == (1, 1)
    assert verdict.differences == []


def test_inputs_that_were_not_judged_yet_are_no_difference(log: Log) -> None:
    judged = dict(log.decisions()[-1].inputs)
    log.feed([request(99)])
    replay = Rejudge(History.of(log.records))
    replay.agent(AGENT, judged)
    assert replay.verdict.differences == []
    assert {each.kind for each in log.rejudged().differences} == {DifferenceKind.SPOKE_WHERE_SILENT}
