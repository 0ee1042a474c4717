"""The workers of one agent-partition and their broker, as values and a transition function.

A `World` is everything there is: the output logs, the transaction coordinators, the requests under way, the workers.
`steps` lists what may happen next if all goes well, `misfortunes` what else may happen (crash, timeout, replacement).
A paused worker is one that takes no step for a while, a zombie one that goes on after another has taken over: every
interleaving of steps is every pause.

What is abstracted, and what it leaves out:
- Input logs are complete from the start; a record that comes late is one that is judged late.
- The answer to EndTxn reaches its worker with its effect: an answer lost or late is a worker that dies or waits there.
  The request itself travels, is overtaken, and may arrive long after its sender died. It names an epoch and not a
  transaction, as before transaction version 2 (KIP-890).
- A commit is sealed in the coordinator, then marked partition by partition, and init_transactions waits for the marks:
  as Kafka does it. So a reader of two topics may see a sealed decision in one before the other.
- A produce is one step. Order and retries inside one producer are the idempotent producer's promise, not modelled.
- Brokers lose nothing. Retention, rebalance callbacks, views and effects outside Kafka are not here.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum, auto
from typing import NamedTuple

from tests.model.agent import RESULTS, SHARED, Event, Fault, Head, Inputs, Positions, fold, judge

COMMITTED, ABORTED, NEIGHBOUR = -1, -2, -3  # beside an event in a log; from 0: the open transaction of that id
QUEUE_MAX = 3  # events judged ahead of the transaction under way: room for a decision behind another


class Scope(NamedTuple):
    """How much may happen."""

    name: str
    inputs: Inputs
    crashes: int = 0
    zombies: int = 0
    has_neighbour: bool = False


class Phase(IntEnum):
    STARTING = auto()
    TAKING_OVER = auto()  # fenced, not yet folded (under a fault, the other way round)
    IDLE = auto()
    WRITING = auto()
    COMMITTING = auto()


class Worker(NamedTuple):
    """One incarnation. `takeover` numbers the takeovers for the observer; the protocol knows only `epoch`."""

    name: int
    phase: Phase = Phase.STARTING
    takeover: int = 0
    transactional_id: int = 0
    epoch: int = 0
    positions: Positions = (0, 0)
    head: Head = Head()
    queue: tuple[Event, ...] = ()
    unsent: tuple[Event, ...] = ()
    sent: tuple[Event, ...] = ()


class Status(IntEnum):
    EMPTY = auto()
    ONGOING = auto()
    SEALED = auto()  # the commit is decided, its markers are on their way


class Coordinator(NamedTuple):
    epoch: int = 0
    status: Status = Status.EMPTY


class EndTxn(NamedTuple):
    """A request to commit, under way."""

    transactional_id: int
    epoch: int
    sender: int
    takeover: int


Log = tuple[tuple[int, Event | None], ...]
Logs = tuple[Log, Log]
Action = tuple[str | int, ...]  # what, then who and which
Moves = Iterator[tuple[Action, "World"]]


class World(NamedTuple):
    """Everything there is; `crashes` and `zombies` may still happen, `has_trespassed` is the observer's."""

    logs: Logs
    crashes: int
    zombies: int
    coordinators: tuple[Coordinator, ...] = (Coordinator(),)
    requests: tuple[EndTxn, ...] = ()
    workers: tuple[Worker, ...] = (Worker(1),)
    started: int = 1
    takeovers: int = 0
    has_neighbour_written: bool = False
    group_offsets: Positions = (0, 0)
    has_trespassed: bool = False

    def put(self, worker: Worker) -> "World":
        return self._replace(workers=tuple(worker if each.name == worker.name else each for each in self.workers))

    def without(self, worker: Worker) -> "World":
        return self._replace(workers=tuple(each for each in self.workers if each.name != worker.name))

    def set_coordinator(self, owner: int, coordinator: Coordinator) -> "World":
        before, after = self.coordinators[:owner], self.coordinators[owner + 1 :]
        return self._replace(coordinators=(*before, coordinator, *after))

    def append(self, topic: int, owner: int, own: Event | None) -> "World":
        results, shared = self.logs
        entry = (owner, own)
        return self._replace(logs=((*results, entry), shared) if topic == RESULTS else (results, (*shared, entry)))

    def mark(self, owner: int, outcome: int, topics: Iterable[int] = (RESULTS, SHARED)) -> "World":
        """Write the marker of a transaction into these partitions."""
        results, shared = (
            tuple((outcome, own) if by == owner else (by, own) for by, own in log) if topic in topics else log
            for topic, log in enumerate(self.logs)
        )
        return self._replace(logs=(results, shared))

    def abort(self, owner: int, epoch: int) -> "World":
        """Abort what is open; whoever is not of `epoch` is refused from now on."""
        return self.mark(owner, ABORTED).set_coordinator(owner, Coordinator(epoch))

    def start(self) -> "World":
        return self._replace(workers=(*self.workers, Worker(self.started + 1)), started=self.started + 1)

    def is_owner(self, worker: Worker) -> bool:
        return worker.takeover == self.takeovers > 0

    def is_author(self, worker: Worker) -> bool:
        """Whether the worker has a transaction open, or may open the next."""
        return worker.epoch == self.coordinators[worker.transactional_id].epoch > 0


def is_open(by: int) -> bool:
    return by >= 0 or by == NEIGHBOUR


def read_committed(log: Log) -> Log:
    """What a reader of committed records sees: an open transaction hides all that comes after it."""
    last_stable = next((offset for offset, (by, _) in enumerate(log) if is_open(by)), len(log))
    return tuple(entry for entry in log[:last_stable] if entry[0] == COMMITTED)


def steps(scope: Scope, fault: Fault, world: World) -> Moves:
    """Everything that may happen next if all goes well."""
    for worker in world.workers:
        yield from worker_steps(scope, fault, world, worker)
    for request in dict.fromkeys(world.requests):
        yield ("commit arrives", request.sender), arrive(world, request)
    for owner, coordinator in enumerate(world.coordinators):
        if coordinator.status is Status.SEALED:
            yield from write_markers(world, owner)
        elif coordinator.status is Status.ONGOING and not any(
            world.is_author(worker) for worker in world.workers if worker.transactional_id == owner
        ):
            yield ("dead transaction expires", owner), world.abort(owner, coordinator.epoch + 1)
    if scope.has_neighbour and not world.has_neighbour_written:
        yield ("neighbour writes",), world.append(SHARED, NEIGHBOUR, None)._replace(has_neighbour_written=True)
    if any(by == NEIGHBOUR for by, _ in world.logs[SHARED]):
        yield ("neighbour commits",), world.mark(NEIGHBOUR, COMMITTED)
    if all(0 < worker.takeover < world.takeovers for worker in world.workers):
        yield ("start", world.started + 1), world.start()


def misfortunes(fault: Fault, world: World) -> Moves:
    """Everything else that may happen."""
    if world.zombies:
        yield ("replace", world.started + 1), world.start()._replace(zombies=world.zombies - 1)
    for worker in world.workers:
        if fault is Fault.GROUP_OFFSETS and world.is_owner(worker) and worker.phase >= Phase.IDLE:
            yield ("commit group offsets", worker.name), world._replace(group_offsets=worker.positions)
        if not world.crashes:
            continue
        poorer = world._replace(crashes=world.crashes - 1)
        yield ("crash", worker.name), poorer.without(worker)
        owner = worker.transactional_id
        if not world.is_author(worker) or world.coordinators[owner].status is not Status.ONGOING:
            continue
        yield ("transaction times out", worker.name), poorer.abort(owner, worker.epoch + 1)
        if fault is Fault.ABORT_AND_CONTINUE and worker.phase is Phase.COMMITTING:
            again = worker._replace(phase=Phase.IDLE, unsent=worker.sent, sent=())
            yield ("abort and continue", worker.name), poorer.abort(owner, worker.epoch).put(again)


def worker_steps(scope: Scope, fault: Fault, world: World, worker: Worker) -> Moves:
    """What one worker may do next."""
    if worker.phase <= Phase.TAKING_OVER:
        is_fence_next = (worker.phase is Phase.STARTING) != (fault is Fault.FOLD_BEFORE_FENCE)
        yield from fence(fault, world, worker) if is_fence_next else recover(fault, world, worker)
        return
    for topic, records in enumerate(scope.inputs):
        if worker.positions[topic] < len(records) and len(worker.queue) < QUEUE_MAX:
            head, positions, decision = judge(fault, scope.inputs, worker.head, worker.positions, topic)
            after = worker._replace(head=head, positions=positions, queue=worker.queue + decision)
            yield ("judge", worker.name, topic), world.put(after)
    if worker.phase is Phase.WRITING and not worker.unsent:
        request = EndTxn(worker.transactional_id, worker.epoch, worker.name, worker.takeover)
        committing = world.put(worker._replace(phase=Phase.COMMITTING))
        yield ("send commit", worker.name), committing._replace(requests=(*world.requests, request))
    elif worker.phase is not Phase.COMMITTING and (worker.unsent or worker.queue):
        yield from produce(fault, world, worker)


def fence(fault: Fault, world: World, worker: Worker) -> Moves:
    """init_transactions: bump the epoch and abort what is open; wait while a commit is being marked."""
    owner = worker.transactional_id
    if fault is Fault.NO_FENCING:
        owner = len(world.coordinators)
        world = world._replace(coordinators=(*world.coordinators, Coordinator()))
    if world.coordinators[owner].status is Status.SEALED:
        return
    epoch, takeover = world.coordinators[owner].epoch + 1, world.takeovers + 1
    phase = Phase(worker.phase + 1)
    after = worker._replace(phase=phase, takeover=takeover, transactional_id=owner, epoch=epoch)
    yield ("fence", worker.name), world.abort(owner, epoch).put(after)._replace(takeovers=takeover)


def recover(fault: Fault, world: World, worker: Worker) -> Moves:
    """Read own events to the end, fold them, seek the inputs; wait while an open transaction hides the end."""
    is_patient = fault not in (Fault.READ_TO_LAST_STABLE, Fault.READ_UNCOMMITTED)
    if is_patient and any(is_open(by) for log in world.logs for by, _ in log):
        return
    logs = world.logs if fault is Fault.READ_UNCOMMITTED else map(read_committed, world.logs)
    head = fold(tuple(own for log in logs for _, own in log if own is not None))
    positions = world.group_offsets if fault is Fault.GROUP_OFFSETS else head.inputs
    after = worker._replace(phase=Phase(worker.phase + 1), head=head, positions=positions)
    yield ("recover", worker.name), world.put(after)


def produce(fault: Fault, world: World, worker: Worker) -> Moves:
    """Send the next event; an idle worker opens a transaction for everything judged so far."""
    if not world.is_author(worker):
        yield ("refuse event", worker.name), world.without(worker)
        return
    owner = worker.transactional_id
    if world.coordinators[owner].status is Status.SEALED:
        return
    batch, queue = worker.unsent, worker.queue
    if not batch:
        size = 1 if fault is Fault.ONE_EVENT_A_TRANSACTION else len(queue)
        batch, queue = queue[:size], queue[size:]
    own = batch[0]
    after = worker._replace(phase=Phase.WRITING, unsent=batch[1:], sent=(*worker.sent, own), queue=queue)
    ongoing = world.set_coordinator(owner, Coordinator(worker.epoch, Status.ONGOING)).put(after)
    trespassed = world.has_trespassed or not world.is_owner(worker)
    appended = ongoing.append(own.body.topic, owner, own)._replace(has_trespassed=trespassed)
    yield ("produce", worker.name, own.seq, own.ordinal), appended


def arrive(world: World, request: EndTxn) -> World:
    """A request to commit meets its coordinator, which seals whatever that epoch has open, or refuses."""
    rest = list(world.requests)
    rest.remove(request)
    world = world._replace(requests=tuple(rest))
    sender = next((each for each in world.workers if each.name == request.sender), None)
    owner = request.transactional_id
    if world.coordinators[owner] != Coordinator(request.epoch, Status.ONGOING):
        return world.without(sender) if sender else world
    trespassed = world.has_trespassed or request.takeover != world.takeovers
    world = world.set_coordinator(owner, Coordinator(request.epoch, Status.SEALED))._replace(has_trespassed=trespassed)
    if sender and sender.phase is Phase.COMMITTING:
        return world.put(sender._replace(phase=Phase.IDLE, sent=()))
    return world


def write_markers(world: World, owner: int) -> Moves:
    """Mark a sealed commit in one more partition; after the last the coordinator is free again."""
    topics = [topic for topic, log in enumerate(world.logs) if any(by == owner for by, _ in log)]
    for topic in topics:
        marked = world.mark(owner, COMMITTED, [topic])
        if len(topics) == 1:
            marked = marked.set_coordinator(owner, Coordinator(world.coordinators[owner].epoch))
        yield ("mark commit", owner, topic), marked
