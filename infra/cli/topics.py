"""`tape topics`: the topics of the registry of topics, made in Kafka, compared, and explained."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.errors import TapeError
from infra.settings import Settings
from topics.registry import TOPICS
from topics.table import BEGIN, markdown, spliced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topics.describe import Description, Field

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
README = Path(__file__).resolve().parents[2] / "topics" / "README.md"

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
    """List every topic with its key, what it is partitioned by, policy, producer and consumers; asks nobody."""
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
    from infra.cli.tables import print_table

    columns = [column for column in rows[0] if column != "record"]
    print_table(columns, [[row[column] for column in columns] for row in rows])


@app.command()
def describe(
    topic: Annotated[str, typer.Argument(help="A topic's full or short name: order-intents.v1, order_intents.")],
    as_json: Json = False,
) -> None:
    """Explain a topic: rules, every field with its type, an example record and example SQL; asks nobody."""
    from infra.sql.catalog import named
    from topics.describe import described
    from topics.registry import BY_NAME

    said = described(BY_NAME[named(topic).topic])
    if as_json:
        print(json.dumps(_document(said), indent=2))
    else:
        _print_description(said)


class Format(StrEnum):
    """For whom the topics are written down: people or programs."""

    MARKDOWN = "markdown"
    ASYNCAPI = "asyncapi"


@app.command()
def docs(
    write: Annotated[bool, typer.Option("--write", help="Write topics/docs and topics/asyncapi.yaml.")] = False,
    kind: Annotated[Format | None, typer.Option("--format", help="One of them; markdown where it is printed.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Print asyncapi with all Avro schemas written out.")] = False,
) -> None:
    """Print, or write, what there is to know of all topics: pages in Markdown, or AsyncAPI 3 with Kafka's bindings."""
    from topics import asyncapi, pages

    if whole and (write or kind is not Format.ASYNCAPI):
        raise typer.BadParameter("expected --whole with --format asyncapi and without --write")
    if not write:
        made = asyncapi.document(is_whole=whole) if kind is Format.ASYNCAPI else None
        print("\n".join(pages.pages().values()) if made is None else asyncapi.yaml_text(made), end="")
        return
    if kind is not Format.ASYNCAPI:
        changed = pages.write()
        print("".join(f"topics/docs/{name}\n" for name in changed) + f"{len(changed)} page(s) changed")
    if kind is not Format.MARKDOWN:
        print(f"topics/asyncapi.yaml {'changed' if asyncapi.write() else 'is as it was'}")


@app.command()
def table(
    write: Annotated[bool, typer.Option("--write", help="Put it between the markers of topics/README.md.")] = False,
) -> None:
    """Print the table of topics."""
    if not write:
        print(markdown())
        return
    try:
        README.write_text(spliced(README.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TapeError(
            f"the table was not written: {error}",
            where=f"{README.parent.name}/{README.name}",
            next_command=f"put {BEGIN} and its end marker where the table belongs",
        ) from error
    print(f"{README.parent.name}/{README.name}: {len(TOPICS)} topics")


def _print_description(said: Description) -> None:
    from infra.cli.tables import print_table
    from topics.describe import facts
    from topics.examples import example, example_key, pretty, readable
    from topics.pages import symbols
    from topics.queries import queries

    print(f"{said.topic.name}: {said.doc}")
    about = facts(said)
    width = max(map(len, about)) + 2
    print("\n".join(f"  {name.ljust(width)}{fact}" for name, fact in about.items()))
    _print_fields("Fields", said.fields)
    for each in (each for each in said.types if each.fields):
        _print_fields(f"{each.name}: {each.doc}", each.fields)
    enums = [[each.name, each.doc, " ".join(symbols(each))] for each in said.types if each.symbols]
    if enums:
        print("\nEnums")
        print_table(("enum", "says", "symbols"), enums)
    print(f"\nExample, key {example_key(said.topic)}\n{pretty(readable(example(said.topic)))}\n\nAsk")
    for query in queries(said.topic):
        print(f"  # {query.says}\n  {query.command}")


def _print_fields(title: str, fields: Sequence[Field]) -> None:
    from infra.cli.tables import print_table

    print(f"\n{title}")
    print_table(("field", "type", "says"), [[field.name, field.type, field.doc] for field in fields])


def _document(said: Description) -> dict[str, Any]:
    from topics.describe import sql_names
    from topics.examples import example, example_key, readable
    from topics.queries import queries

    return {
        "topic": said.topic.name,
        "says": said.doc,
        "record": said.topic.record.__name__,
        "key": list(said.topic.key),
        "partitioned_by": said.topic.partitioned_by,
        "policy": said.topic.policy.value,
        "producer": said.topic.producer,
        "consumers": list(said.topic.consumers),
        "schema_id": said.schema_id,
        "schema_version": said.schema_version,
        "tables": list(sql_names(said.topic)),
        "fields": [asdict(field) for field in said.fields],
        "types": [asdict(each) for each in said.types],
        "example_key": example_key(said.topic),
        "example": readable(example(said.topic)),
        "queries": [asdict(query) for query in queries(said.topic)],
    }
