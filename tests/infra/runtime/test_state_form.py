"""A state written down and read again is the same state; what cannot be written exactly is refused."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from immutables import Map

from agents.broker import memory
from agents.decision import drafts
from agents.declaration import Agent
from infra.runtime.folding import form_of_memory, initial
from infra.runtime.state_form import StateForm, form_of_states
from infra.runtime.state_parts import StateFormError
from infra.worker import deciding
from schemas.quantities import Money, Weight
from schemas.record import Instant, Value
from tests.simulation.claims import check
from tests.simulation.world import DECIDERS, Node, World


class Colour(StrEnum):
    RED = "red"
    BLUE = 'b"lue'


class Rank(Enum):
    LOW = 1
    HIGH = 2


class Price(Value):
    amount: Money
    at: Instant
    weight: Weight | None = None


@dataclass(frozen=True)
class Leaf:
    number: int
    name: str


@dataclass(frozen=True)
class Twig:
    name: str
    next: "Twig | None" = None


@dataclass(frozen=True)
class Tree:
    """Everything a state may be made of."""

    prices: Map[tuple[str, UUID], Price]
    leaves: tuple[Leaf, ...]
    pair: tuple[date, Colour]
    days: frozenset[date]
    either: Leaf | str | Decimal | None
    maybe: Rank | None
    twig: Twig
    raw: bytes
    nested: Map[int, Map[Colour, frozenset[UUID]]] = field(default_factory=Map)
    is_green: bool = False


FORM = StateForm(Tree)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(minutes=330))])
instants = st.datetimes(timezones=zones)
decimals = st.decimals(allow_nan=False)
leaves = st.builds(Leaf, st.integers(), st.text())
prices = st.builds(Price.model_construct, amount=decimals, at=instants, weight=st.none() | st.decimals(allow_nan=False))
trees = st.builds(
    Tree,
    prices=st.dictionaries(st.tuples(st.text(), st.uuids()), prices).map(Map),
    leaves=st.lists(leaves).map(tuple),
    pair=st.tuples(st.dates(), st.sampled_from(Colour)),
    days=st.frozensets(st.dates()),
    either=leaves | st.text() | decimals | st.none(),
    maybe=st.none() | st.sampled_from(Rank),
    twig=st.recursive(st.builds(Twig, st.text()), lambda inner: st.builds(Twig, st.text(), inner), max_leaves=5),
    raw=st.binary(),
    nested=st.dictionaries(
        st.integers(),
        st.dictionaries(st.sampled_from(Colour), st.frozensets(st.uuids(), max_size=3)).map(Map),
    ).map(Map),
    is_green=st.booleans(),
)


def spelled(value: Any) -> str:
    """Return a value with all that equality passes over: classes, exponents, zones."""
    if isinstance(value, Map):
        return f"Map{sorted(spelled(each) for each in value.items())}"
    if isinstance(value, frozenset):
        return f"frozenset{sorted(spelled(each) for each in value)}"
    if isinstance(value, tuple):
        return f"({', '.join(spelled(each) for each in value)})"
    if isinstance(value, Tree | Leaf | Twig | Price):
        parts = {name: spelled(each) for name, each in vars(value).items()}
        return f"{type(value).__name__}{parts}"
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(value)


@settings(suppress_health_check=[HealthCheck.too_slow])  # trees are large, and machines can be busy
@given(trees)
def test_what_is_written_is_read_again_to_the_last_digit(tree: Tree) -> None:
    again = FORM.from_text(FORM.to_text(tree))

    assert again == tree
    assert spelled(again) == spelled(tree)
    assert FORM.to_text(again) == FORM.to_text(tree)


@given(st.dictionaries(st.uuids(), st.integers(), min_size=2))
def test_equal_states_have_equal_texts_however_they_came_about(entries: dict[UUID, int]) -> None:
    form = StateForm(Map[UUID, int])
    there: Map[UUID, int] = Map()
    back: Map[UUID, int] = Map()
    for key, number in entries.items():
        there = there.set(key, number)
    for key, number in reversed(entries.items()):
        back = back.set(key, 0).set(key, number)

    assert form.to_text(there) == form.to_text(back)


@dataclass(frozen=True)
class Other(Leaf):
    pass


@dataclass
class Thawed:
    number: int


@dataclass(frozen=True)
class Derived:
    number: int
    double: int = field(init=False, default=0)


class Coordinates(Enum):
    ORIGIN = (0, 0)


@pytest.mark.parametrize(
    "hint",
    [Any, float, list[int], dict[str, int], object, Thawed, Derived, Coordinates, tuple, Map, tuple[int] | tuple[str]],
)
def test_what_has_no_exact_form_is_refused_before_anything_is_written(hint: Any) -> None:
    with pytest.raises(StateFormError):
        StateForm(hint)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, True),
        (bool, 1),
        (str, Colour.RED),
        (Decimal, 1.5),
        (Decimal, 1),
        (date, datetime(2012, 6, 1, tzinfo=UTC)),
        (datetime, datetime(2012, 6, 1)),  # noqa: DTZ001
        (Leaf, Other(1, "a subclass")),
        (Leaf, Leaf("one", "not a number")),  # type: ignore[arg-type]
        (Leaf | str, 7),
        (tuple[int, int], (1,)),
        (Colour, "red"),
        (Map[str, int], {"a": 1}),
        (frozenset[int], {1}),
    ],
)
def test_a_value_of_another_class_than_its_hint_is_refused_and_not_bent(hint: Any, value: object) -> None:
    with pytest.raises((StateFormError, ValueError)):
        StateForm(hint).to_text(value)


@pytest.mark.parametrize("text", ["", "{", "[1.5]", "[[1,2]]", '["x"]', "[null]", "7", '["a","b","c"]', "[NaN]"])
def test_a_text_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(StateFormError):
        StateForm(Map[str, int]).from_text(text)


@pytest.mark.parametrize("agent", deciding(), ids=lambda each: each.name)
def test_every_agent_remembers_in_a_form_that_can_be_written(agent: Agent) -> None:
    assert (agent.decider is None) is (agent.memory is not None)
    form, state = form_of_memory(agent), initial(agent)

    assert form.from_text(form.to_text(state)) == state


class ForgetfulWorld(World):
    """A world whose agents go on, after every crash and every decision, with what was written down."""

    written = 0

    def _recover(self, node: Node) -> None:
        super()._recover(node)
        if node.name in self.states:
            self._read_again(node.name)

    def _decided(self, name: str, event: Any) -> Any:
        said = super()._decided(name, event)
        if said:
            before = self.states[name]
            self._read_again(name)
            again = drafts(Agent(name), self.deciders[name], self.states[name], event)
            assert [draft.value() for draft in again] == [draft.value() for draft in said]
            assert self.states[name] == before
        return said

    def _remembered_outside(self) -> Any:
        known, form = super()._remembered_outside(), form_of_states(memory)
        again = form.from_text(form.to_text(known))
        assert (again, form.to_text(again)) == (known, form.to_text(known))
        self.written += 1
        return again

    def _read_again(self, name: str) -> None:
        form = form_of_states(self.deciders[name])
        text = form.to_text(self.states[name])
        self.states[name] = form.from_text(text)
        assert form.to_text(self.states[name]) == text
        self.written += 1


@pytest.mark.parametrize("seed", range(5))
def test_real_agents_decide_the_same_bytes_with_a_memory_that_was_written_down(seed: int) -> None:
    world = ForgetfulWorld(seed)
    world.live()

    check(world)
    assert world.written > 20
    for name, node in world.nodes.items():
        if name in DECIDERS:
            assert world.states[name] == world.folded(node)
