"""What must never happen, asked of one world.

Most claims are asked of every world, and of what is sealed: a commit that is decided, whether or not a reader sees all
of it yet. That is what every reader sees in the end, and nothing else is ever visible; so the sealed log is held to be
whole, numbered and replayable always, not only at the end.
"""

from collections.abc import Iterator
from enum import StrEnum, auto
from functools import cache
from itertools import pairwise

from tests.model.agent import Event, Head, Inputs, decide, decisions_of, fold, follow, stamp
from tests.model.protocol import COMMITTED, Phase, Status, World, read_committed

OwnLogs = tuple[tuple[Event, ...], ...]


class Claim(StrEnum):
    """A claim, named by what breaks it."""

    HALF = auto()  # part of a decision is committed or visible, and the rest will not follow
    FORK = auto()  # seq is not dense, not unique or not ascending in a topic, or prev does not verify
    TWICE = auto()  # one cause was decided twice
    REPLAY = auto()  # judged again from the log alone, an input says something else
    TRESPASS = auto()  # the broker took something of a worker that was already replaced
    MEMORY = auto()  # the owner's state is not the fold of its published events and those on their way
    LOST = auto()  # all is quiet, but an input was never judged by the owner, or would speak if it were asked now


def broken_claims(inputs: Inputs, world: World, is_quiet: bool) -> Iterator[Claim]:
    """The claims that do not hold in one world; `is_quiet`: nothing but misfortune can happen any more."""
    own_logs = sealed_events(world)
    everything = sum(own_logs, ())
    yield from broken_by_log(inputs, own_logs)
    if any(own not in everything for log in world.logs for _, own in read_committed(log) if own):
        yield Claim.HALF
    if world.has_trespassed:
        yield Claim.TRESPASS
    owners = [each for each in world.workers if world.is_owner(each) and each.phase >= Phase.IDLE]
    for owner in filter(world.is_author, owners):
        if owner.head != fold(everything + owner.sent + owner.unsent + owner.queue):
            yield Claim.MEMORY
    if is_quiet:
        ends = (len(inputs[0]), len(inputs[1]))
        are_done = [each.positions == ends and each.phase is Phase.IDLE and not each.queue for each in owners]
        if are_done != [True] or not is_silent(inputs, fold(everything), ends):
            yield Claim.LOST


def sealed_events(world: World) -> OwnLogs:
    """Per topic, the own events whose commit is decided."""
    sealed = {owner for owner, each in enumerate(world.coordinators) if each.status is Status.SEALED} | {COMMITTED}
    return tuple(tuple(own for by, own in log if own and by in sealed) for log in world.logs)


@cache
def broken_by_log(inputs: Inputs, own_logs: OwnLogs) -> tuple[Claim, ...]:
    """The claims that the log breaks by itself, as an auditor finds them who has nothing else."""
    decisions = decisions_of(sum(own_logs, ()))
    broken = []
    if any({each.ordinal for each in decision} != set(range(decision[0].count)) for decision in decisions):
        broken.append(Claim.HALF)
    if not is_chain(decisions) or not all(map(is_ascending, own_logs)):
        broken.append(Claim.FORK)
    event_ids = [event_id for each in decisions for _, _, event_id in {own.cause for own in each}]
    if len(set(event_ids)) < len(event_ids):
        broken.append(Claim.TWICE)
    if not broken and not is_replayed(inputs, decisions):
        broken.append(Claim.REPLAY)
    return tuple(broken)


def is_ascending(own_log: tuple[Event, ...]) -> bool:
    places = [(each.seq, each.ordinal) for each in own_log]
    return all(before < after for before, after in pairwise(places))


def is_chain(decisions: list[tuple[Event, ...]]) -> bool:
    """Whether seq is dense and unique and every prev is the hash of the decision before."""
    head = Head()
    for decision in decisions:
        is_one = len({each.ordinal for each in decision}) == len(decision)
        if not is_one or any((each.seq, each.prev) != (head.seq + 1, head.prev) for each in decision):
            return False
        head = follow(head, decision)
    return True


def is_replayed(inputs: Inputs, decisions: list[tuple[Event, ...]]) -> bool:
    """Whether all inputs up to the last decision say again what they said; the order of the silent is not needed."""
    head = Head()
    for decision in decisions:
        cause, until = decision[0].cause, decision[0].inputs
        topic, offset, event_id = cause
        record = inputs[topic][offset]
        is_cause = record.event_id == event_id and head.inputs[topic] <= offset == until[topic] - 1
        if not is_cause or stamp(head, cause, record, until) != decision:
            return False
        if not is_silent(inputs, head, until, but=(topic, offset)):
            return False
        head = follow(head, decision)
    return True


def is_silent(inputs: Inputs, head: Head, until: tuple[int, int], but: tuple[int, int] | None = None) -> bool:
    """Whether the inputs from the head's `inputs` up to `until` stay silent under its state, the cause aside."""
    return not any(
        decide(head.memory, topic, records[offset])
        for topic, records in enumerate(inputs)
        for offset in range(head.inputs[topic], until[topic])
        if (topic, offset) != but
    )
