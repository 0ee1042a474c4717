"""Whatever happens in whatever order: every entry balances, strategies together are the account, P&L is complete.

A brokerage of a few numbers trades, moves cash and is asked for snapshots; what it says reaches the ledger late and by
several ways. Every run of the story ends READY: nothing here is a reason to block one.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, localcontext
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from agents.decider import fold
from agents.ledger import decider as ledger
from agents.testing import Story, given
from schemas.account import AccountActivity
from schemas.ledger import STREET, SYSTEM, Books, BooksStatus, EntryKind, LedgerEntry
from schemas.order import NET, Fill, OrderTerms, Side
from schemas.quantities import CONTEXT
from schemas.record import Record
from schemas.run import DriftRule, Mode, StrategyTerms
from tests.agents.executor.made import ACCOUNT
from tests.agents.ledger.made import activity, by_hand, fill, order, order_name, snapshot
from tests.made import strategy

NAMES = ("core", "dip", "trend")
SYMBOLS = ("AAPL", "MSFT")
CENT = Decimal("0.01")
ZERO = Decimal(0)


class World:
    """An account at a broker, the ledger's story, and what is still on its way to it."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.rounds = chance.random() < 0.5
        self.story: Story = given(ledger)
        self.said: list[Record] = []
        self.cash, self.held = ZERO, Counter[str]()
        self.prices = {each: self.price() for each in SYMBOLS}
        self.activities: list[AccountActivity] = []
        self.fills: list[list[Fill]] = []
        self.on_the_way: list[list[AccountActivity]] = [[]]
        self.modes = dict.fromkeys(NAMES, Mode.NETTED)
        self.runs = 0
        self.wished: list[OrderTerms] = []

    def price(self) -> Decimal:
        return Decimal(self.chance.randint(1, 99_999)) / 1000

    # --- the broker

    def happens(self, what: AccountActivity) -> None:
        self.activities.append(what)
        self.on_the_way[0].append(what)

    def moves_cash(self) -> None:
        kind = self.chance.choice(["CSD", "CSW", "FEE", "DIV"])
        amount = Decimal(self.chance.randint(-500, 900)) / 100
        self.cash += amount
        self.happens(activity(str(amount), kind, f"{len(self.activities):04}"))

    def trades_by_hand(self) -> None:
        side, symbol = self.chance.choice(["buy", "sell", "sell_short"]), self.chance.choice(SYMBOLS)
        quantity = Decimal(self.chance.randint(1, 9)) / self.chance.choice([1, 10])
        self._executed(symbol, quantity if side == "buy" else -quantity)
        price, name = str(self.prices[symbol]), f"{len(self.activities):04}"
        self.happens(by_hand(side, str(quantity), symbol, price, name=name))

    def _executed(self, symbol: str, quantity: Decimal) -> None:
        dollars = -quantity * self.prices[symbol]
        self.cash += dollars.quantize(CENT) if self.rounds else dollars
        self.held[symbol] += quantity  # type: ignore[assignment]

    def executes(self, terms: OrderTerms) -> None:
        """Execute an order in a few parts, not always whole."""
        whole, cum, told = int(terms.order_qty), 0, list[Fill]()
        is_cross = terms.leg == 0
        for step in [whole] if is_cross else sorted({self.chance.randint(1, whole) for _ in range(3)}):
            price = str(self.prices[terms.symbol])
            told.append(fill(terms, str(step), str(step - cum), price))
            if not is_cross:
                quantity = Decimal(step - cum)
                self._executed(terms.symbol, quantity if terms.side is Side.BUY else -quantity)
            cum = step
            self.prices[terms.symbol] = self.price()
        self.fills.append(told)

    # --- what reaches the ledger

    def tells(self, record: Record) -> None:
        self.story = self.story.when(record)
        self.said.extend(self.story.said)
        assert given(ledger, *self.said).state == self.story.state if self.chance.random() < 0.1 else True

    def arrives(self) -> None:
        """Let something that is on its way arrive; within a topic, or an order, the order is kept."""
        ways: list[list[Any]] = [each for each in (*self.fills, *self.on_the_way) if each]
        if ways:
            self.tells(self.chance.choice(ways).pop(0))

    # --- a run

    def strategies(self) -> list[StrategyTerms]:
        """Return some of the strategies, as they are kept or in the other mode."""
        chosen = sorted(self.chance.sample(NAMES, self.chance.randint(0, len(NAMES))))
        for each in chosen:
            if self.chance.random() < 0.3:
                self.modes[each] = self.chance.choice(list(Mode))
        allocations = [Decimal(self.chance.randint(0, 33)) / 100 for _ in chosen]
        return [
            strategy(each, mode=self.modes[each], allocation=allocation)
            for each, allocation in zip(chosen, allocations, strict=True)
        ]

    def equity(self) -> Decimal:
        return self.cash + sum((quantity * self.prices[each] for each, quantity in self.held.items()), ZERO)

    def runs_once(self) -> None:
        """Take a snapshot, let things happen and arrive, and go on when the books are ready."""
        self.runs += 1
        name = f"run-{self.runs}"
        quoted = [each for each in SYMBOLS if self.chance.random() < 0.8]
        ended = {order_name(each[-1].order): str(each[-1].cum_qty) for each in self.fills if each}
        taken = snapshot(
            str(self.cash),
            {symbol: str(quantity) for symbol, quantity in self.held.items() if quantity},
            ended,
            name=name,
            strategies=self.strategies(),
            activities=self.activities[-self.chance.randint(6, 9) :],
            quotes={each: (str(self.prices[each] - CENT / 10), str(self.prices[each] + CENT / 10)) for each in quoted},
            equity=str(self.equity()),
            drift_rule=self.chance.choice(list(DriftRule)),
        )
        for _ in range(self.chance.randint(0, 2)):
            self.chance.choice([self.moves_cash, self.trades_by_hand, self.arrives])()
        self.tells(taken)
        while any(self.fills):
            self.arrives()
        self.check(taken.content.cash, {each.symbol: each.quantity for each in taken.content.positions}, name)
        self.orders(name)

    def orders(self, name: str) -> None:
        """Cross a symbol in the net, and send orders of the net and of strategies' own books."""
        netted = [each for each in NAMES if self.modes[each] is Mode.NETTED]
        for symbol in SYMBOLS:
            if len(netted) > 1 and self.chance.random() < 0.5:
                buyer, seller = self.chance.sample(netted, 2)
                self.executes(order(symbol, wishes={buyer: "3"}, sold_by={seller: "3"}, name=name))
            wishers = self.chance.sample(netted, self.chance.randint(0, len(netted)))
            if wishers:
                wishes = {each: str(self.chance.randint(1, 40)) for each in wishers}
                side = self.chance.choice(list(Side))
                self.executes(order(symbol, side, wishes, name=name))
            for each in NAMES:
                if self.modes[each] is Mode.BOOK and self.chance.random() < 0.5:
                    wishes = {each: str(self.chance.randint(1, 40))}
                    self.executes(order(symbol, self.chance.choice(list(Side)), wishes, name=name, book=each))

    # --- laws

    def check(self, cash: Decimal, positions: dict[str, Decimal], name: str) -> None:
        found = [each for each in self.said if isinstance(each, Books)][-1]
        assert found.status is BooksStatus.READY, (found.detail, name)
        assert found.differences == ()
        assert sum((each.cash for each in found.content.strategies), ZERO) == cash
        held = Counter[str]()
        for each in found.content.strategies:
            for holding in each.holdings:
                held[holding.symbol] += holding.quantity  # type: ignore[assignment]
        assert {symbol: quantity for symbol, quantity in held.items() if quantity} == positions
        for each in found.content.strategies:
            is_strategy = each.strategy_id in NAMES
            assert each.mode is (self.modes[each.strategy_id] if is_strategy else None) or not is_strategy
            assert each.capital is None or each.mode is Mode.BOOK


def entries(said: list[Record]) -> Iterator[LedgerEntry]:
    return (each for each in said if isinstance(each, LedgerEntry))


def lived(seed: int) -> World:
    """Let a drawn life go by, a run now and then, and everything arrive in the end."""
    world = World(Random(seed))
    world.moves_cash()
    for _ in range(world.chance.randint(1, 5)):
        for _ in range(world.chance.randint(0, 4)):
            world.chance.choice([world.moves_cash, world.trades_by_hand, world.arrives, world.arrives])()
        world.runs_once()
    while any((*world.fills, *world.on_the_way)):
        world.arrives()
    return world


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@for_all(st.integers(0, 2**32))
def test_strategies_together_are_the_account_and_every_share_and_dollar_is_somebodys(seed: int) -> None:
    world = lived(seed)
    said = list(entries(world.said))

    for each in said:
        sums = Counter[str]()
        for posting in each.postings:
            sums[posting.commodity] += posting.amount  # type: ignore[assignment]
        assert not any(sums.values()), each
        assert all(posting.amount for posting in each.postings)
    assert len({each.entry_id for each in said}) == len(said)

    owned, modes = Counter[str](), Counter[tuple[str, Mode | None, str]]()
    for each in said:
        for posting in each.postings:
            if posting.owner != STREET:
                owned[posting.commodity] += posting.amount  # type: ignore[assignment]
                modes[posting.owner, posting.mode, posting.commodity] += posting.amount  # type: ignore[assignment]
    assert {symbol: owned[symbol] for symbol in SYMBOLS} == {symbol: world.held[symbol] for symbol in SYMBOLS}
    off = world.cash - owned["USD"]
    assert abs(off) <= Decimal("0.005") * sum(map(len, world.fills), 200) if world.rounds else off == 0
    kept = {(owner, mode) for (owner, mode, _), amount in modes.items() if amount}
    assert len({owner for owner, _ in kept}) == len(kept), "an owner has something in two modes"


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@for_all(st.integers(0, 2**32))
def test_profits_of_all_owners_together_are_the_profit_of_the_account(seed: int) -> None:
    """Profit: what all postings but transfers and deposits come to, shares at the last price."""
    world = lived(seed)
    profits, deposits = Counter[str](), ZERO
    for each in entries(world.said):
        for posting in each.postings:
            if posting.owner == STREET:
                continue
            price = world.prices.get(posting.commodity, Decimal(1))
            if each.kind is EntryKind.DEPOSIT:
                deposits += posting.amount
            elif each.kind is not EntryKind.TRANSFER:
                profits[posting.owner] += posting.amount * price  # type: ignore[assignment]
    off = world.equity() - deposits - sum(profits.values(), ZERO)
    assert abs(off) < 1 if world.rounds else off == 0
    for kind in (EntryKind.TRANSFER, EntryKind.MODE_SWITCH):
        for each in entries(world.said):
            amounts = [posting.amount for posting in each.postings if posting.owner != STREET]
            assert each.kind is not kind or sum(amounts) == 0


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@for_all(st.integers(0, 2**32))
def test_a_fill_is_split_on_one_side_and_a_line_never_gets_more_than_it_wished(seed: int) -> None:
    world = lived(seed)
    got = Counter[tuple[Any, ...]]()
    for each in entries(world.said):
        if each.kind is EntryKind.FILL:
            parts = [part for part in each.postings if part.commodity == each.symbol and part.owner != STREET]
            assert len({part.amount > 0 for part in parts}) == 1
            for part in parts:
                got[each.plan_id, each.book, each.symbol, part.owner] += abs(part.amount)  # type: ignore[assignment]
            assert each.book in (NET, parts[0].owner)
    assert all(amount <= 40 for amount in got.values())


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@for_all(st.integers(0, 2**32))
def test_the_same_life_again_says_the_same_and_the_memory_is_the_fold_of_it(seed: int) -> None:
    world, again = lived(seed), lived(seed)
    assert world.said == again.said
    with localcontext(CONTEXT):
        assert fold(ledger, world.said) == world.story.state
    assert world.story.state.accounts[ACCOUNT].happened == () or world.runs
    assert {each.owner for entry in entries(world.said) for each in entry.postings} <= {
        *NAMES,
        SYSTEM,
        STREET,
        "manual",
    }
