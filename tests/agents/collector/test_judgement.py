"""A person decides what the run has flagged: once, for one symbol, as a run of its own."""

from datetime import timedelta
from typing import Any

import pytest

from agents.collector import decider as collector
from agents.testing import Story, given
from schemas.identity import decided_run_id
from schemas.portfolio import (
    ConflictChoice,
    ConflictDecision,
    ConflictOutcome,
    ConflictStatus,
    KeptSymbol,
    Portfolio,
    PortfolioStatus,
)
from schemas.run import ConflictRule, RunTerms, SyncRule
from schemas.signal import ReceiptStatus
from tests import made
from tests.agents.collector.words import (
    ACCOUNT,
    broken,
    conflict,
    passed,
    portfolio,
    receipt,
    ruled,
    signal,
    target,
    terms,
)

RUN = ruled(ConflictRule.FLAG, terms("book", book="0.2", long="0.3", mute="0.1", none="0.1", short="0.3"))
UNTIL = made.AS_OF + timedelta(hours=1)
FOLLOW_UP = decided_run_id(RUN.run_id, "IBM")


def flagged() -> Story:
    """Return a run in which IBM and MSFT wait for a person."""
    story = given(collector).when(signal("book", RUN, IBM="1")).when(broken("mute", RUN))
    story = story.when(signal("long", RUN, AAPL="0.2", IBM="0.5", MSFT="0.1"))
    story = story.when(signal("none", RUN, skipped=("FB", "IBM"), AAPL="0.1"))
    return story.when(signal("short", RUN, IBM="-0.2", MSFT="-0.1"))


def decision(choice: ConflictChoice, **changed: Any) -> ConflictDecision:
    usual: dict[str, Any] = {
        "account_id": ACCOUNT,
        "run_id": RUN.run_id,
        "symbol": "IBM",
        "choice": choice,
        "strategy_id": None,
        "decided_by": "maria",
        "reason": "earnings tonight",
        "valid_until": UNTIL,
    }
    return ConflictDecision(**{**usual, **changed})


def outcome(of: ConflictDecision, status: ConflictStatus = ConflictStatus.ACCEPTED) -> ConflictOutcome:
    trades = status is ConflictStatus.ACCEPTED and of.choice is not ConflictChoice.HOLD
    return ConflictOutcome(
        account_id=of.account_id,
        run_id=of.run_id,
        symbol=of.symbol,
        status=status,
        choice=of.choice,
        strategy_id=of.strategy_id,
        decided_by=of.decided_by,
        follow_up_run_id=decided_run_id(of.run_id, of.symbol) if trades else None,
    )


TAKE_SHORT = decision(ConflictChoice.TAKE, strategy_id="short")


def test_until_a_person_decides_the_symbol_has_no_target() -> None:
    content = portfolio(flagged()).content
    assert [each.symbol for each in content.targets] == ["AAPL"]
    assert [(each.symbol, each.is_open) for each in content.conflicts] == [("IBM", True), ("MSFT", True)]


def test_taking_one_wish_is_a_run_of_that_symbol_alone() -> None:
    story = flagged().when(TAKE_SHORT)
    assert story.said[0] == outcome(TAKE_SHORT)
    assert list(story.state.runs) == [RUN.run_id]
    follow_up = portfolio(story)
    assert (follow_up.run_id, follow_up.status) == (FOLLOW_UP, PortfolioStatus.FORMED)
    assert follow_up.content.terms == RUN.model_copy(update={"run_id": FOLLOW_UP, "valid_until": UNTIL})
    assert follow_up.content.scope == ("IBM",)
    assert follow_up.content.targets == (target("IBM", short="-0.06"),)
    assert follow_up.content.conflicts == (conflict("IBM", ConflictRule.FLAG, "maria", long="0.15", short="-0.06"),)


def test_a_follow_up_speaks_for_the_netted_group_and_of_its_symbol_only() -> None:
    original, follow_up = portfolio(flagged()), portfolio(flagged().when(TAKE_SHORT))
    assert follow_up.content.book_targets == ()
    assert follow_up.content.silent_strategies == ("book", "mute")
    assert follow_up.content.kept == (KeptSymbol(strategy_id="none", symbol="IBM"),)
    said_alike = ("account_id", "is_partial", "failed", "missing", "signal_ids")
    assert all(getattr(follow_up, each) == getattr(original, each) for each in said_alike)


def test_summing_counts_all_wishes() -> None:
    decided = decision(ConflictChoice.SUM)
    story = flagged().when(decided)
    assert story.said[0] == outcome(decided)
    assert portfolio(story).content.targets == (target("IBM", long="0.15", short="-0.06"),)


def test_holding_is_an_outcome_and_no_run() -> None:
    decided = decision(ConflictChoice.HOLD)
    flagged().when(decided).then(outcome(decided)).when(TAKE_SHORT).then(outcome(TAKE_SHORT, ConflictStatus.DUPLICATE))


def test_a_conflict_is_decided_once_also_across_a_restart() -> None:
    story = flagged()
    before = [each for each in story.said if isinstance(each, Portfolio)]
    decided = given(collector, *before).when(TAKE_SHORT)
    again = decision(ConflictChoice.SUM)
    given(collector, *before, *decided.said).when(again).then(outcome(again, ConflictStatus.DUPLICATE))
    story.when(TAKE_SHORT).when(TAKE_SHORT).then(outcome(TAKE_SHORT, ConflictStatus.DUPLICATE))


def test_every_symbol_is_decided_by_itself() -> None:
    other = decision(ConflictChoice.SUM, symbol="MSFT")
    story = flagged().when(TAKE_SHORT).when(other)
    assert story.said[0] == outcome(other)
    assert portfolio(story).run_id == decided_run_id(RUN.run_id, "MSFT") != FOLLOW_UP


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"symbol": "AAPL"}, id="a symbol nobody disagrees on"),
        pytest.param({"run_id": FOLLOW_UP}, id="a run nobody has heard of"),
        pytest.param({"account_id": "DEMO-2"}, id="a run of another account"),
    ],
)
def test_what_was_not_flagged_cannot_be_decided(changed: dict[str, Any]) -> None:
    decided = decision(ConflictChoice.SUM, **changed)
    flagged().when(decided).then(outcome(decided, ConflictStatus.UNKNOWN_CONFLICT))


def test_what_a_rule_has_resolved_cannot_be_decided() -> None:
    run = ruled(ConflictRule.SUM, terms(long="0.5", short="0.5"))
    story = given(collector).when(signal("long", run, IBM="0.5")).when(signal("short", run, IBM="-0.5"))
    decided = decision(ConflictChoice.HOLD)
    story.when(decided).then(outcome(decided, ConflictStatus.UNKNOWN_CONFLICT))


def test_a_follow_up_cannot_be_decided_again() -> None:
    decided = decision(ConflictChoice.HOLD, run_id=FOLLOW_UP)
    flagged().when(TAKE_SHORT).when(decided).then(outcome(decided, ConflictStatus.UNKNOWN_CONFLICT))


def newer(name: str, **rules: Any) -> RunTerms:
    run = terms(long="0.5", short="0.5", rules=made.rules(**rules))
    return run.model_copy(update={"run_id": made.run_terms(name).run_id})


def test_after_a_newer_run_the_old_wishes_are_nobodys_any_more() -> None:
    story = flagged().when(signal("long", newer("second"), IBM="0.5"))
    assert story.when(TAKE_SHORT).said[0] == outcome(TAKE_SHORT)
    story = story.when(signal("short", newer("second"), IBM="0.1"))
    story.when(TAKE_SHORT).then(outcome(TAKE_SHORT, ConflictStatus.SUPERSEDED))


def test_a_newer_run_that_trades_nothing_supersedes_nothing() -> None:
    abandoned = newer("second", sync_rule=SyncRule.QUORUM, quorum=1)
    story = flagged().when(passed(abandoned)).when(TAKE_SHORT)
    assert story.said[0] == outcome(TAKE_SHORT)


def test_a_run_of_another_account_supersedes_nothing() -> None:
    elsewhere = passed(newer("second")).model_copy(update={"account_id": "DEMO-2"})
    assert flagged().when(elsewhere).when(TAKE_SHORT).said[0] == outcome(TAKE_SHORT)


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        pytest.param(ConflictChoice.TAKE, "none", id="a strategy without a wish"),
        pytest.param(ConflictChoice.TAKE, "book", id="a strategy outside the conflict"),
        pytest.param(ConflictChoice.TAKE, None, id="nobody"),
        pytest.param(ConflictChoice.SUM, "short", id="one strategy where all count"),
        pytest.param(ConflictChoice.HOLD, "short", id="one strategy where none counts"),
    ],
)
def test_a_decision_that_does_not_say_whose_wish_counts_is_refused_and_another_may_follow(
    choice: ConflictChoice, named: str | None
) -> None:
    unclear = decision(choice, strategy_id=named)
    story = flagged().when(unclear).then(outcome(unclear, ConflictStatus.UNKNOWN_STRATEGY))
    assert story.when(TAKE_SHORT).said[0] == outcome(TAKE_SHORT)


def test_a_run_that_was_decided_takes_no_more_signals() -> None:
    run = ruled(ConflictRule.FLAG, terms(long="0.3", short="0.3", slow="0.4"))
    story = given(collector).when(signal("long", run, IBM="0.5")).when(signal("short", run, IBM="-0.5"))
    story = story.when(passed(run)).when(decision(ConflictChoice.SUM))
    late = signal("slow", run, IBM="1")
    story.when(late).then(receipt(late, ReceiptStatus.LATE))
