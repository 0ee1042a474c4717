"""What of a record says most to a person who watches a topic: plain values, the best known fields first.

Ids are left out, and so is what is nested, except an order's symbol, side and quantity: all of it is one option away.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

#: Fields that say at a glance what a record is about, in the order they are shown; the others follow in the schema's.
_FIRST = (
    *("strategy_id", "owner", "symbol", "side", "status", "action", "exec_type", "ord_status", "kind", "http_status"),
    *("outcome", "rule", "last_qty", "last_px", "order_qty", "refusal", "failure", "reason", "detail"),
)
_LAST = ("account_id",)
_OF_AN_ORDER = ("symbol", "side", "order_qty")
_ENVELOPE = ("event_id", "correlation_id", "causation_id", "occurred_at")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")
_DECIMAL = re.compile(r"-?\d+\.\d+")


def telling(fields: dict[str, Any], key: str) -> str:
    """Return the plain values of a record's fields as `name=value`, without what its key says already."""
    order = fields.get("order")
    lifted = {name: order.get(name) for name in _OF_AN_ORDER} if isinstance(order, dict) else {}
    told = {name: text for name, text in _plain({**lifted, **fields}) if text != key}
    others = (name for name in told if name not in (*_FIRST, *_LAST))
    names = (*(name for name in _FIRST if name in told), *others, *(name for name in _LAST if name in told))
    return " ".join(f"{name}={told[name]}" for name in names)


def said(value: object) -> str:
    """Return a value as it stands in the payload, a number without the zeros that its scale adds."""
    found = without_zeros(value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def without_zeros(value: Any) -> Any:
    """Return a value of a payload, at any depth, its numbers without the zeros that their scale adds."""
    match value:
        case dict():
            return {name: without_zeros(each) for name, each in value.items()}
        case list():
            return [without_zeros(each) for each in value]
        case str() if _DECIMAL.fullmatch(value):
            return value.rstrip("0").rstrip(".")
        case _:
            return value


def _plain(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if name in _ENVELOPE or value in (None, "") or isinstance(value, dict | list):
            continue
        text = said(value)
        if not _ID.fullmatch(text):
            yield name, text
