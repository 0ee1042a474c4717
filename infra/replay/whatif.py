"""What would have been decided by other code, or under other limits: the same causes, the same recorded state.

Each decision is taken alone, on what was recorded before it. What would have followed from a changed decision is not
played on: no order that was not sent is filled here, so this is no simulation of the market.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

import infra
import schemas.run
import topics
from infra.errors import TapeError
from infra.replay.judging import Changed
from infra.settings import Settings
from schemas.record import Record

NOT_A_SIMULATION = (
    "Each decision was taken alone, on its recorded cause and state. What would have followed from a changed one is"
    " not played on: this is not a simulation of the market."
)

#: What a run carries that may be set; schemas of another checkout may be older than one of them.
_SETTABLE: tuple[type[BaseModel], ...] = tuple(
    getattr(schemas.run, name) for name in ("Limits", "RunRules") if hasattr(schemas.run, name)
)
_NOTHING = ("null", "none", "")


def settings_of(texts: Sequence[str]) -> dict[str, Any]:
    """Return the settings given as name=value, checked as the schema checks them; null = no value.

    Raises TapeError naming what a run has, where a name is none of it or a value does not fit.
    """
    return dict(_setting(text) for text in texts)


def changed_by(settings: Mapping[str, Any]) -> Changed:
    """Return what puts the settings into the configuration of a run, wherever a record carries it."""

    def changed(record: Record) -> Record:
        found = _changed(record, settings)
        if not isinstance(found, Record):
            raise TypeError(f"expected a {type(record).__name__}, was {type(found).__name__}")
        return found

    return changed


def decided_elsewhere(path: Path, correlation_id: str, texts: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Replay a run in a process of its own, with the agents/ and schemas/ of `path`; returns what --json prints.

    `path` is a checkout or a folder with these two, and topics/ where it differs; everything else is this checkout's.
    """
    options = [option for text in texts for option in ("--set", text)]
    command = [sys.executable, "-P", "-m", "infra.cli", "replay", correlation_id, "--json", *options]
    with _overlaid(path) as root:
        environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TAPE_HOME": str(settings.home),
            "TAPE_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode} without a word"]
        raise TapeError(
            f"the other code could not be run: {said[-1]}",
            where=str(path),
            next_command="make its agents/ and schemas/ whole: nothing of them is taken from this checkout",
        ) from error
    return found


def decisions_changed(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the differences of each decision, by agent, seq and place; what was set itself is no difference.

    `found` is what --json prints, `names` are those of the settings: a decision that only carries them on is left out.
    """
    decisions: dict[str, list[dict[str, Any]]] = {}
    for each in found["differences"]:
        if each["kind"] == "FIELD" and each["field"].rpartition(".")[2] in names:
            continue
        seq = "silent" if each["seq"] is None else f"seq {each['seq']}"
        where = each["place"] if each["seq"] is None else f"partition {each['partition']}"
        decisions.setdefault(f"{each['agent']} {seq} ({where})", []).append(each)
    return decisions


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    fields = {field: info for model in _SETTABLE for field, info in model.model_fields.items()}
    if not equals or name not in fields:
        raise TapeError(
            f"expected name=value with a name of the run's limits or rules, was {text!r}",
            where=f"names: {', '.join(sorted(fields))}",
        )
    info = fields[name]
    kind: TypeAdapter[Any] = TypeAdapter(Annotated[info.annotation, info])  # type: ignore[arg-type]
    try:
        return name, kind.validate_python(None if value.lower() in _NOTHING else value)
    except ValidationError as error:
        raise TapeError(f"{name} cannot be {value!r}: {error.errors()[0]['msg']}") from error


def _changed(value: Any, settings: Mapping[str, Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(_changed(each, settings) for each in value)
    if not isinstance(value, BaseModel):
        return value
    if isinstance(value, _SETTABLE):
        return value.model_copy(update={name: to for name, to in settings.items() if name in type(value).model_fields})
    return value.model_copy(
        update={name: _changed(getattr(value, name), settings) for name in type(value).model_fields}
    )


@contextmanager
def _overlaid(path: Path) -> Iterator[Path]:
    """Lend a folder in which agents, schemas and topics are those of `path`, and infra is ours."""
    for name in ("agents", "schemas"):
        if not (path / name).is_dir():
            raise TapeError(f"expected a folder with agents/ and schemas/, was one without {name}/", where=str(path))
    ours = {"infra": infra, "topics": topics}
    found = {name: Path(str(module.__file__)).parent for name, module in ours.items()}
    found |= {name: path / name for name in ("agents", "schemas", "topics") if (path / name).is_dir()}
    with tempfile.TemporaryDirectory(prefix="tape-with-") as folder:
        for name, target in found.items():
            (Path(folder) / name).symlink_to(target.resolve(), target_is_directory=True)
        yield Path(folder)
