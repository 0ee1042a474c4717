"""A replay of a whole log: read at one moment, every writer and every hash checked, what was set aside not blamed."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.declaration import Agent
from infra.cli.replay import show
from infra.embedded.stack import Stack
from infra.errors import TapeError
from infra.kafka.log import high_watermarks
from infra.replay import service
from infra.replay.history import History
from infra.replay.service import judged_and_history, judged_until, load, replay
from infra.replay.verdict import Verdict
from tests.infra.runtime.paper import Log, PaperWorker, resealed, with_header, written
from tests.infra.runtime.toy import AGENT, inputs
from topics.wire import Incoming, Outgoing, Partition, header, header_or_none, sealed

_NUMBERS = itertools.count()

#: Called at each taking of the watermarks, with its number from 0.
Meanwhile = Callable[[int], None]


@pytest.fixture
def log() -> Log:
    return written(inputs(20))


@pytest.fixture
def topics(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Return a topic of causes and one of decisions, which are all there is to replay."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    number = next(_NUMBERS)
    causes, effects = f"replay-causes-{number}", f"replay-effects-{number}"
    for made in admin.create_topics([NewTopic(causes, 3, 1), NewTopic(effects, 3, 1)]).values():
        made.result()
    until_led(stack, [(topic, number) for topic in (causes, effects) for number in range(3)])
    monkeypatch.setattr(service, "decision_path", lambda: (causes, effects))
    monkeypatch.setattr(service, "WAIT_S", 0)
    return causes, effects


def until_led(stack: Stack, partitions: Sequence[Partition]) -> None:
    """Wait until every partition answers: a topic is made a moment before its partitions are led."""
    patience = 100
    while True:
        try:
            high_watermarks(stack.bootstrap_servers, partitions)
        except KafkaException:
            patience -= 1
            if not patience:
                raise
            time.sleep(0.1)
        else:
            return


def write(stack: Stack, *topics: str) -> None:
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for topic in topics:
        producer.produce(topic, b"value", partition=0)
    producer.flush()


def moved_by(monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> None:
    """Let something happen within every taking of watermarks: after the causes' and before the decisions'."""
    takings = itertools.count()

    def taken(servers: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
        first = high_watermarks(servers, partitions[:3])
        meanwhile(next(takings))
        return first | high_watermarks(servers, partitions[3:])

    monkeypatch.setattr(service, "high_watermarks", taken)


def replayed(log: Log, correlation_id: str | None = None) -> Verdict:
    return replay(History.of(log.records), [AGENT], correlation_id=correlation_id)


def test_a_decision_written_between_two_watermarks_is_read_together_with_its_cause(
    stack: Stack, topics: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_by(monkeypatch, lambda taking: write(stack, *topics) if taking < 3 else None)
    history = load(stack.bootstrap_servers)
    assert {where: len(found) for where, found in history.by_partition.items()} == {
        (topics[0], 0): 3,
        (topics[1], 0): 3,
    }


def test_a_log_that_never_holds_still_is_refused_with_what_moved(
    stack: Stack, topics: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROUNDS_MAX", 3)
    moved_by(monkeypatch, lambda _: write(stack, topics[1]))
    with pytest.raises(TapeError, match="the log is moving") as refusal:
        load(stack.bootstrap_servers)
    assert f"{topics[1]}/0 from 3 to 4" in refusal.value.where
    assert refusal.value.next_command.startswith("tape replay --all")


def test_judged_positions_cover_partitions_without_records(
    stack: Stack, topics: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "input_topics", lambda _: topics[:1])
    agent = Agent(f"agent-of-{topics[0]}", decider=AGENT.decider)
    consumer = Consumer({"bootstrap.servers": stack.bootstrap_servers, "group.id": agent.name})
    consumer.commit(offsets=[TopicPartition(topics[0], 1, 7)], asynchronous=False)
    consumer.close()
    assert judged_until(stack.bootstrap_servers, agent) == {
        (topics[0], 0): 0,
        (topics[0], 1): 7,
        (topics[0], 2): 0,
    }


def test_what_is_judged_while_the_log_is_read_does_not_count_as_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    position = {("run-requests.v1", 0): 4}

    def read_while_the_agent_goes_on(_: str) -> History:
        position["run-requests.v1", 0] = 5
        return History({})

    monkeypatch.setattr(service, "judged_until", lambda _servers, _agent: dict(position))
    monkeypatch.setattr(service, "load", read_while_the_agent_goes_on)
    judged, _ = judged_and_history("nowhere", [AGENT])
    assert judged == {"scheduler": {("run-requests.v1", 0): 4}}


@pytest.mark.parametrize("agent", ["strategist", "scheduler"])
def test_a_foreign_record_in_an_agents_topic_is_damage(log: Log, agent: str) -> None:
    own = log.own()[-1]
    headers = tuple(each for each in own.headers if each[0] not in ("seq", "sha256"))
    headers = tuple((name, agent.encode() if name == "agent" else value) for name, value in headers)
    foreign = log.write(sealed(own.topic, 0, own.key or b"", own.value or b"", headers))
    verdict = replayed(log)
    (damage,) = verdict.damages
    assert (damage.agent, damage.where) == ("scheduler", str(foreign.place))
    assert damage.what == f"a foreign record: expected headers agent scheduler and a seq, was agent {agent} and no seq"
    assert (verdict.hash_mismatches, verdict.exit_code) == (0, 3)


def test_a_seq_does_not_make_another_agents_record_at_home(log: Log) -> None:
    own = log.own()[-1]
    forged = resealed(with_header(own, "agent", "planner"))
    log.write(Outgoing(forged.topic, 0, forged.key or b"", forged.value or b"", forged.headers))
    (damage,) = replayed(log).damages
    assert "was agent planner and seq" in damage.what


def test_the_hash_of_a_record_that_claims_a_seq_is_checked_too(log: Log) -> None:
    fed = log.of("run-requests.v1")[-1]
    log.change(fed, replace(fed, headers=(*fed.headers, ("seq", b"1"))))
    verdict = replayed(log)
    assert verdict.hash_mismatches == 1
    assert [damage.where for damage in verdict.damages if "an altered record" in damage.what] == [str(fed.place)]


def test_an_altered_record_of_an_agent_is_counted_once(log: Log) -> None:
    own = log.single()
    log.change(own, replace(own, key=b"another"))
    verdict = replayed(log)
    assert (len(verdict.damages), verdict.hash_mismatches) == (1, 1)


def poisoned() -> tuple[Log, Incoming]:
    """Return a log with one record that nobody can read, dead-lettered as promised, and that record."""
    log = Log()
    log.feed(inputs(5))
    poison = log.write(Outgoing("run-requests.v1", 0, b"key", b"poison", ()))
    log.feed(inputs(3))
    worker = PaperWorker(log)
    worker.finish()
    worker.close()
    return log, poison


def test_a_record_that_was_dead_lettered_is_counted_and_is_no_damage(capsys: pytest.CaptureFixture[str]) -> None:
    log, _ = poisoned()
    verdict = replayed(log)
    assert (verdict.damages, verdict.dead_letters, verdict.exit_code) == ([], 1, 0)
    assert verdict.as_json()["log"]["dead_letters"] == 1
    show(verdict)
    assert f"{len(log.records)} records, 0 gaps, 0 hash mismatches, 1 dead letters" in capsys.readouterr().out


def test_a_log_without_dead_letters_does_not_speak_of_them(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = replayed(log)
    show(verdict)
    assert (verdict.exit_code, verdict.as_json()["log"]["dead_letters"]) == (0, 0)
    assert " 0 dead letters" in capsys.readouterr().out


def test_a_dead_letter_does_not_excuse_a_record_that_was_altered_after_it() -> None:
    log, poison = poisoned()
    log.change(poison, replace(poison, value=b"another poison"))
    verdict = replayed(log)
    assert verdict.dead_letters == 0
    assert str(poison.place) in {damage.where for damage in verdict.damages}


def test_a_dead_letter_that_no_agent_has_decided_excuses_nothing() -> None:
    log, poison = poisoned()
    (letter,) = log.of("dead-letters.v1")
    bare = tuple(each for each in letter.headers if each[0] != "seq")
    log.change(letter, resealed(replace(letter, headers=bare)))
    assert header_or_none(bare, "seq") is None
    assert header(bare, "agent") == "scheduler"
    assert str(poison.place) in {damage.where for damage in replayed(log).damages}
