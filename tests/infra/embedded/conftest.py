"""A stack of its own for the tests that stop, kill and crowd out services; downloads are the user's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.stack import Stack


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home folder that does not exist yet."""
    return tmp_path / "home, with space"


@pytest.fixture
def small(home: Path) -> Iterator[Stack]:
    """Return a stack that is deleted afterwards; the tests start PostgreSQL alone in it, the fastest of the three."""
    stack = Stack(home)
    yield stack
    stack.destroy()
