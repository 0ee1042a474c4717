"""Splitting executions: exact at every step, never taken back, never a unit behind, whatever the chunks."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.ledger.split import split

ZERO = Decimal(0)
Shares = Mapping[str, Decimal]


def shares(**wishes: str) -> dict[str, Decimal]:
    return {owner: Decimal(quantity) for owner, quantity in wishes.items()}


def filled(wishes: Shares, executions: Sequence[Decimal]) -> list[dict[str, Decimal]]:
    """Return what everybody has after each execution."""
    so_far: list[dict[str, Decimal]] = [dict.fromkeys(wishes, ZERO)]
    for executed in executions:
        parts = split(wishes, so_far[-1], executed)
        so_far.append({owner: so_far[-1][owner] + parts[owner] for owner in wishes})
    return so_far[1:]


def nobody_is_a_unit_off(wishes: Shares, steps: Sequence[Shares]) -> None:
    whole = sum(wishes.values())
    for has in steps:
        executed = sum(has.values())
        assert all(abs(has[owner] * whole - executed * wish) < whole for owner, wish in wishes.items())


@st.composite
def lines(draw: st.DrawFn, units: tuple[str, ...] = ("1", "0.1", "0.000000001")) -> tuple[Shares, list[Decimal]]:
    """Return wishes, and executions that fill them completely, all in one unit."""
    unit = Decimal(draw(st.sampled_from(units)))
    wished = draw(st.lists(st.integers(1, 60), min_size=1, max_size=8))
    wishes = {f"strategy-{number}": wish * unit for number, wish in enumerate(wished)}
    left, executions, chunk = sum(wished), [], draw(st.sampled_from([1, 3, 400]))
    while left:
        executed = draw(st.integers(1, min(left, chunk)))
        executions.append(executed * unit)
        left -= executed
    return wishes, executions


def largest_remainder(wishes: Shares, executed: Decimal) -> dict[str, Decimal]:
    """Split one total by largest remainder, ties by name: right for one total, wrong for one fill after the other."""
    whole = sum(wishes.values())
    parts = {owner: executed * wish // whole for owner, wish in wishes.items()}
    behind = sorted(wishes, key=lambda owner: (parts[owner] - executed * wishes[owner] / whole, owner))
    for owner in behind[: int(executed - sum(parts.values()))]:
        parts[owner] += 1
    return parts


def test_sixty_to_forty_filled_share_by_share_ends_at_sixty_to_forty() -> None:
    wishes = shares(core="60", trend="40")

    assert filled(wishes, [Decimal(1)] * 100)[-1] == wishes
    each_alone = [largest_remainder(wishes, Decimal(1)) for _ in range(100)]
    assert {owner: sum(parts[owner] for parts in each_alone) for owner in wishes} == shares(core="100", trend="0")


def test_differences_of_largest_remainder_would_take_shares_back_and_the_split_does_not() -> None:
    wishes = shares(a="1", b="3", c="5")
    assert largest_remainder(wishes, Decimal(4)) == shares(a="1", b="1", c="2")
    assert largest_remainder(wishes, Decimal(5)) == shares(a="0", b="2", c="3")

    after_four, after_five = filled(wishes, [Decimal(4), Decimal(1)])
    assert all(after_five[owner] >= after_four[owner] for owner in wishes)


@pytest.mark.parametrize("wished", [(1, 4, 3, 4, 48, 14, 49), (14, 1, 5, 1, 5, 21)])
def test_wishes_that_the_largest_deficit_first_cannot_serve_are_served(wished: Sequence[int]) -> None:
    """Giving each share to the largest deficit leaves somebody a whole share behind (at shares 114 and 27)."""
    wishes = {f"strategy-{number}": Decimal(wish) for number, wish in enumerate(wished)}
    steps = filled(wishes, [Decimal(1)] * sum(wished))

    nobody_is_a_unit_off(wishes, steps)
    assert steps[-1] == wishes


def test_the_unit_is_one_share_while_quantities_are_whole() -> None:
    assert split(shares(core="2", trend="1"), {}, Decimal(1)) == shares(core="1", trend="0")
    assert split(shares(core="0.2", trend="0.1"), {}, Decimal("0.3")) == shares(core="0.2", trend="0.1")


def test_a_line_that_is_filled_in_coarse_units_first_still_sums_up() -> None:
    wishes = shares(core="6.3", trend="4.2")
    steps = filled(wishes, [Decimal(1), Decimal("0.5"), Decimal(9)])

    assert [sum(each.values()) for each in steps] == [1, Decimal("1.5"), Decimal("10.5")]
    assert steps[-1] == wishes


def test_an_allocation_goes_on_over_all_orders_of_the_line() -> None:
    wishes = shares(core="60", trend="40")
    first = split(wishes, {}, Decimal(33))
    second = split(wishes, first, Decimal(67))

    assert {owner: first[owner] + second[owner] for owner in wishes} == wishes


@pytest.mark.parametrize("allocated", [shares(core="2"), shares(stranger="1"), shares(core="1", trend="1")])
def test_more_than_was_wished_is_not_split(allocated: Shares) -> None:
    with pytest.raises(ValueError, match="expected executions of"):
        split(shares(core="1", trend="1"), allocated, Decimal(1))


@settings(max_examples=30, deadline=None)
@for_all(lines())
def test_parts_sum_up_are_never_taken_back_and_end_at_the_wishes(line: tuple[Shares, list[Decimal]]) -> None:
    wishes, executions = line
    before = dict.fromkeys(wishes, ZERO)
    executed_so_far = ZERO
    for executed, has in zip(executions, filled(wishes, executions), strict=True):
        executed_so_far += executed
        assert sum(has.values()) == executed_so_far
        assert all(before[owner] <= has[owner] <= wishes[owner] for owner in wishes)
        before = has
    assert before == wishes


@settings(max_examples=30, deadline=None)
@for_all(lines(units=("1",)))
def test_nobody_is_ever_a_whole_unit_off_the_due(line: tuple[Shares, list[Decimal]]) -> None:
    wishes, executions = line
    nobody_is_a_unit_off(wishes, filled(wishes, executions))


@settings(max_examples=30, deadline=None)
@for_all(lines(), st.randoms(use_true_random=False))
def test_the_order_in_which_strategies_are_named_changes_nothing(
    line: tuple[Shares, list[Decimal]], shuffled: st.DataObject
) -> None:
    wishes, executions = line
    names = list(wishes)
    shuffled.shuffle(names)  # type: ignore[attr-defined]

    assert filled({name: wishes[name] for name in names}, executions) == filled(wishes, executions)


@settings(max_examples=30, deadline=None)
@for_all(st.data())
def test_units_may_change_on_the_way_and_the_sums_stay_exact(data: st.DataObject) -> None:
    wishes = {
        f"s{number}": Decimal(wish) for number, wish in enumerate(data.draw(st.lists(st.integers(1, 9), min_size=2)))
    }
    left, so_far = sum(wishes.values(), ZERO), dict.fromkeys(wishes, ZERO)
    while left:
        executed = min(left, data.draw(st.decimals("0.1", "5", places=1)).normalize())
        parts = split(wishes, so_far, executed)
        assert sum(parts.values()) == executed
        assert min(parts.values()) >= 0
        so_far = {owner: so_far[owner] + parts[owner] for owner in wishes}
        left -= executed
    assert so_far == wishes
