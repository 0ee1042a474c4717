"""Bytes and records: what is written comes back, the same thing has the same bytes, and nothing doubtful is let in."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError

from schemas.contract import topic_schema
from schemas.dead_letter import DeadLetter, Unreadable
from schemas.identity import derived, place_id
from schemas.market import Bar
from schemas.record import Envelope, Record, Value
from schemas.run import DeadlinePassed
from tests.made import run_terms
from topics.codec import UndecodableError, cause_of_unreadable, current_id, decode, decode_value, encode, schema_id_of
from topics.registry import BY_RECORD, TOPICS, Topic
from topics.wire import Incoming, header, sealed

AnyValue = Callable[[type[Value]], SearchStrategy[Any]]
NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    event_id=derived("event"), correlation_id=derived("run"), causation_id=derived("cause"), occurred_at=NOON
)
DEADLINE = DeadlinePassed(account_id="PA3XYZ", run_id=derived("run"), deadline_at=NOON, terms=run_terms())
DEADLINES = BY_RECORD[DeadlinePassed]
quick = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole plan takes minutes
)
each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def arriving(topic: Topic, record: Record, value: bytes | None = None) -> Incoming:
    """Return a record as it is read from Kafka, `value` in place of its own bytes but honestly sealed."""
    body = encode(topic, ENVELOPE, record) if value is None else value
    sent = sealed(topic.name, 0, topic.key_of(record).encode(), body, (("event_type", b"any"),))
    return Incoming(topic.name, 0, 7, 1_338_566_400_000, sent.key, sent.value, sent.headers)


def refused(incoming: Incoming) -> tuple[Unreadable, str]:
    with pytest.raises(UndecodableError) as error:
        decode(incoming)
    return error.value.unreadable, error.value.error


@each_topic
@quick
@given(data=st.data())
def test_any_record_comes_back_from_its_bytes_as_it_was(topic: Topic, any_value: AnyValue, data: st.DataObject) -> None:
    record, envelope = data.draw(any_value(topic.record)), data.draw(any_value(Envelope))

    event = decode_value(topic, encode(topic, envelope, record))

    assert event.envelope == envelope
    assert event.record == record


@each_topic
@quick
@given(data=st.data())
def test_what_was_decoded_has_the_same_bytes_again(topic: Topic, any_value: AnyValue, data: st.DataObject) -> None:
    written = encode(topic, data.draw(any_value(Envelope)), data.draw(any_value(topic.record)))

    event = decode_value(topic, written)

    assert encode(topic, event.envelope, event.record) == written


@quick
@given(data=st.data())
def test_a_changed_byte_of_the_value_is_never_read(any_value: AnyValue, data: st.DataObject) -> None:
    topic = data.draw(st.sampled_from(TOPICS))
    whole = arriving(topic, data.draw(any_value(topic.record)))
    value = whole.value or b""
    index = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != value[index]))

    assert decode(whole).topic == topic.name
    with pytest.raises(UndecodableError):
        decode(replace(whole, value=value[:index] + bytes([other]) + value[index + 1 :]))


def test_every_single_changed_byte_of_a_record_is_refused() -> None:
    whole = arriving(DEADLINES, DEADLINE)
    value = whole.value or b""
    behind_the_frame = range(5, len(value))

    for index in behind_the_frame:
        changed = value[:index] + bytes([value[index] ^ 0x01]) + value[index + 1 :]
        assert refused(replace(whole, value=changed))[0] is Unreadable.BAD_HASH


@given(value=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(value: bytes) -> None:
    framed = encode(DEADLINES, ENVELOPE, DEADLINE)[:5] + value

    for bytes_read in (value, framed):
        try:
            decode(arriving(DEADLINES, DEADLINE, bytes_read))
        except UndecodableError as error:
            assert error.unreadable in Unreadable


def test_a_tombstone_has_no_value() -> None:
    assert refused(replace(arriving(DEADLINES, DEADLINE), value=None)) == (
        Unreadable.NO_VALUE,
        "expected a value, was a tombstone",
    )


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x05rest", b'{"json": true}'])
def test_a_value_without_the_frame_is_refused(value: bytes) -> None:
    unreadable, error = refused(arriving(DEADLINES, DEADLINE, value))

    assert unreadable is Unreadable.BAD_FRAME
    assert error == f"expected 00 and a schema id, was {value[:5].hex() or 'nothing'}"


def test_a_schema_id_that_nobody_registered_is_refused() -> None:
    unreadable, error = refused(arriving(DEADLINES, DEADLINE, b"\x00\x00\x0f\x42\x40" + b"rest"))

    assert unreadable is Unreadable.UNKNOWN_SCHEMA
    assert error.startswith("schema id 1000000 is not in the lock")


def test_a_record_of_another_topic_is_refused() -> None:
    bars = current_id("bars.v1")

    unreadable, error = refused(arriving(DEADLINES, DEADLINE, b"\x00" + bars.to_bytes(4, "big") + b"rest"))

    assert unreadable is Unreadable.WRONG_TOPIC
    assert error == f"schema id {bars} is of bars.v1, not of deadlines.v1"


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: replace(whole, key=b"another"),
        lambda whole: replace(whole, key=None),
        lambda whole: replace(whole, headers=(("event_type", b"other"), whole.headers[-1])),
        lambda whole: replace(whole, headers=(("another", b"any"), whole.headers[-1])),
        lambda whole: replace(whole, headers=(whole.headers[-1],)),
        lambda whole: replace(whole, headers=whole.headers[:-1]),
        lambda whole: replace(whole, headers=()),
        lambda whole: replace(whole, headers=(*whole.headers[:-1], ("sha256", b"\xff\xfe"))),
        lambda whole: replace(whole, headers=(*whole.headers[:-1], ("sha256", None))),
    ],
)
def test_a_record_whose_hash_does_not_agree_is_refused(change: Callable[[Incoming], Incoming]) -> None:
    whole = arriving(DEADLINES, DEADLINE)

    unreadable, error = refused(change(whole))

    assert unreadable is Unreadable.BAD_HASH
    assert error.startswith("header sha256 says ")


def test_a_body_that_ends_early_is_refused() -> None:
    value = encode(DEADLINES, ENVELOPE, DEADLINE)

    for length in range(5, len(value)):
        assert refused(arriving(DEADLINES, DEADLINE, value[:length]))[0] is Unreadable.BAD_BODY


def test_a_body_that_is_no_text_or_no_uuid_is_refused() -> None:
    frame = encode(DEADLINES, ENVELOPE, DEADLINE)[:5]

    assert refused(arriving(DEADLINES, DEADLINE, frame + b"\x04\xff\xfe"))[0] is Unreadable.BAD_BODY
    assert refused(arriving(DEADLINES, DEADLINE, frame + b"\x04no"))[0] is Unreadable.BAD_BODY


def test_bytes_behind_the_record_are_refused() -> None:
    value = encode(DEADLINES, ENVELOPE, DEADLINE)

    assert refused(arriving(DEADLINES, DEADLINE, value + b"\x00")) == (
        Unreadable.TRAILING_BYTES,
        f"expected {len(value)} bytes, was {len(value) + 1}",
    )


BAR = Bar(
    symbol="AAPL",
    session_date=NOON.date(),
    open=Decimal("81.3"),
    high=Decimal("81.9"),
    low=Decimal("79.9"),
    close=Decimal("80.1"),
    adjusted_close=Decimal("17.2"),
    volume=1,
    source="file",
)

LETTER = DeadLetter(
    origin_topic="runs.v1",
    origin_partition=0,
    origin_offset=7,
    agent="planner",
    unreadable=Unreadable.NO_VALUE,
    error="",
    raw_key=None,
    raw_value=None,
    raw_headers=b"",
)


def body_of(topic: Topic, changed: dict[str, Any], schema: dict[str, Any] | None = None) -> bytes:
    """Return framed bytes that are good Avro but say something our models refuse."""
    body = io.BytesIO()
    parsed = fastavro.parse_schema(topic_schema(topic.record.__name__) if schema is None else schema)
    fastavro.schemaless_writer(body, parsed, {**ENVELOPE.model_dump(), **changed})
    return b"\x00" + current_id(topic.name).to_bytes(4, "big") + body.getvalue()


@pytest.mark.parametrize(
    ("topic", "record", "changed", "field"),
    [
        (DEADLINES, DEADLINE, {"account_id": ""}, "account_id"),
        (BY_RECORD[Bar], BAR, {"volume": -1}, "volume"),
        (BY_RECORD[Bar], BAR, {"symbol": ""}, "symbol"),
    ],
)
def test_a_value_outside_its_range_is_refused(
    topic: Topic, record: Record, changed: dict[str, Any], field: str
) -> None:
    unreadable, error = refused(arriving(topic, record, body_of(topic, {**record.model_dump(), **changed})))

    assert unreadable is Unreadable.INVALID_VALUE
    assert field in error


def test_an_enum_symbol_of_the_future_is_refused_and_not_guessed() -> None:
    topic = BY_RECORD[DeadLetter]
    of_the_future = {**LETTER.model_dump(), "unreadable": "UNRECOGNIZED"}

    unreadable, error = refused(arriving(topic, LETTER, body_of(topic, of_the_future)))

    assert unreadable is Unreadable.INVALID_VALUE
    assert "UNRECOGNIZED" in error


def test_a_decimal_of_more_digits_than_the_schema_holds_is_refused_and_not_rounded() -> None:
    schema = topic_schema("Bar")
    raw = {
        **schema,
        "fields": [{**field, "type": "bytes"} if field["name"] == "open" else field for field in schema["fields"]],
    }
    too_long = (10**38).to_bytes(17, "big")
    longest = (10**38 - 1).to_bytes(17, "big")

    bars = BY_RECORD[Bar]
    unreadable, error = refused(arriving(bars, BAR, body_of(bars, {**BAR.model_dump(), "open": too_long}, raw)))
    assert unreadable is Unreadable.BAD_BODY
    assert "at most 38 digits" in error

    event = decode(arriving(bars, BAR, body_of(bars, {**BAR.model_dump(), "open": longest}, raw)))
    assert isinstance(event.record, Bar)
    assert event.record.open == Decimal("9" * 32 + "." + "9" * 6)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        DeadlinePassed(
            account_id="PA3XYZ",
            run_id=derived("run"),
            deadline_at=datetime(2012, 6, 1, 12),  # noqa: DTZ001
            terms=run_terms(),
        )


def test_an_instant_is_kept_in_utc_whatever_zone_it_came_in() -> None:
    new_york = NOON.astimezone(timezone(timedelta(hours=-4)))

    other = DeadlinePassed(account_id="PA3XYZ", run_id=derived("run"), deadline_at=new_york, terms=run_terms())

    assert encode(DEADLINES, ENVELOPE, other) == encode(DEADLINES, ENVELOPE, DEADLINE)


def test_the_frame_names_the_newest_schema_of_the_topic() -> None:
    assert schema_id_of(encode(DEADLINES, ENVELOPE, DEADLINE)) == current_id("deadlines.v1")


def test_what_cannot_be_read_is_identified_by_its_place_and_dated_by_kafka() -> None:
    cause = cause_of_unreadable(arriving(DEADLINES, DEADLINE))

    assert cause.event_id == cause.correlation_id == cause.causation_id == place_id("deadlines.v1", 0, 7)
    assert cause.occurred_at == NOON
    assert isinstance(cause.event_id, UUID)


def test_what_cannot_be_read_and_has_no_time_is_dated_1970() -> None:
    cause = cause_of_unreadable(replace(arriving(DEADLINES, DEADLINE), timestamp_ms=-1))

    assert cause.occurred_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_hash_is_in_the_headers() -> None:
    assert len(header(arriving(DEADLINES, DEADLINE).headers, "sha256")) == 64
