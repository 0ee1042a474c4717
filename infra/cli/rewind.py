"""`tape rewind`: set back the positions of an agent that is stopped; what was decided is not decided again."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.declaration import Agent
    from infra.replay.rewind import Move
    from infra.settings import Settings


def rewind(
    agent: Annotated[str, typer.Argument(help="The agent; all of its workers must be stopped.")],
    correlation_id: Annotated[
        str | None, typer.Argument(help="Back to the first input of this run; also an order, plan or event id.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Back to a time: 10m ago, 2013-02-01T09:30 (UTC), ...")] = None,
    offset: Annotated[
        list[str] | None,
        typer.Option("--offset", metavar="[TOPIC:]P:O", help="Back to offset O of partition P, of every input topic."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Set back the positions of a stopped agent's group; what it has decided stays decided once.

    An agent that decides or performs goes on behind the inputs that its own last decision names, so a rewind shows as
    lag until it is started and skips what was judged. The projector reads again, and leaves rows that are there as
    they are. Nothing moves forward. Exit code 2 when the run is not in the log.
    """
    from infra.cli.asking import settings_of_kafka
    from infra.cli.exits import UsageError
    from infra.replay.rewind import planned
    from infra.replay.rewind import rewind as move_back
    from infra.worker import declared

    if sum(each is not None for each in (correlation_id, to, offset or None)) != 1:
        raise UsageError("expected one of --to, --offset and a correlation id", next_command="tape rewind --help")
    settings = settings_of_kafka()
    servers, declaration = settings.bootstrap_servers, declared(agent)
    moves = planned(
        servers, settings.database_url, declaration, _targets(settings, declaration, correlation_id, to, offset)
    )
    moved = 0 if dry_run else move_back(servers, settings.database_url, declaration, moves)
    if as_json:
        print(json.dumps({"agent": agent, "moved": moved, "moves": [_as_json(move) for move in moves]}, indent=2))
    else:
        _show(agent, moves, dry_run)


def _targets(
    settings: "Settings",
    agent: "Agent",
    correlation_id: str | None,
    to: str | None,
    offsets: Sequence[str] | None,
) -> "Mapping[tuple[str, int], int]":
    from datetime import UTC, datetime

    from infra.kafka.log import offsets_at, partitions_of
    from infra.runtime.keeper import input_topics
    from infra.sql.times import instant_ms

    inputs = partitions_of(settings.bootstrap_servers, input_topics(agent))
    if to is not None:
        return offsets_at(settings.bootstrap_servers, inputs, datetime.fromtimestamp(instant_ms(to) / 1000, UTC))
    if correlation_id is not None:
        return _first_of(settings, correlation_id, set(inputs))
    return dict(each for text in offsets or () for each in _parsed(text, inputs))


def _first_of(settings: "Settings", correlation_id: str, inputs: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    import sys

    from infra.replay.find import find

    found = find(settings.bootstrap_servers, settings.database_url, correlation_id)
    first: dict[tuple[str, int], int] = {}
    for record in () if found is None else found.records:
        where = (record.topic, record.partition)
        if where in inputs:
            first[where] = min(first.get(where, record.offset), record.offset)
    if not first:
        print(f"nothing found: no input of this agent belongs to {correlation_id}", file=sys.stderr)
        raise typer.Exit(2)
    return first


def _parsed(text: str, inputs: Sequence[tuple[str, int]]) -> list[tuple[tuple[str, int], int]]:
    from infra.cli.exits import UsageError

    *topic, partition, offset = text.split(":") if text.count(":") in (1, 2) else ("", "")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise UsageError(f"expected PARTITION:OFFSET or TOPIC:PARTITION:OFFSET, was {text!r}")
    found = [each for each in inputs if each[1] == int(partition) and (not topic or each[0] == topic[0])]
    if not found:
        there = ", ".join(f"{name}/{number}" for name, number in inputs)
        raise UsageError(f"{text!r} names no input partition of this agent", where=f"its inputs: {there}")
    return [(each, int(offset)) for each in found]


def _as_json(move: "Move") -> dict[str, object]:
    topic, partition = move.partition
    return {"topic": topic, **asdict(move), "partition": partition, "skipped": move.skipped, "is_back": move.is_back}


def _show(agent: str, moves: "Sequence[Move]", dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("input", "shown", "back to", "goes on at", "skipped"):
        table.add_column(name, justify="left" if name == "input" else "right")
    for move in moves:
        back = str(move.to) if move.is_back else "stays"
        where = f"{move.partition[0]}/{move.partition[1]}"
        table.add_row(where, str(move.shown), back, str(move.goes_on_at), str(move.skipped))
    console.print(table)
    back_count = sum(move.is_back for move in moves)
    if not back_count:
        console.print("nothing to move: these positions are not ahead of where they were to go back to")
        return
    console.print(f"{back_count} positions {'would be' if dry_run else 'were'} moved back")
    if agent == "projector":
        console.print("the projector reads from there again when it is started; rows that are there stay as they are")
    else:
        console.print(
            f"when it is started, {agent} goes on behind the inputs its own last decision names:"
            f" {sum(move.skipped for move in moves)} offsets are skipped, nothing is decided twice"
        )
