"""`tape trace`: the tree of causes of one run, with the place of every record and the times between the steps."""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

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
    from infra.replay.find import find
    from infra.replay.trace import tree
    from infra.settings import Settings

    settings = Settings.load(needs={"bootstrap_servers"})
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
    from infra.replay.pictures import dot, mermaid
    from infra.replay.trace import about

    if symbol is not None:
        roots = about(roots, symbol)
    match form:
        case Format.JSON:
            print(json.dumps([root.as_json() for root in roots], indent=2))
        case Format.MERMAID:
            print(mermaid(roots, symbol))
        case Format.DOT:
            print(dot(roots, symbol))
        case Format.TREE:
            _show_tree(roots, symbol)


def _show_tree(roots: "Sequence[Node]", symbol: str | None) -> None:
    from rich.console import Console
    from rich.tree import Tree

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH  # a file or a pipe has no width; cut nothing that a reader would miss
    for root in roots:
        picture = Tree(_label(root, symbol))
        stack = [(picture, root)]
        while stack:
            branch, node = stack.pop()
            branches = [(branch.add(_label(child, symbol)), child) for child in node.children]
            stack.extend(reversed(branches))
        console.print(picture)


def _label(node: "Node", symbol: str | None) -> "Text":
    from rich.text import Text

    from infra.replay.pictures import duration

    after = duration(node.after_ms)
    return Text.assemble(
        (node.event_type, "bold"),
        " ",
        (f"{node.record.place}", "dim"),
        (f" {after}" if after else "", "cyan"),
        f" {node.telling(symbol)}",
    )


def _check_symbol(roots: "Sequence[Node]", symbol: str) -> None:
    from infra.replay.trace import walked

    there = sorted({each for _, node in walked(roots) for each in node.symbols})
    if symbol not in there:
        said = ", ".join(there) or "none"
        print(f"nothing found: nothing of this run is about {symbol}; its symbols: {said}", file=sys.stderr)
        raise typer.Exit(2)
