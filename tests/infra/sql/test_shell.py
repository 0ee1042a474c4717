"""The shell: what a person types, and what comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from infra.sql.catalog import tables
from infra.sql.session import Session, Wishes
from infra.sql.shell import Shell, completer, completions, run
from schemas.run import DeadlinePassed
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import Bus


class Person:
    """A shell, and all that it said."""

    def __init__(self, session: Session) -> None:
        self.said: list[str] = []
        self.shell = Shell(session, self.said.append, lambda chunk: self.said.append(chunk.decode()))

    def types(self, *lines: str) -> str:
        self.said.clear()
        for line in lines:
            assert self.shell.line(line)
        return "".join(self.said)


@pytest.fixture(scope="module")
def session(bus: Bus) -> Iterator[Session]:
    bus.say(example(DeadlinePassed, text="A1"))
    bus.flush()
    with Session(Wishes(bus.servers, timeout_s=20)) as session:
        yield session


@pytest.fixture
def person(session: Session) -> Person:
    return Person(session)


def test_a_question_goes_over_lines_and_ends_in_a_semicolon(person: Person) -> None:
    said = person.types("select account_id", "", "from deadlines", ";")
    assert said.splitlines() == ["account_id", "──────────", "A1"]


def test_an_error_is_said_and_the_next_question_answered(person: Person) -> None:
    assert "did you mean deadlines" in person.types("from deadline;")
    assert "only SELECT and EXPLAIN" in person.types("drop table deadlines;")
    assert "A1" in person.types("from deadlines;")


def test_a_process_that_ended_is_followed_by_another(person: Person) -> None:
    person.shell.session._engine.process.kill()
    assert "killed by signal 9" in person.types("from deadlines;")
    assert "A1" in person.types("from deadlines;")


def test_commands_begin_with_a_dot(person: Person) -> None:
    assert "_latest_by_account" in person.types(".tables")
    schema = person.types(".schema deadlines")
    assert "  correlation_id UUID\n" in schema
    assert "  _headers MAP(VARCHAR, VARCHAR)\n" in schema
    assert "signals\n" in person.types(".schema")
    assert "no topic is called x" in person.types(".schema x")
    assert ".mode" in person.types(".what")
    assert "deadlines: 1 of 3 partitions, 0 of 1 offsets" not in person.types(".reads select 1")
    assert person.types(".reads select * from deadlines where _offset < 0") == (
        "deadlines: 0 of 3 partitions, 0 of 1 offsets: nothing\n"
    )


def test_the_mode_is_how_results_are_shown(person: Person) -> None:
    assert person.types(".mode csv") == "mode is csv\n"
    assert person.types("select 1 as a;") == "a\n1\n"
    assert "--to" in person.types(".mode parquet")
    assert person.types(".mode nosuch") == "expected a mode of table, json, jsonl, csv, md, was nosuch\nmode is csv\n"
    assert person.types(".mode") == "mode is csv\n"


def test_what_is_easily_missed_is_said_by_help(person: Person) -> None:
    said = person.types(".help")
    assert "run('1a2b')" in said
    assert "signals_latest" in said
    assert "_error is not null" in said


def test_an_answer_without_rows_says_so(person: Person) -> None:
    assert person.types("select account_id from deadlines where false;").splitlines()[-1] == "(no row)"


def test_tables_are_shown_by_their_sql_name_too(person: Person) -> None:
    lines = person.types("show tables;").splitlines()
    assert lines[0].split() == ["name", "says"]
    assert [line.split()[0] for line in lines[2:]] == [table.name for table in tables()]


def test_quit_ends_it(person: Person) -> None:
    assert not person.shell.line(".quit")


def test_completion_offers_tables_and_the_columns_of_those_that_are_named() -> None:
    assert {"fills", "plans_latest", "signals_latest_by_account", "SELECT", "_offset"} <= set(completions("select "))
    assert "last_px" in set(completions("select * from fills where "))
    assert "last_px" not in set(completions("select * from signals where "))
    assert ".schema" in set(completions(".sc"))
    found = completer().get_completions(Document("select * from deadl"), CompleteEvent())
    assert [(each.text, each.start_position) for each in found] == [
        ("deadlines", -5),
        ("deadlines_latest", -5),
        ("deadlines_latest_by_account", -5),
    ]


def test_what_is_typed_in_a_terminal_is_answered_and_kept(session: Session, tmp_path: Path) -> None:
    person = Person(session)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("select account_id from deadlines;\r.mode jsonl\rselect 7 as n;\r\x04")
        run(person.shell, tmp_path / "home")
    assert "A1" in "".join(person.said)
    assert '{"n": 7}' in "".join(person.said)
    assert "select 7 as n;" in (tmp_path / "home" / "sql-history").read_text()
