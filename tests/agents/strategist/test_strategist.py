"""The strategist: one signal per strategy, all at once, from the bars a run may see."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agents.decider import Decider
from agents.strategist import decider as strategist
from agents.strategist.agent import AGENT
from agents.strategist.bars import BarsView
from agents.testing import Story, given
from schemas.identity import derived
from schemas.market import Bar
from schemas.run import ClockReading, Run, StrategyTerms
from schemas.signal import Signal, SignalFailure, SignalStatus, SkippedSymbol, TargetWeight
from tests.agents.strategist.runs import ACCOUNT, AS_OF, TODAY, all_of, bar, history, run, strategy, view_of

RISING = history("AAPL", 100, 110, 121)
FLAT = history("IBM", 50, 50, 50)
FALLING = history("MSFT", 40, 38, 36)
VIEW = view_of(RISING, FLAT, FALLING)
BUY_AAPL = strategy("fixed", "fixed-weights", AAPL="0.5")
TOP_ONE = strategy("momentum", "momentum", window=2, n=1)
READING = ClockReading(account_id=ACCOUNT, run_id=run().run_id, due_at=AS_OF, read_at=AS_OF)


def ask(asked: Run, view: BarsView = VIEW, past: Story | None = None) -> Story:
    declared = AGENT.view
    assert declared is not None
    return (past or given(strategist)).when(asked, view=view.until(declared.bound(asked)))


def signals(story: Story) -> list[Signal]:
    return [each for each in story.said if isinstance(each, Signal)]


def only(terms: StrategyTerms, view: BarsView = VIEW) -> Signal:
    (said,) = signals(ask(run(terms), view))
    return said


def test_every_strategy_of_a_run_speaks_in_one_decision_in_the_order_of_the_terms() -> None:
    asked = run(BUY_AAPL, TOP_ONE, strategy("unheard", "astrology"))
    said = signals(ask(asked))
    assert [each.strategy_id for each in said] == ["fixed", "momentum", "unheard"]
    assert [each.signal_id for each in said] == [derived("signal", asked.run_id, each.strategy_id) for each in said]
    assert all(each.terms == asked.terms and each.bars_until == asked.terms.bars_until for each in said)
    assert [each.status for each in said] == [SignalStatus.READY, SignalStatus.READY, SignalStatus.FAILED]


def test_a_run_is_signalled_once() -> None:
    ask(run(BUY_AAPL), past=ask(run(BUY_AAPL))).then()


def test_a_run_without_strategies_has_no_signals() -> None:
    ask(run()).then()


def test_a_refused_run_is_not_signalled_and_sees_no_bars() -> None:
    refused = run(BUY_AAPL, refused=True)
    ask(refused).then()
    assert AGENT.view is not None
    assert AGENT.view.bound(refused) == ()


def test_an_unknown_kind_fails_and_names_the_known_ones() -> None:
    said = only(strategy("unheard", "astrology"))
    assert (said.failure, said.targets) == (SignalFailure.UNKNOWN_STRATEGY, ())
    assert said.detail == "expected one of fixed-weights, momentum, rsi, was 'astrology'"
    assert said.bars_count == 0


@pytest.mark.parametrize(
    ("terms", "detail"),
    [
        (strategy("s", "momentum", window=2), "momentum: expected n, window, was window"),
        (strategy("s", "momentum", window=2, n=1, top=3), "momentum: expected n, window, was n, top, window"),
        (strategy("s", "momentum", window="two", n=1), "window: expected a whole number from 1 to 1000, was 'two'"),
        (strategy("s", "momentum", window="1_0", n=1), "window: expected a whole number from 1 to 1000, was '1_0'"),
        (strategy("s", "momentum", window=0, n=1), "window: expected a whole number from 1 to 1000, was '0'"),
        (strategy("s", "rsi", n=81, low=30, high=70, weight=1), "n: expected a whole number from 1 to 80, was '81'"),
        (
            strategy("s", "rsi", n=2, low="NaN", high=70, weight=1),
            "low: expected a number from 0 to 100, at most 12 decimals, was 'NaN'",
        ),
        (strategy("s", "rsi", n=2, low=71, high=70, weight=1), "low: expected at most high, which is 70, was 71"),
        (strategy("s", "fixed-weights", TSLA="0.5"), "TSLA: expected one of AAPL, IBM, MSFT"),
        (
            strategy("s", "fixed-weights", AAPL="1e-999999999"),
            "AAPL: expected a number from -1 to 1, at most 12 decimals, was '1e-999999999'",
        ),
        (
            strategy("s", "fixed-weights", AAPL="1.1"),
            "AAPL: expected a number from -1 to 1, at most 12 decimals, was '1.1'",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_fails_by_name(terms: StrategyTerms, detail: str) -> None:
    said = only(terms)
    assert (said.status, said.failure, said.detail) == (SignalStatus.FAILED, SignalFailure.BAD_PARAMETER, detail)


def test_a_setting_given_twice_fails() -> None:
    twice = BUY_AAPL.model_copy(update={"parameters": BUY_AAPL.parameters * 2})
    assert only(twice).detail == "AAPL: expected one value, was '0.5' and '0.5'"


def test_weights_above_the_whole_fail_and_shorts_make_no_room() -> None:
    for other in ("0.400000000001", "-0.400000000001"):
        said = only(strategy("s", "fixed-weights", AAPL="0.6", IBM=other))
        assert (said.failure, said.targets) == (SignalFailure.WEIGHTS_ABOVE_ONE, ())
        assert said.detail == "expected weights of at most 1 together, was 1.000000000001"
        assert len(said.decision_path) == 2
    assert only(strategy("s", "fixed-weights", AAPL="0.6", IBM="-0.4")).status is SignalStatus.READY


def test_fixed_weights_want_what_they_say_and_look_at_nothing() -> None:
    said = only(strategy("s", "fixed-weights", IBM="0.25", AAPL="0.5", MSFT="0"))
    assert said.targets == (
        TargetWeight(symbol="AAPL", weight=Decimal("0.5")),
        TargetWeight(symbol="IBM", weight=Decimal("0.25")),
    )
    assert said.decision_path[0] == "AAPL: weight 0.5, fixed"
    assert said.bars_count == 0


def test_a_symbol_without_bars_is_skipped_by_name() -> None:
    said = only(
        strategy("s", "momentum", ("AAPL", "NEW", "TSLA"), window=2, n=1), view_of(RISING, history("NEW", 9, 8))
    )
    assert said.skipped == (
        SkippedSymbol(symbol="NEW", reason=SignalFailure.NOT_ENOUGH_BARS, detail="expected 3 bars, found 2"),
        SkippedSymbol(symbol="TSLA", reason=SignalFailure.NO_BARS, detail="expected 3 bars, found 0"),
    )
    assert [each.symbol for each in said.targets] == ["AAPL"]
    assert said.bars_count == 5


@pytest.mark.parametrize(
    ("bars", "failure"), [([], SignalFailure.NO_BARS), (history("IBM", 5), SignalFailure.NOT_ENOUGH_BARS)]
)
def test_a_strategy_without_a_symbol_it_can_judge_fails(bars: list[Bar], failure: SignalFailure) -> None:
    said = only(TOP_ONE, view_of(bars))
    assert (said.failure, said.targets, len(said.skipped)) == (failure, (), 3)
    assert said.detail.startswith("AAPL: expected 3 bars, found 0; IBM: ")


def test_a_strategy_without_symbols_fails() -> None:
    said = only(strategy("s", "momentum", (), window=2, n=1))
    assert (said.failure, said.detail) == (SignalFailure.NO_BARS, "expected a symbol, was none")


def test_bars_of_later_sessions_and_later_records_change_nothing() -> None:
    asked = run(TOP_ONE, until=9)
    tomorrow = [bar("MSFT", TODAY + timedelta(days=1), 9999)]
    correction = [bar("MSFT", TODAY, 9999)]
    honest = ask(asked).said
    assert ask(asked, view_of(RISING, FLAT, FALLING, correction)).said == honest
    seen = run(TOP_ONE, until=10)
    assert signals(ask(seen, view_of(RISING, FLAT, FALLING, tomorrow)))[0].targets[0].symbol == "AAPL"
    assert signals(ask(seen, view_of(RISING, FLAT, FALLING, correction)))[0].targets[0].symbol == "MSFT"


def test_the_day_of_a_run_is_the_day_in_new_york() -> None:
    late_evening = datetime(2012, 6, 2, 3, 0, tzinfo=UTC)
    bars = view_of(history("AAPL", 1, 2, 3, last=TODAY + timedelta(days=1)))
    asked = run(strategy("s", "momentum", ("AAPL",), window=1, n=1), as_of=late_evening)
    (said,) = signals(ask(asked, bars))
    assert "to 2.000000 on 2012-06-01" in said.decision_path[0]


def test_other_bars_give_another_hash_and_the_same_bars_the_same() -> None:
    again, other = view_of(FALLING, FLAT, RISING), view_of(RISING, FLAT, history("MSFT", 40, 38, "36.000001"))
    assert only(TOP_ONE, again).bars_sha256 == only(TOP_ONE).bars_sha256
    assert only(TOP_ONE, other).bars_sha256 != only(TOP_ONE).bars_sha256
    assert only(TOP_ONE).bars_count == 9


def test_deciding_twice_gives_equal_records() -> None:
    asked = run(BUY_AAPL, TOP_ONE, strategy("mean", "rsi", n=1, low=30, high=70, weight="0.5"))
    assert ask(asked).said == ask(asked).said


def test_a_run_without_its_bars_is_a_fault_of_the_wiring() -> None:
    with pytest.raises(TypeError, match="as a view, was None"):
        given(strategist).when(run(BUY_AAPL))
    with pytest.raises(TypeError, match="was ClockReading"):
        given(strategist).when(READING, view=all_of(VIEW))
    with pytest.raises(TypeError, match="was Run"):
        given(strategist, run(BUY_AAPL))


def test_the_declaration_names_the_decider_and_its_view() -> None:
    checked: Decider[strategist.State] = strategist
    assert (AGENT.name, AGENT.decider) == ("strategist", checked)
    assert AGENT.view is not None
    assert AGENT.view.topic == "bars.v1"
    assert isinstance(AGENT.view.empty(), BarsView)
    assert AGENT.view.bound(run(until=7))[0].next_offset == 7
    with pytest.raises(TypeError, match="was ClockReading"):
        AGENT.view.bound(READING)
