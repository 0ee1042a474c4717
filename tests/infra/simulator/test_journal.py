"""What survives, what repeats, and what always adds up."""

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from infra.simulator.book import Execution
from infra.simulator.engine import Engine
from infra.simulator.events import Hold
from infra.simulator.journal import Journal, JournalInUseError, JournalVersionError
from infra.simulator.rules import RefusalError
from infra.simulator.sessions import Session
from infra.simulator.settings import START_OF_TIME, Terms

ACCOUNT = Any
CLOSE = START_OF_TIME.replace(hour=21)
SESSION = Session(
    day=START_OF_TIME.date(),
    early=START_OF_TIME.replace(hour=9),
    open=START_OF_TIME.replace(hour=14, minute=30),
    close=CLOSE,
    late=CLOSE.replace(hour=23),
)
SYMBOLS = ("AAPL", "MSFT")
quantities = st.decimals(min_value="0.000000001", max_value=50, places=9)
prices = st.decimals(min_value="0.01", max_value=500, places=2)


def a_days_work(account: ACCOUNT) -> None:
    account.quote("AAPL", "100", "101")
    for n in range(20):
        account.post(f"buy-{n}", "buy", f"{n + 1}.5")
    account.engine.hold("AAPL", Hold.REST)
    account.engine.cancel(account.post("sell", "sell", "4"))
    account.post("open", "sell", "7", symbol="AAPL", limit_price="150")


def test_a_restart_goes_on_with_the_same_account(open_account: Callable[..., ACCOUNT]) -> None:
    account = open_account(partial_rate="0.5")
    a_days_work(account)
    before = account.engine.book

    account.restart()

    assert account.engine.book == before
    with pytest.raises(RefusalError, match="unique"):
        account.post("sell", "sell", "1")


def test_the_same_requests_give_the_same_messages(open_account: Callable[..., ACCOUNT]) -> None:
    first, second = open_account(partial_rate="0.5"), open_account(partial_rate="0.5")

    a_days_work(first)
    a_days_work(second)

    assert first.updates == second.updates
    assert [*first.journal] == [*second.journal]


def test_another_seed_fills_other_orders_in_chunks(open_account: Callable[..., ACCOUNT]) -> None:
    first, second = open_account(partial_rate="0.5"), open_account(partial_rate="0.5", seed="another")

    a_days_work(first)
    a_days_work(second)

    assert first.updates != second.updates


def test_an_event_is_on_disk_before_it_is_published(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    on_disk_when_told: list[tuple[str, list[str]]] = []

    def publish(update: str) -> None:
        on_disk_when_told.append((json.loads(update)["data"]["event"], [event.kind for event in journal]))

    engine = Engine(journal, Terms(partial_rate=Decimal(0)), publish, lambda _: SESSION)
    engine.quote("AAPL", Decimal(1), Decimal(1), None)
    engine.submit({"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"})
    journal.close()

    assert [told for told, _ in on_disk_when_told] == ["new", "fill"]
    assert all(kinds[-2:] == ["accepted", "filled"] for _, kinds in on_disk_when_told)


def test_nobody_is_told_what_could_not_be_written(account: ACCOUNT) -> None:
    account.journal.close()

    with pytest.raises(sqlite3.Error):
        account.post("b", "buy", "1")

    assert account.updates == []


def test_a_reset_forgets_everything(account: ACCOUNT) -> None:
    account.post("b", "buy", "1")

    account.engine.reset(Terms(cash=Decimal(5), account_number="SIM2"))
    account.restart()

    assert account.engine.book.cash == 5
    assert account.engine.book.terms.account_number == "SIM2"
    assert not account.engine.book.orders


def test_two_simulators_cannot_share_a_journal(account: ACCOUNT) -> None:
    with pytest.raises(JournalInUseError, match="stop the simulator that runs there"):
        Journal(account.folder)


def test_a_journal_of_another_version_is_refused_in_words(account: ACCOUNT) -> None:
    account.journal.close()
    with closing(sqlite3.connect(account.journal.path)) as database:
        database.execute("PRAGMA user_version = 1")

    with pytest.raises(JournalVersionError, match="is of version 1, this simulator writes version 2") as refused:
        Journal(account.folder)

    assert "delete the file" in str(refused.value)


def test_an_observer_hears_every_event_once_in_order_and_again_after_a_restart(account: ACCOUNT) -> None:
    account.engine.move_cash("DIV", Decimal(1))
    account.post("b", "buy", "1")
    kinds = ["opened", "booked", "quoted", "booked", "posted", "accepted", "filled"]
    assert [event.kind for event in account.seen] == kinds

    account.restart()

    assert [event.kind for event in account.seen] == kinds * 2
    account.engine.reset(Terms())
    assert [event.kind for event in account.seen[-2:]] == ["opened", "booked"]


def test_steps_inside_a_step_are_written_together(account: ACCOUNT) -> None:
    with account.engine.step():
        account.post("b", "buy", "1")
        account.quote("AAPL", "90", "91")
        assert account.updates == []
        assert [event.kind for event in account.journal][-1] == "quoted"
        assert len([*account.journal]) == 3

    assert [event.kind for event in account.journal][3:] == ["posted", "accepted", "filled", "quoted"]
    assert len(account.updates) == 2


class Trading(RuleBasedStateMachine):
    """Whatever is done, the books add up to the last digit, and a restart changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.terms = Terms(partial_rate=Decimal("0.5"), now=START_OF_TIME)
        self.count = 0
        self.open()

    def open(self) -> None:
        self.journal = Journal(Path(self.folder.name))
        self.engine = Engine(self.journal, self.terms, lambda _: None, lambda _: SESSION)

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @rule(symbol=st.sampled_from(SYMBOLS), bid=prices, spread=prices)
    def quote(self, symbol: str, bid: Decimal, spread: Decimal) -> None:
        self.engine.quote(symbol, bid, bid + spread, None)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(["buy", "sell"]),
        qty=quantities,
        limit_price=st.none() | prices.map(str),
    )
    def submit(self, symbol: str, side: str, qty: Decimal, limit_price: str | None) -> None:
        self.count += 1
        order: dict[str, object] = {"client_order_id": str(self.count), "symbol": symbol, "side": side, "qty": str(qty)}
        order |= {"type": "limit" if limit_price else "market", "limit_price": limit_price, "time_in_force": "day"}
        try:
            self.engine.submit(order)
        except RefusalError as refused:
            assert refused.status == 403

    @rule(symbol=st.sampled_from(SYMBOLS), hold=st.sampled_from(list(Hold)))
    def hold(self, symbol: str, hold: Hold) -> None:
        self.engine.hold(symbol, hold)

    @precondition(lambda self: self.engine.book.open_orders())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.engine.cancel(data.draw(st.sampled_from(self.engine.book.open_orders())).terms.order_id)

    @rule()
    def end_the_session(self) -> None:
        self.engine.set_clock(max(CLOSE, self.engine.book.now))
        assert not self.engine.book.open_orders()

    @rule()
    def restart(self) -> None:
        before = self.engine.book
        self.journal.close()
        self.open()
        assert self.engine.book == before

    @invariant()
    def the_books_add_up(self) -> None:
        book = self.engine.book
        cash = Fraction(100_000)
        held = dict.fromkeys(SYMBOLS, Fraction(0))
        filled: dict[str, Decimal] = {}
        for item in book.activities:
            if isinstance(item, Execution):
                terms, sign = item.order.terms, 1 if item.order.terms.side == "buy" else -1
                cash -= sign * Fraction(item.fill.qty) * Fraction(item.fill.price)
                held[terms.symbol] += sign * Fraction(item.fill.qty)
                filled[terms.order_id] = filled.get(terms.order_id, Decimal(0)) + item.fill.qty
        assert Fraction(book.cash) == cash
        assert all(Fraction(book.held_qty(symbol)) == held[symbol] >= 0 for symbol in SYMBOLS)
        for order_id, order in book.orders.items():
            assert order.filled_qty == filled.get(order_id, 0) <= order.terms.qty
            assert order.is_open is (order_id in book.open_ids)


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
