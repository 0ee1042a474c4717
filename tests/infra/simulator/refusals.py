"""How the simulated brokerage refuses what a test does."""

from collections.abc import Callable

import pytest

from infra.simulator.rules import RefusalError


def refused(act: Callable[[], object]) -> tuple[int, object]:
    """Do something that is refused; return the status and the broker's words."""
    with pytest.raises(RefusalError) as why:
        act()
    return why.value.status, why.value.body["message"]
