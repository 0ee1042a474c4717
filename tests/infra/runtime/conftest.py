"""A Kafka of these tests' own: the toy stands where the scheduler stands, and the broker itself is stopped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.stack import Stack
from infra.embedded.testing import shared_stack
from infra.runtime import views
from tests.infra.runtime.bench import Bench


@pytest.fixture(scope="session", autouse=True)
def views_end_alone() -> None:
    """Let a view's thread outlive its test without ending this process when its topic or its event loop has gone."""
    pytest.MonkeyPatch().setattr(views, "die", lambda *_: None)


@pytest.fixture(scope="session")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Lend a broker to this process alone, and let forked workers find the checkout."""
    root = str(Path(__file__).parents[3])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with shared_stack(tmp_path_factory.mktemp("runtime"), {"kafka"}) as stack:
        yield stack


@pytest.fixture
def bench(own_kafka: Stack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Lend the toy's topics, made anew with one partition, and end every worker afterwards."""
    bench = Bench(own_kafka.bootstrap_servers, tmp_path, request.node.name)
    bench.make_topics()
    yield bench
    bench.end()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the long run, which is left out unless it is asked for."""
    config.addinivalue_line("markers", "storm: fifty kills; minutes, so only on request: -m storm")
