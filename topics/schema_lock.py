"""The schemas that were ever registered, and their ids: committed, so that a replay needs no registry.

`schemas/registered/{topic}/{version}.avsc` is the history, written once and never changed; `schemas/ids.lock` gives
each its id. The lock registers in its own order into an empty registry, which hands out the same ids.
"""

# JSON, Avro's own schemas and fastavro have no types that strict mode could follow.
# pyright: standard

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import schemas
from schemas.contract import canonical, topic_schema
from topics.registry import TOPICS

SCHEMAS = Path(schemas.__file__).parent
LOCK = SCHEMAS / "ids.lock"


class SchemaLockError(Exception):
    """The committed schemas, their lock and the .avsc files do not agree."""


@dataclass(frozen=True)
class Registered:
    """One registered schema version."""

    topic: str
    version: int
    id: int
    sha256: str
    text: str

    @property
    def subject(self) -> str:
        """The registry's subject (TopicNameStrategy)."""
        return f"{self.topic}-value"


def history_file(topic: str, version: int) -> Path:
    """Return where a registered version is kept."""
    return SCHEMAS / "registered" / topic / f"{version}.avsc"


@cache
def registered() -> tuple[Registered, ...]:
    """Return every registered version in order of id; raises SchemaLockError when a file differs from its hash."""
    return tuple(_read(row) for row in json.loads(LOCK.read_text(encoding="utf-8")))


def _read(row: dict[str, object]) -> Registered:
    topic, version, number, sha = str(row["topic"]), int(str(row["version"])), int(str(row["id"])), str(row["sha256"])
    file = history_file(topic, version)
    text = file.read_text(encoding="utf-8").strip()
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != sha:
        raise SchemaLockError(f"{file.name} of {topic}: {LOCK.name} says sha256 {sha}, the file has {found}")
    return Registered(topic, version, number, sha, text)


def unregistered() -> tuple[tuple[str, str], ...]:
    """Return (topic, schema text) of every topic whose .avsc files say something the history does not end with."""
    newest = {each.topic: each.text for each in registered()} if LOCK.exists() else {}
    wanted = ((topic.name, canonical(topic_schema(topic.record.__name__))) for topic in TOPICS)
    return tuple((topic, text) for topic, text in wanted if newest.get(topic) != text)


def extend() -> tuple[str, ...]:
    """Write every new schema into the history and the lock with the next free id; returns the topics that changed.

    Whether the change is allowed is the compatibility check's business (`tape schemas lock` runs it first).
    """
    rows = json.loads(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else []
    changed = unregistered()
    for topic, text in changed:
        version = 1 + sum(1 for row in rows if row["topic"] == topic)
        file = history_file(topic, version)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
        sha = hashlib.sha256(text.encode()).hexdigest()
        rows.append({"id": len(rows) + 1, "topic": topic, "version": version, "sha256": sha})
    LOCK.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    registered.cache_clear()
    return tuple(topic for topic, _ in changed)
