"""The tree of causes as text that other tools draw: Mermaid (issues, wikis) and Graphviz."""

import json
from collections.abc import Iterator, Sequence

from infra.replay.trace import Node, walked


def duration(ms: int | None) -> str:
    """Return a time between two steps for a person; empty for None."""
    if ms is None:
        return ""
    return f"{ms:+d} ms" if abs(ms) < 1000 else f"{ms / 1000:+.3f} s"


def mermaid(roots: Sequence[Node], symbol: str | None = None) -> str:
    """Return a Mermaid flowchart; an arrow carries the time between cause and effect."""
    lines = ["flowchart TD"]
    for name, cause, node in _named(roots):
        label = "<br/>".join(_safe(line) for line in _label(node, symbol))
        lines.append(f'  {name}["{label}"]')
        if cause:
            lines.append(f'  {cause} -->|"{duration(node.after_ms)}"| {name}')
    return "\n".join(lines)


def dot(roots: Sequence[Node], symbol: str | None = None) -> str:
    """Return a Graphviz digraph; an arrow carries the time between cause and effect."""
    lines = ["digraph trace {", '  node [shape=box, fontname="monospace"];']
    for name, cause, node in _named(roots):
        lines.append(f"  {name} [label={json.dumps(chr(10).join(_label(node, symbol)), ensure_ascii=False)}];")
        if cause:
            lines.append(f'  {cause} -> {name} [label="{duration(node.after_ms)}"];')
    return "\n".join([*lines, "}"])


def _named(roots: Sequence[Node]) -> Iterator[tuple[str, str, Node]]:
    """Yield every node with a short name of its own and that of its cause; empty = none."""
    names: dict[int, str] = {}
    for number, (depth, node) in enumerate(walked(roots)):
        names[depth] = f"n{number}"
        yield names[depth], names[depth - 1] if depth else "", node


def _label(node: Node, symbol: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (node.event_type, str(node.record.place), node.telling(symbol))))


def _safe(text: str) -> str:
    """Return the text with what Mermaid reads as its own replaced by entity codes; # is how they begin."""
    for sign, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(sign, code)
    return text
