"""Opposite wishes: what counts under each rule, and that everybody's wish can be read afterwards."""

import pytest

from agents.collector import decider as collector
from agents.testing import given
from schemas.portfolio import Conflict, Contribution, PortfolioContent, PortfolioTarget
from schemas.run import ConflictRule, RunTerms
from tests.agents.collector.words import broken, conflict, passed, portfolio, ruled, signal, target, terms

# +100 / -40 of the same symbol, in weights: of an account worth 1000 at a price of 1 a share
HUNDRED = terms(long="0.5", short="0.5")
LONG, SHORT = "0.2", "-0.08"


def formed(run: RunTerms, *names_first_to_last: str, **wishes: str) -> PortfolioContent:
    """Return what is wanted of IBM, the strategies having spoken in this order."""
    story = given(collector)
    for name in names_first_to_last or sorted(wishes):
        story = story.when(signal(name, run, IBM=wishes[name]))
    return portfolio(story).content


OPPOSITE = [
    pytest.param(
        ConflictRule.SUM,
        (target("IBM", long="0.1", short="-0.04"),),
        conflict("IBM", ConflictRule.SUM, long="0.1", short="-0.04"),
        id="sum: plus 60",
    ),
    pytest.param(
        ConflictRule.PRIORITY,
        (target("IBM", long="0.05", short="-0.04"),),
        conflict("IBM", ConflictRule.PRIORITY, long="0.1", short="-0.04"),
        id="priority, short first: plus 10",
    ),
    pytest.param(
        ConflictRule.LAST,
        (target("IBM", short="-0.04"),),
        conflict("IBM", ConflictRule.LAST, "short", long="0.1", short="-0.04"),
        id="last: minus 40",
    ),
    pytest.param(
        ConflictRule.FLAG,
        (),
        conflict("IBM", ConflictRule.FLAG, open_=True, long="0.1", short="-0.04"),
        id="flag: nothing until a person decides",
    ),
]


@pytest.mark.parametrize(("rule", "targets", "shown"), OPPOSITE)
def test_plus_hundred_and_minus_forty(
    rule: ConflictRule, targets: tuple[PortfolioTarget, ...], shown: Conflict
) -> None:
    run = ruled(rule, terms(long="0.5", short="0.5", priorities={"short": 1, "long": 2}))
    content = formed(run, long=LONG, short=SHORT)
    assert content.targets == targets
    assert content.conflicts == (shown,)


@pytest.mark.parametrize("rule", list(ConflictRule))
@pytest.mark.parametrize("other", ["0.08", "0"], ids=["the same way", "no opinion"])
def test_where_nobody_disagrees_no_rule_changes_anything(rule: ConflictRule, other: str) -> None:
    run = ruled(rule, terms(long="0.5", short="0.5", priorities={"short": 1, "long": 2}))
    content = formed(run, long=LONG, short=other)
    assert content.conflicts == ()
    assert content.targets[0].contributions[0] == Contribution(strategy_id="long", weight="0.1")


def test_wishes_that_cancel_out_stay_a_target_that_says_who_wanted_what() -> None:
    content = formed(HUNDRED, long="0.2", short="-0.2")
    assert content.targets == (target("IBM", long="0.1", short="-0.1"),)
    assert content.targets[0].weight == 0


def test_the_last_word_is_that_of_who_was_accepted_last_not_of_who_comes_last_in_the_alphabet() -> None:
    run = ruled(ConflictRule.LAST, HUNDRED)
    content = formed(run, "short", "long", long=LONG, short=SHORT)
    assert content.targets == (target("IBM", long="0.1"),)
    assert content.conflicts[0].decided_by == "long"


def test_the_last_word_survives_a_restart() -> None:
    run = ruled(ConflictRule.LAST, HUNDRED)
    first = given(collector).when(signal("short", run, IBM=SHORT))
    restarted = given(collector, *first.said).when(signal("long", run, IBM=LONG))
    assert portfolio(restarted).content.conflicts[0].decided_by == "long"


def test_who_repeats_itself_does_not_get_the_last_word() -> None:
    run = ruled(ConflictRule.LAST, terms(long="0.4", short="0.4", third="0.2"))
    said = signal("short", run, IBM=SHORT)
    story = given(collector).when(said).when(signal("long", run, IBM=LONG)).when(said)
    content = portfolio(story.when(signal("third", run, AAPL="1"))).content
    assert content.conflicts[0].decided_by == "long"


def test_the_last_word_is_that_of_somebody_who_has_one() -> None:
    run = ruled(ConflictRule.LAST, terms(long="0.4", other="0.2", short="0.4"))
    content = formed(run, "long", "short", "other", long="0.5", short="-0.5", other="0")
    assert content.conflicts[0].decided_by == "short"


def test_priority_counts_the_first_in_full_the_second_half_and_the_third_a_third() -> None:
    priorities = {"a": 10, "b": 20, "c": 20, "d": 35}
    run = ruled(ConflictRule.PRIORITY, terms(a="0.25", b="0.25", c="0.25", d="0.25", priorities=priorities))
    content = formed(run, a="0.4", b="-0.2", c="0.4", d="0.4")
    assert content.targets == (target("IBM", a="0.1", b="-0.025", c="0.05", d="0.033333333333"),)


def test_who_has_no_wish_has_no_rank() -> None:
    run = ruled(ConflictRule.PRIORITY, terms(a="0.2", b="0.4", c="0.4", priorities={"a": 1, "b": 2, "c": 3}))
    content = formed(run, a="0", b="0.5", c="-0.5")
    assert content.targets == (target("IBM", b="0.2", c="-0.1"),)


def test_a_rule_acts_on_the_symbol_in_conflict_and_on_no_other() -> None:
    run = ruled(ConflictRule.FLAG, HUNDRED)
    story = given(collector).when(signal("long", run, AAPL="0.2", IBM=LONG))
    content = portfolio(story.when(signal("short", run, AAPL="0.4", IBM=SHORT))).content
    assert content.targets == (target("AAPL", long="0.1", short="0.2"),)
    assert [each.symbol for each in content.conflicts] == ["IBM"]


def test_a_book_of_its_own_and_a_silent_strategy_are_in_no_conflict() -> None:
    run = ruled(ConflictRule.FLAG, terms("book", book="0.3", long="0.3", mute="0.2", short="0.2"))
    story = given(collector).when(signal("book", run, IBM="-1")).when(signal("long", run, IBM="0.5"))
    content = portfolio(story.when(broken("mute", run)).when(passed(run))).content
    assert content.conflicts == ()
    assert content.targets == (target("IBM", long="0.15"),)


def test_a_wish_that_is_both_long_and_short_of_one_strategy_is_its_sum() -> None:
    run = ruled(ConflictRule.FLAG, terms(long="1"))
    content = portfolio(given(collector).when(signal("long", run, twice=(("IBM", "-0.1"),), IBM="0.3"))).content
    assert content.conflicts == ()
    assert content.targets == (target("IBM", long="0.2"),)
