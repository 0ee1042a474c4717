"""Whatever the strategies, modes, conflicts, partial fills and crashes: every sum exact, every decision made again.

A few hundred runs with every test, ten thousand by name: `tape test -- -m storm tests/simulation -s`. A seed that fails
is named with the line that makes its world again, to the last record.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.simulation.lives import say, worlds
from tests.simulation.world import World

RUNS = 200
STORM_RUNS = 10_000
PORTIONS = 10
SEEDS_APART = 1_000_000
SEEDS_COMPARED = 6
SAID = ("runs", "decisions replayed", "inputs judged again", "crosses", "executions", "partial fills", "crashes")


def test_random_runs_end_with_exact_books_and_are_decided_again_alike() -> None:
    found: Counter[str] = Counter()
    for found in worlds(0, RUNS):  # noqa: B007  # the last one counts
        pass
    missing = [each for each in SAID if not found[each]]
    assert not missing, f"the seeds have met none of these: {missing}, but {dict(found)}"


def test_a_seed_makes_the_same_world_in_another_process() -> None:
    code = f"from tests.simulation.test_random_runs import digests; print(digests({SEEDS_COMPARED}))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    elsewhere = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == str(digests(SEEDS_COMPARED))


def digests(seeds: int) -> list[str]:
    """Return one hash per world over all that was said in it, in order."""
    found = []
    for seed in range(seeds):
        world = World(seed)
        world.live()
        said = "".join(f"{each.envelope!r}{each.record!r}" for each in world.log)
        found.append(hashlib.sha256(said.encode()).hexdigest()[:16])
    return found


@pytest.mark.storm
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("portion", range(PORTIONS))
def test_ten_thousand_random_runs(portion: int) -> None:
    begun = told = time.monotonic()
    found: Counter[str] = Counter()
    for found in worlds((portion + 1) * SEEDS_APART, STORM_RUNS // PORTIONS):
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(_progress(portion, found, told - begun))
    say(_progress(portion, found, time.monotonic() - begun))


def _progress(portion: int, found: Counter[str], seconds: float) -> str:
    counted = ", ".join(f"{found[each]:,} {each}" for each in SAID)
    return f"portion {portion + 1} of {PORTIONS}: {counted}, {seconds:.0f} s"
