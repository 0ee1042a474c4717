"""A record as a line of `tape tail`: what a person sees, and what never reaches a terminal."""

import json
import re
from datetime import UTC, datetime

import pytest

from infra.kafka.publish import from_outside
from infra.sql.catalog import named
from infra.sql.lines import Line, for_people, formatted, in_json, whole
from infra.sql.rows import Rows
from schemas.identity import derived
from schemas.order import Fill
from schemas.signal import Signal
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import NOON, PARTITIONS, RUNS
from topics.wire import Incoming

AT = datetime(2012, 6, 1, 16, 0, 1, 250_000, tzinfo=UTC)
STEERING = "red \x1b[31m bell \x07 csi \x9b2J bidi \u202e end"
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
FILLS = Rows(named("fills"), is_for_people=True)
SIGNALS = Rows(named("signals"), is_for_people=True)


def written(record: Fill | Signal, key: bytes | None = None) -> Incoming:
    said = from_outside(record, derived("line", 1), NOON, RUNS[0], PARTITIONS, "test")
    at_ms = int(AT.timestamp() * 1000)
    return Incoming(said.topic, 0, 7, at_ms, said.key if key is None else key, said.value, said.headers)


def today() -> datetime:
    return AT.replace(hour=23)


FILL = written(example(Fill, text="AAPL"))


def test_on_a_terminal_a_record_is_one_line_with_what_says_most() -> None:
    line = for_people(FILLS, 300, today)(FILL)
    assert FILL.key is not None
    assert line.startswith(f"16:00:01.250Z  0/7  {FILL.key.decode()}  symbol=AAPL side=")
    assert " last_px=" in line
    assert "correlation_id" not in line
    assert line.count("\n") == 1


def test_of_another_day_the_day_is_said() -> None:
    tomorrow = for_people(FILLS, 300, lambda: datetime(2012, 6, 2, tzinfo=UTC))
    assert tomorrow(FILL).startswith("2012-06-01 16:00:01.250Z  0/7  ")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_line_is_cut_where_the_terminal_ends_but_never_within_the_key(width: int) -> None:
    line = for_people(FILLS, width, today)(FILL).rstrip("\n")
    assert FILL.key is not None
    assert FILL.key.decode() in line
    assert line.endswith("…")
    assert len(line) <= max(width, len("16:00:01.250Z  0/7  ") + len(FILL.key) + 3)


def test_whole_it_has_every_field_and_no_zeros_that_only_a_scale_adds() -> None:
    head, _, fields = whole(FILLS)(FILL).partition("\n")
    found = json.loads(fields)
    assert head.startswith("2012-06-01 16:00:01.250Z  fills.v1/0/7  ")
    assert set(found) == set(FILLS.table.columns)
    assert not str(found["last_qty"]).endswith(".000000000")


def test_what_cannot_be_read_says_why_in_both() -> None:
    poison = Incoming(FILL.topic, 0, 8, FILL.timestamp_ms, b"k", b"no frame", ())
    gone = Incoming(FILL.topic, 0, 9, FILL.timestamp_ms, b"k", None, ())
    for line in (for_people(FILLS, 300, today), whole(FILLS)):
        assert "UNREADABLE BAD_FRAME" in line(poison)
        assert "tombstone" in line(gone)


LINES = {
    "a line": for_people(SIGNALS, 500, today),
    "all fields": whole(SIGNALS),
    "JSON": in_json(SIGNALS),
    "a format": formatted(SIGNALS, "%k %s %h %{detail}\n", is_for_people=True),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_no_control_character_of_a_record_reaches_a_terminal(line: Line) -> None:
    steering = written(example(Signal).model_copy(update={"detail": STEERING}), key=STEERING.encode())
    assert CONTROLS.search(line(steering)) is None


def test_in_a_pipe_a_format_gives_the_bytes_that_are_there() -> None:
    assert formatted(FILLS, "%k\n")(written(example(Fill), key=b"\x1b[31m")) == "\x1b[31m\n"
    assert formatted(FILLS, "%k\n", is_for_people=True)(written(example(Fill), key=b"\x1b[31m")) == "\\x1b[31m\n"
    assert formatted(FILLS, r"%k\t\x07", is_for_people=True)(written(example(Fill), key=b"k")) == "k\t\x07"


def test_json_says_the_same_with_and_without_controls() -> None:
    steering = written(example(Signal).model_copy(update={"detail": STEERING}))
    assert json.loads(in_json(SIGNALS)(steering))["payload"]["detail"] == STEERING
