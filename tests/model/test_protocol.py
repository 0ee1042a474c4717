"""Stories about the protocol in which workers own, lose and recover one agent-partition (`-s` shows the counts)."""

from functools import cache

import pytest

from tests.model.agent import Fault, Inputs, Record
from tests.model.claims import Claim
from tests.model.explore import explore
from tests.model.protocol import Scope


def records(words: str) -> tuple[Record, ...]:
    return tuple(Record(*word.split(":")) for word in words.split())


# "order:a" comes on both topics: the second is a duplicate. Ticks and duplicates are silent or not by what came before.
LONG: Inputs = (records("order:a tick:t order:c"), records("order:b order:a poison:p"))
MIDDLE: Inputs = (records("order:a tick:t"), records("order:a order:b poison:p"))
SHORT: Inputs = (records("order:a tick:t"), records("order:b poison:p"))
TICKS: Inputs = (records("tick:t tick:u"), records("order:b poison:p"))
PAIR: Inputs = (records("order:a"), records("order:b poison:p"))
TINY: Inputs = (records("order:a"), records("order:b"))

explored = cache(explore)

SCOPES = [
    Scope("nothing goes wrong", LONG),
    Scope("two crashes", LONG, crashes=2),
    Scope("a zombie", LONG, zombies=1),
    Scope("a crash and a zombie", MIDDLE, crashes=1, zombies=1),
    Scope("two crashes and a zombie", PAIR, crashes=2, zombies=1),
    Scope("silent ticks", TICKS, crashes=1, zombies=1),
    Scope("a neighbour on the shared topic", SHORT, crashes=1, has_neighbour=True),
    Scope("a neighbour and a zombie", PAIR, zombies=1, has_neighbour=True),
]
ZOMBIE = Scope("a zombie", SHORT, zombies=1)
CRASH = Scope("a crash", SHORT, crashes=1)
FAULTS = [
    (Fault.NO_FENCING, ZOMBIE._replace(inputs=PAIR), {Claim.TRESPASS, Claim.FORK}),
    (Fault.FOLD_BEFORE_FENCE, ZOMBIE, {Claim.FORK, Claim.TWICE}),
    (Fault.READ_UNCOMMITTED, CRASH, {Claim.FORK, Claim.LOST}),
    (Fault.READ_TO_LAST_STABLE, CRASH._replace(has_neighbour=True), {Claim.FORK, Claim.TWICE}),
    (Fault.ONE_EVENT_A_TRANSACTION, CRASH, {Claim.HALF}),
    (Fault.NO_INPUTS, CRASH, {Claim.TWICE}),
    (Fault.INPUTS_OF_CAUSE_ONLY, CRASH._replace(inputs=TICKS), {Claim.REPLAY, Claim.LOST}),
    (Fault.GROUP_OFFSETS, CRASH, {Claim.LOST, Claim.TWICE}),
    (Fault.UNPUBLISHED_MEMORY, CRASH._replace(inputs=TICKS), {Claim.MEMORY, Claim.REPLAY}),
    (Fault.ABORT_AND_CONTINUE, CRASH, {Claim.HALF}),
]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope.name)
def test_every_claim_holds_in_every_world(scope: Scope) -> None:
    seen = explored(scope)
    print(f"\n{scope.name}: {seen.worlds} worlds, {len(seen.endings)} endings")
    assert seen.broken == {}
    assert seen.endings


@pytest.mark.parametrize(("fault", "scope", "claims"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_a_planted_fault_is_found(fault: Fault, scope: Scope, claims: set[Claim]) -> None:
    assert explored(scope).broken == {}
    seen = explore(scope, fault, until=frozenset(claims))
    print(f"\n{fault}: {seen.worlds} worlds", *(f"{claim}: {way}" for claim, way in seen.broken.items()), sep="\n  ")
    assert claims <= seen.broken.keys()


def test_every_fault_is_planted_and_every_claim_broken_by_one() -> None:
    assert {fault for fault, _, _ in FAULTS} == set(Fault) - {Fault.NONE}
    assert set().union(*(claims for _, _, claims in FAULTS)) == set(Claim)


def test_everything_that_may_happen_does_happen_to_the_right_protocol() -> None:
    scope = Scope("all", TINY, crashes=1, zombies=1, has_neighbour=True)
    ours = "fence, recover, judge, produce, send commit, commit arrives, mark commit, refuse event, start, replace"
    ills = "crash, transaction times out, dead transaction expires, neighbour writes, neighbour commits"
    assert explored(scope).happened == {*ours.split(", "), *ills.split(", ")}


def test_crashes_and_zombies_add_no_ending_that_an_undisturbed_worker_could_not_write() -> None:
    undisturbed = explored(Scope("nothing goes wrong", MIDDLE)).endings
    assert explored(Scope("a crash and a zombie", MIDDLE, crashes=1, zombies=1)).endings == undisturbed


@pytest.mark.parametrize("scope", [CRASH, ZOMBIE._replace(inputs=TINY)], ids=lambda scope: scope.name)
def test_worlds_that_are_walked_once_for_many_hide_nothing(scope: Scope) -> None:
    reduced, whole = explored(scope), explore(scope, is_reduced=False)
    print(f"\n{whole.worlds} worlds, reduced to {reduced.worlds}")
    assert reduced.worlds < whole.worlds
    assert (reduced.broken, reduced.happened, reduced.endings) == ({}, whole.happened, whole.endings)
    assert whole.broken == {}
