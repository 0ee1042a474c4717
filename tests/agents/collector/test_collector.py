"""The collector: one receipt for every signal, and a portfolio when all have answered or the deadline has passed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.collector import decider as collector
from agents.collector.agent import AGENT
from agents.decider import Decider
from agents.testing import Story, given, through_the_wire
from schemas.identity import derived, run_id
from schemas.portfolio import Contribution, KeptSymbol, Portfolio, PortfolioTarget
from schemas.run import ConflictRule, DeadlinePassed, Limits, Mode, RunTerms, StrategyTerms
from schemas.signal import (
    ReceiptStatus,
    Signal,
    SignalFailure,
    SignalReceipt,
    SignalStatus,
    SkippedSymbol,
    TargetWeight,
)

ACCOUNT = "paper-1"
FRIDAY = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)
RUN = run_id(ACCOUNT, FRIDAY, "daily")
LIMITS = Limits(
    trade_value_min=Decimal(50),
    quantity_step=Decimal(1),
    weight_total_max=Decimal(1),
    cash_reserve=Decimal(0),
    quote_age_max_s=60,
)


def terms(**allocations: str) -> RunTerms:
    return RunTerms(
        run_id=RUN,
        as_of=FRIDAY,
        strategies=tuple(
            StrategyTerms(
                strategy_id=name,
                kind="fixed-weights",
                mode=Mode.NETTED,
                allocation=Decimal(allocation),
                priority=1,
                symbols=("AAPL", "IBM"),
                parameters=(),
            )
            for name, allocation in sorted(allocations.items())
        ),
        limits=LIMITS,
        conflict_rule=ConflictRule.SUM,
        valid_until=FRIDAY + timedelta(hours=1),
        deadline_at=FRIDAY + timedelta(minutes=5),
        bars_until=(),
    )


TWO = terms(carry="0.4", momentum="0.6")


def signal(name: str, run: RunTerms = TWO, failure: SignalFailure | None = None, **weights: str) -> Signal:
    return Signal(
        account_id=ACCOUNT,
        signal_id=derived("signal", run.run_id, name),
        strategy_id=name,
        status=SignalStatus.FAILED if failure else SignalStatus.READY,
        failure=failure,
        detail="no bars" if failure else "",
        targets=tuple(
            TargetWeight(symbol=symbol, weight=Decimal(weight)) for symbol, weight in sorted(weights.items())
        ),
        skipped=(),
        decision_path=(),
        bars_until=(),
        bars_count=0,
        bars_sha256="",
        terms=run,
    )


def receipt(of: Signal, status: ReceiptStatus) -> SignalReceipt:
    return SignalReceipt(
        account_id=ACCOUNT,
        run_id=of.terms.run_id,
        signal_id=of.signal_id,
        strategy_id=of.strategy_id,
        status=status,
        signal_status=of.status,
        targets=of.targets,
        skipped=tuple(each.symbol for each in of.skipped),
        terms=of.terms,
    )


def target(symbol: str, **parts: str) -> PortfolioTarget:
    contributions = tuple(Contribution(strategy_id=name, weight=Decimal(part)) for name, part in sorted(parts.items()))
    return PortfolioTarget(
        symbol=symbol, weight=sum(each.weight for each in contributions), contributions=contributions
    )


def portfolio(story: Story) -> Portfolio:
    last = story.said[-1]
    assert isinstance(last, Portfolio)
    return last


def test_a_symbol_a_strategy_could_not_judge_is_kept_and_not_taken_for_zero() -> None:
    blind = CARRY.model_copy(
        update={"skipped": (SkippedSymbol(symbol="FB", reason=SignalFailure.NO_BARS, detail="21 needed, 0 found"),)}
    )
    formed = portfolio(given(collector).when(MOMENTUM).when(blind))

    assert formed.content.kept == (KeptSymbol(strategy_id="carry", symbol="FB"),)


PASSED = DeadlinePassed(account_id=ACCOUNT, run_id=RUN, deadline_at=FRIDAY + timedelta(minutes=5))
CARRY = signal("carry", AAPL="0.5", IBM="0.25")
MOMENTUM = signal("momentum", AAPL="1")


def test_a_signal_that_is_not_the_last_gets_a_receipt_and_no_more() -> None:
    given(collector).when(CARRY).then(receipt(CARRY, ReceiptStatus.ACCEPTED))


def test_the_last_signal_brings_the_portfolio_in_the_same_decision() -> None:
    story = given(collector).when(CARRY).when(MOMENTUM)
    assert story.said[0] == receipt(MOMENTUM, ReceiptStatus.ACCEPTED)
    whole = portfolio(story)
    assert (whole.is_partial, whole.failed, whole.missing) == (False, (), ())
    assert whole.signal_ids == (CARRY.signal_id, MOMENTUM.signal_id)
    assert whole.content.terms == TWO
    assert whole.content.silent_strategies == ()
    assert whole.content.targets == (target("AAPL", carry="0.2", momentum="0.6"), target("IBM", carry="0.1"))


def test_a_deadline_closes_the_run_with_what_has_come() -> None:
    partial = portfolio(given(collector).when(MOMENTUM).when(PASSED))
    assert (partial.is_partial, partial.failed, partial.missing) == (True, (), ("carry",))
    assert partial.content.silent_strategies == ("carry",)
    assert partial.content.targets == (target("AAPL", momentum="0.6"),)


def test_a_failed_strategy_is_silent_and_the_run_goes_on() -> None:
    broken = signal("carry", failure=SignalFailure.NO_BARS)
    partial = portfolio(given(collector).when(broken).when(MOMENTUM))
    assert (partial.is_partial, partial.failed, partial.missing) == (True, ("carry",), ())
    assert partial.content.silent_strategies == ("carry",)
    assert partial.signal_ids == (broken.signal_id, MOMENTUM.signal_id)


def test_when_all_fail_nothing_is_wanted_and_everybody_is_silent() -> None:
    story = given(collector).when(signal("carry", failure=SignalFailure.NO_BARS))
    partial = portfolio(story.when(signal("momentum", failure=SignalFailure.UNKNOWN_STRATEGY)))
    assert partial.content.targets == ()
    assert partial.content.silent_strategies == ("carry", "momentum")


def test_a_deadline_passes_once_and_only_for_runs_that_were_heard_of() -> None:
    given(collector).when(PASSED).then()
    given(collector).when(CARRY).when(PASSED).when(PASSED).then()
    given(collector).when(CARRY).when(MOMENTUM).when(PASSED).then()


def test_signals_after_a_deadline_nobody_was_heard_before_are_collected_as_usual() -> None:
    assert not portfolio(given(collector).when(PASSED).when(CARRY).when(MOMENTUM)).is_partial


def test_the_same_signal_again_is_a_duplicate_before_and_after_the_portfolio() -> None:
    duplicate = receipt(CARRY, ReceiptStatus.DUPLICATE)
    given(collector).when(CARRY).when(CARRY).then(duplicate).when(MOMENTUM).when(CARRY).then(duplicate)


def test_a_strategy_that_changes_its_mind_is_conflicting_and_its_first_word_stands() -> None:
    other = signal("carry", AAPL="0.9")
    story = given(collector).when(CARRY).when(other).then(receipt(other, ReceiptStatus.CONFLICTING))
    assert portfolio(story.when(MOMENTUM)).content.targets[0] == target("AAPL", carry="0.2", momentum="0.6")


def test_a_signal_with_other_terms_than_the_run_was_heard_of_in_is_conflicting() -> None:
    other = signal("momentum", terms(carry="0.4", momentum="0.5"), AAPL="1")
    given(collector).when(CARRY).when(other).then(receipt(other, ReceiptStatus.CONFLICTING))


def test_a_signal_after_the_portfolio_is_late_however_often_it_comes() -> None:
    late = receipt(CARRY, ReceiptStatus.LATE)
    given(collector).when(MOMENTUM).when(PASSED).when(CARRY).then(late).when(CARRY).then(late)


def test_a_strategy_that_is_not_in_the_run_is_unexpected_and_not_remembered() -> None:
    stranger = signal("stranger", AAPL="1")
    story = given(collector).when(stranger).then(receipt(stranger, ReceiptStatus.UNEXPECTED))
    story.when(PASSED).then()


def test_the_memory_is_what_was_published() -> None:
    accepted = receipt(CARRY, ReceiptStatus.ACCEPTED)
    assert given(collector, accepted).state == given(collector).when(CARRY).state
    given(collector, accepted).when(CARRY).then(receipt(CARRY, ReceiptStatus.DUPLICATE))


def test_a_contribution_too_small_to_count_is_left_out() -> None:
    tiny = terms(carry="0.000001", momentum="0.5")
    last = given(collector).when(signal("carry", tiny, AAPL="0.0000005")).when(signal("momentum", tiny, IBM="0"))
    assert portfolio(last).content.targets == ()


weights = st.decimals(min_value=-1, max_value=1, places=12)
symbols = st.sampled_from(["AAPL", "GOOG", "IBM", "MSFT"])


@st.composite
def runs(draw: st.DrawFn) -> Sequence[Signal]:
    names = draw(st.lists(st.sampled_from("abcde"), unique=True, min_size=1))
    shares = {name: str(draw(st.decimals(min_value=0, max_value=1, places=12))) for name in names}
    run = terms(**shares)
    failures = st.sampled_from([None, None, None, SignalFailure.BAD_PARAMETER])
    wanted = st.dictionaries(symbols, weights.map(str), max_size=4)
    return [signal(name, run, draw(failures), **draw(wanted)) for name in names]


@settings(max_examples=60, deadline=None)
@for_all(signals=runs(), data=st.data())
def test_contributions_sum_to_the_weight_in_whatever_order_signals_come(
    signals: Sequence[Signal], data: st.DataObject
) -> None:
    first, second = given(collector), given(collector)
    for each in signals:
        first = first.when(each)
    for each in data.draw(st.permutations(list(signals))):
        second = second.when(each)
    one = portfolio(first)
    assert one == portfolio(second) == through_the_wire(one)
    assert [each.symbol for each in one.content.targets] == sorted({each.symbol for each in one.content.targets})
    for summed in one.content.targets:
        assert summed.weight == sum(part.weight for part in summed.contributions)
        assert all(part.weight and part.strategy_id not in one.failed for part in summed.contributions)


@settings(max_examples=60, deadline=None)
@for_all(shares=st.lists(st.integers(1, 10**12), min_size=1, max_size=7), count=st.integers(1, 9))
def test_strategies_that_want_at_most_the_whole_never_want_more_together(shares: list[int], count: int) -> None:
    exact = [Decimal(share) / sum(shares) for share in shares]
    allocations = {f"s{number}": f"{share:.12f}" for number, share in enumerate(exact)}
    allocations["s0"] = f"{max(Decimal(0), 1 - sum(Decimal(allocations[f's{n}']) for n in range(1, len(shares)))):.12f}"
    run, story = terms(**allocations), given(collector)
    share = str((Decimal(1) / count).quantize(Decimal("1e-12"), rounding="ROUND_DOWN"))
    for name in allocations:
        story = story.when(signal(name, run, None, **{f"S{number}": share for number in range(count)}))
    assert sum((each.weight for each in portfolio(story).content.targets), Decimal(0)) <= 1


def test_the_declaration_names_the_decider() -> None:
    checked: Decider[collector.State] = collector
    assert (AGENT.name, AGENT.decider, AGENT.view) == ("collector", checked, None)


def test_a_record_of_another_agent_is_a_fault_of_the_wiring() -> None:
    with pytest.raises(TypeError, match="was SignalReceipt"):
        given(collector).when(receipt(CARRY, ReceiptStatus.ACCEPTED))
    with pytest.raises(TypeError, match="was Signal"):
        given(collector, CARRY)
