"""An agent dies once, not by chance but at every single moment: before and after what it decided is published."""

from itertools import count, islice

import pytest

from tests.simulation.lives import lived, say, undisturbed
from tests.simulation.world import World

MOMENTS_MAX = 200
PORTIONS = 10
WORLDS_PER_PORTION = 2
SEEDS_APART = 1_000_000


def test_an_agent_may_die_at_any_moment_of_a_world() -> None:
    """Every third moment, so that both kinds come in turn; the storm takes all of them."""
    small = next(each for each in map(undisturbed, count()) if each.moments < MOMENTS_MAX and has_traded(each))
    moments = range(1, small.moments + 1, 3)
    crashes = sum(lived(small.seed, moment).counts["crashes"] for moment in moments)
    assert crashes == len(moments)


@pytest.mark.storm
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("portion", range(PORTIONS))
def test_an_agent_may_die_at_any_moment_of_many_worlds(portion: int) -> None:
    traded = (each for each in map(undisturbed, count(portion * SEEDS_APART)) if has_traded(each))
    for world in islice(traded, WORLDS_PER_PORTION):
        for moment in range(1, world.moments + 1):
            lived(world.seed, moment)
        say(f"seed {world.seed}: an agent died at each of {world.moments:,} moments, {world.totals['runs']} runs each")


def has_traded(world: World) -> bool:
    """Say whether shares changed hands inside the account and at the broker."""
    return bool(world.totals["crosses"] and world.totals["executions"])
