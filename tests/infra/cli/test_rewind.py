"""`tape rewind`: one target, an agent there is, and a place that is an input of it."""

import pytest

from infra.cli.rewind import _parsed, rewind
from infra.errors import TapeError

INPUTS = (("runs.v1", 0), ("runs.v1", 1), ("signals.v1", 0))


@pytest.mark.parametrize(
    "targets",
    [{}, {"to": "10m", "offset": ["0:3"]}, {"correlation_id": "run", "to": "10m"}],
    ids=["none", "time and offset", "run and time"],
)
def test_exactly_one_target_is_asked_for(targets: dict[str, object]) -> None:
    given = {"correlation_id": None, "to": None, "offset": None, **targets}
    with pytest.raises(TapeError, match="expected one of --to, --offset and a correlation id"):
        rewind("gateway", **given)  # type: ignore[arg-type]


def test_an_offset_is_meant_for_every_input_topic_unless_one_is_named() -> None:
    assert _parsed("0:7", INPUTS) == [(("runs.v1", 0), 7), (("signals.v1", 0), 7)]
    assert _parsed("signals.v1:0:7", INPUTS) == [(("signals.v1", 0), 7)]


@pytest.mark.parametrize("text", ["7", "0:x", "x:0:1:2", ":", "0:-3"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(TapeError, match="expected PARTITION:OFFSET"):
        _parsed(text, INPUTS)


def test_a_partition_that_is_no_input_is_refused_with_those_there_are() -> None:
    with pytest.raises(TapeError, match="'7:3' names no input partition") as refusal:
        _parsed("7:3", INPUTS)
    assert refusal.value.where == "its inputs: runs.v1/0, runs.v1/1, signals.v1/0"
