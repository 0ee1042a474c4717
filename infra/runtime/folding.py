"""What an agent remembers: the fold of its own events, of a decider as of a performer.

The rest of the runtime does not tell the two apart: what is remembered begins with `initial`, goes on with `folded`,
and is written down in the form that its own type hints give it.
"""

from collections.abc import Sequence
from decimal import localcontext
from typing import Any

from agents.decision import evolved
from agents.declaration import Agent, Fact
from infra.runtime.state_form import StateForm, form_of_states
from schemas.dead_letter import DeadLetter
from schemas.quantities import CONTEXT
from topics.codec import Event


def initial(agent: Agent) -> Any:
    """Return what an agent remembers before it has said anything; None of one that remembers nothing."""
    keeper = agent.decider or agent.memory
    return None if keeper is None else keeper.initial_state()


def folded(agent: Agent, state: Any, events: Sequence[Event]) -> Any:
    """Return what an agent remembers after some more of its own events; dead letters are not remembered."""
    if agent.decider is not None:
        return evolved(agent.decider, state, [each.record for each in events])
    if agent.memory is None:
        return state
    with localcontext(CONTEXT):
        for each in events:
            if not isinstance(each.record, DeadLetter):
                state = agent.memory.evolve(state, Fact(each.record, each.envelope))
    return state


def form_of_memory(agent: Agent) -> StateForm:
    """Return the form in which an agent's memory is written down; raises StateFormError where it has none."""
    keeper = agent.decider or agent.memory
    return StateForm(type(None)) if keeper is None else form_of_states(keeper)
