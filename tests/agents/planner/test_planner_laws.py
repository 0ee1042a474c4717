"""What holds for every plan, whatever the books: sums, signs, steps, money, order of lists, the way of the bytes."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.planner.crossing import apportioned
from agents.planner.planning import plan_of
from agents.testing import through_the_wire
from schemas.account import SnapshotContent
from schemas.ledger import Books, BooksContent, BooksStatus
from schemas.market import Quote
from schemas.plan import Action, LineContribution, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.portfolio import PortfolioContent
from schemas.quantities import CONTEXT
from tests.agents.planner.accounts import books, limits, quote

SYMBOLS = ("AAPL", "BRK.B", "IBM", "MSFT")
OWNERS = ("carry", "momentum", "rsi", "value")
STEPS = tuple(Decimal(step) for step in ("1", "0.001", "0.000000001", "100", "0.3"))

# Mostly round numbers of a size that lets wishes, prices and cash meet; numbers with all their decimals beside them.
weights = st.one_of(
    st.integers(-50, 400).map(lambda thousandths: Decimal(thousandths).scaleb(-3)),
    st.decimals(min_value=Decimal("-0.1"), max_value=Decimal("0.4"), places=12),
)
quantities = st.one_of(
    st.integers(0, 500).map(Decimal), st.decimals(min_value=Decimal(-5), max_value=Decimal(500), places=9)
)
prices = st.one_of(
    st.integers(5, 300).map(Decimal), st.decimals(min_value=Decimal("0.000001"), max_value=Decimal(900), places=6)
)
spreads = st.sampled_from([Decimal(spread) for spread in ("0.02", "0.000001", "0.01", "0", "-0.03", "3")])
ages = st.sampled_from([0, 0, 0, 0, 59, 61])
some_cash = st.integers(0, 3 * 10**7).map(lambda mills: Decimal(mills).scaleb(-3))
some_equity = st.integers(10**7, 3 * 10**8).map(lambda mills: Decimal(mills).scaleb(-3))
odd_money = st.decimals(min_value=Decimal(-100), max_value=Decimal(200_000), places=15)
cash = st.one_of(some_cash, some_cash, odd_money)
equity = st.one_of(*[some_equity] * 7, odd_money)


@st.composite
def quotes(draw: st.DrawFn) -> list[Quote]:
    quoted = draw(st.sampled_from([SYMBOLS, SYMBOLS, SYMBOLS[:3]]))
    sides = ((symbol, draw(prices), draw(spreads), draw(ages)) for symbol in quoted)
    return [quote(symbol, bid, max(bid + spread, Decimal(0)), age) for symbol, bid, spread, age in sides]


def each_symbol(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[dict[str, Decimal]]:
    return st.dictionaries(st.sampled_from(SYMBOLS), values, min_size=1)


@st.composite
def any_books(draw: st.DrawFn) -> Books:
    owners = draw(st.sampled_from([OWNERS[:1], OWNERS[:2], OWNERS[:3], OWNERS]))
    held = limits(
        trade_value_min=draw(st.sampled_from([Decimal(0), Decimal(50)])),
        quantity_step=draw(st.sampled_from(STEPS)),
        weight_total_max=draw(st.sampled_from([Decimal(1), Decimal(9), Decimal(9)])),
        cash_reserve=draw(st.sampled_from([Decimal(0), Decimal("0.02"), Decimal("0.123456789012")])),
    )
    return books(
        wants={name: draw(each_symbol(weights)) for name in owners},
        holds={name: draw(each_symbol(quantities)) for name in draw(st.sampled_from([(), owners, ("rsi", "system")]))},
        quotes=draw(quotes()),
        cash=draw(cash),
        equity=draw(equity),
        silent=draw(st.sampled_from([(), (), (), owners[:1]])),
        held=held,
        priorities={name: draw(st.integers(1, 3)) for name in owners},
        status=draw(st.sampled_from([BooksStatus.READY] * 9 + [BooksStatus.BLOCKED])),
    )


def plan(asked: Books) -> Plan:
    with localcontext(CONTEXT):
        return plan_of(asked)


def signed(line: PlanLine) -> Decimal:
    return line.quantity if line.action is Action.BUY else -line.quantity


def check_sums(line: PlanLine) -> None:
    each = line.contributions
    assert sum(part.weight for part in each) == line.target_weight
    assert sum(part.target_quantity for part in each) == line.target_quantity
    assert sum(part.wanted for part in each) == line.delta_quantity
    assert sum(part.crossed for part in each) == 0
    assert sum(part.crossed for part in each if part.crossed > 0) == line.cross_quantity
    assert sum(part.ordered for part in each) == signed(line)
    assert [part.strategy_id for part in each] == sorted({part.strategy_id for part in each})


def check_parts(line: PlanLine) -> None:
    for part in line.contributions:
        assert part.wanted == part.target_quantity - part.current_quantity
        assert part.value == part.wanted * (line.price or 0)
        assert part.crossed * part.wanted >= 0
        assert part.ordered * part.wanted >= 0
        assert part.ordered * signed(line) >= 0
        assert abs(part.crossed + part.ordered) <= abs(part.wanted)
        assert LineContribution.model_validate(part.model_dump()) == part


def check_outcome(line: PlanLine, step: Decimal) -> None:
    assert line.quantity % step == line.intended_quantity % step == 0
    assert line.quantity <= line.intended_quantity
    assert (line.action is Action.HOLD) == (line.intended_quantity == 0)
    if line.status is LineStatus.PLANNED:
        assert line.rule in (None, Rule.CAPITAL)
        assert (line.quantity < line.intended_quantity) == (line.rule is Rule.CAPITAL)
        assert line.quantity or line.cross_quantity
    else:
        assert line.rule is not None
        assert line.quantity == line.notional == 0
    assert line.rule in (None, Rule.NO_PRICE, Rule.BOOKS_DIFFER) or line.threshold is not None
    assert line.quantity == 0 or line.action is Action.BUY or line.current_quantity >= line.quantity


@settings(max_examples=150, deadline=None)
@for_all(any_books())
def test_every_line_adds_up_and_ends_in_one_status_with_its_rule(asked: Books) -> None:
    made = plan(asked)
    assert [line.symbol for line in made.lines] == sorted({line.symbol for line in made.lines})
    for line in made.lines:
        check_sums(line)
        check_parts(line)
        check_outcome(line, asked.content.snapshot.portfolio.terms.limits.quantity_step)
        assert made.status is PlanStatus.READY or (line.status, line.rule) == (LineStatus.BLOCKED, made.rule)


@settings(max_examples=150, deadline=None)
@for_all(any_books())
def test_buys_never_exceed_the_cash_above_the_reserve_and_what_the_sales_bring(asked: Books) -> None:
    made, snapshot = plan(asked), asked.content.snapshot
    with localcontext(CONTEXT):
        kept = max(snapshot.equity, Decimal(0)) * snapshot.portfolio.terms.limits.cash_reserve
        assert made.buys_planned == sum(line.notional for line in made.lines if line.action is Action.BUY)
        assert made.sells_expected == sum(line.notional for line in made.lines if line.action is Action.SELL)
        assert made.buys_planned <= max(snapshot.cash - kept + made.sells_expected, Decimal(0))
        for line in made.lines:
            sides = [side for side in (line.bid, line.ask) if side is not None]
            worse = (max if line.action is Action.BUY else min)(sides, default=Decimal(0))
            assert line.notional == line.quantity * worse


@settings(max_examples=70, deadline=None)
@for_all(any_books())
def test_a_plan_is_the_same_again_and_after_its_way_through_the_log(asked: Books) -> None:
    assert plan(asked) == plan(asked) == through_the_wire(plan(asked))


@settings(max_examples=70, deadline=None)
@for_all(any_books(), st.data())
def test_the_order_of_the_lists_in_the_books_changes_no_line(asked: Books, data: st.DataObject) -> None:
    content = asked.content
    wanted = content.snapshot.portfolio

    def shuffled(values: Sequence[object]) -> tuple[object, ...]:
        return tuple(data.draw(st.permutations(values)))

    targets = [target.model_copy(update={"contributions": shuffled(target.contributions)}) for target in wanted.targets]
    terms = wanted.terms.model_copy(update={"strategies": shuffled(wanted.terms.strategies)})
    portfolio = PortfolioContent.model_copy(wanted, update={"targets": shuffled(targets), "terms": terms})
    lists = {name: shuffled(getattr(content.snapshot, name)) for name in ("positions", "quotes")}
    snapshot = SnapshotContent.model_copy(content.snapshot, update={**lists, "portfolio": portfolio})
    owners = [book.model_copy(update={"holdings": shuffled(book.holdings)}) for book in content.strategies]
    turned = BooksContent.model_copy(content, update={"snapshot": snapshot, "strategies": shuffled(owners)})
    assert plan(asked.model_copy(update={"content": turned})).lines == plan(asked).lines


units = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 1000), min_size=1)


@settings(max_examples=100, deadline=None)
@for_all(units, st.data(), st.sampled_from(STEPS))
def test_a_split_adds_up_is_fair_and_gives_nobody_more_than_its_part(
    whole: dict[str, int], data: st.DataObject, step: Decimal
) -> None:
    total = data.draw(st.integers(0, sum(whole.values())))
    parts = {name: units * step for name, units in whole.items()}
    shares = apportioned(total * step, parts, step)
    turned = apportioned(total * step, dict(reversed(parts.items())), step)
    assert shares == turned
    assert sum(shares.values()) == total * step
    for name, share in shares.items():
        assert 0 <= share <= parts[name]
        assert share % step == 0
        # within one step of its exact share: total * part / all
        assert abs(share * sum(whole.values()) - total * parts[name]) < step * sum(whole.values()) or not total


def test_a_split_of_more_than_there_is_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a total from 0 to 3, the sum of 2 parts, was 4"):
        apportioned(Decimal(4), {"a": Decimal(1), "b": Decimal(2)}, Decimal(1))
