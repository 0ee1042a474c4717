"""Who is who: every id is derived (uuid5) from what it stands for, the same after a crash, elsewhere, next year."""

from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("5f0c2b57-62f5-5d35-9a55-6a2d5f6f7a11")


_VERSION_5 = 0x8000 << 48 | 5 << 76
_KEPT = ~(0xC000 << 48 | 0xF000 << 64)


def _uuid5(namespace: UUID, name: str) -> UUID:
    """Return what `uuid.uuid5` returns, in less time: every event has one, and most facts have another."""
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(digest[:16], "big") & _KEPT | _VERSION_5)


def derived(*parts: object) -> UUID:
    """Return the uuid5 of the parts joined by '/'; the parts name the thing, most general first."""
    return _uuid5(NAMESPACE, "/".join([str(part) for part in parts]))


def event_id(cause_event_id: UUID, agent: str, ordinal: int) -> UUID:
    """Return the id of the `ordinal`-th event an agent publishes because of one cause."""
    return _uuid5(cause_event_id, f"{agent}/{ordinal}")


def place_id(topic: str, partition: int, offset: int) -> UUID:
    """Return the id of a record that carries none (poison): its place in the log."""
    return derived("place", topic, partition, offset)


def run_id(account_id: str, as_of: datetime, request_id: str) -> UUID:
    """Return the id of a run, which is also its correlation id."""
    return derived("run", account_id, as_of.astimezone(UTC).isoformat(), request_id)


def plan_id(run: UUID) -> UUID:
    """Return the id of the one plan of a run."""
    return derived("plan", run)


def decided_run_id(run: UUID, symbol: str) -> UUID:
    """Return the id of the run that trades what a person decided about a symbol of a run."""
    return derived("decided-run", run, symbol)


def intent_id(plan: UUID, book: str, symbol: str, leg: int, step: int) -> UUID:
    """Return the id of an order intent: leg = which order of the line, step = which try of the leg after a cancel."""
    return derived("intent", plan, book, symbol, leg, step)


def fill_id(broker_order_id: str, cum_qty: object) -> UUID:
    """Return the id of an execution: the broker's order and the quantity filled after it."""
    return derived("fill", broker_order_id, cum_qty)
