"""What the clock remembers: the runs it waits for, of which it has not said yet that they are due.

A run is forgotten once both its readings are said. Where the second one overtook the first (it is said by another
thread), that is remembered until the first one comes.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

from immutables import Map

from agents.declaration import Fact
from schemas.identity import derived
from schemas.run import ClockReading


@dataclass(frozen=True)
class Waiting:
    """The first reading of each run that is waited for, and the runs whose second reading came before their first."""

    readings: Map[UUID, ClockReading] = field(default_factory=Map)
    overtaken: frozenset[UUID] = frozenset()


def initial_state() -> Waiting:
    """Return what is remembered before anything was said: nothing."""
    return Waiting()


def evolve(state: Waiting, fact: Fact) -> Waiting:
    """Return what is remembered after one more fact."""
    reading = fact.record
    if not isinstance(reading, ClockReading):
        return state
    run_id, readings = reading.run_id, state.readings
    is_first, is_overtaken = reading.read_at < reading.due_at, run_id in state.overtaken
    others = state.overtaken - {run_id}
    if is_first:
        return replace(state, readings=readings if is_overtaken else readings.set(run_id, reading), overtaken=others)
    if run_id in readings:
        return replace(state, readings=readings.delete(run_id))
    follows_one = fact.envelope.causation_id == waiting_id(reading)
    return replace(state, overtaken=others | {run_id} if follows_one else others)


def waiting_id(reading: ClockReading) -> UUID:
    """Return the id of the reading that says that a run is waited for."""
    return derived("clock-reading", reading.run_id, reading.due_at, "waiting")


def due_id(reading: ClockReading) -> UUID:
    """Return the id of the reading that says that a run is due."""
    return derived("clock-reading", reading.run_id, reading.due_at, "due")
