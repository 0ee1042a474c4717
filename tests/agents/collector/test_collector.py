"""The collector: one receipt for every signal, and a portfolio when there is nothing left to wait for."""

from decimal import Decimal

import pytest

from agents.collector import decider as collector
from agents.collector.agent import AGENT
from agents.decider import Decider
from agents.testing import given
from schemas.portfolio import BookTargets, KeptSymbol, PortfolioStatus
from schemas.run import RunRefusal, RunStatus, RunTerms, SyncRule
from schemas.signal import ReceiptStatus, SignalFailure, TargetWeight
from tests import made
from tests.agents.collector.words import broken, passed, portfolio, receipt, requested, signal, target, terms

TWO = terms(carry="0.4", momentum="0.6")
CARRY = signal("carry", TWO, AAPL="0.5", IBM="0.25")
MOMENTUM = signal("momentum", TWO, AAPL="1")
QUORUM = terms(carry="0.3", momentum="0.3", value="0.4", rules=made.rules(sync_rule=SyncRule.QUORUM, quorum=2))
AT_DEADLINE = terms(carry="0.4", momentum="0.6", rules=made.rules(sync_rule=SyncRule.DEADLINE))

# --- receipts ---------------------------------------------------------------------------------------------------------


def test_a_signal_that_is_not_the_last_gets_a_receipt_and_no_more() -> None:
    given(collector).when(CARRY).then(receipt(CARRY, ReceiptStatus.ACCEPTED))


def test_the_last_signal_brings_the_portfolio_in_the_same_decision() -> None:
    story = given(collector).when(CARRY).when(MOMENTUM)
    assert story.said[0] == receipt(MOMENTUM, ReceiptStatus.ACCEPTED)
    whole = portfolio(story)
    assert (whole.status, whole.is_partial, whole.failed, whole.missing) == (PortfolioStatus.FORMED, False, (), ())
    assert whole.signal_ids == (CARRY.signal_id, MOMENTUM.signal_id)
    assert (whole.content.terms, whole.content.scope) == (TWO, None)
    assert (whole.content.silent_strategies, whole.content.conflicts) == ((), ())
    assert whole.content.targets == (target("AAPL", carry="0.2", momentum="0.6"), target("IBM", carry="0.1"))


def test_the_same_signal_again_is_a_duplicate_before_and_after_the_portfolio() -> None:
    duplicate = receipt(CARRY, ReceiptStatus.DUPLICATE)
    given(collector).when(CARRY).when(CARRY).then(duplicate).when(MOMENTUM).when(CARRY).then(duplicate)


def test_a_strategy_that_changes_its_mind_is_conflicting_and_its_first_word_stands() -> None:
    other = signal("carry", TWO, AAPL="0.9")
    story = given(collector).when(CARRY).when(other).then(receipt(other, ReceiptStatus.CONFLICTING))
    assert portfolio(story.when(MOMENTUM)).content.targets[0] == target("AAPL", carry="0.2", momentum="0.6")


def test_a_change_of_mind_after_the_portfolio_is_conflicting_too() -> None:
    other = signal("carry", TWO, AAPL="0.9")
    given(collector).when(CARRY).when(MOMENTUM).when(other).then(receipt(other, ReceiptStatus.CONFLICTING))


def test_a_signal_with_other_terms_than_the_run_was_heard_of_in_is_conflicting() -> None:
    other = signal("momentum", terms(carry="0.4", momentum="0.5"), AAPL="1")
    given(collector).when(CARRY).when(other).then(receipt(other, ReceiptStatus.CONFLICTING))


def test_a_signal_after_the_portfolio_is_late_however_often_it_comes() -> None:
    late = receipt(CARRY, ReceiptStatus.LATE)
    given(collector).when(MOMENTUM).when(passed(TWO)).when(CARRY).then(late).when(CARRY).then(late)


def test_a_strategy_that_is_not_in_the_run_is_unexpected_and_not_remembered() -> None:
    stranger = signal("stranger", TWO, AAPL="1")
    story = given(collector).when(stranger).then(receipt(stranger, ReceiptStatus.UNEXPECTED))
    assert story.state == collector.initial_state()


# --- whom a run waits for ---------------------------------------------------------------------------------------------


def test_a_failure_is_an_answer_and_the_run_goes_on() -> None:
    failed = broken("carry", TWO)
    partial = portfolio(given(collector).when(failed).when(MOMENTUM))
    assert (partial.status, partial.is_partial) == (PortfolioStatus.FORMED, True)
    assert (partial.failed, partial.missing) == (("carry",), ())
    assert partial.content.silent_strategies == ("carry",)
    assert partial.signal_ids == (failed.signal_id, MOMENTUM.signal_id)


def test_when_all_fail_nothing_is_wanted_and_everybody_is_silent() -> None:
    story = given(collector).when(broken("carry", TWO))
    partial = portfolio(story.when(signal("momentum", TWO, SignalFailure.UNKNOWN_STRATEGY)))
    assert partial.content.targets == ()
    assert partial.content.silent_strategies == ("carry", "momentum")


@pytest.mark.parametrize("run", [TWO, AT_DEADLINE], ids=["all", "deadline"])
def test_a_deadline_closes_the_run_with_what_has_come(run: RunTerms) -> None:
    story = given(collector).when(signal("momentum", run, AAPL="1")).when(passed(run))
    partial = portfolio(story)
    assert (partial.status, partial.is_partial) == (PortfolioStatus.FORMED, True)
    assert (partial.failed, partial.missing) == ((), ("carry",))
    assert partial.content.silent_strategies == ("carry",)
    assert partial.content.targets == (target("AAPL", momentum="0.6"),)


def test_a_deadline_ends_the_waiting_also_when_nothing_at_all_was_heard() -> None:
    story = given(collector).when(passed(TWO))
    nothing = portfolio(story)
    assert (nothing.status, nothing.missing) == (PortfolioStatus.FORMED, ("carry", "momentum"))
    assert nothing.content.silent_strategies == ("carry", "momentum")
    assert nothing.content.targets == ()
    story.when(CARRY).then(receipt(CARRY, ReceiptStatus.LATE))


def test_a_deadline_closes_a_run_once() -> None:
    given(collector).when(passed(TWO)).when(passed(TWO)).then()
    given(collector).when(CARRY).when(passed(TWO)).when(passed(TWO)).then()
    given(collector).when(CARRY).when(MOMENTUM).when(passed(TWO)).then()


def test_a_run_with_a_deadline_is_formed_earlier_when_all_have_answered() -> None:
    story = given(collector).when(signal("carry", AT_DEADLINE, IBM="1")).when(broken("momentum", AT_DEADLINE))
    assert portfolio(story).missing == ()


def test_a_quorum_is_enough_and_who_comes_after_it_is_late() -> None:
    third = signal("value", QUORUM, IBM="1")
    story = given(collector).when(signal("carry", QUORUM, AAPL="0.5"))
    story = story.when(signal("momentum", QUORUM, AAPL="1"))
    formed = portfolio(story)
    assert (formed.status, formed.is_partial, formed.missing) == (PortfolioStatus.FORMED, True, ("value",))
    assert formed.content.targets == (target("AAPL", carry="0.15", momentum="0.3"),)
    story.when(third).then(receipt(third, ReceiptStatus.LATE))


def test_a_failure_does_not_count_towards_a_quorum() -> None:
    story = given(collector).when(signal("carry", QUORUM, AAPL="0.5"))
    failed = broken("momentum", QUORUM)
    story = story.when(failed).then(receipt(failed, ReceiptStatus.ACCEPTED))
    assert portfolio(story.when(signal("value", QUORUM, IBM="1"))).status is PortfolioStatus.FORMED


def test_a_quorum_that_is_missed_by_the_deadline_trades_nothing() -> None:
    run = QUORUM
    missed = portfolio(given(collector).when(signal("carry", run, skipped=("FB",), AAPL="0.5")).when(passed(run)))
    assert (missed.status, missed.is_partial) == (PortfolioStatus.QUORUM_MISSED, True)
    assert missed.missing == ("momentum", "value")
    content = missed.content
    assert (content.targets, content.book_targets, content.kept, content.conflicts) == ((), (), (), ())
    assert content.silent_strategies == ("carry", "momentum", "value")


def test_a_quorum_that_cannot_be_reached_any_more_is_missed_at_once() -> None:
    story = given(collector).when(signal("carry", QUORUM, AAPL="0.5")).when(broken("momentum", QUORUM))
    missed = portfolio(story.when(broken("value", QUORUM)))
    assert (missed.status, missed.failed) == (PortfolioStatus.QUORUM_MISSED, ("momentum", "value"))


def test_a_run_without_strategies_wants_nothing_at_once_and_once() -> None:
    nobody = terms()
    story = given(collector).when(requested(nobody))
    empty = portfolio(story)
    assert (empty.status, empty.is_partial, empty.signal_ids) == (PortfolioStatus.FORMED, False, ())
    assert (empty.content.targets, empty.content.silent_strategies) == ((), ())
    story.when(requested(nobody)).then().when(passed(nobody)).then()


def test_a_run_with_strategies_is_only_heard_of_through_them() -> None:
    given(collector).when(requested(TWO)).then()


def test_a_refused_run_is_none() -> None:
    refused = requested(terms()).model_copy(update={"status": RunStatus.REFUSED, "refusal": RunRefusal.NOT_A_SESSION})
    given(collector).when(refused).then()


def test_one_strategy_is_a_run() -> None:
    alone = terms(carry="1")
    assert portfolio(given(collector).when(signal("carry", alone, AAPL="1"))).content.targets == (
        target("AAPL", carry="1"),
    )


# --- what is wanted ---------------------------------------------------------------------------------------------------


def test_a_symbol_a_strategy_could_not_judge_is_kept_and_not_taken_for_zero() -> None:
    blind = signal("carry", TWO, skipped=("FB",), AAPL="0.5")
    formed = portfolio(given(collector).when(MOMENTUM).when(blind))
    assert formed.content.kept == (KeptSymbol(strategy_id="carry", symbol="FB"),)


def test_a_symbol_named_twice_is_wanted_twice() -> None:
    alone = terms(carry="0.4")
    twice = signal("carry", alone, twice=(("AAPL", "0.25"),), AAPL="0.5")
    assert portfolio(given(collector).when(twice)).content.targets == (target("AAPL", carry="0.3"),)


def test_a_contribution_too_small_to_count_is_left_out() -> None:
    tiny = terms(carry="0.000001", momentum="0.5")
    last = given(collector).when(signal("carry", tiny, AAPL="0.0000005")).when(signal("momentum", tiny, IBM="0"))
    assert portfolio(last).content.targets == ()


def test_a_book_of_its_own_is_passed_on_as_the_strategy_spoke() -> None:
    run = terms("carry", "value", carry="0.4", momentum="0.3", value="0.3")
    story = given(collector).when(signal("carry", run, twice=(("AAPL", "0.25"),), AAPL="-0.5", IBM="0"))
    story = story.when(signal("momentum", run, AAPL="1")).when(signal("value", run, skipped=("FB",)))
    content = portfolio(story).content
    assert content.targets == (target("AAPL", momentum="0.3"),)
    assert content.conflicts == ()
    assert content.book_targets == (
        BookTargets(strategy_id="carry", targets=(TargetWeight(symbol="AAPL", weight=Decimal("-0.25")),)),
        BookTargets(strategy_id="value", targets=()),
    )
    assert content.kept == (KeptSymbol(strategy_id="value", symbol="FB"),)


def test_a_book_whose_strategy_failed_or_is_missing_is_silent() -> None:
    run = terms("carry", "value", carry="0.4", momentum="0.3", value="0.3")
    content = portfolio(given(collector).when(broken("carry", run)).when(passed(run))).content
    assert content.book_targets == ()
    assert content.silent_strategies == ("carry", "momentum", "value")


# --- memory and wiring ------------------------------------------------------------------------------------------------


def test_the_memory_is_what_was_published() -> None:
    accepted = receipt(CARRY, ReceiptStatus.ACCEPTED)
    assert given(collector, accepted).state == given(collector).when(CARRY).state
    given(collector, accepted).when(CARRY).then(receipt(CARRY, ReceiptStatus.DUPLICATE))


def test_the_declaration_names_the_decider() -> None:
    checked: Decider[collector.State] = collector
    assert (AGENT.name, AGENT.decider, AGENT.view) == ("collector", checked, None)


def test_a_record_of_another_agent_is_a_fault_of_the_wiring() -> None:
    with pytest.raises(TypeError, match="was SignalReceipt"):
        given(collector).when(receipt(CARRY, ReceiptStatus.ACCEPTED))
    with pytest.raises(TypeError, match="was Signal"):
        given(collector, CARRY)
