"""Whatever is traded, split, replaced and paid: nothing appears or goes, and no dollar or share is promised twice."""

import tempfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infra.simulator import margin
from infra.simulator.book import Execution
from infra.simulator.engine import Engine
from infra.simulator.events import Booked, Hold
from infra.simulator.journal import Journal
from infra.simulator.rules import RefusalError
from infra.simulator.sessions import session_of
from infra.simulator.settings import START_OF_TIME, Terms

SYMBOLS = ("AAPL", "MSFT")
symbols = st.sampled_from(("AAPL", "AAPL", "AAPL", "MSFT"))
CASH = 1_000
quantities = st.integers(1, 60).map(Decimal) | st.decimals(min_value=1, max_value=9, places=9)
prices = st.integers(900, 1_100).map(lambda cents: Decimal(cents) / 100)
spreads = st.integers(0, 20).map(lambda cents: Decimal(cents) / 100)
sizes = st.none() | st.integers(0, 40).map(Decimal)
times = st.sampled_from(["day", "day", "gtc"])
immediate = st.sampled_from(["ioc", "fok"])

#: Buys that cannot cost more than they claim: with a limit, of dollars, or at once at the price they were checked at.
BUYS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("limit"), "limit_price": prices.map(str), "time_in_force": times | immediate}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("stop_limit"),
            "limit_price": prices.map(str),
            "stop_price": prices.map(str),
            "time_in_force": times,
        }
    ),
    st.fixed_dictionaries({"type": st.just("market"), "time_in_force": immediate}),
    st.fixed_dictionaries(
        {
            "type": st.just("market"),
            "notional": st.integers(1, 900).map(str),
            "qty": st.none(),
            "time_in_force": st.just("day"),
        }
    ),
)
SELLS = st.one_of(
    BUYS,
    st.fixed_dictionaries({"type": st.just("market"), "time_in_force": times}),
    st.fixed_dictionaries({"type": st.just("stop"), "stop_price": prices.map(str), "time_in_force": times}),
    st.fixed_dictionaries({"type": st.just("trailing_stop"), "trail_percent": st.just("5"), "time_in_force": times}),
)


class Account(RuleBasedStateMachine):
    """A cash account; every request may be refused, and none may break what always holds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.terms = Terms(cash=Decimal(CASH), partial_rate=Decimal("0.5"), now=START_OF_TIME)
        self.count = 0
        self.shown: dict[tuple[str, str], Fraction | None] = {}
        self.open()

    def open(self) -> None:
        self.journal = Journal(Path(self.folder.name))
        self.engine = Engine(self.journal, self.terms, lambda _: None, session_of)

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @initialize()
    def begin_with_a_holding(self) -> None:
        self.quote("AAPL", Decimal(10), Decimal(0), None, None)
        self.submit({"symbol": "AAPL", "side": "buy", "qty": "30", "type": "market", "time_in_force": "day"})

    @rule(symbol=symbols, bid=prices, spread=spreads, bid_size=sizes, ask_size=sizes)
    def quote(
        self, symbol: str, bid: Decimal, spread: Decimal, bid_size: Decimal | None, ask_size: Decimal | None
    ) -> None:
        for side, size in (("buy", ask_size), ("sell", bid_size)):
            self.shown[symbol, side] = None if size is None else self.filled(symbol, side) + Fraction(size)
        self.engine.quote(symbol, bid, bid + spread, None, bid_size, ask_size)

    @rule(symbol=symbols, qty=quantities, how=BUYS)
    def buy(self, symbol: str, qty: Decimal, how: Mapping[str, object]) -> None:
        self.submit({"symbol": symbol, "side": "buy", "qty": str(qty), **how})

    @rule(symbol=symbols, qty=quantities, how=SELLS)
    def sell(self, symbol: str, qty: Decimal, how: Mapping[str, object]) -> None:
        self.submit({"symbol": symbol, "side": "sell", "qty": str(qty), **how})

    def submit(self, order: dict[str, object]) -> None:
        self.count += 1
        self.attempt(lambda: self.engine.submit({**order, "client_order_id": str(self.count)}))

    def attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except RefusalError as refused:
            assert refused.status in (403, 422)

    @precondition(lambda self: self.engine.book.open_orders())
    @rule(data=st.data(), qty=st.none() | st.integers(1, 60).map(str), limit_price=prices)
    def replace(self, data: st.DataObject, qty: str | None, limit_price: Decimal) -> None:
        order = data.draw(st.sampled_from(self.engine.book.open_orders()))
        change = {"qty": qty, "limit_price": None if order.terms.limit_price is None else str(limit_price)}
        self.attempt(lambda: self.engine.replace(order.terms.order_id, change))

    @rule(data=st.data(), symbol=symbols, price=prices, new=st.integers(1, 5))
    def something_else(self, data: st.DataObject, symbol: str, price: Decimal, new: int) -> None:
        """The rarer things, as one rule: cancel, print, hold, halt, split, dividend, end of session, restart."""
        match data.draw(st.integers(0, 8)):
            case 0 if self.engine.book.open_orders():
                self.engine.cancel(data.draw(st.sampled_from(self.engine.book.open_orders())).terms.order_id)
            case 1 | 2:
                self.engine.trade(symbol, price, Decimal(100))
            case 3:
                self.engine.hold(symbol, data.draw(st.sampled_from([Hold.NONE, Hold.REST])))
            case 4 if symbol in self.engine.book.halts:
                self.engine.resume(symbol)
            case 4:
                self.engine.halt(symbol)
            case 5 | 6:
                self.shown |= {(symbol, "buy"): None, (symbol, "sell"): None}
                self.attempt(lambda: self.engine.split(symbol, Decimal(new), Decimal(3)))
            case 7:
                self.engine.pay_dividend(symbol, price)
            case _:
                self.end_the_session()
                self.restart()

    def end_the_session(self) -> None:
        self.engine.set_clock(session_of(self.engine.book.now).late)

    def restart(self) -> None:
        before = self.engine.book
        self.journal.close()
        self.open()
        assert self.engine.book == before

    def filled(self, symbol: str, side: str) -> Fraction:
        """The shares of a symbol ever executed on a side."""
        fills = (item for item in self.engine.book.activities if isinstance(item, Execution))
        ours = (item.fill.qty for item in fills if (item.order.terms.symbol, item.order.terms.side) == (symbol, side))
        return sum(map(Fraction, ours), Fraction(0))

    @invariant()
    def no_more_is_executed_than_a_quote_has_shown(self) -> None:
        for (symbol, side), end in self.shown.items():
            assert end is None or self.filled(symbol, side) <= end

    @invariant()
    def cash_and_shares_are_what_the_activities_say(self) -> None:
        book = self.engine.book
        cash, held = Fraction(0), dict.fromkeys(SYMBOLS, Fraction(0))
        for item in book.activities:
            if isinstance(item, Booked):
                cash += Fraction(item.net_amount)
                if item.activity_type == "SPLIT":
                    held[str(item.symbol)] += Fraction(item.qty or 0)
            else:
                sign = 1 if item.order.terms.side == "buy" else -1
                cash -= sign * Fraction(item.fill.qty) * Fraction(item.fill.price)
                held[item.order.terms.symbol] += sign * Fraction(item.fill.qty)
        assert Fraction(book.cash) == cash
        assert {symbol: Fraction(book.held_qty(symbol)) for symbol in SYMBOLS} == held

    @invariant()
    def no_dollar_is_promised_twice(self) -> None:
        book = self.engine.book
        claims = [margin.claim(book, order) for order in book.open_orders()]
        assert all(claim >= 0 for claim in claims)
        assert book.cash >= sum(claims)

    @invariant()
    def no_share_is_promised_twice_nor_sold_that_is_not_held(self) -> None:
        book = self.engine.book
        for symbol in SYMBOLS:
            sells = [order for order in book.open_orders(symbol) if order.terms.side == "sell"]
            in_shares = sum(order.leaves_qty for order in sells)
            assert 0 <= in_shares <= book.held_qty(symbol)
            assert book.reserved_qty(symbol) >= 0

    @invariant()
    def an_order_is_executed_within_its_limit_and_never_twice(self) -> None:
        for order in self.engine.book.orders.values():
            assert order.is_open is (order.terms.order_id in self.engine.book.open_ids)
            if order.terms.qty is not None:
                assert 0 <= order.filled_qty <= order.terms.qty
            if order.terms.notional is not None and order.terms.side == "buy":
                assert order.filled_value <= order.terms.notional


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
