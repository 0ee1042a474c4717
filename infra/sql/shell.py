"""The shell: questions end in a semicolon, commands begin with a dot."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import TapeError
from infra.sql.catalog import PSEUDO_COLUMNS, find, named, tables
from infra.sql.engine import Shape, Sink
from infra.sql.render import FILES, TEXTS
from infra.sql.session import Session
from topics.describe import LATEST, LATEST_BY_ACCOUNT

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

HELP = """\
SELECT ... ;        ask; it may go over several lines
.tables             every topic as a table
.schema [TABLE]     its columns with their types, and the pseudo-columns
.mode [FORMAT]      how results are shown: table, json, jsonl, csv, md
.reads SELECT ...   what a question would read, without asking it
.help  .quit

signals_latest               the last record of each key, of each account; so for every table
plans_latest_by_account      the last record of each account
correlation_id = run('1a2b') the run whose id begins with these digits; only its records are read
_error is not null           records that cannot be read: they are rows, their fields null
"""
_KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "LIMIT", "JOIN", "LEFT", "ON", "USING", "WITH"),
    *("AS", "AND", "OR", "NOT", "NULL", "IS", "IN", "BETWEEN", "LIKE", "INTERVAL"),
    *("COUNT", "SUM", "MIN", "MAX", "AVG", "DISTINCT", "UNNEST", "QUALIFY"),
    *("HAVING", "CASE", "WHEN", "THEN", "ELSE", "END", "EXPLAIN", "DESCRIBE", "SUMMARIZE"),
)
_OF_EACH = (
    "\n",
    f"<table>{LATEST}: the last record of each key, of each account where records have one\n",
    f"<table>{LATEST_BY_ACCOUNT}: the last record of each account\n",
)
_COMMANDS = (".tables", ".schema", ".mode", ".reads", ".help", ".quit")
_PROMPT, _MORE = "tape> ", "  ... "
_HISTORY = "sql-history"

Write = Callable[[str], object]


@dataclass
class Shell:
    """What the lines of a person do; `write` takes what is said back, `sink` the results."""

    session: Session
    write: Write
    sink: Sink
    cell_max: int | None = None
    mode: str = "table"
    _pending: list[str] = field(default_factory=list)

    @property
    def is_pending(self) -> bool:
        """Say whether a question has begun and not ended."""
        return bool(self._pending)

    def line(self, text: str) -> bool:
        """Take a line; False when the shell should end. Nothing a person types ends it otherwise."""
        stripped = text.strip()
        if not self._pending and stripped.startswith("."):
            return self._command(stripped)
        if stripped:
            self._pending.append(text)
        if stripped.endswith(";"):
            sql, self._pending = "\n".join(self._pending), []
            self._guarded(lambda: self.session.run(sql, Shape.for_people(self.mode, self.cell_max), self.sink))
        return True

    def forget(self) -> None:
        """Drop a question that has begun."""
        self._pending = []

    def _command(self, text: str) -> bool:
        name, _, rest = text.partition(" ")
        match name:
            case ".quit" | ".exit" | ".q":
                return False
            case ".tables":
                self.write(listing())
            case ".schema":
                self._guarded(lambda: self.write(schema(rest.strip().strip(";").strip('"'))))
            case ".mode":
                self._set_mode(rest.strip())
            case ".reads":
                self._guarded(lambda: self.write("".join(f"{part}\n" for part in self.session.plan(rest).parts)))
            case _:
                self.write(HELP)
        return True

    def _set_mode(self, mode: str) -> None:
        if mode in TEXTS:
            self.mode = mode
        elif mode in FILES:
            self.write(f"{mode} is a file: tape sql -o {mode} --to FILE\n")
        elif mode:
            self.write(f"expected a mode of {', '.join(TEXTS)}, was {mode}\n")
        self.write(f"mode is {self.mode}\n")

    def _guarded(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except TapeError as error:
            self.write(f"{error}\n")
            if not self.session.is_running:
                self.session.restart()


def listing() -> str:
    """Return every table with what its records say, a line each, and which others there are of each."""
    width = max(len(table.name) for table in tables())
    lines = [f"{table.name.ljust(width)}  {table.says}\n" for table in tables()]
    return "".join((*lines, *_OF_EACH))


def schema(name: str) -> str:
    """Return the columns of a table, or of all; raises TapeError when there is none of this name."""
    shown = tables() if not name else (named(name),)
    parts = [
        f"{table.name}\n" + "".join(f"  {column} {kind}\n" for column, kind in table.columns.items()) for table in shown
    ]
    parts.append("every table, when named\n" + "".join(f"  {name} {kind}\n" for name, kind in PSEUDO_COLUMNS.items()))
    return "".join(parts)


def completions(before: str) -> Iterable[str]:
    """Return what may come after a text: commands, tables, the columns of the tables it names, keywords."""
    if before.lstrip().startswith("."):
        return _COMMANDS
    words = {word.strip('",;()').lower() for word in before.split()}
    columns = {column for table in map(find, words) if table is not None for column in table.columns}
    names = [f"{table.name}{ending}" for table in tables() for ending in ("", *table.latest)]
    return (*sorted(columns), *names, *PSEUDO_COLUMNS, *_KEYWORDS)


def run(shell: Shell, home: Path) -> None:
    """Read lines from the terminal until it ends; what was typed is kept in `home`."""
    from prompt_toolkit import PromptSession  # noqa: PLC0415 - only a terminal needs it
    from prompt_toolkit.history import FileHistory  # noqa: PLC0415

    home.mkdir(parents=True, exist_ok=True)
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(home / _HISTORY)), completer=completer(), complete_while_typing=False
    )
    shell.write("SQL on topics. .tables shows them, .help the rest.\n")
    goes_on = True
    while goes_on:
        try:
            goes_on = shell.line(prompt.prompt(_MORE if shell.is_pending else _PROMPT))
        except KeyboardInterrupt:
            shell.forget()
            shell.session.restart()
        except EOFError:
            goes_on = False


def completer() -> "Completer":
    """Return what prompt_toolkit asks for completions."""
    from prompt_toolkit.completion import Completer, Completion  # noqa: PLC0415

    class Words(Completer):
        """Offers what begins with the word before the cursor."""

        def get_completions(self, document: object, complete_event: object) -> Iterable[Completion]:  # noqa: ARG002
            text = getattr(document, "text_before_cursor", "")
            word = text[len(text.rstrip(_WORD_LETTERS)) :]
            found = (each for each in completions(text) if word and each.lower().startswith(word.lower()))
            return (Completion(each, start_position=-len(word)) for each in found)

    return Words()


_WORD_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."
