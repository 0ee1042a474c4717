"""A Kafka of the commands' own, with every topic."""

from collections.abc import Iterator

import pytest

from tests.infra.sql.bus import Bus, running


@pytest.fixture(scope="session")
def command_bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running(tmp_path_factory.mktemp("commands")) as bus:
        yield bus
