"""Who is who: every id is derived (uuid5) from what it stands for, the same after a crash, elsewhere, next year."""

import re
from datetime import UTC, datetime
from uuid import UUID, uuid5

NAMESPACE = UUID("5f0c2b57-62f5-5d35-9a55-6a2d5f6f7a11")
CLIENT_ORDER_ID_LENGTH_MAX = 128  # Alpaca's limit (OpenAPI trading spec 2.0.1)


def derived(*parts: object) -> UUID:
    """Return the uuid5 of the parts joined by '/'; the parts name the thing, most general first."""
    return uuid5(NAMESPACE, "/".join(str(part) for part in parts))


def event_id(cause_event_id: UUID, agent: str, ordinal: int) -> UUID:
    """Return the id of the `ordinal`-th event an agent publishes because of one cause."""
    return uuid5(cause_event_id, f"{agent}/{ordinal}")


def place_id(topic: str, partition: int, offset: int) -> UUID:
    """Return the id of a record that carries none (poison): its place in the log."""
    return derived("place", topic, partition, offset)


def run_id(account_id: str, as_of: datetime, request_id: str) -> UUID:
    """Return the id of a run, which is also its correlation id."""
    return derived("run", account_id, as_of.astimezone(UTC).isoformat(), request_id)


def plan_id(run: UUID) -> UUID:
    """Return the id of the one plan of a run."""
    return derived("plan", run)


def intent_id(plan: UUID, symbol: str, leg: int, step: int) -> UUID:
    """Return the id of an order intent: leg = which order of the line, step = which try of the leg after a cancel."""
    return derived("intent", plan, symbol, leg, step)


def fill_id(broker_order_id: str, cum_qty: object) -> UUID:
    """Return the id of an execution: the broker's order and the quantity filled after it."""
    return derived("fill", broker_order_id, cum_qty)


_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


def id_part(text: str) -> str:
    """Return `text` as one part of a client order id: any run of characters but letters, digits and dots becomes '_'.

    The hyphen separates the parts of a client order id, so a hyphen or a slash inside a part becomes an underscore.
    """
    return _UNSAFE.sub("_", text)


def client_order_id(owner: str, symbol: str, as_of: datetime, intent: UUID) -> str:
    """Return `{owner}-{symbol}-{yyyymmddThhmmss}-{first 8 hex of the intent id}`, `owner` a strategy id or 'net'.

    Raises ValueError when it would be longer than the broker takes: an id is never cut silently.
    """
    stamp = as_of.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    text = f"{id_part(owner)}-{id_part(symbol)}-{stamp}-{intent.hex[:8]}"
    if len(text) > CLIENT_ORDER_ID_LENGTH_MAX:
        raise ValueError(f"client order id has {len(text)} characters, at most {CLIENT_ORDER_ID_LENGTH_MAX}: {text}")
    return text
