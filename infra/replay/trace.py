"""The tree of causes of one correlation id: which record led to which, and where each lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from schemas.ledger import CASH, STREET, LedgerEntry, Posting
from schemas.order import NET, OrderIntent
from schemas.plan import Plan, PlanLine
from schemas.record import Record
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
    "http_status",
    "outcome",
    "rule",
    "last_qty",
    "last_px",
    "refusal",
    "failure",
    "reason",
    "detail",
)
TEXT_MAX = 60


@dataclass
class Node:
    """One record in the tree; `after_ms`: how long after its cause it was written, by Kafka's clocks; None = a root."""

    record: Incoming
    event: Event | None
    children: list["Node"] = field(default_factory=list)
    after_ms: int | None = None

    @property
    def event_type(self) -> str:
        """Name of the record's type, as its header says."""
        return header_or_none(self.record.headers, "event_type") or "?"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols the record itself is about; of a record with lines, those of its lines; sorted."""
        record = None if self.event is None else self.event.record
        own = getattr(record, "symbol", None) or getattr(getattr(record, "order", None), "symbol", None)
        lines = record.lines if isinstance(record, Plan) else ()
        return tuple(sorted({own} if own else {line.symbol for line in lines}))

    def concerns(self, symbol: str) -> bool:
        """Say whether the record speaks of a symbol, or of none in particular."""
        record = None if self.event is None else self.event.record
        return isinstance(record, Plan) or not self.symbols or symbol in self.symbols

    def telling(self, symbol: str | None = None) -> str:
        """Return its most telling fields as `name=value`; of a plan also the line of `symbol`."""
        if self.event is None:
            return "unreadable"
        record = self.event.record
        told = dict(_told(record))
        if isinstance(record, Plan):
            told |= {f"line[{_place(line)}]": _line(line) for line in record.lines if line.symbol == symbol}
        if isinstance(record, OrderIntent):
            told |= {"side": str(record.order.side), "order_qty": _text(record.order.order_qty)}
            told |= {"client_order_id": record.client_order_id}
        if isinstance(record, LedgerEntry):
            told |= {"shares": ", ".join(_share(each) for each in record.postings if _is_share(each))}
        return " ".join(f"{name}={value}" for name, value in told.items() if value)

    def as_json(self) -> dict[str, Any]:
        """Return the node and what it led to."""
        headers = {name: value.decode(errors="replace") for name, value in self.record.headers}
        return {
            "place": str(self.record.place),
            "timestamp_ms": self.record.timestamp_ms,
            "after_ms": self.after_ms,
            "headers": headers,
            "record": None if self.event is None else self.event.record.model_dump(mode="json"),
            "children": [child.as_json() for child in self.children],
        }


def tree(records: Sequence[Incoming]) -> list[Node]:
    """Return the roots: records whose cause is not among `records`; children come in order of writing."""
    nodes: dict[str, Node] = {}
    for record in sorted(records, key=_order):
        identity = header_or_none(record.headers, "event_id") or str(record.place)
        nodes.setdefault(identity, Node(record, _event(record)))
    roots: list[Node] = []
    for identity, node in nodes.items():
        cause = header_or_none(node.record.headers, "causation_id")
        if cause is None or cause == identity or cause not in nodes:
            roots.append(node)
        else:
            node.after_ms = node.record.timestamp_ms - nodes[cause].record.timestamp_ms
            nodes[cause].children.append(node)
    return roots


def about(roots: Sequence[Node], symbol: str) -> list[Node]:
    """Return the tree without the branches that are about other symbols."""
    return [
        Node(node.record, node.event, about(node.children, symbol), node.after_ms)
        for node in roots
        if node.concerns(symbol)
    ]


def walked(roots: Sequence[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    """Yield every node with its depth, parents first."""
    for node in roots:
        yield depth, node
        yield from walked(node.children, depth + 1)


def _order(record: Incoming) -> tuple[int, str, int, int, str]:
    """By time of writing; what was written together stands in the order in which it was decided."""
    seq, ordinal = (int(header_or_none(record.headers, name) or 0) for name in ("seq", "ordinal"))
    agent = header_or_none(record.headers, "agent") or ""
    return record.timestamp_ms, agent, seq, ordinal, str(record.place)


def _event(record: Incoming) -> Event | None:
    try:
        return decode(record)
    except UndecodableError:
        return None


def _told(record: Record) -> Iterator[tuple[str, str]]:
    order = getattr(record, "order", None)
    for name in _TELLING:
        value = getattr(record, name, None)
        if value is None and name == "symbol":
            value = getattr(order, name, None)
        if value is not None and value != "":
            text = _text(value)
            yield name, text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def _text(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def _place(line: PlanLine) -> str:
    return line.symbol if line.book == NET else f"{line.book} {line.symbol}"


def _line(line: PlanLine) -> str:
    rule = f" {line.rule}" if line.rule else ""
    crossed = f", {_text(line.cross_quantity)} crossed" if line.cross_quantity else ""
    return f"{line.action} {_text(line.quantity)}{crossed}, {line.status}{rule}"


def _is_share(posting: Posting) -> bool:
    return posting.commodity != CASH and posting.owner != STREET


def _share(posting: Posting) -> str:
    return f"{posting.owner} {posting.amount.normalize():+f}"
