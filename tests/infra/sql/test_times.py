"""Times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.errors import TapeError
from infra.sql.times import duration, instant_ms

NOW = datetime(2013, 2, 1, 12, tzinfo=UTC)
HALF_PAST_NINE = 1_359_711_000_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2013-02-01T09:30", HALF_PAST_NINE),
        ("@2013-02-01T09:30", HALF_PAST_NINE),
        ("2013-02-01T10:30+01:00", HALF_PAST_NINE),
        ("2013-02-01", HALF_PAST_NINE - int(timedelta(hours=9, minutes=30).total_seconds()) * 1000),
        ("150m", HALF_PAST_NINE),
        ("@1359711000000", HALF_PAST_NINE),
    ],
)
def test_an_instant_is_an_iso_time_a_while_ago_or_milliseconds(text: str, found: int) -> None:
    assert instant_ms(text, lambda: NOW) == found


@pytest.mark.parametrize("text", ["", "noon", "10", "5 minutes", "1y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(TapeError, match="expected a duration"):
        duration(text)


def test_durations_have_units() -> None:
    assert duration("1w") == timedelta(weeks=1)
    assert duration("500ms") == timedelta(milliseconds=500)
