"""Topics in Kafka as `topics.registry` says: made, compared, verified.

The partition count is the same for all topics (partitions of one number belong to one worker) and is frozen once they
are made: another count would move accounts to other partitions, away from their past. So it is never changed here.
Settings that differ are put right by `apply`; until then the topics are not safe to write to, and `verify` says so.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from infra.errors import TapeError
from topics.registry import BY_NAME, DEAD_LETTER_BYTES_MAX, RECORD_BYTES_MAX, TOPICS, Policy, Topic

CONTACT_TIMEOUT_S = 10.0
TIMEOUT_S = 30.0
POLL_S = 0.05

#: A cache is read whole by whoever takes over, and Kafka compacts what is behind the last segment: hence small ones,
#: closed after an hour, and compacted once a tenth of them is stale. A segment takes a record of the largest size.
CACHE_SETTINGS = {
    "segment.bytes": str(RECORD_BYTES_MAX),
    "segment.ms": str(60 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.1",
}

MISSING = "missing"
PARTITIONS = "partitions"
REPLICAS = "replicas"
_FROZEN = (PARTITIONS, REPLICAS)


@dataclass(frozen=True)
class Difference:
    """One thing about a topic that Kafka and the registry of topics say differently."""

    topic: str
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} should be {self.wanted}, is {self.found}"


@dataclass(frozen=True)
class Change:
    """One thing that was done to a topic: it was made, or a setting got another value."""

    topic: str
    setting: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} {self.before} -> {self.after}"


def wanted_settings(topic: Topic, replication_factor: int) -> dict[str, str]:
    """Return what Kafka is told about a topic; everything that matters is said, so that no broker default decides."""
    is_letter = topic.partitioned_by == "origin_partition"
    return {
        "cleanup.policy": "compact" if topic.policy is Policy.COMPACT else "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",  # recorded time; occurred_at is in the body
        "min.insync.replicas": str(max(1, replication_factor - 1)),
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",
        "max.message.bytes": str(DEAD_LETTER_BYTES_MAX if is_letter else RECORD_BYTES_MAX),
        **(CACHE_SETTINGS if topic.is_cache else {}),
    }


def diff(bootstrap_servers: str, partitions: int, replication_factor: int | None = None) -> list[Difference]:
    """Return where Kafka differs from the registry of topics; a replication factor of None accepts any.

    Topics of others are left out. Raises TapeError when Kafka does not answer.
    """
    return _Topics(bootstrap_servers).differences(partitions, replication_factor)


def apply(bootstrap_servers: str, partitions: int, replication_factor: int = 1) -> list[Change]:
    """Make the missing topics, put settings right, and return what was done; doing it twice is doing it once.

    Raises TapeError, before anything is changed, when a topic has another partition count or replication factor.
    """
    topics = _Topics(bootstrap_servers)
    differences = topics.differences(partitions, replication_factor)
    _refuse([each for each in differences if each.setting in _FROZEN], bootstrap_servers)
    missing = [BY_NAME[each.topic] for each in differences if each.found == MISSING]
    altered = [each for each in differences if each.found != MISSING]
    topics.create(missing, partitions, replication_factor)
    topics.alter(altered)
    _refuse(topics.settled(partitions, replication_factor), bootstrap_servers)
    return [Change(each.topic, each.setting, each.found, each.wanted) for each in differences]


def verify(bootstrap_servers: str, partitions: int, replication_factor: int | None = None) -> None:
    """Raise TapeError naming topic, setting and both values when Kafka differs from the registry of topics."""
    _refuse(diff(bootstrap_servers, partitions, replication_factor), bootstrap_servers)


def _refuse(differences: Sequence[Difference], bootstrap_servers: str) -> None:
    if not differences:
        return
    raise TapeError(
        "\n".join(_grouped(differences)),
        where=f"Kafka at {bootstrap_servers}",
        next_command=_next_command(differences),
    )


def _grouped(differences: Sequence[Difference]) -> Iterable[str]:
    """Say once what several topics have in common."""
    topics: dict[Difference, list[str]] = {}
    for each in differences:
        topics.setdefault(replace(each, topic=""), []).append(each.topic)
    return (str(replace(what, topic=", ".join(names))) for what, names in topics.items())


def _next_command(differences: Sequence[Difference]) -> str:
    counts = sorted({each.found for each in differences if each.setting == PARTITIONS})
    if counts:
        return (
            f"set TAPE_PARTITIONS={counts[0]}: the count is frozen once topics are made; another needs an empty cluster"
        )
    if any(each.setting == REPLICAS for each in differences):
        return "Kafka's own kafka-reassign-partitions, then tape topics diff"
    return "tape topics apply"


class _Topics:
    """The topics of one cluster, seen through its admin interface."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    def differences(self, partitions: int, replication_factor: int | None) -> list[Difference]:
        found = self._layouts()
        settings = self._settings([topic.name for topic in TOPICS if topic.name in found])
        return [
            difference
            for topic in TOPICS
            for difference in _compared(
                topic, partitions, replication_factor, found.get(topic.name), settings.get(topic.name, {})
            )
        ]

    def create(self, topics: Sequence[Topic], partitions: int, replication_factor: int) -> None:
        """Make topics; one that somebody else makes meanwhile is theirs, and compared afterwards like any other."""
        if not topics:
            return
        new = [
            NewTopic(topic.name, partitions, replication_factor, config=wanted_settings(topic, replication_factor))
            for topic in topics
        ]
        self._await(self._admin.create_topics(new, request_timeout=TIMEOUT_S), ignored="TOPIC_ALREADY_EXISTS")

    def alter(self, differences: Sequence[Difference]) -> None:
        """Give settings their wanted values; settings nobody asks about keep theirs."""
        names = list(dict.fromkeys(each.topic for each in differences))
        if not names:
            return
        resources = [_alteration(name, [each for each in differences if each.topic == name]) for name in names]
        self._await(self._admin.incremental_alter_configs(resources, request_timeout=TIMEOUT_S))

    def settled(self, partitions: int, replication_factor: int | None) -> list[Difference]:
        """Return the differences that are left once the cluster's metadata has caught up with what was just done."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            left = self.differences(partitions, replication_factor)
            if not left or time.monotonic() > deadline or any(each.setting in _FROZEN for each in left):
                return left
            time.sleep(POLL_S)

    def _layouts(self) -> dict[str, "_Layout"]:
        try:
            metadata = self._admin.list_topics(timeout=CONTACT_TIMEOUT_S)
        except KafkaException as error:
            raise self._unanswered(error) from error
        return {
            name: _Layout(
                len(topic.partitions), min((len(each.replicas) for each in topic.partitions.values()), default=0)
            )
            for name, topic in metadata.topics.items()
        }

    def _settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        described = self._admin.describe_configs(resources, request_timeout=TIMEOUT_S)
        results = self._await(described)
        return {
            resource.name: {name: str(entry.value) for name, entry in entries.items()}
            for resource, entries in results.items()
        }

    def _await(self, futures: Mapping[Any, Any], ignored: str = "") -> dict[Any, Any]:
        results: dict[Any, Any] = {}
        for what, future in futures.items():
            try:
                results[what] = future.result(timeout=TIMEOUT_S + 5)
            except KafkaException as error:
                if error.args[0].name() != ignored:
                    raise self._unanswered(error, str(getattr(what, "name", what))) from error
        return results

    def _unanswered(self, error: KafkaException, topic: str = "") -> TapeError:
        what = f"{topic}: Kafka refused: " if topic else "Kafka does not answer: "
        return TapeError(
            what + str(error.args[0].str()), where=f"Kafka at {self._bootstrap_servers}", next_command="tape status"
        )


@dataclass(frozen=True)
class _Layout:
    partitions: int
    replicas: int


def _compared(
    topic: Topic,
    partitions: int,
    replication_factor: int | None,
    layout: _Layout | None,
    settings: Mapping[str, str],
) -> Iterable[Difference]:
    if layout is None:
        yield Difference(topic.name, "topic", f"{partitions} partition(s), {topic.policy}", MISSING)
        return
    if layout.partitions != partitions:
        yield Difference(topic.name, PARTITIONS, str(partitions), str(layout.partitions))
    if replication_factor is not None and layout.replicas != replication_factor:
        yield Difference(topic.name, REPLICAS, str(replication_factor), str(layout.replicas))
    for setting, wanted in wanted_settings(topic, layout.replicas).items():
        if settings.get(setting) != wanted:
            yield Difference(topic.name, setting, wanted, settings.get(setting, "not said"))


def _alteration(name: str, differences: Sequence[Difference]) -> ConfigResource:
    entries = [
        ConfigEntry(each.setting, each.wanted, incremental_operation=AlterConfigOpType.SET) for each in differences
    ]
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
