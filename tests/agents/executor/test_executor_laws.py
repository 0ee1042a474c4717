"""Laws of the executor over random plans, ends of orders, duplicates, crashes, and runs of all kinds in between."""

from collections import Counter
from decimal import Decimal
from itertools import combinations
from uuid import UUID

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.executor import decider as executor
from agents.testing import Story, given
from schemas.execution import Execution, ExecutionStatus, LineOutcome, Outcome
from schemas.order import NET, TERMINAL, IntentAction, OrderEvent, OrderIntent, OrderTerms, OrdStatus, Refusal
from schemas.plan import LineStatus, Plan, PlanLine, Rule
from schemas.portfolio import PortfolioStatus
from schemas.record import Record
from tests.agents.executor.made import event, line, plan, portfolio, run
from tests.made import execution

ENDS = sorted(TERMINAL)
RUN_ENDS = (ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED, ExecutionStatus.ABANDONED)
STOPS = [
    (LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE),
    (LineStatus.BLOCKED, Rule.CAPITAL),
    (LineStatus.BLOCKED, Rule.HALTED),
    (LineStatus.HELD, Rule.CONFLICT_FLAGGED),
]
ZERO = Decimal(0)


@st.composite
def lines(draw: st.DrawFn, symbol: str, book: str) -> PlanLine:
    owners = ["core", "dip"] if book == NET else [book]
    ordered = draw(st.dictionaries(st.sampled_from(owners), st.integers(1, 9), max_size=2))
    sign = draw(st.sampled_from([1, -1]))
    status, rule = draw(st.sampled_from([(LineStatus.PLANNED, None)] * len(STOPS) + STOPS))
    may_cross = book == NET and rule not in (Rule.HALTED, Rule.CONFLICT_FLAGGED)
    crossed = draw(st.sampled_from([{}, {"core": 2, "trend": -2}])) if may_cross else {}
    if rule is None and not ordered and not crossed:
        status, rule = LineStatus.SUPPRESSED, Rule.NO_DIFFERENCE
    return line(
        symbol,
        {each: sign * quantity for each, quantity in ordered.items()},
        crossed,
        book=book,
        reducing=draw(st.integers(0, sum(ordered.values()))),
        priority=draw(st.integers(1, 2)),
        status=status,
        rule=rule,
    )


@st.composite
def plans(draw: st.DrawFn, name: str) -> Plan:
    keys = st.tuples(st.sampled_from(["AAPL", "IBM"]), st.sampled_from(["alpha", "beta", "gamma", NET]))
    found = draw(st.sets(keys, max_size=6))
    most = draw(st.sampled_from([None, None, ZERO, Decimal("0.3"), Decimal(1)]))
    return plan(
        *[draw(lines(symbol, book)) for symbol, book in sorted(found)],
        name=name,
        rule=draw(st.sampled_from([None, None, None, Rule.BOOKS_DIFFER])),
        rules=execution(steps_max=draw(st.integers(1, 3)), failed_reducing_max=most),
        cash=draw(st.integers(-50, 400)),
        is_leverage_allowed=draw(st.booleans()),
    )


class Market:
    """Ends orders in any order, a line's cross before its orders, and checks after every word what must always hold."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw
        self.story: Story = given(executor)
        self.said: list[Record] = []
        self.plans: list[Plan] = []
        self.open: dict[str, OrderIntent] = {}
        self.ends: dict[str, OrderEvent] = {}
        self.canceled: set[str] = set()
        self.runs: list[str] = []
        self.unplanned: list[str] = []
        self.settled: set[str] = set()
        self.successors: set[UUID] = set()

    def tell(self, record: Record) -> None:
        if self.draw.draw(st.booleans()):
            self.crash()
        self.story = self.story.when(record)
        for each in self.story.said:
            match each:
                case OrderIntent():
                    self.hear(each)
                case Execution():
                    self.check_step(each)
                case LineOutcome():
                    self.check_outcome(each)
                case _:
                    raise TypeError(type(each).__name__)
        self.said += self.story.said
        if self.successors:
            brokers = {name for name, intent in self.open.items() if intent.action is IntentAction.SUBMIT}
            assert brokers <= self.canceled
        assert self.story.when(record).said == (), "the same again says nothing"

    def crash(self) -> None:
        """Another process takes over: all that it knows is what was published."""
        told = given(executor, *self.said)
        assert told.state == self.story.state
        self.story = told

    def hear(self, intent: OrderIntent) -> None:
        name = intent.client_order_id
        if intent.action is IntentAction.CANCEL:
            assert name in self.open
            assert self.successors, "only for the sake of a whole run is anything canceled"
            self.canceled.add(name)
            return
        assert name not in self.open
        assert name not in self.ends
        assert not self.successors, "an order is sent for a run that is being superseded"
        self.open[name] = intent
        self.check_step_of(intent)
        live = [each.order for each in self.open.values() if each.action is IntentAction.SUBMIT]
        for one, other in combinations(live, 2):
            assert one.symbol != other.symbol or one.side is other.side, "two opposite orders are at the broker"

    def check_step_of(self, intent: OrderIntent) -> None:
        """Every order of a leg does all that those before it left, and there are no more than the run allows."""
        order = intent.order
        (made,) = [each for each in self.plans if each.plan_id == order.plan_id]
        (wanted,) = [each for each in made.lines if (each.book, each.symbol) == (order.book, order.symbol)]
        before = [each for each in self.ends.values() if _leg_of(each.order) == _leg_of(order)]
        assert order.step == len(before) + 1 <= made.books.snapshot.portfolio.terms.execution.steps_max
        assert order.order_qty == _wanted(wanted, order.leg) - sum((each.cum_qty for each in before), ZERO)
        assert all(each.ord_status is OrdStatus.CANCELED for each in before)

    def check_step(self, step: Execution) -> None:
        if step.status is ExecutionStatus.CLEARING and step.portfolio is not None and step.portfolio.scope is None:
            self.successors = {step.run_id}
        if step.status is ExecutionStatus.CLEARED:
            assert not self.open, "a run is planned on a quiet account"
            since = [each for name, each in self.ends.items() if name not in self.settled]
            assert {each.client_order_id: each.cum_qty for each in step.ended_orders} == {
                each.client_order_id: each.cum_qty for each in since
            }
            assert len({each.order.plan_id for each in since}) <= 1, "no more is kept than the last plan's orders"
            self.successors -= {step.run_id}
            self.unplanned += [each for each in self.runs if run(each) == step.run_id]
        if step.plan is not None and step.plan.lines:
            self.settled |= self.ends.keys()
        if step.status is ExecutionStatus.REDUCED and not step.ended_orders:  # else it is a receipt
            self.check_reduced(step)

    def check_reduced(self, step: Execution) -> None:
        """All crosses and reducing orders of the plan were sent and have ended."""
        assert not self.open
        (made,) = [each for each in self.plans if each.plan_id == step.plan_id]
        ended = {(each.order.book, each.order.symbol, each.order.leg) for each in self.ends.values()}
        for each in made.lines:
            assert not each.cross_quantity or (each.book, each.symbol, 0) in ended
            assert not each.reducing_quantity or (each.book, each.symbol, 1) in ended

    def check_outcome(self, found: LineOutcome) -> None:
        """What a line says of its orders is the sum of what its orders said; FILLED is all of it."""
        (made,) = [each for each in self.plans if each.plan_id == found.plan_id]
        (wanted,) = [each for each in made.lines if (each.book, each.symbol) == (found.book, found.symbol)]
        own = [each for each in self.ends.values() if _is_of(each, found)]
        if wanted.status is not LineStatus.PLANNED and found.outcome is not Outcome.SUPERSEDED:
            stopped = Outcome.HALTED if wanted.rule is Rule.HALTED else Outcome(wanted.status.value)
            assert (found.outcome, found.rule) == (stopped, wanted.rule)
            refusals = [each.refusal for each in own if each.refusal is not None]  # of its cross
            assert found.reason == (refusals[0] if refusals else made.detail)
        orders = [each for each in own if each.order.leg]
        assert found.client_order_ids == tuple(each.client_order_id for each in orders)
        assert found.order_qty == sum((each.order.order_qty for each in orders if each.order.step == 1), ZERO)
        assert found.gross_trade_amt == sum((each.gross_trade_amt for each in orders), ZERO)
        assert found.cum_qty == sum((each.cum_qty for each in orders), ZERO)
        assert found.cross_quantity == sum((each.cum_qty for each in own if not each.order.leg), ZERO)
        assert (found.outcome is Outcome.FILLED) == (found.cum_qty == wanted.quantity > 0)
        assert (found.outcome is Outcome.PARTLY_FILLED) == (0 < found.cum_qty < wanted.quantity)
        if any(each.order.leg == 2 for each in own):
            reduced = sum((each.cum_qty for each in own if each.order.leg == 1), ZERO)
            assert reduced == wanted.reducing_quantity, "the second order went from a wrong position"
        if found.rule in (Rule.REDUCING_FAILED, Rule.CASH_NOT_FREED):
            assert not any(each.order.leg == 2 for each in own)
        for each in orders:
            wishes = {part.strategy_id: part.ordered for part in wanted.contributions if part.ordered}
            signs = {part.strategy_id: part.quantity.copy_sign(_sign(each)) for part in each.order.contributions}
            assert signs == wishes

    def end_one(self) -> None:
        crosses = {(each.order.book, each.order.symbol) for each in self.open.values() if not each.order.leg}
        may_end = [
            name
            for name, each in self.open.items()
            if not each.order.leg or (each.order.book, each.order.symbol) not in crosses
        ]
        name = self.draw.draw(st.sampled_from(sorted(may_end)))
        intent = self.open.pop(name)
        is_cross = intent.action is IntentAction.CROSS
        status = self.draw.draw(st.sampled_from([OrdStatus.FILLED, OrdStatus.REJECTED] if is_cross else ENDS))
        full = int(intent.order.order_qty)
        part = 0 if is_cross else self.draw.draw(st.integers(0, full - 1))
        executed = full if status is OrdStatus.FILLED else part
        is_refused = status is OrdStatus.REJECTED and not executed
        refusal = self.draw.draw(st.sampled_from([None, Refusal.HALTED, Refusal.PRICE_COLLAR])) if is_refused else None
        price = None if is_cross else self.draw.draw(st.sampled_from(["10", "8", "11.5"]))
        self.ends[name] = event(intent, status, executed, price=price, refusal=refusal)
        self.tell(self.ends[name])

    def ask(self) -> None:
        """Wish for a whole run, one of a scope, or one without a quorum."""
        name = f"run {len(self.runs)}"
        self.runs.append(name)
        scope = self.draw.draw(st.sampled_from([None, None, ("AAPL",)]))
        status = self.draw.draw(st.sampled_from([PortfolioStatus.FORMED, PortfolioStatus.FORMED, *PortfolioStatus]))
        self.tell(portfolio(name, scope=scope, status=status))

    def accept(self) -> None:
        """Plan a run that was cleared; it may have been superseded since."""
        made = self.draw.draw(plans(self.unplanned.pop(0)))
        self.plans.append(made)
        self.tell(made)

    def go_on(self) -> bool:
        """Let anything happen but another wish; say whether there was anything left to happen."""
        may = [self.end_one] * bool(self.open) + [self.accept] * bool(self.unplanned)
        if may:
            self.draw.draw(st.sampled_from(may))()
        return bool(may)


def _leg_of(order: OrderTerms) -> tuple[UUID, str, str, int]:
    return order.plan_id, order.book, order.symbol, order.leg


def _wanted(line: PlanLine, leg: int) -> Decimal:
    return {0: line.cross_quantity, 1: line.reducing_quantity, 2: line.quantity - line.reducing_quantity}[leg]


def _is_of(end: OrderEvent, found: LineOutcome) -> bool:
    return (end.order.plan_id, end.order.book, end.order.symbol) == (found.plan_id, found.book, found.symbol)


def _sign(end: OrderEvent) -> int:
    return 1 if end.order.side.value == "BUY" else -1


@settings(max_examples=100, deadline=None)
@for_all(st.data())
def test_opposite_orders_never_meet_and_every_line_and_run_ends_once_whatever_happens(data: st.DataObject) -> None:
    market = Market(data)
    for _ in range(data.draw(st.integers(1, 4))):
        market.ask()
        for _ in range(data.draw(st.integers(0, 6))):
            market.go_on()
    while market.go_on():
        pass

    wanted = Counter((made.plan_id, each.book, each.symbol) for made in market.plans for each in made.lines)
    found = Counter((each.plan_id, each.book, each.symbol) for each in market.said if isinstance(each, LineOutcome))
    assert found == wanted
    assert {each.run_id for each in market.said if isinstance(each, Execution) and each.status in RUN_ENDS} == {
        run(name) for name in market.runs
    }
    assert given(executor, *market.said).state == market.story.state
