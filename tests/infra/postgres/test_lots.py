"""Lots are first in, first out, whatever the order of buys and sells; every way to sum the P&L comes to the same."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.postgres.books import lots, pnl
from infra.postgres.connection import Connection
from infra.postgres.projection import Projection
from schemas.account import AccountSnapshot
from schemas.identity import derived, plan_id
from schemas.ledger import CASH, STREET, SYSTEM, EntryKind, LedgerEntry
from schemas.market import Quote
from schemas.order import NET
from schemas.quantities import CONTEXT
from schemas.run import Mode
from tests.infra.postgres.stories import NOON, Log, blank, booked, moved
from tests.made import snapshot_content

TOPICS = [(f"{name}.v1", 0) for name in ("ledger-entries", "account-snapshots")]
RUNS = [derived("run", number) for number in range(3)]
MIDS = {"AAPL": Decimal("101.5"), "BRK.B": Decimal("0.0123")}
_ACCOUNTS = count()


@dataclass
class Queue:
    """First in, first out, told the plain way: a list of open lots, and what closing them has won."""

    mode: Mode = Mode.NETTED
    lots: dict[tuple[str, str], list[tuple[Decimal, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    realised: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def trade(self, owner: str, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """Close the oldest lots of the other side, and open a lot with what is left."""
        open_lots = self.lots[owner, symbol]
        while quantity and open_lots and (open_lots[0][0] > 0) != (quantity > 0):
            held, opened = open_lots[0]
            closed = min(abs(held), abs(quantity)) * (1 if held > 0 else -1)
            self.realised[owner] += closed * (price - opened)
            quantity += closed
            open_lots[:1] = [(held - closed, opened)] if held != closed else []
        if quantity:
            open_lots.append((quantity, price))

    def of(self, owner: str) -> list[tuple[str, Decimal, Decimal]]:
        """Return the open lots of an owner, by symbol, in the order they were opened."""
        return [
            (symbol, quantity, price)
            for (who, symbol), open_lots in sorted(self.lots.items())
            if who == owner
            for quantity, price in open_lots
        ]


@pytest.fixture
def endless(projection: Projection) -> tuple[Projection, Log]:
    """Return a projection with a log that goes on from one Hypothesis example to the next."""
    projection.positions(TOPICS)
    return projection, Log()


QUANTITIES = st.one_of(
    st.integers(-5, 5).filter(bool).map(Decimal),
    st.integers(-(10**12), 10**12).filter(bool).map(lambda number: Decimal(number).scaleb(-9)),
)
PRICES = st.integers(1, 10**9).map(lambda number: Decimal(number).scaleb(-6))
OWNERS = st.sampled_from(["core", "core", "core", "trend", "manual"])
SYMBOLS = st.sampled_from(["AAPL", "AAPL", "AAPL", "BRK.B"])
TRADE = st.tuples(st.just("trade"), OWNERS, SYMBOLS, QUANTITIES, PRICES, st.sampled_from(RUNS))
CROSS = st.tuples(st.just("cross"), SYMBOLS, QUANTITIES, PRICES, st.sampled_from(RUNS))
CAPITAL = st.tuples(st.sampled_from(["transfer", "fee", "deposit"]), QUANTITIES)
STEPS = st.tuples(  # enough trades of one owner in one symbol for lots to be cut, closed and turned over
    st.lists(TRADE, min_size=3, max_size=8),
    st.lists(st.one_of(CROSS, CAPITAL, st.just(("switch",))), max_size=6),
).flatmap(lambda parts: st.permutations([*parts[0], *parts[1]]))


class Story:
    """Entries of an account, and what they should come to."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.queue = Queue()
        self.shares: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.dollars: dict[str, Decimal] = defaultdict(Decimal)
        self.earned = Decimal(0)
        self._number = count()

    def entry(self, kind: str, *values: Any) -> LedgerEntry | None:
        """Return the entry of a step, and count it."""
        number = next(self._number)
        match kind, values:
            case "trade", (owner, symbol, quantity, price, run):
                return self._traded(EntryKind.FILL, symbol, price, {owner: quantity}, run, number)
            case "cross", (symbol, quantity, price, run):
                parts = {"core": quantity, "trend": -quantity}
                return self._traded(EntryKind.CROSS, symbol, price, parts, run, number)
            case "transfer", (amount,):
                self.dollars["core"] += amount
                self.dollars[SYSTEM] -= amount
                return self._moved(EntryKind.TRANSFER, (SYSTEM, None), ("core", self.queue.mode), amount, number)
            case "fee", (amount,):
                self.earned += amount
                self.dollars[SYSTEM] += amount
                return self._moved(EntryKind.OTHER_ACTIVITY, (STREET, None), (SYSTEM, None), amount, number)
            case "deposit", (amount,):
                self.dollars[SYSTEM] += amount
                return self._moved(EntryKind.DEPOSIT, (STREET, None), (SYSTEM, None), amount, number)
            case _:
                return self._switched(number)

    def _traded(
        self, kind: EntryKind, symbol: str, price: Decimal, parts: dict[str, Decimal], run: Any, number: int
    ) -> LedgerEntry:
        for owner, quantity in parts.items():
            self.queue.trade(owner, symbol, quantity, price)
            self.shares[owner, symbol] += quantity
            self.dollars[owner] -= quantity * price
            self.earned -= quantity * price
        return booked(
            kind,
            symbol,
            str(price),
            {owner: str(quantity) for owner, quantity in parts.items()},
            number,
            account=self.account,
            modes={"core": self.queue.mode, "trend": Mode.NETTED},
            run_id=run,
            plan_id=plan_id(run),
            book=NET,
        )

    def _moved(
        self,
        kind: EntryKind,
        giver: tuple[str, Mode | None],
        receiver: tuple[str, Mode | None],
        amount: Decimal,
        n: int,
    ) -> LedgerEntry:
        return moved(kind, giver, receiver, {CASH: str(amount)}, n, account=self.account)

    def _switched(self, number: int) -> LedgerEntry | None:
        """Move all that core has to its other mode."""
        before = self.queue.mode
        after = self.queue.mode = Mode.BOOK if before is Mode.NETTED else Mode.NETTED
        has = {symbol: held for (owner, symbol), held in self.shares.items() if owner == "core" and held}
        amounts = {name: str(amount) for name, amount in {**has, CASH: self.dollars["core"]}.items() if amount}
        if not amounts:
            return None
        return moved(EntryKind.MODE_SWITCH, ("core", before), ("core", after), amounts, number, account=self.account)


def _snapshot(account: str) -> AccountSnapshot:
    quotes = tuple(Quote(symbol=symbol, bid=mid, ask=mid, quoted_at=NOON, source="iex") for symbol, mid in MIDS.items())
    return blank(AccountSnapshot, account_id=account, content=snapshot_content(quotes=quotes))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_lots_are_those_of_a_plain_queue_and_every_sum_is_the_accounts(
    endless: tuple[Projection, Log], connection: Connection, steps: list[tuple[Any, ...]]
) -> None:
    projection, log = endless
    connection.execute("TRUNCATE ledger_entries, ledger_postings, quotes")  # what was told before costs time only
    story = Story(f"lots-{next(_ACCOUNTS)}")
    start = len(log.read)
    with localcontext(CONTEXT):
        for kind, *values in steps:
            entry = story.entry(kind, *values)
            if entry is not None:
                log.say(entry)
        log.say(_snapshot(story.account))
        projection.apply(log.read[start:])

        mine = [row for row in lots(connection) if row["account_id"] == story.account]
        for owner in ("core", "trend", "manual"):
            own = [row for row in mine if row["owner"] == owner]
            assert [(row["symbol"], row["quantity"], row["price"]) for row in own] == story.queue.of(owner)
        assert {row["mode"] for row in mine if row["owner"] == "core"} <= {story.queue.mode.value}

        expected = story.earned + sum((held * MIDS[symbol] for (_, symbol), held in story.shares.items()), Decimal(0))
        by_strategy = [row for row in pnl(connection, "strategy") if row["account_id"] == story.account]
        for row in by_strategy:
            assert row["pnl"] == row["realised"] + row["unrealised"]
            if row["owner"] in ("core", "trend", "manual"):
                assert row["realised"] == story.queue.realised[row["owner"]]
        for by in ("strategy", "symbol", "run", "plan"):
            rows = [row for row in pnl(connection, by) if row["account_id"] == story.account]
            total = [row["pnl"] for row in rows if row["is_total"]]
            assert total in ([expected], [] if not rows else [expected])
            assert sum((row["pnl"] for row in rows if not row["is_total"]), Decimal(0)) == (expected if rows else 0)


def _apply(projection: Projection, *entries: Any) -> None:
    log = Log()
    for entry in entries:
        log.say(entry)
    projection.positions(TOPICS)
    projection.apply(log.read)


NETTED, BOOK = {"core": Mode.NETTED}, {"core": Mode.BOOK}


def test_a_switch_of_mode_moves_lots_with_the_time_they_were_opened(
    projection: Projection, connection: Connection
) -> None:
    _apply(
        projection,
        booked(EntryKind.FILL, "AAPL", "10", {"core": "3"}, 1, modes=NETTED, transact_time=NOON),
        moved(EntryKind.MODE_SWITCH, ("core", Mode.NETTED), ("core", Mode.BOOK), {"AAPL": "3", "USD": "-30"}, 2),
        booked(EntryKind.FILL, "AAPL", "12", {"core": "-1"}, 3, modes=BOOK),
    )
    found = [(row["mode"], row["opened_at"], row["quantity"], row["price"]) for row in lots(connection)]
    assert found == [("BOOK", NOON, 2, 10)]
    modes = connection.execute("SELECT mode, quantity FROM positions_by_mode").fetchall()
    assert modes == [("BOOK", 2)]


def test_a_position_that_crosses_zero_closes_first_and_reopens_at_the_price_of_the_trade(
    projection: Projection, connection: Connection
) -> None:
    _apply(
        projection,
        booked(EntryKind.FILL, "AAPL", "10", {"core": "3"}, 1),
        booked(EntryKind.FILL, "AAPL", "12", {"core": "-5"}, 2),
        booked(EntryKind.FILL, "AAPL", "11", {"core": "1"}, 3),
    )
    assert [(row["quantity"], row["price"]) for row in lots(connection)] == [(-1, 12)]
    closes = "SELECT quantity, open_price, close_price, realised FROM lot_closes ORDER BY closed_at, open_price"
    assert connection.execute(closes).fetchall() == [(3, 10, 12, 6), (-1, 12, 11, 1)]


def test_capital_that_moves_between_owners_is_no_profit(projection: Projection, connection: Connection) -> None:
    _apply(
        projection,
        moved(EntryKind.DEPOSIT, (STREET, None), (SYSTEM, None), {"USD": "1000"}),
        moved(EntryKind.TRANSFER, (SYSTEM, None), ("core", Mode.BOOK), {"USD": "400"}),
    )
    assert {row["owner"]: row["pnl"] for row in pnl(connection, "strategy")} == {"core": 0, SYSTEM: 0, None: 0}
    cash = connection.execute("SELECT owner, amount FROM cash ORDER BY owner").fetchall()
    assert cash == [("core", 400), (SYSTEM, 600)]
