"""The real components, started once per test session and shared by all its processes."""

import os
from collections.abc import Iterator

import pytest

from infra.embedded.stack import Stack
from infra.embedded.testing import shared_stack

LONGEST_FIRST = ("tests/infra/demo/test_demo.py", "tests/infra/storm/", "tests/infra/demo/", "tests/infra/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take a minute and more: begun last, one of them runs alone while the rest is done."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    starts = (place for place, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start))
    return next(starts, len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, registry and PostgreSQL; tests keep apart by the names of their topics, subjects and schemas."""
    base = tmp_path_factory.getbasetemp()
    with shared_stack(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as running:
        yield running
