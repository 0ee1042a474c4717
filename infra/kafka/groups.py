"""Where a consumer group's tools show it to be: read, and set back while no member is active."""

from collections.abc import Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.errors import TapeError
from topics.wire import Partition

TIMEOUT_S = 30.0


class Groups:
    """The consumer groups of a Kafka; answers come only while this lives."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})

    def positions(self, group: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return a group's positions in some partitions, 0 where it has none."""
        if not partitions:
            return {}
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*each) for each in partitions])
        found = self._admin.list_consumer_group_offsets([wanted])[group].result(TIMEOUT_S).topic_partitions
        return {(part.topic, part.partition): max(0, part.offset) for part in found}

    def set_positions(self, group: str, positions: Mapping[Partition, int]) -> None:
        """Set a group's positions; raises TapeError for one that Kafka refuses."""
        parts = [TopicPartition(*each, at) for each, at in positions.items()]
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, parts)])
        for part in asked[group].result(TIMEOUT_S).topic_partitions:
            if part.error is not None:
                raise TapeError(
                    f"Kafka refuses the position {part.offset}: {part.error.str()}",
                    where=f"group {group}, {part.topic}/{part.partition}",
                    next_command="tape status",
                )

    def check_stopped(self, group: str) -> None:
        """Raise TapeError while a member of a group is active."""
        described = self._admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
        members = [f"{member.client_id} on {member.host.lstrip('/')}" for member in described.members]
        if members:
            raise TapeError(
                f"the group {group} has {len(members)} active members: it would overwrite the positions",
                where="; ".join(members),
                next_command="stop the agent's workers; one that was killed counts for its session timeout (6 s) more",
            )

    def forget(self, groups: Sequence[str]) -> None:
        """Delete groups; one with a member that was killed stays, and expires by itself."""
        for asked in self._admin.delete_consumer_groups(list(groups)).values():
            try:
                asked.result(TIMEOUT_S)
            except KafkaException:
                continue
