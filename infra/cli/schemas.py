"""`tape schemas check | lock | register | list`: from the .avsc files to the committed lock, and on to a registry."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from infra.errors import TapeError
from infra.settings import Settings
from topics.schema_lock import LOCK, SchemaLockError, extend, registered, unregistered

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys.")]


@app.command()
def check(as_json: Json = False) -> None:
    """Check the .avsc files against every version ever registered. Exits with 1 when a change is not allowed."""
    changed = _checked()
    if as_json:
        print(json.dumps({"changed": list(changed)}))
    elif changed:
        print(f"compatible, but not in the lock yet: {', '.join(changed)}\nnext: tape schemas lock")
    else:
        print(f"nothing new: {len(registered())} registered version(s)")


@app.command()
def lock() -> None:
    """Check the .avsc files and write what is new into the history and the lock, with the next free ids."""
    _checked()
    changed = extend()
    newest = {each.topic: each for each in registered()}
    for topic in changed:
        print(f"{topic} version {newest[topic].version} id {newest[topic].id}")
    print(f"{len(changed)} new; commit {LOCK.name} and registered/" if changed else "nothing new")


@app.command()
def register(as_json: Json = False) -> None:
    """Put every version of the lock into the schema registry under the lock's ids; doing it twice is doing it once."""
    from infra.registry import client  # noqa: PLC0415 - brings an HTTP client

    rows = client.register(Settings.load(needs={"registry_url"}).registry_url)
    if as_json:
        keys = ("subject", "version", "id", "is_new")
        print(json.dumps([{key: getattr(row, key) for key in keys} for row in rows], indent=2))
        return
    for row in rows:
        if row.is_new:
            print(f"{row.subject} version {row.version} id {row.id}")
    print(f"{sum(row.is_new for row in rows)} new; {len(rows)} version(s) are registered under the ids of the lock")


@app.command("list")
def list_schemas(as_json: Json = False) -> None:
    """List every version of the lock with its id and hash; asks nobody."""
    rows = registered()
    if as_json:
        keys = ("id", "topic", "version", "sha256")
        print(json.dumps([{key: getattr(row, key) for key in keys} for row in rows], indent=2))
        return
    width = max(len(row.topic) for row in rows) + 2
    print(f"{'id':<5}{'topic':<{width}}{'version':<9}sha256")
    for row in rows:
        print(f"{row.id:<5}{row.topic:<{width}}{row.version:<9}{row.sha256[:12]}")


def _checked() -> tuple[str, ...]:
    """Return the topics whose schema is new; raises TapeError when one of them may not follow its history."""
    from schemas.compatibility import conflicts  # noqa: PLC0415 - brings Avro's own library

    try:
        history, changed = registered() if LOCK.exists() else (), unregistered()
    except SchemaLockError as error:
        raise TapeError(
            str(error), where="schemas/registered", next_command="git checkout schemas/registered"
        ) from error
    found = [
        conflict
        for topic, text in changed
        for conflict in conflicts(topic, [each.text for each in history if each.topic == topic], text)
    ]
    if found:
        raise TapeError(
            "\n".join(str(conflict) for conflict in found),
            where="schemas/avro",
            next_command="add a field with a default instead, or start a new major version of the topic",
        )
    return tuple(topic for topic, _ in changed)
