"""Lines that were stopped before anything was sent, in plans as the planner writes them: each says by what."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from agents.executor import decider as executor
from agents.testing import given
from schemas.account import InstrumentStatus
from schemas.execution import LineOutcome, Outcome
from schemas.ledger import Books, BooksStatus
from schemas.plan import Plan, PlanStatus, Rule
from schemas.portfolio import Portfolio
from schemas.record import Record
from tests.agents.executor.made import portfolio
from tests.agents.planner.accounts import books, planned, quote

QUOTES = [quote("AAPL", 99, 101), quote("IBM", 49, 51)]
WANTS = {"carry": {"AAPL": "0.1"}, "value": {"AAPL": "-0.1", "IBM": "0.1"}}
HOLDS = {"value": {"AAPL": 100}}


def wished(asked: Books) -> Portfolio:
    """Return the wish that the books of a run are of."""
    wanted = asked.content.snapshot.portfolio
    return portfolio().model_copy(update={"account_id": asked.account_id, "run_id": asked.run_id, "content": wanted})


def ends(asked: Books) -> tuple[Plan, list[LineOutcome]]:
    """Plan a run and return its plan, and how the lines ended of which nothing is sent."""
    made = planned(asked)
    return made, _outcomes(given(executor).when(wished(asked)).when(made).said)


def _outcomes(said: Iterable[Record]) -> list[LineOutcome]:
    return [each for each in said if isinstance(each, LineOutcome)]


def asked(**more: Any) -> Books:
    return books(wants=WANTS, holds=HOLDS, quotes=QUOTES, **more)


def test_every_line_of_a_blocked_plan_gives_the_reason_of_the_plan() -> None:
    made, found = ends(asked(status=BooksStatus.BLOCKED, detail="the account could not be read: HTTP 503"))

    assert made.status is PlanStatus.BLOCKED
    assert [each.symbol for each in found] == ["AAPL", "IBM"]
    assert {(each.outcome, each.rule) for each in found} == {(Outcome.BLOCKED, Rule.ACCOUNT_UNREADABLE)}
    assert {each.reason for each in found} == {"the account could not be read: HTTP 503"}


def test_a_line_of_an_account_without_equity_is_blocked_with_the_threshold_and_the_value() -> None:
    _, found = ends(asked(equity=-5))

    assert {(each.outcome, each.rule, each.threshold) for each in found} == {
        (Outcome.BLOCKED, Rule.EQUITY_NOT_POSITIVE, Decimal(0))
    }
    assert {each.reason for each in found} == {"expected equity above 0, was -5.000000000000000"}


def test_a_line_of_a_blocked_plan_without_a_rule_of_its_own_ends_by_the_rule_of_the_plan() -> None:
    books_of_run = asked(status=BooksStatus.BLOCKED, detail="HTTP 503")
    made = planned(books_of_run)
    nameless = made.model_copy(update={"lines": tuple(each.model_copy(update={"rule": None}) for each in made.lines)})

    found = _outcomes(given(executor).when(wished(books_of_run)).when(nameless).said)
    assert {(each.rule, each.reason) for each in found} == {(Rule.ACCOUNT_UNREADABLE, "HTTP 503")}


def test_a_line_of_a_halted_symbol_ends_halted_and_the_others_go_on() -> None:
    made, found = ends(asked(stopped={"AAPL": InstrumentStatus.HALTED}))

    assert made.status is PlanStatus.READY
    assert [(each.symbol, each.outcome, each.rule, each.reason) for each in found] == [
        ("AAPL", Outcome.HALTED, Rule.HALTED, "")
    ]


def test_a_line_of_a_symbol_that_is_not_tradable_is_blocked_not_halted() -> None:
    _, found = ends(asked(stopped={"AAPL": InstrumentStatus.NOT_TRADABLE}))

    assert [(each.symbol, each.outcome, each.rule) for each in found] == [("AAPL", Outcome.BLOCKED, Rule.NOT_TRADABLE)]


def test_nothing_but_its_run_ends_a_halted_line_of_a_plan_that_comes_too_late() -> None:
    books_of_run = asked(stopped={"AAPL": InstrumentStatus.HALTED})
    newer = portfolio("newer").model_copy(update={"account_id": books_of_run.account_id})
    story = given(executor).when(wished(books_of_run)).when(newer).when(planned(books_of_run))

    assert {each.outcome for each in _outcomes(story.said)} == {Outcome.SUPERSEDED}
