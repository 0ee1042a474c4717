"""Migrations run once, in order, and what ran is never changed."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import TapeError
from infra.postgres.connection import connect
from infra.postgres.migrate import FOLDER, migrate, migrations, pending


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two migrations of its own."""
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (n integer); CREATE TABLE also (n integer);")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (n integer);")
    return tmp_path


def _tables(database_url: str) -> list[str]:
    with connect(database_url) as connection:
        rows = connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY relname").fetchall()
    return [name for (name,) in rows]


def test_what_was_not_applied_yet_is_applied_in_order(empty_database_url: str, folder: Path) -> None:
    assert migrate(empty_database_url, folder=folder) == ("0001_first.sql", "0002_second.sql")
    assert migrate(empty_database_url, folder=folder) == ()

    (folder / "0003_third.sql").write_text("ALTER TABLE second RENAME TO third;")

    assert migrate(empty_database_url, folder=folder) == ("0003_third.sql",)
    assert _tables(empty_database_url) == ["also", "first", "schema_migrations", "third"]


def test_a_file_that_changed_after_it_was_applied_is_refused(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder=folder)
    before = migrations(folder)[0].sha256
    (folder / "0001_first.sql").write_text("CREATE TABLE first (n bigint);")
    (folder / "0003_third.sql").write_text("CREATE TABLE third (n integer);")

    with pytest.raises(TapeError) as refused:
        migrate(empty_database_url, folder=folder)

    assert f"0001_first.sql was applied as sha256 {before}" in str(refused.value)
    assert migrations(folder)[0].sha256 in str(refused.value)
    assert "third" not in _tables(empty_database_url)


@pytest.mark.parametrize("change", ["missing", "renamed", "inserted"])
def test_a_history_that_is_not_the_one_applied_is_refused(empty_database_url: str, folder: Path, change: str) -> None:
    migrate(empty_database_url, folder=folder)
    second = folder / "0002_second.sql"
    match change:
        case "missing":
            second.unlink()
        case "renamed":
            second.rename(folder / "0002_other.sql")
        case _:
            shutil.copy(second, folder / "0003_second.sql")
            second.write_text("CREATE TABLE inserted (n integer);")

    with pytest.raises(TapeError, match=r"migration 0002_second\.sql was applied"):
        migrate(empty_database_url, folder=folder)


def test_nothing_of_a_file_that_fails_stays(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE second (n integer); SELECT no_such_function();")

    with pytest.raises(TapeError, match=r"0002_second\.sql failed.*no_such_function"):
        migrate(empty_database_url, folder=folder)

    assert _tables(empty_database_url) == ["also", "first", "schema_migrations"]
    with connect(empty_database_url) as connection:
        assert [each.name for each in pending(connection, folder)] == ["0002_second.sql"]


@pytest.mark.parametrize("name", ["0003_third.sql", "2_second.sql", "0002-second.sql"])
def test_numbers_start_at_one_and_leave_none_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "0001_first.sql").touch()
    (tmp_path / name).touch()

    with pytest.raises(TapeError, match=r"expected migration 000\d_<name>\.sql"):
        migrations(tmp_path)


def test_several_runners_at_once_apply_every_file_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = [*pool.map(lambda _: migrate(empty_database_url), range(4))]

    assert sorted(name for names in applied for name in names) == [each.name for each in migrations(FOLDER)]


def test_another_schema_gets_its_own_tables(empty_database_url: str, folder: Path) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("CREATE SCHEMA beside")

    assert migrate(empty_database_url, schema="beside", folder=folder) == ("0001_first.sql", "0002_second.sql")
    assert migrate(empty_database_url, folder=folder) == ("0001_first.sql", "0002_second.sql")
