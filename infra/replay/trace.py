"""The tree of causes of one correlation id: which record led to which, and where each lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from topics.codec import Event, UndecodableError, decode
from topics.wire import Incoming, header_or_none

#: Fields that say at a glance what a record is about, in the order they are shown.
_TELLING = (
    "strategy_id",
    "symbol",
    "status",
    "action",
    "exec_type",
    "ord_status",
    "kind",
    "request",
    "outcome",
    "rule",
    "client_order_id",
    "last_qty",
    "last_px",
    "refusal",
    "failure",
    "reason",
    "detail",
)


@dataclass
class Node:
    """One record in the tree."""

    record: Incoming
    event: Event | None
    children: list["Node"] = field(default_factory=list)

    @property
    def event_type(self) -> str:
        """Name of the record's type, as its header says."""
        return header_or_none(self.record.headers, "event_type") or "?"

    @property
    def telling(self) -> str:
        """Return its most telling fields as `name=value`."""
        if self.event is None:
            return "unreadable"
        return " ".join(f"{name}={value}" for name, value in _told(self.event))

    def as_json(self) -> dict[str, Any]:
        """Return the node and what it led to."""
        headers = {name: value.decode(errors="replace") for name, value in self.record.headers}
        return {
            "place": str(self.record.place),
            "timestamp_ms": self.record.timestamp_ms,
            "headers": headers,
            "record": None if self.event is None else self.event.record.model_dump(mode="json"),
            "children": [child.as_json() for child in self.children],
        }


def tree(records: Sequence[Incoming]) -> list[Node]:
    """Return the roots: records whose cause is not among `records`; children come in order of writing."""
    nodes: dict[str, Node] = {}
    ordered = sorted(records, key=lambda each: (each.timestamp_ms, each.topic, each.partition, each.offset))
    for record in ordered:
        identity = header_or_none(record.headers, "event_id") or str(record.place)
        nodes.setdefault(identity, Node(record, _event(record)))
    roots: list[Node] = []
    for identity, node in nodes.items():
        cause = header_or_none(node.record.headers, "causation_id")
        if cause is None or cause == identity or cause not in nodes:
            roots.append(node)
        else:
            nodes[cause].children.append(node)
    return roots


def walked(roots: Sequence[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    """Yield every node with its depth, parents first."""
    for node in roots:
        yield depth, node
        yield from walked(node.children, depth + 1)


def _event(record: Incoming) -> Event | None:
    try:
        return decode(record)
    except UndecodableError:
        return None


def _told(event: Event) -> Iterator[tuple[str, str]]:
    order = getattr(event.record, "order", None)
    for name in _TELLING:
        value = getattr(event.record, name, None)
        value = getattr(order, name, None) if value is None and name == "symbol" else value
        if value is not None and value != "":
            text = format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)
            yield name, text if len(text) <= 60 else text[:57] + "..."
    if order is not None and event.record.topic == "order-intents.v1":
        yield "side", str(order.side)
        yield "order_qty", format(order.order_qty.normalize(), "f")
