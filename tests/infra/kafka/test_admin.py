"""Topics in a real Kafka are as the registry of topics says, or the difference is named."""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from typer.testing import CliRunner, Result

from infra.cli.topics import app
from infra.embedded.testing import shared_stack
from infra.errors import TapeError
from infra.kafka import admin
from infra.kafka.admin import (
    DEAD_LETTER_BYTES_MAX,
    RECORD_BYTES_MAX,
    Change,
    Difference,
    apply,
    diff,
    verify,
    wanted_settings,
)
from topics.partitioning import partition_of
from topics.registry import BY_NAME, TOPICS, Policy, Topic
from topics.table import BEGIN, END, markdown

PARTITIONS = 3
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def empty_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Lend a Kafka of this module's own: the topics of the registry must not exist in it yet."""
    with shared_stack(tmp_path_factory.mktemp("admin"), services=["kafka"]) as stack:
        yield stack.bootstrap_servers


@pytest.fixture
def kafka(empty_kafka: str) -> str:
    """Return a Kafka whose topics are as they should be."""
    apply(empty_kafka, PARTITIONS)
    return empty_kafka


def admin_client(bootstrap_servers: str) -> AdminClient:
    """Return a client; keep it until its futures are done, it takes them along when it goes."""
    return AdminClient({"bootstrap.servers": bootstrap_servers})


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until the broker's own view has caught up with what its controller accepted."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def set_config(bootstrap_servers: str, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = admin_client(bootstrap_servers)
    [future] = client.incremental_alter_configs([resource]).values()
    future.result()
    wait_until(lambda: configs(bootstrap_servers, topic)[name] == value)


def configs(bootstrap_servers: str, topic: str) -> dict[str, str]:
    client = admin_client(bootstrap_servers)
    [future] = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result().items()}


def delete(bootstrap_servers: str, topic: str) -> None:
    client = admin_client(bootstrap_servers)
    [future] = client.delete_topics([topic]).values()
    future.result()
    wait_until(lambda: topic not in client.list_topics().topics)


def test_an_empty_kafka_lacks_every_topic_and_gets_it_once(empty_kafka: str) -> None:
    missing = diff(empty_kafka, PARTITIONS)
    assert [(each.topic, each.found) for each in missing] == [(topic.name, "missing") for topic in TOPICS]

    with ThreadPoolExecutor(2) as two_starters:
        both = list(two_starters.map(lambda _: apply(empty_kafka, PARTITIONS), range(2)))

    assert {change.topic for changes in both for change in changes} == {topic.name for topic in TOPICS}
    assert diff(empty_kafka, PARTITIONS, replication_factor=1) == []
    verify(empty_kafka, PARTITIONS)


def test_applying_again_changes_nothing(kafka: str) -> None:
    assert apply(kafka, PARTITIONS) == []


@pytest.mark.parametrize(
    ("topic", "setting", "wrong"),
    [
        ("runs.v1", "cleanup.policy", "compact"),
        ("plans.v1", "cleanup.policy", "delete"),
        ("fills.v1", "retention.ms", "604800000"),
        ("bars.v1", "message.timestamp.type", "CreateTime"),
    ],
)
def test_a_setting_that_differs_is_named_and_put_right(kafka: str, topic: str, setting: str, wrong: str) -> None:
    right = wanted_settings(BY_NAME[topic], 1)[setting]
    set_config(kafka, topic, setting, wrong)

    with pytest.raises(TapeError) as refused:
        verify(kafka, PARTITIONS)
    assert str(refused.value).splitlines() == [
        f"{topic}: {setting} should be {right}, is {wrong}",
        f"  where: Kafka at {kafka}",
        "  next:  tape topics apply",
    ]

    assert apply(kafka, PARTITIONS) == [Change(topic, setting, before=wrong, after=right)]
    verify(kafka, PARTITIONS)


def test_putting_one_setting_right_leaves_those_of_others_alone(kafka: str) -> None:
    set_config(kafka, "fills.v1", "segment.ms", "3600000")
    set_config(kafka, "fills.v1", "retention.bytes", "1000")

    apply(kafka, PARTITIONS)

    found = configs(kafka, "fills.v1")
    assert (found["segment.ms"], found["retention.bytes"]) == ("3600000", "-1")


def test_another_partition_count_is_refused_before_anything_is_changed(kafka: str) -> None:
    delete(kafka, "fills.v1")

    with pytest.raises(TapeError) as refused:
        apply(kafka, PARTITIONS + 1)

    assert "bars.v1, run-requests.v1, clock-readings.v1, runs.v1, deadlines.v1" in refused.value.what
    assert refused.value.what.endswith(f"partitions should be {PARTITIONS + 1}, is {PARTITIONS}")
    assert refused.value.next_command.startswith(f"set TAPE_PARTITIONS={PARTITIONS}:")
    assert [(each.topic, each.setting) for each in diff(kafka, PARTITIONS)] == [("fills.v1", "topic")]


def test_another_replication_factor_is_named(kafka: str) -> None:
    assert Difference("runs.v1", "replicas", wanted="3", found="1") in diff(kafka, PARTITIONS, replication_factor=3)
    assert diff(kafka, PARTITIONS) == []


def test_our_partitions_are_those_that_kafkas_clients_choose(kafka: str) -> None:
    """A tool that produces by key with the Java client's hash meets our records in the same partition."""
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    chosen: dict[str, int | None] = {}

    def delivered(_error: object, message: Message) -> None:
        chosen[(message.key() or b"").decode()] = message.partition()

    for number in range(50):
        producer.produce("bars.v1", key=f"Zürich-{number}".encode(), on_delivery=delivered)
    producer.flush(30)

    assert chosen == {key: partition_of(key, PARTITIONS) for key in chosen}
    assert len(chosen) == 50


def test_a_dead_letter_has_room_for_the_largest_record(kafka: str) -> None:
    assert DEAD_LETTER_BYTES_MAX > RECORD_BYTES_MAX
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": DEAD_LETTER_BYTES_MAX})
    errors: list[object] = []

    for topic in ("runs.v1", "dead-letters.v1"):
        largest = os.urandom(RECORD_BYTES_MAX - 1024)
        producer.produce(topic, value=largest, on_delivery=lambda error, _: errors.append(error))
    producer.flush(30)

    assert errors == [None, None]


def test_kafka_that_does_not_answer_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "CONTACT_TIMEOUT_S", 0.5)

    with pytest.raises(TapeError, match="Kafka does not answer") as refused:
        diff(NOWHERE, PARTITIONS)

    assert refused.value.where == f"Kafka at {NOWHERE}"
    assert refused.value.next_command


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_nothing_of_the_log_ever_expires(topic: Topic) -> None:
    settings = wanted_settings(topic, replication_factor=3)

    assert settings["retention.ms"] == settings["retention.bytes"] == "-1"
    assert settings["cleanup.policy"] == ("compact" if topic.policy is Policy.COMPACT else "delete")
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["min.insync.replicas"] == "2"


def tape_topics(*arguments: str, kafka: str = NOWHERE) -> Result:
    """Run `tape topics ...` against a Kafka."""
    environment = {"TAPE_BOOTSTRAP_SERVERS": kafka, "TAPE_PARTITIONS": str(PARTITIONS)}
    return CliRunner().invoke(app, arguments, env=environment)


def test_tape_topics_apply_says_what_it_did_and_that_all_is_well(kafka: str) -> None:
    set_config(kafka, "runs.v1", "retention.ms", "1000")

    first, second = tape_topics("apply", kafka=kafka), tape_topics("apply", "--json", kafka=kafka)

    assert first.output.splitlines() == [
        "runs.v1: retention.ms 1000 -> -1",
        f"1 change(s); {len(TOPICS)} topics of {PARTITIONS} partition(s) are as they should be",
    ]
    assert json.loads(second.output) == []


def test_tape_topics_diff_exits_with_1_when_there_is_a_difference(kafka: str) -> None:
    assert tape_topics("diff", kafka=kafka).exit_code == 0

    set_config(kafka, "runs.v1", "retention.ms", "1000")
    said, as_json = tape_topics("diff", kafka=kafka), tape_topics("diff", "--json", kafka=kafka)

    assert (said.exit_code, said.output) == (1, "runs.v1: retention.ms should be -1, is 1000\n")
    assert as_json.exit_code == 1
    assert json.loads(as_json.output) == [
        {"topic": "runs.v1", "setting": "retention.ms", "wanted": "-1", "found": "1000"}
    ]


def test_tape_topics_list_and_table_need_no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    rows = json.loads(tape_topics("list", "--json").output)

    assert [row["topic"] for row in rows] == [topic.name for topic in TOPICS]
    assert len(tape_topics("list").output.splitlines()) == len(TOPICS) + 1
    assert tape_topics("table").output == markdown() + "\n"


def test_tape_topics_table_writes_between_the_markers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    monkeypatch.setattr("infra.cli.topics.README", readme)

    assert "the table was not written" in str(tape_topics("table", "--write").exception)

    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert tape_topics("table", "--write").exit_code == 0
    assert readme.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{markdown()}\n{END}\nafter\n"
