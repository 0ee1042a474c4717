"""One question from its text to its answer: bounds, offsets, records, rows, result.

Everything is read anew for each question, up to where the log ended when it was asked; an answer is as of that moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.errors import TapeError
from infra.sql.analysis import Question, Reading, analysed
from infra.sql.bounds import ANYWHERE
from infra.sql.catalog import PSEUDO_COLUMNS, Table, asks_for_tables
from infra.sql.engine import MEMORY_BYTES, TIMEOUT_S, Engine, Shape, Sink
from infra.sql.index import CorrelationIndex
from infra.sql.ledger import Ledger
from infra.sql.loading import Decoder, Loading, why_fastavro
from infra.sql.positions import Extent, Positions
from infra.sql.progress import Reporting, Silent
from infra.sql.reader import RegionReader
from infra.sql.regions import Region
from infra.sql.rows import Rows, Tally
from infra.sql.runs import Runs, macro
from infra.sql.statements import definition, emptying, table_listing
from topics.wire import Incoming

RECORDS_MAX = 1_000_000

#: What a batch holds at most: enough records that what a batch costs is shared by many, and no more than some memory.
_BATCH = 10_000
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Wishes:
    """How questions are to be answered.

    `records_max` bounds the offsets read for one question, None does not; without `has_pushdown` every topic is read
    in whole; `has_meta` shows all pseudo-columns in `select *`; `database` is a file in which the tables stay.
    """

    bootstrap_servers: str
    database_url: str = ""
    records_max: int | None = RECORDS_MAX
    has_pushdown: bool = True
    has_meta: bool = False
    has_ledger: bool = False
    database: Path | None = None
    memory_bytes: int = MEMORY_BYTES
    timeout_s: float = TIMEOUT_S
    decoder: Decoder = Decoder.AUTO


@dataclass(frozen=True)
class Part:
    """What is read of one topic."""

    reading: Reading
    extent: Extent
    region: Region

    def __str__(self) -> str:
        ends, ranges = self.extent.ends, self.region.ranges
        places = ", ".join(_places(number, each) for number, each in ranges.items()) or "nothing"
        share = f"{self.region.count:,} of {self.extent.whole.count:,}".replace(",", " ")
        return f"{self.reading.table.name}: {len(ranges)} of {len(ends)} partitions, {share} offsets: {places}"


@dataclass(frozen=True)
class Plan:
    """What a question reads."""

    question: Question
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many offsets are read; records may be fewer."""
        return sum(part.region.count for part in self.parts)


@dataclass
class Session:
    """Answers questions one after another; closed after use."""

    wishes: Wishes
    reporting: Reporting = field(default_factory=Silent)

    def __post_init__(self) -> None:
        wishes = self.wishes
        self._engine = self._started()
        index = CorrelationIndex(wishes.database_url)
        self._positions = Positions(wishes.bootstrap_servers, index)
        self._runs = Runs(self._positions, index)
        self._ledger = Ledger(wishes.database_url, wishes.records_max)
        self._reader: RegionReader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.__exit__(kind, error, trace)
        self._positions.close()
        if self._reader is not None:
            self._reader.close()

    @property
    def is_running(self) -> bool:
        """Say whether the process that evaluates is alive."""
        return self._engine.process.poll() is None

    def restart(self) -> None:
        """Begin with a new process: the old one was interrupted, or has ended at a limit."""
        self._engine.close(is_hurried=True)
        self._engine = self._started()

    def question(self, sql: str) -> Question:
        """Return what a question asks for, DuckDB knowing the runs it names; raises TapeError as `plan` does."""
        question = analysed(sql, self._engine.evaluate, self._runs.begun)
        if question.runs:
            self._engine.define([macro(question.runs)])
        return question

    def plan(self, sql: str) -> Plan:
        """Return what a question would read; raises TapeError on a table or a run that does not exist."""
        question = self.question(sql)
        self._positions.notes.clear()
        parts = tuple(self._part(reading) for reading in question.readings)
        return Plan(question, parts, tuple(self._positions.notes))

    def run(self, sql: str, shape: Shape, sink: Sink) -> int:
        """Answer a question into `sink` and return the number of rows; raises TapeError when it cannot be answered."""
        if asks_for_tables(sql):
            sql = table_listing()
        plan = self.plan(sql)
        self.read(plan)
        return self._engine.query(sql, shape, sink)

    def read(self, plan: Plan) -> None:
        """Read what a plan says and make its tables; raises TapeError when that is more than is allowed."""
        self._check(plan)
        for note in plan.notes:
            self.reporting.note(note)
        if plan.question.ledger and self.wishes.has_ledger:
            self._ledger.copy(plan.question.ledger, self._engine)
        for part in plan.parts:
            self.reporting.note_of(self._load(part, plan.question), part.reading.table)

    def refill(self, rows: Rows, records: Sequence[Incoming]) -> None:
        """Let a table that exists hold these records and no others."""
        self._engine.define([emptying(rows.table)])
        self.load(rows, records)

    def load(self, rows: Rows, records: Sequence[Incoming]) -> None:
        """Add records to a table that exists."""
        Loading(self._engine, rows, self.wishes.decoder).load(records)

    def define(self, rows: Rows) -> None:
        """Make a table anew, empty."""
        self._engine.define(definition(rows.table, rows.wanted))

    def why_fastavro(self, table: Table) -> str:
        """Return why a table's records are decoded one by one; empty when they are decoded in batches."""
        return why_fastavro(table, self.wishes.decoder)

    def query(self, sql: str, shape: Shape, sink: Sink, *, is_single: bool = False) -> int:
        """Ask the tables as they are."""
        return self._engine.query(sql, shape, sink, is_single=is_single)

    def wanted(self, question: Question) -> frozenset[str]:
        """Return the pseudo-columns that a question's tables show."""
        return frozenset(PSEUDO_COLUMNS) if self.wishes.has_meta else question.pseudo_columns

    def _started(self) -> Engine:
        wishes = self.wishes
        return Engine.started(memory_bytes=wishes.memory_bytes, timeout_s=wishes.timeout_s, database=wishes.database)

    def _part(self, reading: Reading) -> Part:
        extent = self._positions.extent(reading.table.topic)
        bound = reading.bound if self.wishes.has_pushdown else ANYWHERE
        return Part(reading, extent, self._positions.region(extent, bound))

    def _load(self, part: Part, question: Question) -> Tally:
        table = part.reading.table
        rows = Rows(table, self.wanted(question))
        self.define(rows)
        if self._reader is None:
            self._reader = RegionReader(self.wishes.bootstrap_servers)
        for batch in _batches(self._reader.read(table.topic, part.region)):
            self.load(rows, batch)
            self.reporting.progress(table.name, rows.tally.records, part.region.count)
        return rows.tally

    def _check(self, plan: Plan) -> None:
        most = self.wishes.records_max
        if most is not None and plan.count > most:
            what = "; ".join(map(str, plan.parts))
            raise TapeError(
                f"{plan.count} records to be read, more than the {most} that are read without being told: {what}",
                next_command="narrow it by _timestamp, _offset or correlation_id, or read them with --all",
            )


def _batches(records: Iterator[Incoming]) -> Iterator[list[Incoming]]:
    batch: list[Incoming] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value or b"")
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _places(number: int, ranges: Sequence[tuple[int, int]]) -> str:
    shown = ", ".join(f"{start}..{end - 1}" if end - start > 1 else str(start) for start, end in ranges[:3])
    return f"{number}: {shown}{f' and {len(ranges) - 3} more' if len(ranges) > 3 else ''}"
