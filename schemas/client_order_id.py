"""The client order id: what an order is called at the broker, readable by a person and exact in both directions.

`{strategy id or net}-{symbol}-{timestamp}-{8 hex}[-v{signal version}]`, the timestamp `yyyymmddThhmmss` in UTC, the
digits the first 8 of the intent id. The hyphen separates, so owner and symbol are escaped inside it.

Alpaca documents a length and no character set; letters, digits, dot, underscore and hyphen are what every venue takes.
So the escape is the underscore, and nothing else is ever sent: '_' is '__', any other character `_` and two upper-case
hex digits per byte of its UTF-8. BRK.B stays BRK.B, BTC/USD is BTC_2FUSD, mean-rev is mean_2Drev.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

CLIENT_ORDER_ID_LENGTH_MAX = 128  # Alpaca's limit (OpenAPI trading spec 2.0.1)

OWNER_LENGTH_MAX, SYMBOL_LENGTH_MAX = 64, 32
"""Longest escaped parts that always fit: time, digits and version take what is left."""

OLDER_OWNER = "alch"
"""What stands in the owner's place of ids of the older form, which do not say the strategy."""

_INTENT_DIGITS = 8
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9.]")
_TOKEN = re.compile(r"__|_([0-9A-F]{2})|[A-Za-z0-9.]")
_TAIL = r"(?P<stamp>[0-9]{8}T[0-9]{6})-(?P<hex>[0-9a-f]{8})(?:-v(?P<version>0|[1-9][0-9]*))?"
_OURS = re.compile(rf"(?P<owner>[A-Za-z0-9._]+)-(?P<symbol>[A-Za-z0-9._]+)-{_TAIL}")
_OLDER = re.compile(rf"{OLDER_OWNER}-(?P<symbol>\S+)-{_TAIL}")


@dataclass(frozen=True)
class ClientOrderId:
    """What a client order id says; `owner` None = the id does not say, `version` None = it has none."""

    owner: str | None
    symbol: str
    at: datetime
    intent_hex: str
    version: int | None


def client_order_id(owner: str, symbol: str, as_of: datetime, intent: UUID, version: int | None = None) -> str:
    """Return the id of an order: `owner` a strategy id or `net`, `version` that of the signal if it has one.

    The same arguments give the same id; fractions of a second of `as_of` are not in it. Raises ValueError for an empty
    part, an instant without a time zone, a version below 0, and an id longer than the broker takes: none is ever cut.
    """
    if not owner or not symbol:
        raise ValueError(f"a client order id needs an owner and a symbol: owner {owner!r}, symbol {symbol!r}")
    if as_of.tzinfo is None:
        raise ValueError(f"a client order id needs an instant with a time zone: as_of {as_of.isoformat()}")
    if version is not None and version < 0:
        raise ValueError(f"a signal version is 0 or more: version {version}")
    text = f"{_owner_part(owner)}-{escaped(symbol)}-{_stamp(as_of)}-{intent.hex[:_INTENT_DIGITS]}"
    text += "" if version is None else f"-v{version}"
    if len(text) > CLIENT_ORDER_ID_LENGTH_MAX:
        raise ValueError(f"client order id has {len(text)} characters, at most {CLIENT_ORDER_ID_LENGTH_MAX}: {text}")
    return text


def parsed(text: str) -> ClientOrderId | None:
    """Return what a client order id says, None for text that `client_order_id` does not write; raises nothing.

    Other ids at the broker are normal (orders by hand, other programs): None says no more than "not ours". An id of the
    older form, `alch-{symbol}-{timestamp}-{8 hex}`, has owner None and its symbol as it was written, not unescaped.
    """
    if len(text) > CLIENT_ORDER_ID_LENGTH_MAX:
        return None
    older = text.startswith(f"{OLDER_OWNER}-")
    match = (_OLDER if older else _OURS).fullmatch(text)
    if match is None:
        return None
    owner = None if older else _unescaped(match["owner"])
    symbol = match["symbol"] if older else _unescaped(match["symbol"])
    at = _instant(match["stamp"])
    if symbol is None or at is None or (owner is None and not older):
        return None
    found = ClientOrderId(owner, symbol, at, match["hex"], None if match["version"] is None else int(match["version"]))
    return found if older or _is_written_so(found, match["owner"], match["symbol"]) else None


def escaped(text: str) -> str:
    """Return `text` as one part of a client order id; only letters, digits, dots and underscores are in it."""
    return _TO_ESCAPE.sub(lambda match: "__" if match[0] == "_" else _hex(match[0]), text)


def _hex(text: str) -> str:
    return "".join(f"_{byte:02X}" for byte in text.encode())


def _owner_part(owner: str) -> str:
    """A strategy that is called like the mark of the older form has its first letter escaped: the two never meet."""
    return _hex(owner[0]) + owner[1:] if owner == OLDER_OWNER else escaped(owner)


def _unescaped(part: str) -> str | None:
    written = bytearray()
    position = 0
    while position < len(part):
        token = _TOKEN.match(part, position)
        if token is None:
            return None
        written += bytes.fromhex(token[1]) if token[1] else token[0][:1].encode()
        position = token.end()
    try:
        return written.decode()
    except UnicodeDecodeError:
        return None


def _is_written_so(found: ClientOrderId, owner_part: str, symbol_part: str) -> bool:
    """Two ids never say the same: an escape that was not needed ('_41' for 'A') is not ours."""
    return found.owner is not None and (owner_part, symbol_part) == (_owner_part(found.owner), escaped(found.symbol))


def _stamp(as_of: datetime) -> str:
    at = as_of.astimezone(UTC)
    return f"{at.year:04}{at:%m%dT%H%M%S}"  # %Y does not pad years before 1000 on every platform


def _instant(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
