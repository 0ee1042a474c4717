"""The real components, started once per test session and shared by all its processes."""

import os
from collections.abc import Iterator

import pytest

from infra.embedded.stack import Stack
from infra.embedded.testing import shared_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, registry and PostgreSQL; tests keep apart by the names of their topics, subjects and schemas."""
    base = tmp_path_factory.getbasetemp()
    with shared_stack(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as running:
        yield running
