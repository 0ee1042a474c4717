"""What every record has."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.identity import derived
from schemas.record import Instant
from schemas.run import ClockReading

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
READING = ClockReading(account_id="PA3XYZ", run_id=derived("run"), due_at=NOON, read_at=NOON)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        READING.account_id = "another"  # type: ignore[misc]


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        ClockReading.model_validate({**READING.model_dump(), "surprise": 1})


def test_an_instant_needs_its_time_zone() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        TypeAdapter(Instant).validate_python(datetime(2012, 6, 1, 16, 0))  # noqa: DTZ001


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_that_utc_cannot_say_is_refused(at: str) -> None:
    with pytest.raises(ValidationError, match="between the years 1 and 9999"):
        TypeAdapter(Instant).validate_python(at)
