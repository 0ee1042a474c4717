"""`tape bench --find`: how long finding one run takes as the log grows, by the index and by reading the log.

The log holds cheap valid records, and PostgreSQL what the projector would have written of them into `log_index` and
`tracking`. Beside the seconds stands how many records were read, which says more on a machine with other work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.bench.generated import PER_RUN, Template, event_of, produce, records, run_of
from infra.clock import seconds, system_clock
from infra.embedded.progress import Progress
from infra.embedded.stack import Stack
from infra.kafka.admin import apply
from infra.kafka.log import partitions_of
from infra.postgres.connection import connect
from infra.postgres.migrate import migrate
from infra.postgres.rows.log import LOG_INDEX, PROJECTOR
from infra.postgres.tracking import begin, move
from infra.replay.find import Found, find
from infra.replay.history import decision_path
from infra.replay.trace import tree
from topics.registry import BY_NAME

TOPICS = ("order-intents.v1", "order-events.v1", "broker-reports.v1", "fills.v1", "line-outcomes.v1")
FIRST = 10_000
ROUNDS = 3
#: A log longer than this is found in by the index only: reading it takes minutes.
SCANNED_MAX = 1_000_000


@dataclass(frozen=True)
class Row:
    """What finding one run took in a log of so many records; no scan of a log that is too long for one."""

    records: int
    with_index_s: float
    with_index_read: int
    by_event_id_s: float
    trace_s: float
    by_scan_s: float | None = None
    by_scan_read: int | None = None


class Finding:
    """One measurement in logs of 10 000, 100 000, ... records, up to `count`."""

    def __init__(self, home: Path, count: int, say: Callable[[Progress], None]) -> None:
        self._stack = Stack(home)
        self._sizes = _sizes(count)
        self._say = say
        self._templates = tuple(Template.of(BY_NAME[topic]) for topic in TOPICS)

    def run(self) -> dict[str, Any]:
        """Return a row for each size of the log."""
        self._stack.destroy()
        self._stack.up({"kafka", "postgres"}, self._say)
        try:
            apply(self._stack.bootstrap_servers, 1)
            migrate(self._stack.database_url)
            written, rows = 0, []
            for size in self._sizes:
                self._write(written, size)
                written = size
                rows.append(self._found(size))
            return {"growth": [vars(row) for row in rows]}
        finally:
            self._stack.destroy()

    def _write(self, start: int, end: int) -> None:
        self._say(Progress(f"writing records {start} to {end}"))
        produce(self._stack.bootstrap_servers, records(self._templates, start, end))
        with connect(self._stack.database_url) as connection:
            columns = ", ".join(f'"{name}"' for name in LOG_INDEX.columns)
            with connection.cursor().copy(f"COPY log_index ({columns}) FROM STDIN".encode()) as copy:
                for row in self._index_rows(start, end):
                    copy.write_row(row)
            ends = dict.fromkeys(partitions_of(self._stack.bootstrap_servers, decision_path()), 0)
            ends |= {(topic, 0): len(range(place, end, len(TOPICS))) for place, topic in enumerate(TOPICS)}
            begin(connection, PROJECTOR, ends)
            move(connection, PROJECTOR, ends)

    def _index_rows(self, start: int, end: int) -> Iterator[tuple[object, ...]]:
        """Yield the row of each record in `log_index`; topics take turns, so a record's number says its offset."""
        now = system_clock()
        for number in range(start, end):
            template, event = self._templates[number % len(TOPICS)], event_of(number)
            place = (template.topic.name, 0, number // len(TOPICS))
            ids = (event, run_of(number // PER_RUN), event)
            yield (*place, *ids, template.event_type, "bench", None, None, now, now, template.account_id)

    def _found(self, size: int) -> Row:
        self._say(Progress(f"finding a run among {size} records"))
        run, url = size // PER_RUN // 2, self._stack.database_url
        indexed_s, indexed = self._fastest(str(run_of(run)), url)
        event_s, _ = self._fastest(str(event_of(run * PER_RUN)), url)
        started = seconds()
        tree(indexed.records)
        trace_s = indexed_s + seconds() - started
        found = (round(indexed_s, 3), indexed.read, round(event_s, 3), round(trace_s, 3))
        if size > SCANNED_MAX:
            return Row(size, *found)
        scan_s, scanned = self._once(str(run_of(run)), "")
        return Row(size, *found, round(scan_s, 3), scanned.read)

    def _fastest(self, name: str, database_url: str) -> tuple[float, Found]:
        return min((self._once(name, database_url) for _ in range(ROUNDS)), key=lambda each: each[0])

    def _once(self, name: str, database_url: str) -> tuple[float, Found]:
        started = seconds()
        found = find(self._stack.bootstrap_servers, database_url, name)
        taken = seconds() - started
        if found is None or len(found.records) != PER_RUN:
            raise RuntimeError(f"expected {PER_RUN} records of {name}, was {found and len(found.records)}")
        return taken, found


def _sizes(count: int) -> tuple[int, ...]:
    sizes = []
    size = FIRST
    while size < count:
        sizes.append(size)
        size *= 10
    return (*sizes, count)


def as_table(found: dict[str, Any]) -> str:
    """Return the rows for a person."""
    head = f"{'records':>12} {'index':>9} {'read':>6} {'by event':>9} {'trace':>9} {'scan':>9} {'read':>12}"
    lines = [head]
    for row in found["growth"]:
        scan = "-" if row["by_scan_s"] is None else f"{row['by_scan_s']:.3f} s"
        read = "-" if row["by_scan_read"] is None else str(row["by_scan_read"])
        lines.append(
            f"{row['records']:>12} {row['with_index_s']:>7.3f} s {row['with_index_read']:>6}"
            f" {row['by_event_id_s']:>7.3f} s {row['trace_s']:>7.3f} s {scan:>9} {read:>12}"
        )
    return "\n".join(lines)
