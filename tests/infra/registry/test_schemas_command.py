"""`tape schemas`: what the .avsc files say must fit the history before it enters the lock."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli.schemas import app
from infra.errors import TapeError
from schemas.contract import topic_schema
from tests.topics.copied_lock import copied_lock
from topics import schema_lock
from topics.schema_lock import SCHEMAS, registered

Change = Callable[[dict[str, Any]], dict[str, Any]]


def tape_schemas(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def copied(tmp_path: Path) -> Iterator[Path]:
    """Let the commands work on a copy of the lock and the history."""
    with copied_lock(tmp_path) as folder:
        yield folder


@pytest.fixture
def fills(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """Return a function that changes what the .avsc files say of fills.v1."""

    def change(changed: Change) -> None:
        def contract(name: str) -> dict[str, Any]:
            schema = topic_schema(name)
            return changed(schema) if name == "Fill" else schema

        monkeypatch.setattr(schema_lock, "topic_schema", contract)

    return change


def with_fee(schema: dict[str, Any]) -> dict[str, Any]:
    fee = {"name": "fee", "type": ["null", "string"], "default": None, "doc": "What it cost."}
    return {**schema, "fields": [*schema["fields"], fee]}


def without_cum_qty(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "fields": [field for field in schema["fields"] if field["name"] != "cum_qty"]}


def test_nothing_new_is_said_so() -> None:
    assert tape_schemas("check").output == f"nothing new: {len(registered())} registered version(s)\n"
    assert tape_schemas("lock").output == "nothing new\n"
    assert json.loads(tape_schemas("check", "--json").output) == {"changed": []}


def test_a_compatible_change_is_checked_then_locked_as_the_next_version(
    fills: Callable[[Change], None], copied: Path
) -> None:
    fills(with_fee)
    number = len(registered()) + 1

    assert tape_schemas("check").output == ("compatible, but not in the lock yet: fills.v1\nnext: tape schemas lock\n")
    assert tape_schemas("lock").output.splitlines()[0] == f"fills.v1 version 2 id {number}"
    assert json.loads((copied / "registered" / "fills.v1" / "2.avsc").read_text(encoding="utf-8"))
    assert tape_schemas("check").output == f"nothing new: {number} registered version(s)\n"


@pytest.mark.parametrize("command", ["check", "lock"])
def test_an_incompatible_change_is_named_and_never_enters_the_lock(
    command: str, fills: Callable[[Change], None], copied: Path
) -> None:
    before = (copied / "ids.lock").read_bytes()
    fills(without_cum_qty)

    error = tape_schemas(command).exception

    assert isinstance(error, TapeError)
    assert error.what == (
        "fills.v1: cum_qty: FIELD_REMOVED: version 1 has field cum_qty, the new schema has no such field"
    )
    assert (copied / "ids.lock").read_bytes() == before
    assert not (copied / "registered" / "fills.v1" / "2.avsc").exists()


def test_a_history_that_was_changed_by_hand_is_refused(copied: Path) -> None:
    file = copied / "registered" / "fills.v1" / "1.avsc"
    file.write_text(file.read_text(encoding="utf-8").replace("Fill", "Till"), encoding="utf-8")
    registered.cache_clear()

    error = tape_schemas("check").exception

    assert isinstance(error, TapeError)
    assert "ids.lock says sha256" in error.what
    assert error.next_command == "git checkout schemas/registered"


def test_tape_schemas_list_shows_every_version_of_the_lock() -> None:
    rows = json.loads(tape_schemas("list", "--json").output)

    assert rows == json.loads((SCHEMAS / "ids.lock").read_text(encoding="utf-8"))
    assert len(tape_schemas("list").output.splitlines()) == len(rows) + 1
