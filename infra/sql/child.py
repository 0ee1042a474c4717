"""The process that evaluates queries: DuckDB locked down, fed and asked over its standard input and output.

It is started by `infra.sql.engine` with an empty environment and an empty folder, reads no settings and knows no
address. Statements that make and fill tables come from us; what a person wrote goes through `lockdown.questions`.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO

import duckdb

from infra.sql.lockdown import (
    EXPORT,
    Limits,
    RefusedError,
    kind_of,
    limit_process,
    locked_connection,
    questions,
    read_only,
)
from infra.sql.protocol import Header, receive, send
from infra.sql.render import FILES, HEADS, TEXTS, Row, as_table, distinct

_FETCH = 1000
_CHUNK_BYTES = 1 << 20
_AGAIN_S = 0.05


@dataclass(frozen=True)
class Child:
    """One connection and the stream its answers go to."""

    connection: duckdb.DuckDBPyConnection
    export: Path
    answers: IO[bytes]

    def handle(self, header: Header, payload: bytes) -> None:
        """Do what a message says and answer it; an error of DuckDB's is an answer too."""
        try:
            answer = self._deeds()[header["do"]](header, payload)
        except RefusedError as error:
            answer = {"error": str(error), "kind": "refused"}
        except duckdb.InterruptException:
            answer = {"error": f"it took longer than {header['timeout_s']} s", "kind": "timeout"}
        except MemoryError:
            answer = {"error": "no memory is left", "kind": "memory"}
        except duckdb.OutOfMemoryException as error:
            answer = {"error": str(error), "kind": "memory"}
        except duckdb.Error as error:
            answer = {"error": str(error), "kind": "query"}
        except Exception as error:  # the edge of a process that outlives its questions, whatever a result's values do
            answer = {"error": f"{type(error).__name__}: {error}", "kind": "query"}
        send(self.answers, answer)

    def _deeds(self) -> dict[str, Callable[[Header, bytes], Header]]:
        return {
            "define": self._define,
            "load": self._load,
            "load_columns": self._load_columns,
            "evaluate": self._evaluate,
            "query": self._query,
        }

    def _define(self, header: Header, _payload: bytes) -> Header:
        for statement in header["statements"]:
            self.connection.execute(statement)
        return {}

    def _load(self, header: Header, payload: bytes) -> Header:
        """Insert rows; one that DuckDB refuses becomes a row that says so, and holds nothing up."""
        statement = header["statement"]
        try:
            self.connection.execute(statement, [payload.decode().split("\n")])
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return {"refused": sum(self._load_alone(statement, row) for row in payload.decode().split("\n"))}
        return {"refused": 0}

    def _load_columns(self, header: Header, payload: bytes) -> Header:
        """Insert columns: all or, where DuckDB refuses a value, nothing."""
        from arro3.io import read_ipc_stream  # noqa: PLC0415 - only decoding in batches needs it

        self.connection.register(header["name"], read_ipc_stream(BytesIO(payload)).read_all())
        try:
            self.connection.execute(header["statement"])
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return {"taken": False}
        finally:
            self.connection.unregister(header["name"])
        return {"taken": True}

    def _load_alone(self, statement: str, row: str) -> bool:
        try:
            self.connection.execute(statement, [[row]])
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            without = {**json.loads(row), "fields": None, "_error": f"DuckDB refuses it: {error}"}
            self.connection.execute(statement, [[json.dumps(without)]])
            return True
        return False

    def _evaluate(self, header: Header, _payload: bytes) -> Header:
        [statement] = questions(self.connection, f"SELECT {header['expression']}")
        value = (self.connection.execute(statement).fetchone() or (None,))[0]
        return {"value": value if isinstance(value, int) else None}

    def _query(self, header: Header, _payload: bytes) -> Header:
        found = questions(self.connection, header["sql"])
        if (header["is_single"] or header["format"] in FILES) and len(found) != 1:
            raise RefusedError(f"expected one query, was {len(found)} statements")
        rows = 0
        with _limited(self.connection, header["timeout_s"]), read_only(self.connection):
            for number, statement in enumerate(found):
                rows += self._answer(statement, header, is_first=number == 0)
        return {"rows": rows}

    def _answer(self, statement: duckdb.Statement, header: Header, *, is_first: bool) -> int:
        if header["format"] in FILES:
            return self._export(statement, header["format"])
        result = self.connection.execute(statement)
        names = distinct([column[0] for column in result.description or ()])
        counted = _Counted(self._fetched())
        if kind_of(statement) == "EXPLAIN":
            texts: Iterator[str] = (f"{row[-1]}\n" for row in counted)
        elif header["format"] == "table":
            texts = as_table(names, counted, header["cell_max"])
        else:
            texts = TEXTS[header["format"]](names, counted)
        if not header["has_head"]:
            texts = islice(texts, HEADS[header["format"]], None)
        if not is_first and header["format"] in ("table", "md"):
            send(self.answers, {"chunk": True}, b"\n")
        for some in _chunks(texts):
            send(self.answers, {"chunk": True}, some)
        if header["format"] == "table" and not counted.rows:
            send(self.answers, {"chunk": True}, header["if_empty"].encode())
        return counted.rows

    def _fetched(self) -> Iterator[Row]:
        while rows := self.connection.fetchmany(_FETCH):
            yield from rows

    def _export(self, statement: duckdb.Statement, kind: str) -> int:
        relation = self.connection.sql(statement.query)
        if kind == "parquet":
            relation.write_parquet(str(self.export), compression="zstd")
        else:
            _write_arrow(relation, self.export)
        with self.export.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                send(self.answers, {"chunk": True}, chunk)
        self.export.unlink()
        return -1


class _Counted:
    """Rows on their way, counted."""

    def __init__(self, source: Iterator[Row]) -> None:
        self._source = source
        self.rows = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._source:
            self.rows += 1
            yield row


def _chunks(texts: Iterator[str]) -> Iterator[bytes]:
    """Yield texts joined to pieces worth sending."""
    held: list[str] = []
    length = 0
    for text in texts:
        held.append(text)
        length += len(text)
        if length >= _CHUNK_BYTES:
            yield "".join(held).encode(errors="replace")
            held, length = [], 0
    if held:
        yield "".join(held).encode(errors="replace")


def _write_arrow(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Write a result as a stream of Arrow's interprocess format; the small arro3 does what pyarrow would."""
    from arro3.core import RecordBatchReader  # noqa: PLC0415 - only this format needs it
    from arro3.io import write_ipc_stream  # noqa: PLC0415

    with path.open("wb") as file:
        write_ipc_stream(RecordBatchReader.from_arrow(relation), file)


@contextmanager
def _limited(connection: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    """Interrupt what takes longer, again and again: an interrupt between two statements is lost."""
    done = threading.Event()

    def interrupt() -> None:
        wait_s = timeout_s
        while not done.wait(wait_s):
            connection.interrupt()
            wait_s = _AGAIN_S

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def main() -> None:
    """Serve one parent until it closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to judge
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    first = receive(requests)
    if first is None:
        return
    limits = Limits(**first[0])
    limit_process(limits)
    child = Child(locked_connection(limits), Path(limits.temporary_folder) / EXPORT, answers)
    while (message := receive(requests)) is not None:
        child.handle(*message)
    child.connection.close()


if __name__ == "__main__":
    main()
