"""`tape sql` as a person and as a script use it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from arro3.io import read_ipc_stream

from infra.cli.sql import _steady
from infra.embedded.folders import CHECKOUT
from infra.postgres.connection import connect
from schemas.order import Fill
from schemas.signal import Signal
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import PARTITIONS, Bus, Done, interruptible, tape

FILLS = 12


@pytest.fixture(scope="module")
def bus(command_bus: Bus) -> Bus:
    """Lend a bus with a dozen fills."""
    for number in range(FILLS):
        fill = example(Fill, text="AAPL", last_qty=Decimal(number + 1), last_px=Decimal("0.1"))
        command_bus.say(fill, partition=number % PARTITIONS)
    command_bus.flush()
    return command_bus


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli", "sql", *map(str, arguments)]


def environment(bus: Bus) -> dict[str, str]:
    return {**bus.environment(), "PYTHONPATH": str(CHECKOUT)}


def run(bus: Bus, *arguments: str | Path, stdin: str = "") -> Done:
    return tape(bus, "sql", *arguments, stdin=stdin)


def answered(bus: Bus, *arguments: str | Path, stdin: str = "") -> str:
    done = run(bus, *arguments, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.decode()


def test_a_question_on_the_command_line_is_answered_in_json_lines_when_piped(bus: Bus) -> None:
    assert answered(bus, "select sum(last_qty) qty, count(*) n from fills") == '{"qty": "78.000000000", "n": 12}\n'


def test_the_question_may_come_from_stdin_or_a_file(bus: Bus, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("select count(*) n from fills; select 1 as one;")
    assert answered(bus, "-", stdin="select 1 as one") == '{"one": 1}\n'
    assert answered(bus, stdin="select 1 as one") == '{"one": 1}\n'
    assert answered(bus, "-f", tmp_path / "q.sql") == '{"n": 12}\n{"one": 1}\n'


def test_every_output_says_the_same_exactly(bus: Bus, tmp_path: Path) -> None:
    sql = "select last_qty, last_px, transact_time stamp, [last_px] l from fills where last_qty = 3"
    [row] = json.loads(answered(bus, "-o", "json", sql))
    assert row == {"last_qty": "3.000000000", "last_px": "0.100000", "stamp": "2012-06-01T16:00:00Z", "l": ["0.100000"]}
    [line] = csv.DictReader(io.StringIO(answered(bus, "-o", "csv", sql)))
    assert line == {**row, "l": '["0.100000"]'}
    assert answered(bus, "-o", "md", sql).splitlines()[2] == '| 3 | 0.1 | 2012-06-01 16:00:00Z | ["0.100000"] |'
    head, rule, body = answered(bus, "-o", "table", sql).splitlines()
    assert head.split() == ["last_qty", "last_px", "stamp", "l"]
    assert set(rule) == {"─", " "}
    assert body.split()[:2] == ["3", "0.1"]

    parquet = tmp_path / "day.parquet"
    answered(bus, "--to", parquet, sql)
    [found] = duckdb.sql(f"select last_qty, last_px, l from '{parquet}'").fetchall()
    assert found == (Decimal("3.000000000"), Decimal("0.100000"), [Decimal("0.100000")])
    arrow = run(bus, "-o", "arrow", sql)
    [batch] = list(read_ipc_stream(io.BytesIO(arrow.stdout)))
    assert batch.column("last_qty")[0].as_py() == Decimal("3.000000000")


def test_explain_says_what_would_be_read(bus: Bus) -> None:
    said = answered(bus, "--explain", "select * from fills where _partition = 1 and _offset < 2")
    assert said.splitlines() == [
        "fills: 1 of 3 partitions, 2 of 12 offsets: 1: 0..1",
        "at most 2 records are read",
        "fills: decoded in batches",
    ]


def test_no_row_is_an_exit_code_when_asked_for(bus: Bus) -> None:
    assert run(bus, "--fail-empty", "select * from fills where last_qty < 0").returncode == 3
    assert run(bus, "--fail-empty", "select * from fills where last_qty = 1").returncode == 0
    assert run(bus, "select * from fills where last_qty < 0").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["drop table fills"], 1, "only SELECT and EXPLAIN"),
        (["select * from fils"], 1, "did you mean fills"),
        (["--max-records", "3", "select * from fills"], 1, "--all"),
        (["-o", "yaml", "select 1"], 2, "yaml"),
        (["--follow", "--every", "5s", "select 1"], 2, "--follow"),
        (["--follow", "select count(*) from fills"], 1, "--every"),
        (["--attach", "mysql", "select 1"], 2, "ledger"),
        (["--every", "soon", "select 1 as a"], 1, "duration"),
        (["--memory", "much", "select 1"], 2, "4GB"),
        (["-f", "nowhere.sql"], 1, "nowhere.sql"),
        (["select * from fills where correlation_id = '1a2b'"], 1, "correlation_id = run('1a2b')"),
        (["select * from fills where correlation_id like '1a2b%'"], 1, "correlation_id = run('1a2b')"),
        (["select * from fills where correlation_id = run('0000')"], 1, "no run has an id that begins with 0000"),
        (["select * from fills where correlation_id = run('1')"], 1, "expected 4 or more"),
        (["--timeout", "1ms", "select count(*) from range(100000000) a, range(1000) b"], 1, "--timeout"),
    ],
)
def test_what_cannot_be_answered_says_why_and_what_to_do(
    bus: Bus, arguments: Sequence[str], code: int, said: str
) -> None:
    done = run(bus, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert "Traceback" not in done.stderr


def test_what_cannot_be_read_is_noted_beside_the_answer(bus: Bus) -> None:
    bus.raw(Signal.topic, 0, b"not-noted", b"poison")
    bus.flush()
    done = run(bus, "select _error is null as fine from signals where _key = 'not-noted'")
    assert done.stdout == b'{"fine": false}\n'
    assert re.search(r"signals: \d+ of \d+ records cannot be read; they are rows", done.stderr)
    latest = run(bus, "select count(*) n from signals_latest where _key = 'not-noted'")
    assert (latest.stdout, "where _error is not null" in latest.stderr) == (b'{"n": 1}\n', True)
    assert run(bus, "-q", "select _error from signals").stderr == ""


def test_types_are_cut_where_tables_are_described_and_nowhere_else(bus: Bus) -> None:
    table = answered(bus, "-o", "table", "describe select * from plans").splitlines()
    assert max(map(len, table)) < 120
    rows = [json.loads(line) for line in answered(bus, "describe plans").splitlines()]
    assert max(len(row["column_type"]) for row in rows) > 500


def test_an_empty_answer_in_a_pipe_is_a_head_and_no_row(bus: Bus) -> None:
    assert answered(bus, "-o", "table", "select 1 as a where false") == "a\n─\n"


def test_a_terminal_is_not_steered_by_a_value() -> None:
    assert _steady("a,\x1b[31m\n\x9b".encode(), "csv").decode() == "a,\\x1b[31m\n\\x9b"
    assert json.loads(_steady('{"a": "\x9b\u202e"}\n'.encode(), "jsonl")) == {"a": "\x9b\u202e"}
    assert b"\xc2\x9b" not in _steady('{"a": "\x9b"}\n'.encode(), "jsonl")


def test_what_was_read_can_be_kept_in_a_duckdb_file(bus: Bus, tmp_path: Path) -> None:
    file = tmp_path / "day.duckdb"
    answered(bus, "--save", file, "select count(*) from fills where _partition = 1")
    with duckdb.connect(str(file), read_only=True) as kept:
        assert kept.execute("select count(*), sum(last_qty) from fills").fetchone() == (4, Decimal(26))
    again = run(bus, "--save", file, "select 1")
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_postgresql_tables_join_exactly_and_cannot_be_written(bus: Bus) -> None:
    with connect(bus.stack.database_url) as connection:
        connection.execute("DROP TABLE IF EXISTS told")
        connection.execute("CREATE TABLE told (symbol text, target numeric, stamp timestamptz, parts numeric(38, 9)[])")
        connection.execute("INSERT INTO told VALUES ('AAPL', 12345678901234567890.123456789, '2013-02-01Z', NULL)")
    joined = 'fills join ledger.told t on "order".symbol = t.symbol'
    sql = f"select t.target, t.stamp, sum(last_qty) n from {joined} group by all"
    [row] = map(json.loads, answered(bus, "--attach", "ledger", sql).splitlines())
    assert row == {"target": "12345678901234567890.123456789", "stamp": "2013-02-01T00:00:00Z", "n": "78.000000000"}
    assert run(bus, "--attach", "ledger", "delete from ledger.told").returncode == 1
    missing = run(bus, "--attach", "ledger", "select * from ledger.nothing")
    assert "PostgreSQL has no table nothing" in missing.stderr


def test_following_shows_what_comes_and_only_what_was_asked_for(bus: Bus) -> None:
    sql = "select last_qty from fills where last_px = 7 and _offset >= 0"
    with subprocess.Popen(
        command("--follow", sql),
        env=environment(bus),
        stdout=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - one call, no locks
    ) as following:
        assert following.stdout is not None
        for price, quantity in ((8, 1), (7, 2), (7, 3)):
            bus.say(example(Fill, last_px=Decimal(price), last_qty=Decimal(quantity)), partition=0)
        bus.flush()
        lines = [following.stdout.readline() for _ in range(2)]
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 130
    assert [json.loads(line) for line in lines] == [{"last_qty": "2.000000000"}, {"last_qty": "3.000000000"}]


def test_a_question_can_be_asked_again_and_again(bus: Bus) -> None:
    every = command("--every", "100ms", "select count(*) n from line_outcomes")
    with subprocess.Popen(
        every,
        env=environment(bus),
        stdout=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - one call, no locks
    ) as asking:
        assert asking.stdout is not None
        assert [json.loads(asking.stdout.readline()) for _ in range(3)] == [{"n": 0}] * 3
        asking.send_signal(signal.SIGINT)
        assert asking.wait(20) == 130


def test_a_reader_that_has_seen_enough_is_no_failure(bus: Bus) -> None:
    with subprocess.Popen(
        command("select * from range(3000000)"), env=environment(bus), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        asking.stdout.readline()
        asking.stdout.close()
        assert (asking.wait(30), asking.stderr.read()) == (0, b"")


def test_help_names_the_pseudo_columns_and_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom infra.cli.main import main\nsys.argv = ['tape', 'sql', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('imported:', *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    text, _, imported = done.stdout.partition("imported:")
    assert "_schema_version" in text
    assert {"duckdb", "sqlglot", "confluent_kafka", "prompt_toolkit", "arro3"}.isdisjoint(imported.split())
