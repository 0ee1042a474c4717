"""The topics as an AsyncAPI 3.0 document, for programs: channels, messages, and who sends and receives what.

Partitions, replicas and servers are the deployment's and not in it. The Avro schemas are the registered ones, spoken of
by their files; `is_whole` writes them out, for viewers that read one document only.
"""

# Avro's own schemas and YAML have no types that strict mode could follow.
# pyright: standard

import json
from pathlib import Path
from typing import Any

from topics.describe import key_rule, newest_schema, partition_rule, policy_rule
from topics.registry import DEAD_LETTER_BYTES_MAX, RECORD_BYTES_MAX, TOPICS, Policy, Topic
from topics.schema_lock import SCHEMAS, history_file, registered

FILE = Path(__file__).parent / "asyncapi.yaml"
BINDING_VERSION = "0.5.0"
SCHEMA_FORMAT = "application/vnd.apache.avro;version=1.9.0"
WIDTH = 120

_ABOUT = """\
Kafka topics of a message-bus actor system that trades several strategies in one brokerage account.
Values are in Confluent's wire format: 00, the schema's id in four bytes, Avro. Ids are those of schemas/ids.lock.
Keys are text. An agent's consumer group has the agent's name; what agents write is transactional: read_committed.
"""

_HEADERS: dict[str, str] = {
    "event_id": "Identity of the record; equals the body's.",
    "correlation_id": "The run, or the outside event, that started it all; equals the body's.",
    "causation_id": "event_id of the direct cause; equals the body's.",
    "event_type": "Name of the record: the message's name.",
    "account_id": "The brokerage account; empty where there is none.",
    "agent": "Who wrote it.",
    "sha256": "Hash over key, value and all other headers, in hex.",
}
_STANDING: dict[str, str] = {
    "agent_version": "Version of the agent that decided.",
    "seq": "Number of the decision, dense per agent and partition.",
    "ordinal": "Number of the event within its decision.",
    "count": "How many events the decision has.",
    "prev": "Hash of the decision before.",
    "cause": "topic/partition/offset of the record that was decided on.",
    "inputs": "topic/partition=next of every input partition after the decision.",
}
"""Headers of what agents write; what comes from elsewhere has no standing among decisions."""


def document(*, is_whole: bool = False) -> dict[str, Any]:
    """Return the document; the same for the same topics and schemas."""
    return {
        "asyncapi": "3.0.0",
        # topics are of major version 1, and every registered schema is one more thing that can be said
        "info": {
            "title": "tradetape",
            "version": f"1.{len(registered())}.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "avro/binary",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: operation for topic in TOPICS for name, operation in _operations(topic).items()},
        "components": {
            "messages": {_message_name(topic): _message(topic, is_whole) for topic in TOPICS},
            "schemas": {"headers": _headers()},
            "correlationIds": {
                "run": {"description": _HEADERS["correlation_id"], "location": "$message.header#/correlation_id"}
            },
        },
    }


def yaml_text(content: dict[str, Any]) -> str:
    """Return a document as YAML: keys in their order, texts of several lines as such."""
    import yaml  # nobody else needs it: reading topics must not wait for it

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # ships no types
        """SafeDumper, told about texts of several lines."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return dumped


def write() -> bool:
    """Write the document to its file; returns whether that changed it. Idempotent."""
    text = yaml_text(document())
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text:
        return False
    FILE.write_text(text, encoding="utf-8")
    return True


def _message_name(topic: Topic) -> str:
    return topic.record.__name__


def _channel(topic: Topic) -> dict[str, Any]:
    name = _message_name(topic)
    rules = {"key": key_rule(topic), "partition": partition_rule(topic), "policy": policy_rule(topic)}
    return {
        "address": topic.name,
        "title": name,
        "summary": _doc(topic),
        "description": "".join(f"{what}: {rule}\n" for what, rule in rules.items()),
        "messages": {name: _ref("components", "messages", name)},
        "bindings": {"kafka": _channel_binding(topic)},
    }


def _channel_binding(topic: Topic) -> dict[str, Any]:
    is_letter = topic.partitioned_by == "origin_partition"
    return {
        "topicConfiguration": {
            "cleanup.policy": ["compact" if topic.policy is Policy.COMPACT else "delete"],
            "retention.ms": -1,
            "retention.bytes": -1,
            "max.message.bytes": DEAD_LETTER_BYTES_MAX if is_letter else RECORD_BYTES_MAX,
        },
        "bindingVersion": BINDING_VERSION,
    }


def _operations(topic: Topic) -> dict[str, Any]:
    """Return who sends and who receives a topic's records, by name: agent, action, topic."""
    sending = {f"{_slug(topic.producer)}.send.{topic.name}": _operation(topic, "send", topic.producer)}
    receiving = {
        f"{_slug(agent)}.receive.{topic.name}": _operation(topic, "receive", agent) for agent in topic.consumers
    }
    return {**sending, **receiving}


def _operation(topic: Topic, action: str, agent: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": _ref("channels", topic.name),
        "summary": f"{agent} {'writes' if action == 'send' else 'reads'} {topic.name}.",
        "tags": [{"name": agent}],
        "messages": [_ref("channels", topic.name, "messages", _message_name(topic))],
    }


def _slug(agent: str) -> str:
    return agent.replace(" ", "-")


def _message(topic: Topic, is_whole: bool) -> dict[str, Any]:
    return {
        "name": _message_name(topic),
        "title": _message_name(topic),
        "summary": _doc(topic),
        "contentType": "avro/binary",
        "headers": _ref("components", "schemas", "headers"),
        "correlationId": _ref("components", "correlationIds", "run"),
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": _schema(topic, is_whole)},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": key_rule(topic)},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _schema(topic: Topic, is_whole: bool) -> Any:
    newest = newest_schema(topic)
    if is_whole:
        return json.loads(newest.text)
    file = history_file(newest.topic, newest.version).relative_to(SCHEMAS.parent)
    return {"$ref": f"../{file.as_posix()}"}


def _headers() -> dict[str, Any]:
    texts = {name: {"type": "string", "description": says} for name, says in {**_HEADERS, **_STANDING}.items()}
    return {"type": "object", "required": list(_HEADERS), "properties": texts}


def _doc(topic: Topic) -> str:
    return (topic.record.__doc__ or "").partition("\n")[0]


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": f"#/{'/'.join(path)}"}
