"""The strategies' arithmetic: rankings, indices and shares, against other ways to compute them."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.strategist.bars import BarsSlice
from agents.strategist.strategies.momentum import momentum
from agents.strategist.strategies.rsi import rsi, wilder_rsi
from agents.strategist.verdict import Verdict
from schemas.quantities import CONTEXT
from tests.agents.strategist.runs import all_of, history, strategy, view_of

prices = st.integers(1, 10**9).map(lambda micros: Decimal(micros).scaleb(-6))


def bars(**series: Sequence[object]) -> BarsSlice:
    return all_of(view_of(*(history(symbol, *closes) for symbol, closes in series.items())))


def weights(verdict: Verdict) -> dict[str, str]:
    return {each.symbol: f"{each.weight.normalize():f}" for each in verdict.targets}


def test_momentum_holds_those_that_rose_most_in_equal_parts() -> None:
    seen = bars(A=[100, 90, 110], B=[100, 500, 130], C=[100, 1, 105])
    found = momentum(strategy("s", "momentum", "ABC", window=2, n=2), seen)
    assert weights(found) == {"A": "0.5", "B": "0.5"}
    assert [line.split(",")[0] for line in found.path] == [
        "1. B: 100.000000 on 2012-05-30 to 130.000000 on 2012-06-01",
        "2. A: 100.000000 on 2012-05-30 to 110.000000 on 2012-06-01",
        "3. C: 100.000000 on 2012-05-30 to 105.000000 on 2012-06-01",
    ]
    assert found.path[1].endswith("return 0.100000000000, weight 0.500000000000")
    assert found.path[2].endswith("return 0.050000000000, weight 0")


def test_momentum_breaks_ties_by_symbol() -> None:
    seen = bars(C=[10, 11], A=[20, 22], B=[30, 33])
    assert weights(momentum(strategy("s", "momentum", "CBA", window=1, n=2), seen)) == {"A": "0.5", "B": "0.5"}


def test_a_gap_in_the_data_makes_no_other_position_larger() -> None:
    found = momentum(strategy("s", "momentum", "AB", window=1, n=4), bars(A=[10, 11], B=[10]))
    assert weights(found) == {"A": "0.25"}


@settings(max_examples=60, deadline=None)
@for_all(st.dictionaries(st.sampled_from("ABCDEFG"), st.tuples(prices, prices), min_size=1), st.integers(1, 9))
def test_momentum_agrees_with_exact_fractions(closes: dict[str, tuple[Decimal, Decimal]], n: int) -> None:
    with localcontext(CONTEXT):
        seen = bars(**{symbol: list(pair) for symbol, pair in closes.items()})
        found = momentum(strategy("s", "momentum", closes, window=1, n=n), seen)
    exact = {symbol: Fraction(last) / Fraction(first) for symbol, (first, last) in closes.items()}
    chosen = {each.symbol for each in found.targets}
    assert len(chosen) == min(n, len(closes))
    assert sum(each.weight for each in found.targets) <= 1
    # two returns closer than the twelfth decimal are a tie, so the ranking is exact up to that
    worst = min(exact[symbol] for symbol in chosen)
    assert all(exact[symbol] <= worst + Fraction(1, 10**12) for symbol in exact if symbol not in chosen)


def smoothed(changes: list[Fraction], n: int) -> Fraction:
    """Wilder's smoothing as one weighted sum, in exact fractions: no recursion, no rounding."""
    keep, last = 1 - Fraction(1, n), len(changes) - 1
    shares = [keep**last, *(keep ** (last - k) / n for k in range(1, len(changes)))]
    return sum((share * change for share, change in zip(shares, changes, strict=True)), Fraction(0))


@settings(max_examples=60, deadline=None)
@for_all(st.lists(st.integers(100, 10**6), min_size=2, max_size=60), st.integers(1, 20))
def test_the_index_agrees_with_its_closed_form(cents: list[int], n: int) -> None:
    closes: list[object] = [Decimal(each).scaleb(-2) for each in cents]
    with localcontext(CONTEXT):
        found = wilder_rsi(bars(A=closes).last("A", 100), n)
    changes = [Fraction(after - before, 100) for before, after in pairwise(cents)]
    gain = smoothed([max(change, Fraction(0)) for change in changes], n)
    loss = smoothed([max(-change, Fraction(0)) for change in changes], n)
    exact = Fraction(100) if loss == 0 else 100 * gain / (gain + loss)
    # every step rounds gain and loss to 1e-12, and n such roundings add up before they have died away
    rounding = 2 * n * Fraction(1, 10**12)
    assert abs(Fraction(found) - exact) <= (100 * rounding / (gain + loss) if gain + loss else 0) + rounding


@settings(max_examples=200, deadline=None)
@for_all(st.lists(st.integers(1, 60), min_size=2, max_size=40), st.integers(1, 9))
def test_every_step_of_the_index_is_rounded_half_even(cents: list[int], n: int) -> None:
    """Few different prices and small n: many steps end exactly between two numbers of twelve decimals."""
    closes: list[object] = [Decimal(each).scaleb(-2) for each in cents]
    twelve = Decimal(1).scaleb(-12)
    with localcontext(CONTEXT):
        found = wilder_rsi(bars(A=closes).last("A", 100), n)
        first, *changes = [Decimal(after - before).scaleb(-2) for before, after in pairwise(cents)]
        gain, loss = max(first, Decimal(0)), max(-first, Decimal(0))
        for change in changes:
            gain = ((gain * (n - 1) + max(change, Decimal(0))) / n).quantize(twelve, rounding=ROUND_HALF_EVEN)
            loss = ((loss * (n - 1) + max(-change, Decimal(0))) / n).quantize(twelve, rounding=ROUND_HALF_EVEN)
        assert found == (100 if loss == 0 else (100 - 100 / (1 + gain / loss)).quantize(twelve))


def test_the_index_of_a_known_series() -> None:
    # n = 2: gains 1, 0, 2 smooth to 1, 0.5, 1.25; losses 0, 1, 0 to 0, 0.5, 0.25; 100 - 100 / (1 + 5) = 83.33...
    assert wilder_rsi(bars(A=[10, 11, 10, 12]).last("A", 9), 2) == Decimal("83.333333333333")
    assert wilder_rsi(bars(A=[10, 10, 10]).last("A", 9), 2) == 100
    assert wilder_rsi(bars(A=[10, 9, 8]).last("A", 9), 2) == 0


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        pytest.param("0.25", {"A": "0.25", "B": "0.333333333333"}, id="a share of all listed"),
        pytest.param("0.9", {"A": "0.9", "B": "0.1"}, id="what the oversold leave"),
        pytest.param("1", {"A": "1"}, id="nothing left"),
        pytest.param("0", {"B": "0.333333333333"}, id="nothing bought"),
    ],
)
def test_the_oversold_get_their_weight_the_risen_nothing_the_rest_a_share(
    weight: str, expected: dict[str, str]
) -> None:
    terms = strategy("s", "rsi", "ABC", n=2, low=30, high=70, weight=weight)
    even: list[object] = [10, 11, 10, 11, 10, 11, "10.3", 11, 10, "10.4"]
    with localcontext(CONTEXT):
        found = rsi(terms, bars(A=[20 - n for n in range(10)], B=even, C=[20 + n for n in range(10)]))
    assert weights(found) == expected
    assert found.path[0].startswith("A: rsi(2) 0.000000000000 on 2012-06-01, below 30, weight ")
    assert ", between 30 and 70, weight " in found.path[1]
    assert found.path[2] == "C: rsi(2) 100 on 2012-06-01, above 70, weight 0"


def test_an_index_at_a_bound_lies_between() -> None:
    terms = strategy("s", "rsi", "AB", n=1, low=0, high=100, weight="0.1")
    assert weights(rsi(terms, bars(A=[10, 9, 8, 7, 6], B=[10, 11, 12, 13, 14]))) == {"A": "0.5", "B": "0.5"}


def test_the_index_takes_five_times_its_period() -> None:
    found = rsi(strategy("s", "rsi", "AB", n=2, low=30, high=70, weight="0.5"), bars(A=[9] * 10, B=[9] * 9))
    assert [(each.symbol, each.detail) for each in found.skipped] == [("B", "expected 10 bars, found 9")]


def test_the_index_looks_back_25_periods_and_never_more_than_400_bars() -> None:
    seen = bars(A=[100 + n % 7 for n in range(450)])
    for n, count in ((2, 50), (16, 400), (80, 400)):
        assert len(rsi(strategy("s", "rsi", "A", n=n, low=30, high=70, weight=1), seen).looked_at[0]) == count


def test_more_oversold_than_the_whole_is_left_for_the_decider_to_refuse() -> None:
    falling: list[object] = [10, 9, 8, 7, 6]
    terms = strategy("s", "rsi", "AB", n=1, low=30, high=70, weight="0.6")
    found = rsi(terms, bars(A=falling, B=falling))
    assert (weights(found), found.failure) == ({"A": "0.6", "B": "0.6"}, None)
