"""What of the log is replayed: everything, one run, a span of time, one strategy. It never narrows what is folded."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from infra.replay.seen import Seen
from topics.codec import UndecodableError

#: Fields that name whose a thing is.
_OWNERS = ("strategy_id", "owner")

#: Fields that carry the configuration of a whole run, with every strategy in it: naming one there is not about it.
_TERMS = frozenset({"terms", "strategies"})


@dataclass(frozen=True)
class Scope:
    """What is judged again; what is None does not narrow. Times are Kafka's, in milliseconds; `until_ms` is exclusive.

    A record is about a strategy when it names it as the owner of something; a configuration does not count.
    """

    correlation_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    strategy: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def wants(self, seen: Seen) -> bool:
        """Say whether a record belongs to what is replayed."""
        if self.correlation_id is not None and seen.text("correlation_id") != self.correlation_id:
            return False
        at = seen.record.timestamp_ms
        if self.since_ms is not None and at < self.since_ms:
            return False
        if self.until_ms is not None and at >= self.until_ms:
            return False
        return self.strategy is None or _is_about(seen, self.strategy)


def _is_about(seen: Seen, strategy: str) -> bool:
    if strategy.encode() not in (seen.record.value or b""):
        return False  # text lies in Avro as it is, so this spares decoding most records
    try:
        return _owns(seen.event.record, strategy)
    except UndecodableError:
        return False


def _owns(value: Any, strategy: str) -> bool:
    if isinstance(value, BaseModel):
        return any(getattr(value, name, None) == strategy for name in _OWNERS) or any(
            _owns(getattr(value, name), strategy) for name in type(value).model_fields if name not in _TERMS
        )
    return isinstance(value, tuple) and any(_owns(each, strategy) for each in value)
