"""Which agents are at work: those whose consumer groups have members, in the background or in somebody's foreground."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.worker import AGENTS

TIMEOUT_S = 5.0


def members_by_agent(bootstrap_servers: str) -> dict[str, int] | None:
    """Return how many members the group of each agent has; None when Kafka does not say."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    try:
        asked = admin.describe_consumer_groups(list(AGENTS), request_timeout=TIMEOUT_S)
        return {name: len(future.result().members) for name, future in asked.items()}
    except KafkaException:
        return None
