"""Laws of the budget, over plans as the planner makes them: never exceeded, and only failures hold anything back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from hypothesis import assume, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import LineOutcome
from schemas.ledger import Books
from schemas.order import IntentAction, OrderIntent, OrdStatus, Phase, Side
from schemas.plan import Action, Plan, PlanLine, PlanStatus, Rule
from schemas.quantities import CONTEXT
from schemas.record import Record
from schemas.run import ExecutionRules, OrderStyle
from tests.agents.executor.made import event, portfolio
from tests.agents.planner.accounts import planned
from tests.agents.planner.any_books import any_books, books_of_sellers
from tests.made import execution

ZERO = Decimal(0)
HELD_BACK = (Rule.REDUCING_FAILED, Rule.CASH_NOT_FREED)
Move = tuple[str, Decimal]
"""How much better than the touch an order is executed, and how much of it is."""

styles = st.sampled_from(
    [
        execution(),
        execution(order_style=OrderStyle.LIMIT, limit_offset=Decimal("0.003")),
        execution(order_style=OrderStyle.MARKETABLE_LIMIT, limit_offset=Decimal("0.01"), steps_max=2),
    ]
)
moves = st.sampled_from(["-0.02", "-0.0001", "0", "0", "0", "0.0003", "0.02", "0.5"])
shares_executed = st.sampled_from([Decimal(each) for each in ("0", "0.5", "0.99", "1", "1", "1", "1")])


@dataclass
class Market:
    """A market that executes every order at once: at a price near the touch, and of reducing orders not all of it."""

    draw: st.DataObject
    plan: Plan
    is_whole: bool
    freed: Decimal = ZERO
    failed: Decimal = ZERO
    sent: list[OrderIntent] = field(default_factory=list)
    ends: list[LineOutcome] = field(default_factory=list)

    def live(self) -> None:
        """Let the plan be carried out to its end."""
        wanted = self.plan.books.snapshot.portfolio
        wish = portfolio().model_copy(
            update={"account_id": self.plan.account_id, "run_id": self.plan.run_id, "content": wanted}
        )
        story = given(executor).when(wish).when(self.plan)
        waiting = self.take(story.said)
        while waiting:
            story = self.executed(story, waiting.pop(0))
            waiting += self.take(story.said)

    def take(self, said: Iterable[Record]) -> list[OrderIntent]:
        self.ends += [each for each in said if isinstance(each, LineOutcome)]
        asked = [each for each in said if isinstance(each, OrderIntent)]
        self.sent += asked
        return asked

    def executed(self, story: Story, intent: OrderIntent) -> Story:
        order = intent.order
        if intent.action is IntentAction.CROSS or order.phase is Phase.INCREASING:
            return story.when(event(intent, OrdStatus.FILLED))
        line = next(each for each in self.plan.lines if (each.book, each.symbol) == (order.book, order.symbol))
        share = Decimal(1) if self.is_whole else self.draw.draw(shares_executed)
        cum = (order.order_qty * share).quantize(Decimal(1).scaleb(-9))
        sign = 1 if order.side is Side.SELL else -1
        price = (touch(line) * (1 + sign * Decimal(self.draw.draw(moves)))).quantize(Decimal("0.000001"))
        status = OrdStatus.FILLED if cum == order.order_qty else OrdStatus.REJECTED
        collateral = ZERO if order.side is Side.SELL or self.is_leveraged else cum * touch(line)
        self.freed += sign * cum * price + collateral
        self.failed += order.order_qty - cum
        return story.when(event(intent, status, cum, price=price))

    @property
    def is_leveraged(self) -> bool:
        return self.plan.books.snapshot.portfolio.terms.limits.is_leverage_allowed

    @property
    def expected(self) -> Decimal:
        """What the reducing orders were to free, at the touch the plan was made with."""
        signs = {Action.SELL: 1, Action.BUY: -1 if self.is_leveraged else 0}
        lines = [each for each in self.plan.lines if each.reducing_quantity]
        return sum((signs[each.action] * each.reducing_quantity * touch(each) for each in lines), ZERO)

    @property
    def spent(self) -> Decimal:
        """What the increasing orders that were sent take of the budget."""
        lines = {(each.book, each.symbol): each for each in self.plan.lines}
        going = [each.order for each in self.sent if each.order.phase is Phase.INCREASING]
        paid = [each for each in going if each.side is Side.BUY or self.is_leveraged]
        return sum((each.order_qty * touch(lines[each.book, each.symbol]) for each in paid), ZERO)

    @property
    def held_back(self) -> list[LineOutcome]:
        return [each for each in self.ends if each.rule in HELD_BACK]


def touch(line: PlanLine) -> Decimal:
    """Return the price the order of a line would meet."""
    if line.bid is None or line.ask is None:
        raise AssertionError(f"line {line.symbol} has an order and no quote")
    return max(line.bid, line.ask) if line.action is Action.BUY else min(line.bid, line.ask)


def going(asked: Books, rules: ExecutionRules) -> Plan:
    """Return the plan of books under these rules."""
    snapshot = asked.content.snapshot
    terms = snapshot.portfolio.terms.model_copy(update={"execution": rules})
    wanted = snapshot.portfolio.model_copy(update={"terms": terms})
    content = asked.content.model_copy(update={"snapshot": snapshot.model_copy(update={"portfolio": wanted})})
    made = planned(asked.model_copy(update={"content": content}))
    assume(made.status is PlanStatus.READY)
    assume(any(each.reducing_quantity for each in made.lines))
    return made


some_books = st.one_of(books_of_sellers(), books_of_sellers(), any_books())


@settings(max_examples=150, deadline=None)
@for_all(some_books, styles, st.data())
def test_what_fails_holds_back_as_much_as_it_must_and_no_more(
    asked: Books, rules: ExecutionRules, data: st.DataObject
) -> None:
    most = data.draw(st.sampled_from([None, None, Decimal("0.4")]))
    made = going(asked, rules.model_copy(update={"failed_reducing_max": most}))
    with localcontext(CONTEXT):
        market = Market(data, made, is_whole=False)
        market.live()

        if not market.failed:
            assert market.held_back == []
            return
        assert market.spent <= max(made.cash_available + market.freed, ZERO)
        if market.freed >= market.expected:
            assert Rule.CASH_NOT_FREED not in {each.rule for each in market.held_back}
        for each in market.held_back:
            assert each.reason


@settings(max_examples=60, deadline=None)
@for_all(some_books, styles, st.data())
def test_when_nothing_failed_all_that_the_plan_allowed_is_sent(
    asked: Books, rules: ExecutionRules, data: st.DataObject
) -> None:
    made = going(asked, rules.model_copy(update={"failed_reducing_max": ZERO}))
    with localcontext(CONTEXT):
        market = Market(data, made, is_whole=True)
        market.live()

        assert market.held_back == []
        stopped = {(each.book, each.symbol) for each in market.ends if each.rule is Rule.ORDER_FORM}
        ordered = {(each.order.book, each.order.symbol) for each in market.sent if each.order.leg}
        wanted = {(each.book, each.symbol) for each in made.lines if each.quantity}
        assert ordered == wanted - stopped
