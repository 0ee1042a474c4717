"""What has ended is named to every run until a plan was made of books that have it: else a cross is made twice."""

from decimal import Decimal

import pytest

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Execution, ExecutionStatus
from schemas.order import OrderIntent, OrdStatus
from schemas.plan import LineStatus, Plan, Rule
from schemas.record import Record
from tests.agents.executor.made import event, line, plan, portfolio

BUY_AAPL = line("AAPL", ordered={"core": 10})
CROSS_MSFT = line("MSFT", crossed={"core": 3, "trend": -3})
TOO_SMALL = line("GOOG", status=LineStatus.SUPPRESSED, rule=Rule.MIN_TRADE_VALUE)


class Run:
    """An account with a past; all that was published is kept, so that another process can take over."""

    def __init__(self) -> None:
        self.story: Story = given(executor)
        self.published: list[Record] = []

    def told(self, record: Record) -> tuple[Record, ...]:
        """Tell the executor, from its memory or from its own records alone, and return what it says."""
        self.story = self.story.when(record)
        self.published += self.story.said
        assert given(executor, *self.published).state == self.story.state
        return self.story.said

    def executed(self, made: Plan) -> dict[str, Decimal]:
        """Let everything of a plan be executed in full; return its orders and crosses with their shares."""
        waiting = [each for each in self.told(made) if isinstance(each, OrderIntent)]
        done = {}
        while waiting:
            intent = waiting.pop(0)
            done[intent.client_order_id] = intent.order.order_qty
            waiting += [each for each in self.told(event(intent, OrdStatus.FILLED)) if isinstance(each, OrderIntent)]
        return done

    def named(self, name: str, scope: tuple[str, ...] | None = None) -> dict[str, Decimal]:
        """Wish for a run and return what it is told has ended."""
        (step,) = [
            each
            for each in self.told(portfolio(name, scope=scope))
            if isinstance(each, Execution) and each.status is ExecutionStatus.CLEARED
        ]
        return {each.client_order_id: each.cum_qty for each in step.ended_orders}


@pytest.fixture
def account() -> Run:
    """An account whose first run waits for its plan."""
    made = Run()
    assert made.named("first") == {}
    return made


def test_a_run_superseded_before_its_plan_leaves_what_ended_to_the_next(account: Run) -> None:
    ended = account.executed(plan(BUY_AAPL, CROSS_MSFT))
    assert sorted(ended.values()) == [3, 10]

    assert account.named("second") == ended
    assert account.named("third") == ended
    account.told(plan(BUY_AAPL, name="second"))
    assert account.named("fourth") == ended


@pytest.mark.parametrize("idle", [plan(CROSS_MSFT, name="second", rule=Rule.BOOKS_DIFFER), plan(name="second")])
def test_a_plan_that_sends_nothing_leaves_what_ended_to_the_next_run(account: Run, idle: Plan) -> None:
    ended = account.executed(plan(BUY_AAPL, CROSS_MSFT))
    assert account.named("second") == ended
    account.told(idle)

    assert account.named("third") == ended


def test_a_plan_with_work_ends_it_and_only_its_own_orders_are_named_from_then_on(account: Run) -> None:
    first = account.executed(plan(BUY_AAPL, CROSS_MSFT))
    assert account.named("second") == first
    second = account.executed(plan(CROSS_MSFT, TOO_SMALL, name="second"))

    assert len(second) == 1
    assert account.named("third") == second
    assert account.named("fourth") == second


def test_what_was_canceled_for_a_run_is_named_to_the_run_after_it_as_well(account: Run) -> None:
    (buy,) = [each for each in account.told(plan(BUY_AAPL)) if isinstance(each, OrderIntent)]
    account.told(portfolio("second"))
    account.told(event(buy, OrdStatus.CANCELED, 4))

    assert account.named("third") == {buy.client_order_id: 4}


def test_a_run_of_a_scope_is_told_what_ended_and_settles_it_like_any_other(account: Run) -> None:
    first = account.executed(plan(BUY_AAPL, CROSS_MSFT))
    assert account.named("one", scope=("MSFT",)) == first
    decided = account.executed(plan(CROSS_MSFT, name="one"))

    assert account.named("second") == decided
