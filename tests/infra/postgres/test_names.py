"""Every name that a run is found by leads to it through an index, however long the log is."""

import psycopg
import pytest
from psycopg import sql

from infra.replay.find import NAMES_TEXT, NAMES_UUID

NAMES = [*NAMES_UUID, *NAMES_TEXT]


@pytest.mark.parametrize(("table", "column"), NAMES, ids=map(".".join, NAMES))
def test_a_name_is_the_first_column_of_an_index(database_url: str, table: str, column: str) -> None:
    with psycopg.connect(database_url) as connection:
        query = sql.SQL(
            "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a"
            " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = {}::regclass"
        ).format(sql.Literal(table))
        assert column in {row[0] for row in connection.execute(query)}
