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
from schemas.ledger import Books, BooksContent
from schemas.order import NET, Phase
from schemas.plan import Action, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.portfolio import PortfolioContent
from schemas.quantities import CONTEXT
from schemas.run import Limits, Mode
from tests.agents.planner.any_books import any_books

EXAMPLES = 120


def plan(asked: Books) -> Plan:
    with localcontext(CONTEXT):
        return plan_of(asked)


def held_to(asked: Books) -> Limits:
    return asked.content.snapshot.portfolio.terms.limits


def sign(line: PlanLine) -> int:
    return {Action.BUY: 1, Action.SELL: -1, Action.HOLD: 0}[line.action]


def check_sums(line: PlanLine) -> None:
    each = line.contributions
    assert sum(part.weight for part in each) == line.target_weight
    assert sum(part.current_quantity for part in each) == line.current_quantity
    assert sum(part.target_quantity for part in each) == line.target_quantity
    assert sum(part.wanted for part in each) == line.delta_quantity
    assert sum(part.crossed for part in each) == 0
    assert sum(part.crossed for part in each if part.crossed > 0) == line.cross_quantity
    assert sum(part.ordered for part in each) == sign(line) * line.quantity
    assert [part.strategy_id for part in each] == sorted({part.strategy_id for part in each})


def check_parts(line: PlanLine) -> None:
    for part in line.contributions:
        assert part.wanted == part.target_quantity - part.current_quantity
        assert part.value == part.wanted * (line.price or 0)
        assert part.allowed * part.wanted >= 0
        assert abs(part.allowed) <= abs(part.wanted)
        assert (part.rule is None) == (part.threshold is None) == (part.allowed == part.wanted)
        assert part.crossed * part.allowed >= 0
        assert part.ordered * part.allowed >= 0
        assert part.ordered * sign(line) >= 0
        assert abs(part.crossed + part.ordered) <= abs(part.allowed)
    # built without validation: they are what validation would have made of them
    assert PlanLine.model_validate(line.model_dump()) == line


WHOLE_LINE = (Rule.SHORT_NOT_ALLOWED, Rule.FRACTIONAL_SHORT, Rule.MIN_TRADE_VALUE, Rule.CONFLICT_FLAGGED)
MAY_BE_WITHOUT_THRESHOLD = (
    Rule.NO_PRICE,
    Rule.ACCOUNT_UNREADABLE,
    Rule.KEPT,
    Rule.BOOKS_DIFFER,
    Rule.HALTED,
    Rule.CONFLICT_FLAGGED,
    Rule.QUOTE_LOCKED,
    Rule.QUOTE_CROSSED,
    Rule.CAPITAL_NOT_POSITIVE,
)


def check_outcome(line: PlanLine) -> None:
    assert 0 <= line.reducing_quantity <= line.quantity <= line.intended_quantity
    assert (line.action is Action.HOLD) == (line.intended_quantity == 0)
    assert (line.phase is None) == (line.quantity == 0)
    assert (line.phase is Phase.REDUCING) == (line.reducing_quantity > 0)
    if line.status is LineStatus.PLANNED:
        assert line.rule not in WHOLE_LINE
        assert line.rule is None or line.quantity < line.intended_quantity
        assert line.quantity or line.cross_quantity
    else:
        assert line.rule is not None
        assert line.quantity == line.notional == 0
    assert (line.status is LineStatus.HELD) == (line.rule is Rule.CONFLICT_FLAGGED)
    assert line.threshold is not None or line.rule is None or line.rule in MAY_BE_WITHOUT_THRESHOLD
    assert line.cross_deferred_quantity == 0 or line.cross_quantity == 0
    assert (line.cross_rule is None) == (line.cross_deferred_quantity == 0)


@settings(max_examples=EXAMPLES, deadline=None)
@for_all(any_books())
def test_every_line_adds_up_and_ends_in_one_status_with_its_rule(asked: Books) -> None:
    made = plan(asked)
    assert made.rule is not Rule.PLAN_INVALID, made.detail
    keys = [(line.symbol, line.book) for line in made.lines]
    assert keys == sorted(set(keys))
    assert len(keys) == made.line_count
    for line in made.lines:
        check_sums(line)
        check_parts(line)
        check_outcome(line)
        assert made.status is PlanStatus.READY or (line.status, line.rule) == (LineStatus.BLOCKED, made.rule)
        assert line.book == NET or line.cross_quantity == line.cross_deferred_quantity == 0


@settings(max_examples=EXAMPLES, deadline=None)
@for_all(any_books())
def test_nothing_outside_the_scope_is_in_the_plan_and_everything_wanted_or_held_is(asked: Books) -> None:
    snapshot = asked.content.snapshot
    wanted = {(NET, each.symbol) for each in snapshot.portfolio.targets}
    wanted |= {(NET, each.symbol) for each in snapshot.portfolio.conflicts}
    own = {each.strategy_id for each in snapshot.portfolio.terms.strategies if each.mode is Mode.BOOK}
    wanted |= {(each.strategy_id, target.symbol) for each in snapshot.portfolio.book_targets for target in each.targets}
    for book in asked.content.strategies:
        name = book.strategy_id if book.strategy_id in own else NET
        wanted |= {(name, holding.symbol) for holding in book.holdings if holding.quantity}
    scope = snapshot.portfolio.scope
    expected = {(book, symbol) for book, symbol in wanted if scope is None or symbol in scope}
    assert {(line.book, line.symbol) for line in plan(asked).lines} == expected


@settings(max_examples=EXAMPLES, deadline=None)
@for_all(any_books())
def test_buys_never_exceed_the_money_above_the_reserve_and_what_the_sales_bring(asked: Books) -> None:
    made, snapshot = plan(asked), asked.content.snapshot
    with localcontext(CONTEXT):
        kept = max(snapshot.equity, Decimal(0)) * held_to(asked).cash_reserve
        money = snapshot.buying_power if held_to(asked).is_leverage_allowed else snapshot.cash
        covers = sum(
            line.reducing_quantity * max(line.bid or 0, line.ask or 0)
            for line in made.lines
            if line.action is Action.BUY
        )
        assert made.buys_planned == sum(line.notional for line in made.lines if line.action is Action.BUY)
        assert made.sells_expected == sum(line.notional for line in made.lines if line.action is Action.SELL)
        assert made.trade_value == made.buys_planned + made.sells_expected
        assert made.buys_planned <= max(money - kept + made.sells_expected, covers, Decimal(0))
        for line in made.lines:
            sides = [side for side in (line.bid, line.ask) if side is not None]
            worse = (max if line.action is Action.BUY else min)(sides, default=Decimal(0))
            assert line.notional == line.quantity * worse


def positions_after(made: Plan, asked: Books, quantity: str) -> dict[str, Decimal]:
    """What the account holds when that quantity of every line is done."""
    after = {each.symbol: each.quantity for each in asked.content.snapshot.positions}
    for line in made.lines:
        after[line.symbol] = after.get(line.symbol, Decimal(0)) + sign(line) * getattr(line, quantity)
    return after


def exposure(positions: dict[str, Decimal], asked: Books) -> Decimal:
    quoted = {each.symbol: each for each in asked.content.snapshot.quotes if each.bid > 0 and each.ask > 0}
    mids = {each.symbol: ((each.bid + each.ask) / 2).quantize(Decimal("0.000001")) for each in quoted.values()}
    return sum((abs(held) * mids.get(symbol, 0) for symbol, held in positions.items()), Decimal(0))


@settings(max_examples=EXAMPLES, deadline=None)
@for_all(any_books())
def test_no_increase_goes_beyond_a_limit_of_the_account(asked: Books) -> None:
    made, held, equity = plan(asked), held_to(asked), asked.content.snapshot.equity
    with localcontext(CONTEXT):
        reduced, final = positions_after(made, asked, "reducing_quantity"), positions_after(made, asked, "quantity")
        most, before = exposure(final, asked), exposure(reduced, asked)
        assert most <= max(held.weight_total_max * equity, before)
        if held.margin_utilisation_max is not None:
            assert held.initial_margin_rate * most <= max(
                held.margin_utilisation_max * equity, held.initial_margin_rate * before
            )
        if held.maintenance_buffer is not None and most > before:
            assert equity - held.maintenance_margin_rate * most >= held.maintenance_buffer * equity
        if held.trade_value_max is not None:
            traded = sum((each.traded_value for each in asked.content.strategies), Decimal(0))
            assert made.trade_value <= max(held.trade_value_max - traded, 0)
        for symbol, after in final.items():
            one, former = exposure({symbol: after}, asked), exposure({symbol: reduced[symbol]}, asked)
            if held.position_weight_max is not None:
                assert one <= max(held.position_weight_max * equity, former)
            if after < 0 and after != reduced[symbol]:
                assert held.is_short_allowed
                assert after % 1 == 0


@settings(max_examples=EXAMPLES, deadline=None)
@for_all(any_books())
def test_a_reduction_is_never_cut_by_a_limit_on_increases(asked: Books) -> None:
    """Whatever only brings a position nearer to zero is cut by the trade value, or stopped whole, or goes whole."""
    made = plan(asked)
    if made.status is PlanStatus.BLOCKED:
        return
    for line in made.lines:
        for part in line.contributions:
            only_reduces = part.wanted * part.current_quantity < 0 and abs(part.wanted) <= abs(part.current_quantity)
            assert not only_reduces or part.allowed == part.wanted or part.rule is Rule.TRADE_VALUE_MAX
    alone = {line.symbol for line in made.lines} - {
        line.symbol for line in made.lines for other in made.lines if other is not line and other.symbol == line.symbol
    }
    limits_on_increases = (
        Rule.POSITION_WEIGHT_MAX,
        Rule.WEIGHT_TOTAL_MAX,
        Rule.MARGIN_UTILISATION,
        Rule.MAINTENANCE_BUFFER,
        Rule.CAPITAL,
    )
    for line in made.lines:
        own = sum((part.allowed for part in line.contributions), Decimal(0))
        reduces = own * line.account_quantity < 0 and abs(own) <= abs(line.account_quantity)
        if line.symbol in alone and reduces and all(part.rule is None for part in line.contributions):
            assert line.rule not in limits_on_increases


@settings(max_examples=EXAMPLES // 2, deadline=None)
@for_all(any_books())
def test_a_plan_is_the_same_again_and_after_its_way_through_the_log(asked: Books) -> None:
    assert plan(asked) == plan(asked) == through_the_wire(plan(asked))


@settings(max_examples=EXAMPLES // 2, deadline=None)
@for_all(any_books(), st.data())
def test_the_order_of_the_lists_in_the_books_changes_no_line(asked: Books, data: st.DataObject) -> None:
    content = asked.content
    wanted = content.snapshot.portfolio

    def shuffled(values: Sequence[object]) -> tuple[object, ...]:
        return tuple(data.draw(st.permutations(values)))

    targets = [target.model_copy(update={"contributions": shuffled(target.contributions)}) for target in wanted.targets]
    terms = wanted.terms.model_copy(update={"strategies": shuffled(wanted.terms.strategies)})
    more = {name: shuffled(getattr(wanted, name)) for name in ("book_targets", "kept", "conflicts")}
    portfolio = PortfolioContent.model_copy(wanted, update={"targets": shuffled(targets), "terms": terms, **more})
    lists = {name: shuffled(getattr(content.snapshot, name)) for name in ("positions", "quotes", "instruments")}
    snapshot = SnapshotContent.model_copy(content.snapshot, update={**lists, "portfolio": portfolio})
    owners = [book.model_copy(update={"holdings": shuffled(book.holdings)}) for book in content.strategies]
    turned = BooksContent.model_copy(content, update={"snapshot": snapshot, "strategies": shuffled(owners)})
    again, before = plan(asked.model_copy(update={"content": turned})), plan(asked)
    assert (again.lines, again.constraints) == (before.lines, before.constraints)


units = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@for_all(units, st.data(), st.integers(1, 300))
def test_a_split_adds_up_is_fair_and_gives_nobody_more_than_its_part(
    whole: list[int], data: st.DataObject, step: int
) -> None:
    total = data.draw(st.integers(0, sum(whole)))
    parts = [units * step for units in whole]
    shares = apportioned(total * step, parts, step)
    assert sum(shares) == total * step
    for share, part in zip(shares, parts, strict=True):
        assert 0 <= share <= part
        assert share % step == 0
        # within one step of its exact share: total * part / all
        assert abs(share * sum(whole) - total * part) < step * sum(whole) or not total


def test_a_split_of_more_than_there_is_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a total from 0 to 3, the sum of 2 parts, was 4"):
        apportioned(4, [1, 2], 1)
