"""The committed history of schemas, its ids, and how a new version enters it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import topic_schema
from tests.topics.copied_lock import copied_lock
from topics import schema_lock
from topics.registry import TOPICS
from topics.schema_lock import SCHEMAS, SchemaLockError, extend, registered, unregistered


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a copy of the lock and the history that the test may change."""
    with copied_lock(tmp_path) as folder:
        yield folder


@pytest.fixture
def fills_say_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the .avsc files of fills.v1 have a new field."""

    def changed(name: str) -> dict[str, Any]:
        schema = topic_schema(name)
        fee = {"name": "fee", "type": ["null", "string"], "default": None, "doc": "What it cost."}
        return {**schema, "fields": [*schema["fields"], fee]} if name == "Fill" else schema

    monkeypatch.setattr(schema_lock, "topic_schema", changed)


def test_every_topic_is_registered_as_its_avsc_files_say() -> None:
    assert unregistered() == (), "the .avsc files say something new: run tape schemas lock"


def test_ids_are_dense_and_versions_count_from_one() -> None:
    rows = registered()

    assert [row.id for row in rows] == list(range(1, len(rows) + 1))
    for topic in {row.topic for row in rows}:
        versions = [row.version for row in rows if row.topic == topic]
        assert versions == list(range(1, len(versions) + 1))


def test_nothing_lies_in_the_history_that_the_lock_does_not_name() -> None:
    files = {path.relative_to(SCHEMAS / "registered") for path in (SCHEMAS / "registered").rglob("*.avsc")}

    assert files == {Path(row.topic, f"{row.version}.avsc") for row in registered()}
    assert {row.topic for row in registered()} >= {topic.name for topic in TOPICS}


def test_a_subject_is_named_after_its_topic() -> None:
    assert registered()[0].subject == f"{registered()[0].topic}-value"


@pytest.mark.usefixtures("fills_say_more")
def test_a_new_schema_becomes_the_next_version_with_the_next_id_and_the_old_ones_stay(copied: Path) -> None:
    before = registered()

    assert [topic for topic, _ in unregistered()] == ["fills.v1"]
    assert extend() == ("fills.v1",)

    *old, new = registered()
    assert tuple(old) == before
    assert (new.topic, new.version, new.id) == ("fills.v1", 2, len(before) + 1)
    assert json.loads(new.text)["fields"][-1]["name"] == "fee"
    assert (copied / "registered" / "fills.v1" / "1.avsc").read_text(encoding="utf-8").strip() in {
        r.text for r in before
    }


@pytest.mark.usefixtures("copied", "fills_say_more")
def test_extending_the_lock_twice_is_extending_it_once() -> None:
    extend()
    after = registered()

    assert extend() == ()
    assert registered() == after


@pytest.mark.usefixtures("copied")
def test_an_empty_history_gets_the_same_ids_and_texts_again(copied: Path) -> None:
    before = registered()
    shutil.rmtree(copied / "registered")
    (copied / "ids.lock").unlink()

    extend()

    assert {(row.topic, row.text) for row in registered()} == {(row.topic, row.text) for row in before[: len(TOPICS)]}


def test_a_history_file_that_was_changed_is_named_with_both_hashes(copied: Path) -> None:
    file = copied / "registered" / "fills.v1" / "1.avsc"
    file.write_text(file.read_text(encoding="utf-8").replace('"scale":6', '"scale":2'), encoding="utf-8")

    with pytest.raises(
        SchemaLockError, match=r"1\.avsc of fills\.v1: ids\.lock says sha256 \w{64}, the file has \w{64}"
    ):
        registered()
