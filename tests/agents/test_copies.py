"""A copy with other fields is the value that `dataclasses.replace` gives, and leaves the first as it was."""

import dataclasses
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from agents.copies import replace


@dataclass(frozen=True)
class Pocket:
    """What somebody has; `notes` is no part of the comparison."""

    owner: str
    coins: int = 0
    held: Map[str, int] = field(default_factory=Map)
    notes: str = field(default="", compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.coins and not self.held


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "owner": st.text(max_size=5),
        "coins": st.integers(),
        "held": st.dictionaries(st.text(max_size=2), st.integers(), max_size=3).map(Map),
        "notes": st.text(max_size=5),
    },
)


@given(CHANGES)
def test_a_copy_is_what_the_standard_library_makes(changes: dict[str, object]) -> None:
    first = Pocket("core", 3, Map({"IBM": 2}))
    ours, theirs = replace(first, **changes), dataclasses.replace(first, **changes)  # type: ignore[arg-type]
    assert type(ours) is Pocket
    assert (ours, vars(ours), hash(ours), ours.is_empty) == (theirs, vars(theirs), hash(theirs), theirs.is_empty)
    assert first == Pocket("core", 3, Map({"IBM": 2}))


def test_a_copy_is_frozen_as_well() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(Pocket("core"), coins=1).coins = 2  # type: ignore[misc]


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="Pocket: expected names of its fields, was is_empty, purse"):
        replace(Pocket("core"), coins=1, purse=2, is_empty=True)  # type: ignore[call-arg]
