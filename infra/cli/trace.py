"""`tape trace`: the tree of causes of one run, with the place of every record."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from infra.replay.trace import Node

PIPED_WIDTH = 240


def trace(
    correlation_id: Annotated[str, typer.Argument(help="The run to show.")],
    symbol: Annotated[str | None, typer.Option(help="Only what concerns this symbol.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tree as JSON, records included.")] = False,
) -> None:
    """Show which record led to which: signal, plan, intent, order events, fill, ledger entries.

    Exit code 2 when the log knows nothing of the correlation id.
    """
    from infra.kafka.log import read_all
    from infra.replay.history import History, decision_path
    from infra.replay.trace import tree
    from infra.settings import Settings

    servers = Settings.load(needs={"bootstrap_servers"}).bootstrap_servers
    history = History.of(read_all(servers, decision_path()))
    roots = tree(list(history.correlated(correlation_id)))
    if as_json:
        print(json.dumps([root.as_json() for root in roots], indent=2))
    else:
        show(roots, symbol)
    if not roots:
        raise typer.Exit(2)


def show(roots: "Sequence[Node]", symbol: str | None = None) -> None:
    """Print the tree for a person."""
    from rich.console import Console
    from rich.tree import Tree

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH  # a file or a pipe has no width; cut nothing that a reader would miss
    if not roots:
        console.print("nothing found: no record in the log has this correlation id")
    for root in roots:
        picture = Tree(_label(root, symbol))
        stack = [(picture, root)]
        while stack:
            branch, node = stack.pop()
            shown = [child for child in node.children if _concerns(child, symbol)]
            branches = [(branch.add(_label(child, symbol)), child) for child in shown]
            stack.extend(reversed(branches))
        console.print(picture)


def _label(node: "Node", symbol: str | None) -> "Text":
    from rich.text import Text

    return Text.assemble((node.event_type, "bold"), " ", (f"{node.record.place}", "dim"), f" {node.telling(symbol)}")


def _concerns(node: "Node", symbol: str | None) -> bool:
    if symbol is None:
        return True
    record = None if node.event is None else node.event.record
    own = getattr(record, "symbol", None) or getattr(getattr(record, "order", None), "symbol", None)
    return own in (None, symbol)
