"""The tree of causes: who led to whom, in the order in which it was decided."""

from uuid import UUID

from infra.replay.trace import tree, walked
from schemas.identity import derived
from topics.wire import Incoming

A, B, C, D = (derived("event", name) for name in "ABCD")


def record(event: UUID, cause: UUID, at: int, ordinal: int = 0) -> Incoming:
    named = {
        "event_id": event,
        "causation_id": cause,
        "event_type": "Run",
        "agent": "scheduler",
        "seq": at,
        "ordinal": ordinal,
    }
    headers = tuple((name, str(value).encode()) for name, value in named.items())
    return Incoming("runs.v1", 0, at, at, b"key", b"not readable", headers)


def shape(records: list[Incoming]) -> list[tuple[int, int]]:
    return [(depth, node.record.offset) for depth, node in walked(tree(records))]


def test_what_caused_itself_is_a_root_and_effects_hang_below_their_cause() -> None:
    assert shape([record(C, B, 3), record(A, A, 1), record(B, A, 2)]) == [(0, 1), (1, 2), (2, 3)]


def test_a_record_whose_cause_is_not_among_them_is_a_root() -> None:
    assert shape([record(B, A, 2)]) == [(0, 2)]


def test_records_of_one_decision_stand_in_the_order_of_their_ordinals() -> None:
    later, first = record(C, A, 2, ordinal=1), record(B, A, 2, ordinal=0)
    nodes = tree([record(A, A, 1), later, first])

    assert [node.record for node in nodes[0].children] == [first, later]


def test_an_unreadable_record_is_shown_as_such() -> None:
    assert tree([record(A, A, 1)])[0].telling() == "unreadable"
