"""A broker agent at work: as the runtime drives it, and its watch alone."""

from collections.abc import Iterator

import pytest

from tests.agents.broker.test_performer import Desk
from tests.agents.broker.test_watch import Post


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A performer that has taken its partition over."""
    made = Desk()
    made.begins()
    yield made
    made.performer.release(0)


@pytest.fixture
def post() -> Post:
    """A watch of an account."""
    return Post()
