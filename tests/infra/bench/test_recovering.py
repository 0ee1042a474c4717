"""The events that recovery is timed with are decisions like any other: chained, sealed, folded to the same memory."""

from collections.abc import Sequence

import pytest

from infra.bench import recovering
from infra.bench.recovering import AGENT, RUN_EVERY, Author, Took, table
from infra.runtime.recovery import decisions, own, recovered
from infra.worker import declared
from topics.wire import Incoming, Outgoing


class Kept(Author):
    """Keeps what it writes, on paper."""

    def __init__(self) -> None:
        super().__init__("nowhere:1")
        self.records: list[Incoming] = []

    def produce(self, records: Sequence[Outgoing], is_flushed: bool = True) -> None:
        for each in records:
            at = len(self.records)
            self.records.append(Incoming(each.topic, each.partition, at, 0, each.key, each.value, each.headers))


def test_what_is_written_folds_to_what_the_author_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    author = Kept()
    author.write_until(2 * RUN_EVERY + 5)
    monkeypatch.setattr(recovering, "high_watermarks", lambda _, outputs: dict.fromkeys(outputs, len(author.records)))
    stands = author.standing()
    found = recovered(declared(AGENT), decisions(own(author.records, AGENT)))

    assert (found.state, found.seq, found.prev, found.positions) == (
        stands.state,
        2 * RUN_EVERY + 5,
        stands.prev,
        stands.positions,
    )
    assert len(found.state.runs) == 3
    assert stands.covered["runs.v1", 0] == author.records[-1].offset


def test_a_log_too_short_for_a_snapshot_says_so() -> None:
    rows = table([Took(1_000, 0.25), Took(100_000, 25.1, 0.62, 400_000, 30_000)]).splitlines()

    assert [row.split()[0] for row in rows] == ["events", "1,000", "100,000"]
    assert "none yet" in rows[1]
    assert rows[2].split() == ["100,000", "25.10", "0.62", "400,000", "30,000"]
