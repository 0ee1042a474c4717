"""The bytes that a replay compares with are those the codec writes, of any record."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import fastavro
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.replay.encoding import _KEPT, _decimal, _long, encoded
from schemas.identity import derived
from schemas.record import Envelope
from schemas.run import DeadlinePassed
from tests.made import run_terms
from tests.topics.conftest import model_values
from topics.codec import encode
from topics.registry import BY_RECORD, TOPICS, Topic

ENVELOPE = Envelope(
    event_id=derived("event"),
    correlation_id=derived("run"),
    causation_id=derived("cause"),
    occurred_at=datetime(2012, 6, 1, 16, 0, tzinfo=UTC),
)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole plan takes minutes
)
@given(data=st.data())
def test_any_record_has_the_bytes_that_the_codec_writes(topic: Topic, data: st.DataObject) -> None:
    record, envelope = data.draw(model_values(topic.record)), data.draw(model_values(Envelope))
    assert encoded(topic.name, envelope, record) == encode(topic, envelope, record)


def test_a_part_that_is_met_again_has_its_own_bytes_and_no_other_part_has_them() -> None:
    """Bytes are kept by identity: an equal part, another part, and one that took over a forgotten one's memory."""
    kept = dict(_KEPT)
    _KEPT.clear()
    try:
        for number in range(3):
            for terms in (run_terms(f"run {number}"), run_terms(f"run {number}")):
                record = DeadlinePassed(
                    account_id="PA3XYZ", run_id=derived("run"), deadline_at=ENVELOPE.occurred_at, terms=terms
                )
                for _ in range(2):
                    assert encoded(record.topic, ENVELOPE, record) == encode(
                        BY_RECORD[DeadlinePassed], ENVELOPE, record
                    )
                assert id(terms) in _KEPT
    finally:
        _KEPT.update(kept)


@pytest.mark.parametrize("number", ["0", "-0", "1.28", "-1.28", "-0.01", "327.67", "-327.68", "9999999999999.99"])
def test_a_decimal_takes_the_bytes_that_fastavro_gives_it(number: str) -> None:
    schema = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, schema, Decimal(number))
    assert _decimal(2)(Decimal(number)) == theirs.getvalue()


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_takes_the_bytes_that_fastavro_gives_it(number: int) -> None:
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, "long", number)
    assert _long(number) == theirs.getvalue()


def test_a_decimal_that_would_lose_digits_is_not_written() -> None:
    with pytest.raises(ValueError, match="expected at most 2 decimals"):
        _decimal(2)(Decimal("1.005"))


@pytest.mark.parametrize("other", [1, 1.0, True])
def test_what_only_equals_a_decimal_does_not_take_its_bytes(other: object) -> None:
    write = _decimal(2)
    write(Decimal(1))
    with pytest.raises(AttributeError):
        write(other)
