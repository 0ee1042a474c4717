"""What is said on stderr while a question is read: how far it is, and what was noticed."""

import sys
from typing import Protocol

from infra.clock import seconds
from infra.controls import shown
from infra.sql.catalog import Table
from infra.sql.rows import Tally

_PAUSE_S = 0.2
_CLEAR = "\r\x1b[K"


class Reporting(Protocol):
    """Somebody who is told."""

    def progress(self, table: str, done: int, total: int) -> None:
        """So many records of a table are there, of at most `total`."""

    def note(self, text: str) -> None:
        """Something a person should know about the answer."""

    def note_of(self, tally: Tally, table: Table) -> None:
        """A table is complete."""


class Silent:
    """Tells nobody."""

    def progress(self, table: str, done: int, total: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def note_of(self, tally: Tally, table: Table) -> None:
        """Say nothing."""


class OnStderr:
    """Writes notes always and a moving line only to a terminal, which it clears before anything else is written."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last = 0.0

    def progress(self, table: str, done: int, total: int) -> None:
        """Show how far it is, a few times a second."""
        if self._is_terminal and seconds() - self._last > _PAUSE_S:
            self._last = seconds()
            _write(f"{_CLEAR}{table}: {done} of at most {total} records")

    def note(self, text: str) -> None:
        """Write a line."""
        _write(f"{self._cleared()}tape: {shown(text)}\n")

    def note_of(self, tally: Tally, table: Table) -> None:
        """Say what is not as a reader expects: rows without values, rows of an old schema."""
        _write(self._cleared())
        if tally.unreadable:
            self.note(
                f"{table.name}: {tally.unreadable} of {tally.records} records cannot be read; they are rows, counted as"
                f" such, with null for every field: where _error is not null"
            )
        if tally.old:
            self.note(f"{table.name}: {tally.old} of {tally.records} records are of an old schema: _schema_version")

    def _cleared(self) -> str:
        return _CLEAR if self._is_terminal else ""


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
