"""Records as Kafka carries them: coming in, going out, and the headers that say where an event stands."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

Headers = tuple[tuple[str, bytes], ...]
Partition = tuple[str, int]
Positions = Mapping[Partition, int]
"""(topic, partition) -> next offset to read."""

GENESIS = "0" * 64
"""`prev` of an agent-partition's first decision."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in the log; its text form is topic/partition/offset."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read topic/partition/offset; raises ValueError on anything else."""
        topic, partition, offset = text.rsplit("/", 2)
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record as read from Kafka, undecoded."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> Place:
        """Where it lies."""
        return Place(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record ready to be produced."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers

    @property
    def sha256(self) -> str:
        """The hash it carries in its own headers."""
        return header(self.headers, "sha256")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a decision stands among its agent-partition's decisions (design: every event says where it stands)."""

    agent: str
    agent_version: str
    seq: int
    prev: str
    cause: str
    inputs: Positions


def header(headers: Headers, name: str) -> str:
    """Return a header as text; raises KeyError naming it when it is absent."""
    for key, value in headers:
        if key == name:
            return value.decode()
    raise KeyError(f"header {name} is missing, has {', '.join(key for key, _ in headers) or 'none'}")


def header_or_none(headers: Headers, name: str) -> str | None:
    """Return a header as text, or None when it is absent or null; bytes that are no UTF-8 become U+FFFD."""
    value = next((value for key, value in headers if key == name), None)
    return None if value is None else value.decode(errors="replace")


def positions_text(positions: Positions) -> str:
    """Return positions as `topic/partition=next` joined by commas, sorted."""
    return ",".join(f"{topic}/{partition}={offset}" for (topic, partition), offset in sorted(positions.items()))


def parse_positions(text: str) -> dict[Partition, int]:
    """Read what `positions_text` wrote; raises ValueError on anything else."""
    positions: dict[Partition, int] = {}
    for part in filter(None, text.split(",")):
        where, offset = part.rsplit("=", 1)
        topic, partition = where.rsplit("/", 1)
        positions[topic, int(partition)] = int(offset)
    return positions


def record_hash(key: bytes | None, value: bytes | None, headers: Headers) -> str:
    """Return the sha256 over key, value and every header but `sha256` itself, each with its length in front."""
    parts = [_sized(key), _sized(value)]
    for name, said in headers:
        if name != "sha256":
            parts += (_sized_name(name), len(said).to_bytes(4, "big"), said)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _sized(part: bytes | None) -> bytes:
    return b"-" if part is None else len(part).to_bytes(4, "big") + part


@lru_cache(maxsize=256)
def _sized_name(name: str) -> bytes:
    """Return a header's name as it is hashed; the same dozen names come with every record."""
    return _sized(name.encode())


def header_block(headers: Headers) -> bytes:
    """Return headers as one block, names and values in turn, each with its length in four bytes in front."""
    parts = (part for name, value in headers for part in (name.encode(), value or b""))
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def chain_hash(hashes: Iterable[str]) -> str:
    """Return the hash of a decision: over the hashes of its events in order. The next decision carries it as `prev`."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def identity_headers(ids: tuple[UUID, UUID, UUID], event_type: str, account_id: str, agent: str) -> Headers:
    """Return the headers every record carries, agents' and others'."""
    event, correlation, causation = ids
    named = {
        "event_id": str(event),
        "correlation_id": str(correlation),
        "causation_id": str(causation),
        "event_type": event_type,
        "account_id": account_id,
        "agent": agent,
    }
    return tuple((name, text.encode()) for name, text in named.items())


def standing_headers(standing: Standing, ordinal: int, count: int) -> Headers:
    """Return the headers that place one event of a decision."""
    named = {
        "agent_version": standing.agent_version,
        "seq": str(standing.seq),
        "ordinal": str(ordinal),
        "count": str(count),
        "prev": standing.prev,
        "cause": standing.cause,
        "inputs": positions_text(standing.inputs),
    }
    return tuple((name, text.encode()) for name, text in named.items())


def sealed(topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> Outgoing:
    """Return the record with its hash as last header."""
    digest = record_hash(key, value, headers)
    return Outgoing(topic, partition, key, value, (*headers, ("sha256", digest.encode())))
