"""Books of every kind for the laws of the planner: wishes, holdings, quotes, limits and terms that meet each other."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas.account import InstrumentStatus
from schemas.ledger import Books, BooksStatus
from schemas.market import Quote
from schemas.run import BindingRule, CashPolicy, Limits
from tests.agents.planner.accounts import books, quote
from tests.made import limits, rules

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


def maybe(values: st.SearchStrategy[Decimal], times: int = 2) -> st.SearchStrategy[Decimal | None]:
    return st.one_of(*[st.none()] * times, values)


shares = st.sampled_from([Decimal(share) for share in ("0", "0.1", "0.25", "0.5", "1", "0.333333333333")])
amounts = st.sampled_from([Decimal(amount) for amount in ("0", "100", "5000", "30000", "0.000000000000001")])


@st.composite
def any_limits(draw: st.DrawFn) -> Limits:
    return limits(
        trade_value_min=draw(st.sampled_from([Decimal(0), Decimal(50)])),
        quantity_step=draw(st.sampled_from(STEPS)),
        weight_total_max=draw(st.sampled_from([Decimal(1), Decimal(9), Decimal(9), Decimal("0.3")])),
        cash_reserve=draw(st.sampled_from([Decimal(0), Decimal("0.02"), Decimal("0.123456789012")])),
        position_weight_max=draw(maybe(shares)),
        trade_value_max=draw(maybe(amounts, 4)),
        margin_utilisation_max=draw(maybe(shares, 4)),
        maintenance_buffer=draw(maybe(shares, 4)),
        is_leverage_allowed=draw(st.booleans()),
        is_short_allowed=draw(st.booleans()),
        binding=draw(st.sampled_from(BindingRule)),
    )


@st.composite
def any_terms(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "allocation": draw(st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.3")])),
        "weight_total_max": draw(maybe(shares, 1)),
        "position_weight_max": draw(maybe(shares)),
        "trade_value_max": draw(maybe(amounts)),
    }


@st.composite
def any_books(draw: st.DrawFn) -> Books:
    owners = draw(st.sampled_from([OWNERS[:1], OWNERS[:2], OWNERS[:3], OWNERS]))
    with_book = draw(st.sampled_from([(), (), owners[:1], owners[1:], owners]))
    kept = draw(st.sampled_from([(), (), (), ((owners[0], "AAPL"), (owners[-1], "IBM"))]))
    return books(
        wants={name: draw(each_symbol(weights)) for name in owners},
        holds={name: draw(each_symbol(quantities)) for name in draw(st.sampled_from([(), owners, ("rsi", "system")]))},
        quotes=draw(quotes()),
        cash=draw(cash),
        equity=draw(equity),
        buying_power=draw(cash),
        silent=draw(st.sampled_from([(), (), (), owners[:1]])),
        kept=kept,
        held=draw(any_limits()),
        rules=rules(cash_policy=draw(st.sampled_from(CashPolicy))),
        priorities={name: draw(st.integers(1, 3)) for name in owners},
        own={name: draw(any_terms()) for name in owners},
        capital={name: draw(maybe(equity, 1)) for name in with_book},
        traded={name: draw(st.sampled_from([0, 0, 70])) for name in owners},
        flagged=draw(st.sampled_from([{}, {}, {}, {"MSFT": {owners[0]: "0.1", owners[-1]: "-0.05"}}])),
        stopped=draw(st.sampled_from([{}, {}, {}, {"IBM": InstrumentStatus.HALTED}])),
        scope=draw(st.sampled_from([None, None, None, ["AAPL", "IBM"]])),
        status=draw(st.sampled_from([BooksStatus.READY] * 9 + [BooksStatus.BLOCKED])),
    )


@st.composite
def books_of_sellers(draw: st.DrawFn) -> Books:
    """Books in which everybody sells something to buy something else, with money of its own, and lines that stop."""
    owners = draw(st.sampled_from([OWNERS[:2], OWNERS[:3], OWNERS]))
    allocation = Decimal(1) / len(owners)
    lots = st.integers(0, 60).map(lambda tens: Decimal(10 * tens))
    hundredths = st.integers(-10, 60).map(lambda each: Decimal(each).scaleb(-2))
    sides = st.tuples(st.sampled_from([10, 20, 50, 100]), st.sampled_from(["0.02", "0.02", "0", "1"]))
    return books(
        wants={name: draw(each_symbol(hundredths)) for name in owners},
        holds={name: draw(each_symbol(lots)) for name in owners},
        quotes=[quote(symbol, bid, bid + Decimal(spread)) for symbol in SYMBOLS for bid, spread in [draw(sides)]],
        cash=draw(st.sampled_from([-5000, 0, 0, 1000, 10_000])),
        equity=draw(st.sampled_from([30_000, 60_000])),
        held=limits(
            trade_value_min=Decimal(draw(st.sampled_from([0, 500, 3000]))),
            quantity_step=draw(st.sampled_from(STEPS[:4])),
            weight_total_max=draw(st.sampled_from([Decimal(1), Decimal(3)])),
            trade_value_max=draw(st.sampled_from([None, None, None, Decimal(20_000)])),
            is_short_allowed=draw(st.booleans()),
            binding=draw(st.sampled_from(BindingRule)),
        ),
        rules=rules(cash_policy=draw(st.sampled_from(CashPolicy))),
        own={name: {"allocation": allocation, "weight_total_max": draw(maybe(shares))} for name in owners},
    )
