"""No sequence of orders that the gate lets pass can exceed a limit, whatever arrives, is told, or is lost meanwhile."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from schemas.gate import GateLimits, StrategyGateLimits
from schemas.identity import derived
from schemas.order import NET, ExecType, OrderIntent, Phase, Side
from tests.agents.gateway.model import ASK, BID, Model
from tests.agents.gateway.words import intent
from tests.made import contribution, gate_limits

SYMBOLS = ("AAPL", "MSFT")
OWNERS = ("core", "trend")
ZERO = Decimal(0)
LINE_QTY = 20
WORLDS = 300
MILLISECOND = timedelta(milliseconds=1)


def maybe(chance: Random, most: int, unit: int = 1) -> Decimal | None:
    """Return a limit up to so many units, or none."""
    return None if chance.random() < 0.5 else Decimal(chance.randint(0, most) * unit)


def maybe_count(chance: Random, most: int) -> int | None:
    return None if chance.random() < 0.7 else chance.randint(1, most)


def limits_drawn(chance: Random) -> GateLimits:
    strategies = tuple(
        StrategyGateLimits(
            strategy_id=each, position_value_max=maybe(chance, 25, 100), gross_value_max=maybe(chance, 50, 100)
        )
        for each in OWNERS
    )
    return gate_limits(
        order_qty_max=maybe(chance, 25),
        order_notional_max=maybe(chance, 25, 100),
        price_collar=Decimal("0.001"),
        position_value_max=maybe(chance, 60, 100),
        gross_value_max=maybe(chance, 90, 100),
        strategies=strategies,
        orders_per_second_max=maybe_count(chance, 3),
        orders_per_minute_max=maybe_count(chance, 12),
        orders_per_day_max=maybe_count(chance, 16),
        open_orders_max=maybe_count(chance, 4),
    )


def intent_drawn(chance: Random, number: int, positions: dict[str, int]) -> OrderIntent:
    """Return an order of one of two books or of both together; each line may have several orders."""
    symbol, side = chance.choice(SYMBOLS), chance.choice(list(Side))
    book = chance.choice([*OWNERS, NET])
    parts = [(book, LINE_QTY)] if book != NET else [("core", 12), ("trend", 8)]
    gross = Decimal(sum(abs(each) * 100 for each in positions.values())) / 2
    return intent(
        qty=str(chance.randint(1, LINE_QTY)),
        parts=(),
        intent_id=derived("intent", number),
        plan_id=derived("plan", book, symbol, side),
        book=book,
        symbol=symbol,
        side=side,
        line_qty=Decimal(LINE_QTY),
        phase=chance.choice([Phase.REDUCING, Phase.INCREASING]),
        reference_price=Decimal(100),
        contributions=tuple(
            contribution(owner, side, Decimal(part), position=Decimal(positions[symbol]) / 2, gross_value=gross)
            for owner, part in parts
        ),
    ).model_copy(update={"client_order_id": f"order-{number}"})


def step(model: Model, chance: Random, positions: dict[str, int]) -> None:
    """Let one thing happen, of all that can."""
    open_ones = sorted(name for name, each in model.there.items() if not each.end)
    known = sorted({*model.there, *model.under_way})
    can = ["ask"]
    can += ["check"] * 3 * bool(model.checking)
    can += ["arrive", "answer"] * bool(model.under_way)
    can += ["execute", "execute", "finish"] * bool(open_ones)
    can += ["read"] * bool(known) + ["hear"] * 2 * bool(model.pool) + ["lose"] * bool(model.pool)
    match chance.choice(can):
        case "ask":
            model.ask(intent_drawn(chance, len(model.events), positions))
        case "check":
            model.check(chance.choice(model.checking), chance.randint(0, 3))
        case "arrive":
            model.arrive(chance.choice(sorted(model.under_way)))
        case "answer":
            name = chance.choice(known)
            model.answer(name, chance.choice([200, None] if name in model.there else [None, 429]))
        case "execute":
            model.execute(chance.choice(open_ones), chance.randint(1, 20))
        case "finish":
            model.finish(chance.choice(open_ones))
        case "read":
            model.read(chance.choice(known))
        case "hear":
            model.hear(model.pool.pop(chance.randint(0, len(model.pool) - 1)))
        case "lose":
            model.pool.pop(chance.randint(0, len(model.pool) - 1))


def lived(chance: Random) -> tuple[Model, GateLimits, dict[str, int]]:
    """Return a model in which much has happened; what the account may hold at worst is looked at after every step."""
    limits = limits_drawn(chance)
    positions = {symbol: 2 * chance.randint(-10, 10) for symbol in SYMBOLS}
    model = Model(limits, positions)
    for _ in range(chance.randint(10, 60)):
        step(model, chance, positions)
        check_account(model, limits, positions)
    return model, limits, positions


@settings(max_examples=WORLDS, deadline=None)
@for_all(st.randoms(use_true_random=True))
def test_no_sequence_of_orders_that_were_let_pass_exceeds_a_limit(chance: Random) -> None:
    model, limits, positions = lived(chance)
    check_orders(model, limits)
    check_rates(model, limits)
    check_strategies(model, limits, positions)


def check_account(model: Model, limits: GateLimits, positions: dict[str, int]) -> None:
    """What the account may hold at worst, at the bid: no more than was held before, or than the limit allows."""
    gross = ZERO
    for symbol in SYMBOLS:
        worst = model.worst_of(symbol)
        gross += max(worst, abs(Decimal(positions[symbol]))) * BID
        if limits.position_value_max is not None and worst > abs(positions[symbol]):
            assert worst * BID <= limits.position_value_max
    before = sum((abs(Decimal(each)) * BID for each in positions.values()), ZERO)
    if limits.gross_value_max is not None and sum((model.worst_of(each) * BID for each in SYMBOLS), ZERO) > before:
        assert sum((model.worst_of(each) * BID for each in SYMBOLS), ZERO) <= limits.gross_value_max
    if limits.open_orders_max is not None:
        left = len(model.under_way) + len([each for each in model.there.values() if not each.end])
        assert left <= limits.open_orders_max


def check_orders(model: Model, limits: GateLimits) -> None:
    lines: Counter[tuple[object, ...]] = Counter()
    for terms, check in model.passed:
        assert limits.order_qty_max is None or terms.order_qty <= limits.order_qty_max
        assert check.worst_price >= (ASK if terms.side is Side.BUY else BID)
        assert limits.order_notional_max is None or terms.order_qty * check.worst_price <= limits.order_notional_max
    for each in model.there.values():
        lines[each.terms.plan_id, each.terms.book, each.terms.symbol] += each.cum_qty  # type: ignore[assignment]
    assert all(executed <= LINE_QTY for executed in lines.values())


def check_rates(model: Model, limits: GateLimits) -> None:
    """Counted anew: a check of an earlier time counts at the latest one."""
    times = []
    for _, check in model.passed:
        times.append(max([check.read_at, *times]))
    for most, span in ((limits.orders_per_second_max, 1_000), (limits.orders_per_minute_max, 60_000)):
        for each in times:
            assert most is None or len([at for at in times if each - span * MILLISECOND < at <= each]) <= most
    assert limits.orders_per_day_max is None or len(times) <= limits.orders_per_day_max


def check_strategies(model: Model, limits: GateLimits, positions: dict[str, int]) -> None:
    """Each plan is of one line: what an owner alone may come to own by it."""
    own = [each for each in model.there.values() if each.terms.book != NET]
    for bound in limits.strategies:
        for symbol in SYMBOLS:
            for side in Side:
                plan = derived("plan", bound.strategy_id, symbol, side)
                bought = sum((each.cum_qty for each in own if each.terms.plan_id == plan), ZERO)
                before = Decimal(positions[symbol]) / 2
                after = before + (bought if side is Side.BUY else -bought)
                if bound.position_value_max is not None and abs(after) > abs(before):
                    assert abs(after) * BID <= bound.position_value_max
                gross = sum((abs(Decimal(each)) * 100 for each in positions.values()), ZERO) / 2
                more = (abs(after) - abs(before)) * BID
                if bound.gross_value_max is not None and more > 0:
                    assert gross + more <= bound.gross_value_max + abs(before) * (ASK - BID)


def test_the_model_lets_orders_pass_and_meets_every_limit() -> None:
    """A law that is never put to the test is none."""
    met: Counter[str] = Counter()

    for seed in range(WORLDS // 2):
        model, _, _ = lived(Random(seed))
        met.update(str(each.refusal or each.exec_type) for each in model.events)
    wanted = {each.value for each in (ExecType.SUBMITTING, ExecType.TRADE, ExecType.UNKNOWN, ExecType.CANCELED)}
    wanted |= {"POSITION_VALUE_MAX", "GROSS_VALUE_MAX", "STRATEGY_POSITION_VALUE_MAX", "STRATEGY_GROSS_VALUE_MAX"}
    wanted |= {
        "ORDER_QTY_MAX",
        "ORDER_NOTIONAL_MAX",
        "LINE_EXCEEDED",
        "OPEN_ORDERS_MAX",
        "SELF_CROSS",
        "SYMBOL_UNKNOWN",
    }
    wanted |= {"ORDERS_PER_SECOND_MAX", "ORDERS_PER_MINUTE_MAX", "ORDERS_PER_DAY_MAX"}
    assert wanted <= met.keys()
