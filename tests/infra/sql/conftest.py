"""One Kafka and one PostgreSQL for the stories of SQL on topics."""

from collections.abc import Iterator

import pytest

from tests.infra.sql.bus import Bus, running


@pytest.fixture(scope="session")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running(tmp_path_factory.mktemp("sql")) as bus:
        yield bus
