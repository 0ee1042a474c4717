"""The wiring: every record has one topic, every topic one producer, and the account is the unit of consistency."""

import re

import pytest

from schemas.identity import derived
from schemas.plan import Plan
from schemas.record import AccountRecord, Record
from schemas.run import ClockReading
from schemas.snapshot import AgentSnapshot
from topics.registry import BY_NAME, BY_RECORD, TOPICS, Policy, Topic, read_by, written_by

NOON = "2012-06-01T16:00:00Z"
each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def all_records(kind: type[Record] = Record) -> set[type[Record]]:
    below = {each for subclass in kind.__subclasses__() for each in all_records(subclass)}
    return below | ({kind} if "topic" in vars(kind) else set())


def test_every_record_has_exactly_one_topic() -> None:
    ours = {record for record in all_records() if record.__module__.startswith("schemas.")}

    assert {topic.record for topic in TOPICS} == ours
    assert len(BY_NAME) == len(BY_RECORD) == len(TOPICS)


@each_topic
def test_a_topic_is_named_by_a_plural_noun_and_a_major_version(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*s\.v[1-9]", topic.name)


@each_topic
def test_key_and_partition_are_fields_of_the_record(topic: Topic) -> None:
    assert {*topic.key, topic.partitioned_by} <= set(topic.record.model_fields)


@each_topic
def test_what_belongs_to_an_account_is_partitioned_by_it(topic: Topic) -> None:
    assert (topic.partitioned_by == "account_id") == issubclass(topic.record, AccountRecord)


@each_topic
def test_every_topic_has_a_producer_and_reaches_the_projector_unless_it_is_a_cache(topic: Topic) -> None:
    assert topic.producer
    assert ("projector" in topic.consumers) is not topic.is_cache
    assert len(set(topic.consumers)) == len(topic.consumers)


def test_only_a_topic_whose_keys_are_written_once_is_compacted_or_a_cache() -> None:
    compacted = [topic for topic in TOPICS if topic.policy is Policy.COMPACT]

    assert [topic.record for topic in compacted if not topic.is_cache] == [Plan]
    assert [topic for topic in TOPICS if topic.is_cache] == [topic for topic in compacted if topic.record is not Plan]


def test_the_only_cache_is_what_agents_remember() -> None:
    assert [topic.record for topic in TOPICS if topic.is_cache] == [AgentSnapshot]


@each_topic
def test_no_decision_is_written_to_a_cache_and_none_reads_one(topic: Topic) -> None:
    for agent in {agent for each in TOPICS for agent in (each.producer, *each.consumers)} - {"any agent"}:
        assert not (topic.is_cache and topic in (*written_by(agent), *read_by(agent)))


def test_no_agent_reads_what_it_writes() -> None:
    agents = {agent for topic in TOPICS for agent in topic.consumers}

    for agent in agents:
        written = {topic.name for topic in written_by(agent)} - {"dead-letters.v1"}
        assert not written & {topic.name for topic in read_by(agent)}


def test_every_agent_may_write_dead_letters() -> None:
    assert [topic.name for topic in written_by("planner")] == ["plans.v1", "dead-letters.v1"]
    assert [topic.name for topic in read_by("planner")] == ["books.v1"]


def test_a_key_of_several_fields_is_joined_by_plus() -> None:
    reading = ClockReading.model_validate(
        {"account_id": "PA3XYZ", "run_id": derived("run"), "due_at": NOON, "read_at": NOON}
    )

    assert BY_RECORD[ClockReading].key_of(reading) == str(derived("run"))
    assert Topic(ClockReading, ("account_id", "run_id"), "account_id", "clock", ()).key_of(reading) == (
        f"PA3XYZ+{derived('run')}"
    )
