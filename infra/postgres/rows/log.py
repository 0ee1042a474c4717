"""The row that every record has whatever it says, and the row of one that cannot be read or kept."""

from datetime import UTC, datetime, timedelta

from infra.postgres.table import Facts, Row, Rows, Said, table
from schemas.dead_letter import DeadLetter, Unreadable
from schemas.record import Record
from topics.codec import UndecodableError, cause_of_unreadable, decode
from topics.wire import Incoming, header_block, header_or_none

PROJECTOR = "projector"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999, where datetime ends
_NUMBER_DIGITS_MAX = 18  # what surely fits a bigint

LOG_INDEX = table(
    "log_index",
    "topic partition offset event_id correlation_id causation_id event_type agent seq ordinal occurred_at recorded_at"
    " account_id",
)

DEAD_LETTERS = Facts(
    "dead_letters",
    "origin_topic origin_partition origin_offset agent unreadable error raw_key raw_value raw_headers",
)


def index_row(said: Said[Record]) -> Row:
    """Return the record's row in `log_index`: where it lies, who it is, what it follows from."""
    where, envelope, headers = said.incoming, said.envelope, said.incoming.headers
    return LOG_INDEX.row(
        where.topic,
        where.partition,
        where.offset,
        envelope.event_id,
        envelope.correlation_id,
        envelope.causation_id,
        type(said.record).__name__,
        header_or_none(headers, "agent"),
        _number(header_or_none(headers, "seq")),
        _number(header_or_none(headers, "ordinal")),
        envelope.occurred_at,
        _recorded_at(where.timestamp_ms),
        getattr(said.record, "account_id", None),
    )


def dead_letter(said: Said[DeadLetter]) -> Rows:
    """A record that an agent could not read."""
    return [DEAD_LETTERS.row(said)]


def unreadable_row(incoming: Incoming) -> Row:
    """Return the dead letter of a record that the projector cannot read; says why by reading it again."""
    try:
        decode(incoming)
    except UndecodableError as error:
        return kept_apart(incoming, error.unreadable, error.error)
    raise RuntimeError(f"{incoming.place}: expected bytes that cannot be read, but they can")


def kept_apart(incoming: Incoming, unreadable: Unreadable, error: str) -> Row:
    """Return the projector's own dead letter of a record, which keeps its bytes unchanged."""
    letter = DeadLetter(
        origin_topic=incoming.topic,
        origin_partition=incoming.partition,
        origin_offset=incoming.offset,
        agent=PROJECTOR,
        unreadable=unreadable,
        error=error,
        raw_key=incoming.key,
        raw_value=incoming.value,
        raw_headers=header_block(incoming.headers),
    )
    return DEAD_LETTERS.row(Said(incoming, cause_of_unreadable(incoming), letter))


def _number(text: str | None) -> int | None:
    """Return a header's number, or None when it is absent or is none: headers are text that anybody may write."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX):
        return None
    return int(text)


def _recorded_at(timestamp_ms: int) -> datetime | None:
    if not 0 <= timestamp_ms <= _TIMESTAMP_MS_MAX:
        return None
    return _EPOCH + timedelta(milliseconds=timestamp_ms)
