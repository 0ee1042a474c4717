"""DuckDB in a process of its own, seen from ours: limits, messages, and what to say when it ends before its time."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.embedded.folders import CHECKOUT
from infra.errors import TapeError
from infra.sql.protocol import Header, receive, send

MEMORY_BYTES = 1 << 30
TEMPORARY_BYTES = 8 << 30
TIMEOUT_S = 60.0
_THREADS = 2
_GRACE_S = 5.0
_STOP_S = 5.0

Sink = Callable[[bytes], object]


@dataclass(frozen=True)
class Shape:
    """How a result is written: its format, where a table's cells are cut, its head or none, what a table says if empty.

    A shape for a person says that it is empty; in a pipe that would be one more row.
    """

    format: str
    cell_max: int | None = None
    has_head: bool = True
    if_empty: str = ""

    @classmethod
    def for_people(cls, output: str, cell_max: int | None) -> Self:
        """Return how a result is written on a terminal."""
        return cls(output, cell_max, if_empty="(no row)\n")


@dataclass(frozen=True)
class Engine:
    """A running process; `timeout_s` bounds a query inside of it, and a little later the process itself."""

    process: subprocess.Popen[bytes]
    folder: "tempfile.TemporaryDirectory[str]"
    timeout_s: float

    @classmethod
    def started(
        cls, *, memory_bytes: int = MEMORY_BYTES, timeout_s: float = TIMEOUT_S, database: Path | None = None
    ) -> Self:
        """Start the process; with `database`, tables are made in that file. It is ready when it first answers."""
        folder = tempfile.TemporaryDirectory(prefix="tape-sql-")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "infra.sql.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder.name,
            env=_environment(folder.name),
        )
        engine = cls(process, folder, timeout_s)
        engine._send(
            {
                "memory_bytes": memory_bytes,
                "temporary_bytes": TEMPORARY_BYTES,
                "threads": min(_THREADS, os.cpu_count() or 1),
                "temporary_folder": folder.name,
                "database": "" if database is None else str(database.absolute()),
            }
        )
        return engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(is_hurried=kind is not None)

    def define(self, statements: Sequence[str]) -> None:
        """Run statements of ours that make tables and views."""
        self._asked({"do": "define", "statements": list(statements)})

    def load(self, statement: str, rows: Sequence[str]) -> int:
        """Insert JSON rows and return how many DuckDB did not take as they are; those say so in `_error`."""
        if not rows:
            return 0
        answer = self._asked({"do": "load", "statement": statement}, "\n".join(rows).encode())
        return int(answer["refused"])

    def load_columns(self, statement: str, name: str, columns: bytes) -> bool:
        """Insert columns, a stream of Arrow's that the statement reads by name; say whether DuckDB took all of them."""
        answer = self._asked({"do": "load_columns", "statement": statement, "name": name}, columns)
        return bool(answer["taken"])

    def evaluate(self, expression: str) -> int | None:
        """Return the whole number that an expression without columns is; None when it is none or is wrong."""
        answer = self._exchange({"do": "evaluate", "expression": expression})
        return answer.get("value")

    def query(self, sql: str, shape: Shape, sink: Sink, *, is_single: bool = False) -> int:
        """Answer what a person asked, piece by piece into `sink`; return the number of rows, -1 where nobody counts.

        `is_single` refuses a script of several statements. Raises TapeError with DuckDB's own words, and when a limit
        is reached.
        """
        header = {"do": "query", "sql": sql, "timeout_s": self.timeout_s, "is_single": is_single, **asdict(shape)}
        with self._watched(self.timeout_s + _GRACE_S):
            answer = self._asked(header, sink=sink)
        return int(answer["rows"])

    def close(self, *, is_hurried: bool = False) -> None:
        """End the process, at once when it is hurried. Idempotent."""
        if is_hurried:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def _asked(self, header: Header, payload: bytes = b"", sink: Sink | None = None) -> Header:
        answer = self._exchange(header, payload, sink)
        if "error" in answer:
            raise TapeError(str(answer["error"]), next_command=_advice(str(answer["kind"]), str(answer["error"])))
        return answer

    def _exchange(self, header: Header, payload: bytes = b"", sink: Sink | None = None) -> Header:
        self._send(header, payload)
        while True:
            if self.process.stdout is None:
                raise RuntimeError("expected a pipe for answers, was none")
            answer = receive(self.process.stdout)
            if answer is None:
                raise self._ended()
            if not answer[0].get("chunk"):
                return answer[0]
            if sink is not None:
                sink(answer[1])

    def _send(self, header: Header, payload: bytes = b"") -> None:
        if self.process.stdin is None:
            raise RuntimeError("expected a pipe for requests, was none")
        try:
            send(self.process.stdin, header, payload)
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self) -> TapeError:
        code = self.process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"with exit code {code}"
        return TapeError(
            f"the process that evaluates queries ended, {how}: a limit of memory or time was reached",
            next_command=_ADVICE["memory"],
        )

    @contextmanager
    def _watched(self, timeout_s: float) -> Iterator[None]:
        """Kill the process if it does not answer: an interrupt is a request, this is none."""
        timer = threading.Timer(timeout_s, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


_ADVICE = {
    "timeout": "narrow the question, or give it more with --timeout",
    "memory": "narrow the question, or give it more with --memory",
    "refused": "ask with SELECT; what changes something has its own commands: tape --help",
}


_NO_UUID = re.compile(r"Could not convert string '([0-9a-f-]{4,35})%?' to UUID", re.IGNORECASE)


def _advice(kind: str, error: str) -> str:
    """Return what to do about an error of DuckDB's, where something is known."""
    if found := _NO_UUID.search(error):
        return (
            f"an id is compared whole; the run that begins so is run('{found[1]}'): correlation_id = run('{found[1]}')"
        )
    if "(UUID, STRING_LITERAL)" in error:
        return "an id is no text; the run that begins with 1a2b is run('1a2b'): correlation_id = run('1a2b')"
    return _ADVICE.get(kind, "")


def _environment(folder: str) -> dict[str, str]:
    """Return all that the process may know: where Python finds us, and an empty home."""
    return {"PATH": os.defpath, "PYTHONPATH": str(CHECKOUT), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
