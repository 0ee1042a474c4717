"""`tape topics apply | diff | list | table`: the topics of the registry of topics, in Kafka and in the README."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import TapeError
from infra.settings import Settings
from topics.registry import TOPICS
from topics.table import BEGIN, markdown, spliced

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
README = Path(__file__).resolve().parents[2] / "README.md"

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys.")]
Replicas = Annotated[int, typer.Option(help="Replicas of every topic; 3 on a cluster of three brokers.", min=1)]


@app.command()
def apply(replication_factor: Replicas = 1, as_json: Json = False) -> None:
    """Make the missing topics with TAPE_PARTITIONS partitions and put settings right. Idempotent."""
    from infra.kafka import admin  # noqa: PLC0415 - brings Kafka's client library

    settings = Settings.load(needs={"bootstrap_servers"})
    changes = admin.apply(settings.bootstrap_servers, settings.partitions, replication_factor)
    if as_json:
        print(json.dumps([asdict(change) for change in changes], indent=2))
        return
    for change in changes:
        print(change)
    print(f"{len(changes)} change(s); {len(TOPICS)} topics of {settings.partitions} partition(s) are as they should be")


@app.command()
def diff(as_json: Json = False) -> None:
    """Show where Kafka differs from what it should be. Exits with 1 when it does."""
    from infra.kafka import admin  # noqa: PLC0415 - brings Kafka's client library

    settings = Settings.load(needs={"bootstrap_servers"})
    differences = admin.diff(settings.bootstrap_servers, settings.partitions)
    if as_json:
        print(json.dumps([asdict(difference) for difference in differences], indent=2))
    else:
        for difference in differences:
            print(difference)
    if differences:
        raise typer.Exit(1)
    if not as_json:
        print(f"no difference: {len(TOPICS)} topics of {settings.partitions} partition(s)")


@app.command("list")
def list_topics(as_json: Json = False) -> None:
    """List every topic with its key, policy, producer and consumers; asks nobody."""
    rows = [
        {
            "topic": topic.name,
            "record": topic.record.__name__,
            "key": "+".join(topic.key),
            "partitioned_by": topic.partitioned_by,
            "policy": topic.policy.value,
            "producer": topic.producer,
            "consumers": ",".join(topic.consumers),
        }
        for topic in TOPICS
    ]
    if as_json:
        print(json.dumps([{**row, "consumers": row["consumers"].split(",")} for row in rows], indent=2))
        return
    columns = [column for column in rows[0] if column not in ("record", "partitioned_by")]
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) + 2 for column in columns}
    for row in ({column: column for column in columns}, *rows):
        print("".join(row[column].ljust(widths[column]) for column in columns).rstrip())


@app.command()
def table(
    write: Annotated[bool, typer.Option("--write", help="Put it between the markers of README.md.")] = False,
) -> None:
    """Print the README's table of topics."""
    if not write:
        print(markdown())
        return
    try:
        README.write_text(spliced(README.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TapeError(
            f"the table was not written: {error}",
            where=README.name,
            next_command=f"put {BEGIN} and its end marker where the table belongs",
        ) from error
    print(f"{README.name}: {len(TOPICS)} topics")
