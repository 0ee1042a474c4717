"""The AsyncAPI document: as the specification wants it, and as the topics are.

The published JSON schema of AsyncAPI 3.0 is in no Python package, so what it asks of the parts we use is written out
here: which fields an object may and must have, what a reference may point to.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml

from infra.kafka.admin import wanted_settings
from schemas.identity import derived
from topics import asyncapi
from topics.asyncapi import FILE, document, yaml_text
from topics.examples import example
from topics.registry import BY_NAME, TOPICS, Topic
from topics.wire import GENESIS, Standing, identity_headers, standing_headers

EVERY_TOPIC = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
Document = dict[str, Any]


# --- what AsyncAPI 3.0 and Kafka's bindings 0.5.0 ask for -------------------------------------------------------------

TEXTS = {"title", "summary", "description"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "root": ({"asyncapi", "info"}, {"id", "servers", "defaultContentType", "channels", "operations", "components"}),
    "info": ({"title", "version"}, {"description", "termsOfService", "contact", "license", "tags", "externalDocs"}),
    "channel": (set(), {"address", "messages", "parameters", "servers", "tags", "externalDocs", "bindings", *TEXTS}),
    "operation": (
        {"action", "channel"},
        {"messages", "reply", "traits", "security", "tags", "externalDocs", "bindings", *TEXTS},
    ),
    "message": (
        set(),
        {
            "name",
            "contentType",
            "headers",
            "payload",
            "correlationId",
            "tags",
            "examples",
            "bindings",
            "traits",
            *TEXTS,
        },
    ),
    "payload": ({"schemaFormat", "schema"}, set()),
    "correlation id": ({"location"}, {"description"}),
    "tag": ({"name"}, {"description", "externalDocs"}),
    "components": (set(), {"messages", "schemas", "correlationIds", "channels", "operations", "tags", "servers"}),
    "channel binding": ({"bindingVersion"}, {"topic", "partitions", "replicas", "topicConfiguration"}),
    "message binding": (
        {"bindingVersion"},
        {"key", "schemaIdLocation", "schemaIdPayloadEncoding", "schemaLookupStrategy"},
    ),
}
"""Of each object: the fields it must have, and those it may have beside them."""

NAME = re.compile(r"[\w.\-]+")
LOCATION = re.compile(r"\$message\.(header|payload)#(/(([^/~])|(~[01]))*)*")


def findings(said: Document, folder: Path = FILE.parent) -> list[str]:
    """Return everything in which a document is not as AsyncAPI wants it."""
    return [
        *_shapes(said),
        *(f"{target}: leads nowhere" for target in _references(said) if not _resolves(said, target, folder)),
        *_operations(said),
    ]


def _shapes(said: Document) -> Iterator[str]:
    yield from _shape("root", said, "root")
    yield from _shape("info", said["info"], "info")
    yield from [] if said["asyncapi"] == "3.0.0" else ["asyncapi: expected 3.0.0"]
    for name, channel in said["channels"].items():
        yield from _shape("channel", channel, name)
        yield from _kafka("channel binding", channel, name)
        yield from _topic_configuration(channel["bindings"]["kafka"].get("topicConfiguration", {}), name)
    for name, operation in said["operations"].items():
        yield from _shape("operation", operation, name)
        yield from [] if operation.get("action") in ("send", "receive") else [f"{name}: action is send or receive"]
        yield from (found for tag in operation.get("tags", ()) for found in _shape("tag", tag, name))
    yield from _shape("components", said["components"], "components")
    for parts in said["components"].values():
        yield from (f"{name}: no name of a component" for name in parts if not NAME.fullmatch(name))
    for name, message in said["components"]["messages"].items():
        yield from _shape("message", message, name)
        yield from _shape("payload", message["payload"], name)
        yield from _kafka("message binding", message, name)
    for name, correlation in said["components"]["correlationIds"].items():
        yield from _shape("correlation id", correlation, name)
        yield from [] if LOCATION.fullmatch(correlation.get("location", "")) else [f"{name}: no runtime expression"]


def _shape(kind: str, part: Document, name: str) -> Iterator[str]:
    needed, allowed = FIELDS[kind]
    yield from (f"{name}: {kind} without {field}" for field in sorted(needed - part.keys()))
    yield from (f"{name}: {kind} with {field}" for field in sorted(part.keys() - needed - allowed))


def _kafka(kind: str, part: Document, name: str) -> Iterator[str]:
    binding = part["bindings"]["kafka"]
    yield from _shape(kind, binding, name)
    yield from [] if binding.get("bindingVersion") == "0.5.0" else [f"{name}: expected binding 0.5.0"]
    if binding.get("schemaIdLocation", "payload") not in ("header", "payload"):
        yield f"{name}: the schema id is in header or payload"


def _topic_configuration(settings: Document, name: str) -> Iterator[str]:
    policies = settings.get("cleanup.policy", [])
    if not isinstance(policies, list) or not set(policies) <= {"compact", "delete"}:
        yield f"{name}: cleanup.policy is a list of compact and delete, was {policies}"
    numbers = {key: value for key, value in settings.items() if key != "cleanup.policy"}
    yield from (f"{name}: {key} is a number, was {value}" for key, value in numbers.items() if type(value) is not int)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if "$ref" in part else []
        part = list(part.values())
    if isinstance(part, list):
        yield from (target for each in part for target in _references(each))


def _resolves(said: Document, target: str, folder: Path) -> bool:
    if not target.startswith("#/"):
        return (folder / target).resolve().is_file()
    return resolved(said, target) is not None


def resolved(said: Document, target: str) -> Any:
    """Return what a reference into the document leads to, None when nothing is there."""
    found: Any = said
    for step in target.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _operations(said: Document) -> Iterator[str]:
    """An operation's messages are some of its channel's, named by their place there."""
    for name, operation in said["operations"].items():
        channel = operation.get("channel", {}).get("$ref", "")
        if not re.fullmatch(r"#/channels/[\w.\-]+", channel):
            yield f"{name}: channel is a reference to a channel, was {channel or 'none'}"
        for message in operation.get("messages", ()):
            if not message["$ref"].startswith(f"{channel}/messages/"):
                yield f"{name}: {message['$ref']} is none of {channel}"


@pytest.mark.parametrize("is_whole", [False, True])
def test_the_document_is_as_asyncapi_wants_it(is_whole: bool) -> None:
    assert findings(document(is_whole=is_whole)) == []


def _without_version(said: Document) -> None:
    del said["info"]["version"]


def _with_a_key_of_version_2(said: Document) -> None:
    said["channels"]["fills.v1"]["publish"] = {}


def _with_an_action_of_version_2(said: Document) -> None:
    said["operations"]["gateway.send.fills.v1"]["action"] = "publish"


def _with_a_channel_that_is_not_there(said: Document) -> None:
    said["operations"]["gateway.send.fills.v1"]["channel"] = {"$ref": "#/channels/fills.v2"}


def _with_a_message_that_is_not_the_channels(said: Document) -> None:
    said["operations"]["gateway.send.fills.v1"]["messages"] = [{"$ref": "#/components/messages/Fill"}]


def _with_a_schema_that_is_not_there(said: Document) -> None:
    said["components"]["messages"]["Fill"]["payload"]["schema"] = {"$ref": "../schemas/registered/fills.v1/0.avsc"}


def _without_schema_format(said: Document) -> None:
    del said["components"]["messages"]["Fill"]["payload"]["schemaFormat"]


def _with_another_place_of_the_schema_id(said: Document) -> None:
    said["components"]["messages"]["Fill"]["bindings"]["kafka"]["schemaIdLocation"] = "body"


def _with_a_policy_that_is_no_list(said: Document) -> None:
    said["channels"]["plans.v1"]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] = "compact"


def _with_a_number_as_text(said: Document) -> None:
    said["channels"]["plans.v1"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] = "-1"


def _with_a_correlation_id_nowhere(said: Document) -> None:
    said["components"]["correlationIds"]["run"]["location"] = "correlation_id"


@pytest.mark.parametrize(
    "spoil",
    [
        _without_version,
        _with_a_key_of_version_2,
        _with_an_action_of_version_2,
        _with_a_channel_that_is_not_there,
        _with_a_message_that_is_not_the_channels,
        _with_a_schema_that_is_not_there,
        _without_schema_format,
        _with_another_place_of_the_schema_id,
        _with_a_policy_that_is_no_list,
        _with_a_number_as_text,
        _with_a_correlation_id_nowhere,
    ],
)
def test_a_document_that_asyncapi_would_refuse_is_found(spoil: Callable[[Document], None]) -> None:
    said = copy.deepcopy(document())
    spoil(said)

    assert findings(said) != []


# --- what the topics are ----------------------------------------------------------------------------------------------


def test_the_committed_document_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == yaml_text(document()), "run tape topics docs --write"


@pytest.mark.parametrize("is_whole", [False, True])
def test_yaml_says_what_the_document_says(is_whole: bool) -> None:
    assert yaml.safe_load(yaml_text(document(is_whole=is_whole))) == document(is_whole=is_whole)


def test_every_topic_is_a_channel_with_the_settings_kafka_is_told() -> None:
    channels = document()["channels"]

    assert {name: channel["address"] for name, channel in channels.items()} == {name: name for name in BY_NAME}
    for topic in TOPICS:
        told = wanted_settings(topic, replication_factor=1)
        said = channels[topic.name]["bindings"]["kafka"]["topicConfiguration"]
        assert {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in said.items()} == {
            key: told[key] for key in said
        }
        assert "cleanup.policy" in said


def test_how_many_partitions_and_replicas_is_the_deployments_business() -> None:
    bindings = [channel["bindings"]["kafka"] for channel in document()["channels"].values()]

    assert not [binding for binding in bindings if {"partitions", "replicas"} & binding.keys()]
    assert "servers" not in document()


@EVERY_TOPIC
def test_a_topics_producer_sends_it_and_its_consumers_receive_it(topic: Topic) -> None:
    operations = [
        (operation["action"], operation["tags"][0]["name"])
        for operation in document()["operations"].values()
        if operation["channel"] == {"$ref": f"#/channels/{topic.name}"}
    ]

    assert operations == [("send", topic.producer), *(("receive", agent) for agent in topic.consumers)]


@EVERY_TOPIC
def test_the_payload_of_a_topic_is_a_schema_that_its_example_is_written_with(topic: Topic) -> None:
    said, whole = document(), document(is_whole=True)
    [message] = [resolved(said, target["$ref"]) for target in said["channels"][topic.name]["messages"].values()]
    schema = json.loads((FILE.parent / message["payload"]["schema"]["$ref"]).read_text(encoding="utf-8"))

    assert whole["components"]["messages"][message["name"]]["payload"]["schema"] == schema
    assert message["payload"]["schemaFormat"] == "application/vnd.apache.avro;version=1.9.0"
    assert fastavro.validate(example(topic), fastavro.parse_schema(schema), strict=True)


@EVERY_TOPIC
def test_a_message_says_where_its_key_and_the_id_of_its_schema_are(topic: Topic) -> None:
    binding = document()["components"]["messages"][topic.record.__name__]["bindings"]["kafka"]

    assert binding["key"]["type"] == "string"
    assert binding["key"]["description"].startswith(" + ".join(topic.key))
    assert (binding["schemaIdLocation"], binding["schemaIdPayloadEncoding"]) == ("payload", "confluent")


def test_the_headers_are_those_that_records_carry() -> None:
    one = derived("one")
    identity = identity_headers((one, one, one), "Fill", "DEMO-1", "gateway")
    standing = standing_headers(Standing("gateway", "1", 1, GENESIS, "a/0/1", {}), 0, 1)
    headers = document()["components"]["schemas"]["headers"]

    assert headers["required"] == [*(name for name, _ in identity), "sha256"]
    assert set(headers["properties"]) == {name for name, _ in (*identity, *standing)} | {"sha256"}


def test_writing_the_document_twice_changes_it_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(asyncapi, "FILE", tmp_path / "asyncapi.yaml")

    assert [asyncapi.write(), asyncapi.write()] == [True, False]
