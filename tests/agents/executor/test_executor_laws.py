"""Laws of the executor over random plans, random ends of orders, duplicates, and newer runs in between."""

from collections import Counter

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Execution, ExecutionStatus, LineOutcome
from schemas.order import TERMINAL, IntentAction, OrderIntent, OrdStatus, Phase
from schemas.plan import LineStatus, Plan, PlanLine, Rule
from schemas.record import Record
from tests.agents.executor.made import event, line, plan, portfolio

ENDS = sorted(TERMINAL)


@st.composite
def lines(draw: st.DrawFn, symbol: str) -> PlanLine:
    ordered = draw(st.dictionaries(st.sampled_from(["core", "dip"]), st.integers(1, 9), max_size=2))
    sign = draw(st.sampled_from([1, -1]))
    crossed = draw(st.sampled_from([{}, {"core": 2, "trend": -2}]))
    status = draw(st.sampled_from(list(LineStatus)))
    rule = None if status is LineStatus.PLANNED else Rule.MIN_TRADE_VALUE
    return line(
        symbol, {each: sign * quantity for each, quantity in ordered.items()}, crossed, status=status, rule=rule
    )


@st.composite
def plans(draw: st.DrawFn, name: str) -> Plan:
    symbols = draw(st.sets(st.sampled_from(["AAPL", "FB", "IBM", "MSFT"])))
    return plan(*[draw(lines(symbol)) for symbol in sorted(symbols)], name=name)


class Market:
    """Answers intents in their order for crosses, in any order for the rest, and remembers all that was said."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw
        self.story: Story = given(executor)
        self.said: list[Record] = []
        self.plans: list[Plan] = []
        self.open: dict[str, OrderIntent] = {}
        self.canceled: set[str] = set()

    def tell(self, record: Record) -> None:
        self.story = self.story.when(record)
        self.said += self.story.said
        for each in self.story.said:
            if isinstance(each, OrderIntent) and each.action is IntentAction.CANCEL:
                assert each.client_order_id in self.open
                self.canceled.add(each.client_order_id)
            elif isinstance(each, OrderIntent):
                assert each.client_order_id not in self.open
                self.open[each.client_order_id] = each
        for each in self.story.said:
            if isinstance(each, Execution) and each.status is ExecutionStatus.CLEARING:
                brokers = {name for name, intent in self.open.items() if intent.action is IntentAction.SUBMIT}
                assert brokers <= self.canceled

    def end_one(self) -> None:
        crosses = [name for name, intent in self.open.items() if intent.action is IntentAction.CROSS]
        name = crosses[0] if crosses else self.draw.draw(st.sampled_from(sorted(self.open)))
        intent = self.open.pop(name)
        status = OrdStatus.FILLED if crosses else self.draw.draw(st.sampled_from(ENDS))
        full = int(intent.order.order_qty)
        cum = full if status is OrdStatus.FILLED else self.draw.draw(st.integers(0, full - 1))
        ended = event(intent, status, cum)
        self.tell(ended)
        if self.draw.draw(st.booleans()):
            before = self.story
            assert before.when(ended).said == ()

    def receive(self, name: str) -> None:
        wish = portfolio(name)
        self.tell(wish)
        assert self.story.when(wish).said == ()

    def accept(self, name: str) -> None:
        made = self.draw.draw(plans(name))
        self.plans.append(made)
        self.tell(made)
        assert self.story.when(made).said == ()


@settings(max_examples=30, deadline=None)
@for_all(st.data())
def test_every_line_ends_once_sells_come_first_and_nothing_is_left_open(data: st.DataObject) -> None:
    market = Market(data)
    for name in ("first", "second", "third"):
        market.receive(name)
        while market.open and (name == "third" or data.draw(st.booleans())):
            market.end_one()
        market.accept(name)
        while market.open and (name == "third" or data.draw(st.booleans())):
            market.end_one()
    while market.open:
        market.end_one()

    wanted = Counter((made.plan_id, each.symbol) for made in market.plans for each in made.lines)
    found = Counter((each.plan_id, each.symbol) for each in market.said if isinstance(each, LineOutcome))
    assert found == wanted
    _sells_before_buys(market.said)
    ended = [each.run_id for each in market.said if isinstance(each, Execution) and _is_end(each)]
    assert {made.run_id for made in market.plans} <= set(ended)


def _is_end(step: Execution) -> bool:
    return step.status in (ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED)


def _sells_before_buys(said: list[Record]) -> None:
    done: set[object] = set()
    for each in said:
        if isinstance(each, Execution) and each.status is ExecutionStatus.SELLS_DONE:
            done.add(each.run_id)
        if isinstance(each, OrderIntent) and each.action is IntentAction.SUBMIT:
            assert (each.order.phase is Phase.BUYS) == (each.order.run_id in done)
