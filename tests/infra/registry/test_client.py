"""The committed schemas in a real registry, under the ids of the committed lock."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from infra.embedded.testing import shared_stack
from infra.errors import TapeError
from infra.registry import client
from schemas.identity import derived
from schemas.record import Envelope
from schemas.run import DeadlinePassed
from tests.made import run_terms
from topics.codec import encode
from topics.registry import BY_RECORD
from topics.schema_lock import registered

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1/apis/ccompat/v7"


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Lend a registry of this module's own: only an empty one hands out the ids of the lock."""
    with shared_stack(tmp_path_factory.mktemp("registry"), services=["kafka", "registry"]) as stack:
        yield stack.registry_url


@pytest.fixture
def registry(empty_registry: str) -> str:
    """Return a registry that holds the schemas of the lock."""
    client.register(empty_registry)
    return empty_registry


def answer(method: str, url: str, body: dict[str, str] | None = None) -> httpx.Response:
    return httpx.request(method, url, json=body, trust_env=False)


def test_an_empty_registry_hands_out_the_ids_of_the_lock_even_to_two_starters(empty_registry: str) -> None:
    with pytest.raises(TapeError) as refused:
        client.verify(empty_registry)
    first = registered()[0]
    assert refused.value.what == f"{first.subject} version 1: the lock says id 1, the registry does not have it"
    assert refused.value.next_command == "tape schemas register"

    with ThreadPoolExecutor(2) as two_starters:
        list(two_starters.map(lambda _: client.register(empty_registry), range(2)))

    client.verify(empty_registry)
    assert [(each.subject, each.version, each.id) for each in client.found(empty_registry)] == [
        (each.subject, each.version, each.id) for each in registered()
    ]


def test_registering_again_changes_nothing(registry: str) -> None:
    assert [each.is_new for each in client.register(registry)] == [False] * len(registered())


def test_a_subject_is_guarded_against_incompatible_schemas(registry: str) -> None:
    runs = next(each for each in registered() if each.topic == "runs.v1")

    config = answer("GET", f"{registry}/config/{runs.subject}").json()
    other = runs.text.replace('{"name":"detail","type":"string"', '{"name":"detail","type":"long"')
    refusal = answer("POST", f"{registry}/subjects/{runs.subject}/versions", {"schema": other, "schemaType": "AVRO"})

    assert other != runs.text
    assert config == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert refusal.status_code == httpx.codes.CONFLICT


def test_confluents_own_client_reads_our_bytes_with_the_schema_of_the_registry(registry: str) -> None:
    envelope = Envelope(
        event_id=derived("event"), correlation_id=derived("run"), causation_id=derived("cause"), occurred_at=NOON
    )
    record = DeadlinePassed(account_id="PA3XYZ", run_id=derived("run"), deadline_at=NOON, terms=run_terms())
    value = encode(BY_RECORD[DeadlinePassed], envelope, record)

    with SchemaRegistryClient({"url": registry}) as confluents:
        found = AvroDeserializer(confluents)(value, SerializationContext("deadlines.v1", MessageField.VALUE))

    assert isinstance(found, dict)
    assert found["account_id"] == "PA3XYZ"
    assert found["deadline_at"] == NOON


def test_a_registry_with_other_ids_is_refused_with_both_ids(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shifted = tuple(replace(each, id=each.id + 7) for each in registered())
    monkeypatch.setattr(client, "registered", lambda: shifted)

    for attempt in (client.register, client.verify):
        with pytest.raises(TapeError) as refused:
            attempt(registry)
        assert refused.value.what == (
            f"{shifted[0].subject} version 1: the lock says id 8, the registry has it as id 1"
        )
        assert refused.value.where == f"schema registry at {registry}"
        assert "empty" in refused.value.next_command


def test_a_schema_that_the_registry_refuses_is_named(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = next(each for each in registered() if each.topic == "runs.v1")
    other = runs.text.replace('{"name":"detail","type":"string"', '{"name":"detail","type":"long"')
    monkeypatch.setattr(client, "registered", lambda: (replace(runs, text=other),))

    with pytest.raises(TapeError, match=r"runs\.v1-value.*refused.*409") as refused:
        client.register(registry)

    assert refused.value.next_command == "tape schemas check"


def test_a_registry_that_does_not_answer_is_named_with_its_address() -> None:
    with pytest.raises(TapeError, match="the schema registry does not answer") as refused:
        client.verify(NOWHERE)

    assert refused.value.where == NOWHERE


def test_an_address_without_confluents_protocol_is_named(registry: str) -> None:
    with pytest.raises(TapeError) as refused:
        client.register(registry.removesuffix("/apis/ccompat/v7"))

    assert "ends in /apis/ccompat/v7" in refused.value.next_command
