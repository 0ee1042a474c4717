"""Everything that must hold of a world that has come to rest; each claim names what it found, and the seed to repeat.

The last claim is replay: every decision is judged again from the agent's own records and the inputs they name. It must
be the same, and inputs that were silent must stay silent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from agents.decision import drafts, evolved
from agents.declaration import Agent
from tests.simulation import (
    claims_of_books,
    claims_of_capital,
    claims_of_gate,
    claims_of_orders,
    claims_of_plans,
    claims_of_wishes,
)
from tests.simulation.desk import Desk
from tests.simulation.world import Node, World
from topics.codec import Event

SHOWN_MAX = 6

Claim = Callable[[Desk], Iterator[str]]


def every_decision_is_made_again(world: World) -> Iterator[str]:
    for node in world.nodes.values():
        if node.name in world.deciders:
            yield from _replayed(world, node)


def _replayed(world: World, node: Node) -> Iterator[str]:
    """Judge all inputs of an agent again, from nothing, in the order its decisions name."""
    decider = world.deciders[node.name]
    state, positions = decider.initial_state(), dict.fromkeys(node.topics, 0)
    for number, decision in enumerate(node.decisions):
        silent = _between(positions, decision.inputs, decision.cause)
        yield from _speaking(world, node.name, state, silent, f"before decision {number}")
        recorded = [world.log[each] for each in decision.records]
        if decision.cause is None or _judged(world, node.name, state, *decision.cause) != recorded:
            yield f"{node.name}: decision {number} on {decision.cause} is another one"
        state = evolved(decider, state, [each.record for each in recorded])
        positions = dict(decision.inputs)
        world.counts["decisions replayed"] += 1
    yield from _speaking(world, node.name, state, _between(positions, node.positions, None), "at the end")
    if state != world.states[node.name]:
        yield f"{node.name}: its records do not make its state"


def _between(
    positions: Mapping[str, int], until: Mapping[str, int], cause: tuple[str, int] | None
) -> list[tuple[str, int]]:
    """Return the inputs that were read between two decisions, the cause of the second one aside."""
    read = ((topic, position) for topic in positions for position in range(positions[topic], until[topic]))
    return [each for each in read if each != cause]


def _speaking(world: World, agent: str, state: Any, silent: Iterable[tuple[str, int]], when: str) -> Iterator[str]:
    """Yield the inputs that were silent and are not now; silence changes no state, so their order does not matter."""
    for place in silent:
        if _judged(world, agent, state, *place):
            yield f"{agent}: silent input {place} speaks {when}"


def _judged(world: World, agent: str, state: Any, topic: str, position: int) -> list[Event]:
    event = world.log[world.by_topic[topic][position]]
    said = drafts(Agent(agent), world.deciders[agent], state, event)
    world.counts["inputs judged again"] += 1
    return [Event(each.topic.name, each.envelope, each.record) for each in said]


CLAIMS: Mapping[str, Claim] = {
    claim.__name__: claim
    for claim in (
        *claims_of_books.CLAIMS,
        *claims_of_capital.CLAIMS,
        *claims_of_gate.CLAIMS,
        *claims_of_orders.CLAIMS,
        *claims_of_plans.CLAIMS,
        *claims_of_wishes.CLAIMS,
    )
}


def broken(world: World) -> dict[str, list[str]]:
    """Return the claims that do not hold, with what was found in any account."""
    found = {name: [what for desk in world.desks.values() for what in claim(desk)] for name, claim in CLAIMS.items()}
    found[every_decision_is_made_again.__name__] = list(every_decision_is_made_again(world))
    return {name: what for name, what in found.items() if what}


def check(world: World) -> None:
    """Raise AssertionError with every claim that does not hold."""
    if found := broken(world):
        lines = [f"  {name}: {what}" for name, each in found.items() for what in each[:SHOWN_MAX]]
        raise AssertionError("\n".join([f"seed {world.seed}: {len(found)} claims do not hold", *lines]))
