"""What a query may not do, tried one by one on the real process."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.errors import TapeError
from infra.sql.engine import Engine, Shape


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.started(timeout_s=20) as engine:
        engine.define(["CREATE TABLE fills AS SELECT 1 AS last_qty"])
        yield engine


def answer(engine: Engine, sql: str, output: str = "jsonl") -> str:
    chunks: list[bytes] = []
    engine.query(sql, Shape(output), chunks.append)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "FROM '/etc/passwd'",
        "SELECT * FROM 'passwd.csv'",
        "SELECT * FROM read_csv('https://example.com/a.csv')",
        "SELECT * FROM 's3://bucket/a.parquet'",
        "SELECT * FROM read_duckdb('/tmp/other.duckdb')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT getenv('HOME')",
        "SELECT * FROM secret_frame",
        "SELECT * FROM query('COPY fills TO ''/tmp/x.csv''')",
        "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    ],
)
def test_files_network_environment_and_the_hosts_variables_are_out_of_reach(engine: Engine, sql: str) -> None:
    with pytest.raises(TapeError):
        answer(engine, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY fills TO '/tmp/tape-sql-stolen.csv'",
        "COPY fills TO 'export'",
        "COPY fills FROM '/etc/passwd'",
        "EXPORT DATABASE '/tmp/tape-sql-stolen'",
        "IMPORT DATABASE '/tmp/tape-sql-stolen'",
        "ATTACH '/tmp/tape-sql-stolen.duckdb' AS other",
        "DETACH memory",
        "USE other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "UPDATE EXTENSIONS",
        "SET memory_limit = '100GB'",
        "RESET memory_limit",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "SET VARIABLE a = 1",
        "PRAGMA enable_external_access",
        "PRAGMA database_list",
        "CREATE SECRET stolen (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "CREATE TABLE other AS SELECT 1",
        "CREATE OR REPLACE VIEW fills AS SELECT 2 AS last_qty",
        "CREATE MACRO f(x) AS x",
        "CREATE TYPE mood AS ENUM ('a')",
        "INSERT INTO fills VALUES (2)",
        "UPDATE fills SET last_qty = 2",
        "DELETE FROM fills",
        "TRUNCATE fills",
        "MERGE INTO fills USING fills AS other ON true WHEN MATCHED THEN DELETE",
        "ALTER TABLE fills ADD COLUMN a INTEGER",
        "DROP TABLE fills",
        "VACUUM",
        "CHECKPOINT",
        "BEGIN",
        "PREPARE a AS SELECT 1",
        "CALL pragma_version()",
        "COMMENT ON TABLE fills IS 'mine'",
        "PIVOT fills ON last_qty USING count(*)",
        "EXPLAIN ANALYZE CREATE TABLE other AS SELECT 1",
        "EXPLAIN ANALYZE INSERT INTO fills VALUES (2)",
        "explain /* quietly */ analyze delete from fills",
        "/* first */ -- then\n EXPLAIN (ANALYZE) COPY fills TO '/tmp/tape-sql-stolen.csv'",
        "SELECT 1; DROP TABLE fills",
        "WITH gone AS (DELETE FROM fills RETURNING *) SELECT * FROM gone",
    ],
)
def test_what_is_no_question_is_refused_and_changes_nothing(engine: Engine, sql: str) -> None:
    with pytest.raises(TapeError):
        answer(engine, sql)
    assert answer(engine, "SELECT * FROM fills") == '{"last_qty": 1}\n'
    assert not list(Path("/tmp").glob("tape-sql-stolen*"))


@pytest.mark.parametrize(
    "sql",
    [
        "FROM fills",
        "VALUES (1)",
        "TABLE fills",
        "DESCRIBE fills",
        "SUMMARIZE fills",
        "SHOW TABLES",
        "WITH a AS (SELECT 1 AS last_qty) FROM a",
        "SELECT * FROM (PIVOT fills ON last_qty IN (1) USING count(*))",
        "EXPLAIN SELECT * FROM fills",
        "EXPLAIN ANALYZE SELECT * FROM fills",
        "-- why\nEXPLAIN (FORMAT json) SELECT * FROM fills",
        "SELECT 1; SELECT 2",
    ],
)
def test_whatever_only_asks_is_answered(engine: Engine, sql: str) -> None:
    assert answer(engine, sql)


def test_settings_say_what_was_locked(engine: Engine) -> None:
    names = ("enable_external_access", "lock_configuration", "autoinstall_known_extensions", "TimeZone")
    found = answer(engine, f"SELECT name, value FROM duckdb_settings() WHERE name IN {names} ORDER BY name")
    assert {row["name"]: row["value"] for row in map(json.loads, found.splitlines())} == {
        "TimeZone": "UTC",
        "autoinstall_known_extensions": "false",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }


def test_the_process_knows_no_address_and_no_credential(engine: Engine) -> None:
    environment = Path(f"/proc/{engine.process.pid}/environ").read_bytes().decode()
    names = {each.partition("=")[0] for each in environment.split("\0") if each}
    assert names == {"PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG"}
    assert os.environ["HOME"] not in environment


def test_what_takes_too_long_is_ended_and_the_next_question_is_answered() -> None:
    with Engine.started(timeout_s=0.3) as engine:
        with pytest.raises(TapeError, match=r"longer than 0\.3 s"):
            answer(engine, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7")
        assert answer(engine, "SELECT 1 AS a") == '{"a": 1}\n'


def test_what_takes_too_much_memory_is_refused_and_the_next_question_is_answered() -> None:
    with Engine.started(memory_bytes=60_000_000, timeout_s=30) as engine:
        with pytest.raises(TapeError, match=r"[Mm]emory"):
            answer(engine, "SELECT list(range) FROM range(100000000)")
        assert answer(engine, "SELECT 1 AS a") == '{"a": 1}\n'


def test_a_process_that_is_gone_is_an_error_that_says_what_to_do() -> None:
    with Engine.started() as engine:
        assert engine.evaluate("1 + 1") == 2
        engine.process.kill()
        with pytest.raises(TapeError, match="killed by signal 9"):
            answer(engine, "SELECT 1")


def test_nothing_is_left_behind() -> None:
    with Engine.started() as engine:
        answer(engine, "SELECT 1")
        folder, process = Path(engine.folder.name), engine.process
    assert not folder.exists()
    assert process.returncode == 0


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv", "md"])
def test_a_result_without_rows_is_well_formed(engine: Engine, output: str) -> None:
    found = answer(engine, "SELECT 1 AS a WHERE false", output)
    assert json.loads(found) == [] if output == "json" else not found.strip().endswith("1")


@pytest.mark.parametrize("output", ["parquet", "arrow"])
def test_one_query_makes_one_file(engine: Engine, output: str) -> None:
    with pytest.raises(TapeError, match="one query"):
        answer(engine, "SELECT 1; SELECT 2", output)
