"""A breadth-first walk through every world that can be reached, asking every claim in each.

Breadth first, so the way to a broken claim is a shortest one. Worlds that differ only in what nobody can tell are
walked once (`canonical`); the tests compare this with a walk through all of them.
"""

from collections import deque
from dataclasses import dataclass, field

from tests.model.agent import RESULTS, Body, Fault, event
from tests.model.claims import Claim, OwnLogs, broken_claims, sealed_events
from tests.model.protocol import ABORTED, Action, EndTxn, Phase, Scope, Worker, World, misfortunes, steps

ONE_MORE = event(Body(RESULTS, "one-more", 0, "-"), 0, 0, 1, "-", (0, 0, "-"), (0, 0))


@dataclass
class Exploration:
    """What was seen: how many worlds, what happened, how logs ended, and a shortest way to each broken claim."""

    worlds: int = 0
    happened: set[str | int] = field(default_factory=set)
    endings: set[OwnLogs] = field(default_factory=set)
    broken: dict[Claim, str] = field(default_factory=dict)


def explore(
    scope: Scope, fault: Fault = Fault.NONE, until: frozenset[Claim] = frozenset(Claim), is_reduced: bool = True
) -> Exploration:
    """Walk through every world of a scope, or stop when all claims of `until` are broken."""
    first = World(logs=((), ()), crashes=scope.crashes, zombies=scope.zombies)
    came_from: dict[World, tuple[World, Action] | None] = {first: None}
    waiting = deque([first])
    result = Exploration()
    while waiting and not until <= result.broken.keys():
        world = waiting.popleft()
        moves = list(steps(scope, fault, world))
        if not moves:
            result.endings.add(sealed_events(world))
        for claim in broken_claims(scope.inputs, world, is_quiet=not moves):
            if claim not in result.broken:
                result.broken[claim] = way_to(world, came_from)
        moves.extend(misfortunes(fault, world))
        for action, after in moves:
            result.happened.add(action[0])
            reached = canonical(scope, fault, after) if is_reduced else after
            if reached not in came_from:
                came_from[reached] = (world, action)
                waiting.append(reached)
    result.worlds = len(came_from)
    return result


def way_to(world: World, came_from: dict[World, tuple[World, Action] | None]) -> str:
    """The actions that led to a world, in one line."""
    way = []
    while step := came_from[world]:
        world, action = step
        way.append(" ".join(map(str, action)))
    return ", ".join(reversed(way))


def canonical(scope: Scope, fault: Fault, world: World) -> World:
    """The one world that stands for all that differ only in what nobody can tell.

    Epochs and takeovers are compared and never counted, so all old ones are one; a dead sender's request of an old
    epoch can only be refused; an aborted record is seen only by a reader of uncommitted ones. What a worker of an old
    epoch remembers reaches nobody, so one stands for all: it waits for its answer, or has one more event to send.
    Should the broker take anything of it, `has_trespassed` tells.
    """
    epochs = [coordinator.epoch for coordinator in world.coordinators]
    alive = {worker.name for worker in world.workers}
    if {0, 2}.issuperset(epochs) and all(request.sender in alive or not request.sender for request in world.requests):
        return world  # no epoch was bumped and no sender died since the world before, which was canonical

    def age(number: int, newest: int) -> int:
        return number and (2 if number == newest else 1)

    def stand_in(worker: Worker) -> Worker:
        owner = worker.transactional_id
        epoch, takeover = age(worker.epoch, epochs[owner]), age(worker.takeover, world.takeovers)
        if epoch != 1:
            return worker._replace(epoch=epoch, takeover=takeover)
        if worker.phase is Phase.COMMITTING:
            return Worker(worker.name, Phase.COMMITTING, takeover, owner, epoch, ends)
        return Worker(worker.name, Phase.WRITING, takeover, owner, epoch, ends, unsent=(ONE_MORE,))

    ends = (len(scope.inputs[0]), len(scope.inputs[1]))
    requests = tuple(
        EndTxn(owner, age(epoch, epochs[owner]), sender if sender in alive else 0, age(takeover, world.takeovers))
        for owner, epoch, sender, takeover in world.requests
        if sender in alive or epoch == epochs[owner]
    )
    if fault is not Fault.READ_UNCOMMITTED:
        results, shared = (tuple(entry for entry in log if entry[0] != ABORTED) for log in world.logs)
        world = world._replace(logs=(results, shared))
    return world._replace(
        coordinators=tuple(each._replace(epoch=min(each.epoch, 1) * 2) for each in world.coordinators),
        requests=requests,
        workers=tuple(map(stand_in, world.workers)),
        takeovers=min(world.takeovers, 1) * 2,
    )
