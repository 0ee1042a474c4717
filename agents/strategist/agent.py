"""The strategist's declaration: it reads bars beside its runs, up to the position each run names."""

from collections.abc import Sequence

from agents.declaration import Agent, View
from agents.strategist import decider
from agents.strategist.bars import BarsView
from schemas.market import Bar
from schemas.record import Record
from schemas.run import PartitionPosition, Run, RunStatus


def bars_bound(record: Record) -> Sequence[PartitionPosition]:
    """Return how much of the bars a run may see; nothing for a refused run, whose bound nobody has vouched for."""
    if not isinstance(record, Run):
        raise TypeError(f"the strategist reads Run, was {type(record).__name__}")
    return record.terms.bars_until if record.status is RunStatus.REQUESTED else ()


AGENT = Agent("strategist", decider=decider, view=View(Bar.topic, bars_bound, BarsView))
