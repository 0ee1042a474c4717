"""Worlds that lived, were checked, and say how to make them again when something did not hold."""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count

from tests.simulation.claims import check
from tests.simulation.world import World


def lived(seed: int, dies_at: int | None = None) -> World:
    """Return the world of a seed, come to rest and checked; what fails names the seed and where an agent died."""
    world = World(seed, dies_at=dies_at)
    try:
        world.live()
        check(world)
    except AssertionError as error:
        again = f"python -c 'from tests.simulation.lives import lived; lived({seed}, {dies_at})'"
        raise AssertionError(f"{error}\n  next:  {again}") from error
    return world


def undisturbed(seed: int) -> World:
    """Return the world of a seed in which no agent dies, not checked."""
    world = World(seed, dies_at=0)
    world.live()
    return world


def worlds(first_seed: int, runs: int) -> Iterator[Counter[str]]:
    """Let worlds live until so many runs were made, and yield what has happened in all of them so far."""
    found: Counter[str] = Counter()
    for seed in count(first_seed):
        found.update(lived(seed).totals)
        found["worlds"] += 1
        yield found
        if found["runs"] >= runs:
            return


def say(text: str) -> None:
    """Tell a person how far it is, on stderr: that is seen also from one of several processes."""
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()
