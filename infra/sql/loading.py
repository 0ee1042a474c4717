"""Records on their way into a table: many together as columns where they can be, and one by one where they cannot.

`topics.codec` with fastavro is the reference decoder; the batch decoder reads what it would read, to the same rows, and
leaves to it whatever is unsealed, of an old schema or in any way odd. The order of the records is kept.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import numpy as np

from infra.sql.arrow import stream
from infra.sql.batch import decoded, obstacle
from infra.sql.catalog import Table
from infra.sql.columns import Column, Fixed, Varying
from infra.sql.engine import Engine
from infra.sql.rows import TIMESTAMP_MS_MAX, Rows, headers_text
from infra.sql.statements import COLUMNS, column_insertion, insertion
from topics.codec import current_id, is_sealed
from topics.wire import Incoming

#: Below this many records, what a batch costs whatever its size outweighs what it saves.
BATCH_MIN = 64

#: A batch in more pieces than this, odd records between plain ones, is read one by one.
PIECES_MAX = 16


class Decoder(StrEnum):
    """Who decodes: `BATCH` wherever it can, `FASTAVRO` everything, `AUTO` batches where they are worth it."""

    AUTO = "auto"
    BATCH = "batch"
    FASTAVRO = "fastavro"


def why_fastavro(table: Table, decoder: Decoder) -> str:
    """Return why no record of a table is decoded in a batch; empty when they are."""
    return "it was asked for" if decoder is Decoder.FASTAVRO else obstacle(table.topic)


@dataclass(frozen=True)
class Loading:
    """Fills one table of an engine."""

    engine: Engine
    rows: Rows
    decoder: Decoder = Decoder.AUTO

    def load(self, records: Sequence[Incoming]) -> None:
        """Add records to the table, which exists."""
        least = 1 if self.decoder is Decoder.BATCH else BATCH_MIN
        if len(records) < least or why_fastavro(self.rows.table, self.decoder):
            self._one_by_one(records)
            return
        frame = b"\x00" + current_id(self.rows.table.topic).to_bytes(4, "big")
        for is_plain, piece in _pieces(records, [_is_plain(record, frame) for record in records], least):
            if is_plain:
                self._together(piece, least)
            else:
                self._one_by_one(piece)

    def _together(self, records: Sequence[Incoming], least: int) -> None:
        found = decoded(self.rows.table.topic, [record.value or b"" for record in records])
        if found is None:
            self._one_by_one(records)
        elif found.is_read.all():
            self._columns(records, found.fields.fields)
        else:
            for is_read, piece in _pieces(records, found.is_read.tolist(), least):
                if is_read:
                    self._together(piece, least)
                else:
                    self._one_by_one(piece)

    def _columns(self, records: Sequence[Incoming], fields: Mapping[str, Column]) -> None:
        """Load decoded fields with what Kafka says around them; DuckDB may refuse a value, and does so row by row."""
        wanted = self.rows.wanted
        names = {name: f"f{number}" for number, name in enumerate(fields)}
        columns = {**_around(records, wanted), **{names[name]: column for name, column in fields.items()}}
        statement = column_insertion(self.rows.table, wanted, names)
        if self.engine.load_columns(statement, COLUMNS, stream(columns, len(records))):
            self.rows.tally.records += len(records)
        else:
            self._one_by_one(records)

    def _one_by_one(self, records: Sequence[Incoming]) -> None:
        lines = [self.rows.row(record) for record in records]
        self.rows.tally.unreadable += self.engine.load(insertion(self.rows.table, self.rows.wanted), lines)


def _is_plain(record: Incoming, frame: bytes) -> bool:
    """Say whether a record is of the newest schema and nothing about it is odd, whatever its fields are."""
    return (
        record.value is not None
        and record.value.startswith(frame)
        and 0 <= record.timestamp_ms <= TIMESTAMP_MS_MAX
        and b"\x00" not in (record.key or b"")
        and is_sealed(record)
    )


def _pieces(
    records: Sequence[Incoming], marks: Sequence[bool], least: int
) -> Iterator[tuple[bool, Sequence[Incoming]]]:
    """Yield records in runs of equal marks, in their order; as one unmarked piece where runs are many or short."""
    runs = [(mark, len(list(run))) for mark, run in groupby(marks)]
    if len(runs) > PIECES_MAX:
        runs = [(False, len(records))]
    start = 0
    for mark, count in runs:
        yield mark and count >= least, records[start : start + count]
        start += count


def _around(records: Sequence[Incoming], wanted: Collection[str]) -> dict[str, Column]:
    """Return the columns of what Kafka says; the topic, the schema and that there is a value are said once for all."""
    keys = [None if each.key is None else _text(each.key) for each in records]
    columns: dict[str, Column] = {
        "_partition": _whole(each.partition for each in records),
        "_offset": _whole(each.offset for each in records),
        "_timestamp": _whole(each.timestamp_ms for each in records),
        "_key": _varying("u", keys),
    }
    if "_headers" in wanted:
        columns["_headers"] = _varying("u", [headers_text(each).encode() for each in records])
    if "_value" in wanted:
        columns["_value"] = _varying("z", [each.value for each in records])
    return columns


def _text(key: bytes) -> bytes:
    return key if key.isascii() else key.decode(errors="replace").encode()


def _whole(values: Iterable[int]) -> Fixed:
    return Fixed("l", np.fromiter(values, np.int64))


def _varying(kind: str, values: Sequence[bytes | None]) -> Varying:
    lengths = np.fromiter((len(each or b"") for each in values), np.int64, len(values))
    valid = np.fromiter((each is not None for each in values), np.bool_, len(values))
    return Varying(kind, lengths, np.frombuffer(b"".join(each or b"" for each in values), np.uint8), valid)
