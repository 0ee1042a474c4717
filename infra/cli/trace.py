"""`tape trace`: the tree of causes of one run, with the place of every record and the times between the steps."""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.cli.branches import Branch, Word
    from infra.replay.trace import Node

PIPED_WIDTH = 240


class Format(StrEnum):
    """What the tree is printed as."""

    TREE = "tree"
    JSON = "json"
    MERMAID = "mermaid"
    DOT = "dot"


def trace(
    name: Annotated[
        str,
        typer.Argument(
            metavar="CORRELATION_ID|CLIENT_ORDER_ID|EXEC_ID|PLAN_ID|EVENT_ID",
            help="The run's first digits, or any name of it or of what is in it; EXEC_ID: our fill id or the broker's.",
        ),
    ],
    symbol: Annotated[str | None, typer.Option(help="Only what concerns this symbol.")] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="What to print.")] = Format.TREE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show which record led to which: signal, plan, intent, order events, fill, ledger entries.

    Only the run's own records are read, where PostgreSQL is up; else the log is searched. Exit code 2 when the log
    knows nothing of the name, or nothing of the run is about the symbol.
    """
    from infra.cli.asking import settings_of_kafka
    from infra.replay.find import find
    from infra.replay.trace import tree

    settings = settings_of_kafka()
    found = find(settings.bootstrap_servers, settings.database_url, name)
    if found is None:
        print(f"nothing found: no run, event, plan, order or execution is called {name}", file=sys.stderr)
        raise typer.Exit(2)
    roots = tree(found.records)
    if symbol is not None:
        _check_symbol(roots, symbol)
    show(roots, symbol, Format.JSON if as_json else form)
    by = f"no index, {found.without_index}" if found.without_index else "by the index"
    print(f"run {found.correlation_id}: {len(found.records)} records, {found.read} read ({by})", file=sys.stderr)


def show(roots: "Sequence[Node]", symbol: str | None = None, form: Format = Format.TREE) -> None:
    """Print the tree; with a symbol, without the branches that are about others."""
    from infra.controls import shown
    from infra.replay.pictures import dot, mermaid
    from infra.replay.trace import about

    if symbol is not None:
        roots = about(roots, symbol)
    match form:
        case Format.JSON:
            print(json.dumps([root.as_json() for root in roots], indent=2))
        case Format.MERMAID:
            print(shown(mermaid(roots, symbol)))
        case Format.DOT:
            print(shown(dot(roots, symbol)))
        case Format.TREE:
            _show_tree(roots, symbol)


def _show_tree(roots: "Sequence[Node]", symbol: str | None) -> None:
    from rich.console import Console
    from rich.text import Text

    from infra.cli.branches import drawn

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH  # a file or a pipe has no width; cut nothing that a reader would miss
    for root in roots:
        for line in drawn(_branch(root, symbol), console.width):
            console.print(Text.assemble(*line), soft_wrap=True)


def _branch(root: "Node", symbol: str | None) -> "Branch":
    """Return what is drawn of a node and all below it."""
    from infra.cli.branches import Branch

    below: dict[int, list[Branch]] = {}
    branch = Branch(_words(root, symbol), below.setdefault(id(root), []))
    stack = [root]
    while stack:
        node = stack.pop()
        for child in node.children:
            below[id(node)].append(Branch(_words(child, symbol), below.setdefault(id(child), [])))
        stack.extend(node.children)
    return branch


def _words(node: "Node", symbol: str | None) -> "list[Word]":
    from infra.cli.branches import Word
    from infra.controls import on_one_line
    from infra.replay.pictures import duration

    after = duration(node.after_ms)
    head = [
        Word(node.event_type, "bold"),
        Word(str(node.record.place), "dim"),
        *([Word(after, "cyan")] if after else []),
    ]
    said = [Word(on_one_line(each.text), each.style) for each in head]
    return [*said, *map(Word, on_one_line(node.telling(symbol)).split())]


def _check_symbol(roots: "Sequence[Node]", symbol: str) -> None:
    from infra.replay.trace import walked

    there = sorted({each for _, node in walked(roots) for each in node.symbols})
    if symbol not in there:
        said = ", ".join(there) or "none"
        print(f"nothing found: nothing of this run is about {symbol}; its symbols: {said}", file=sys.stderr)
        raise typer.Exit(2)
