"""Whatever the interleaving of topics, the troubles at the broker and the crashes: nothing lost, nothing doubled."""

from collections import Counter
from decimal import Decimal
from random import Random

from hypothesis import Phase, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from agents.broker.performer import BrokerPerformer
from agents.broker.ports import NewOrder, Reply
from agents.executor import decider as executor
from agents.gateway import decider as gateway
from agents.ledger import decider as ledger
from schemas.execution import LineOutcome
from schemas.ledger import BooksStatus, EntryKind, LedgerEntry
from tests.agents.broker.fake import SILENT, FakeBrokerage, refusal
from tests.agents.executor.made import ACCOUNT, AS_OF, line, plan, portfolio
from tests.agents.gateway.words import limits_asked
from tests.agents.ledger.bus import Bus
from tests.agents.ledger.test_way_of_a_run import books_of, check, performer

POLLS = 6

TROUBLES: list[Reply | str] = [
    refusal(404, 40410000, "order not found"),
    SILENT,
    "lost",
    refusal(500, 50010000, "no"),
    refusal(429, 42910000, "no"),
    Reply(200, '{"id": "61e6', None),
]

PLANS = {
    "first": plan(line("AAPL", {"core": 6, "trend": 4}), line("MSFT", {"trend": 7}), name="first"),
    "second": plan(
        line("AAPL", {"core": -3}),
        line("IBM", {"core": 5}),
        line("MSFT", {"trend": -1}, {"core": 2, "trend": -2}),
        name="second",
    ),
}


class World:
    """A bus and a brokerage that behave as badly as drawn."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.is_bad = False
        self.by_hand = 0
        prices = {"AAPL": Decimal("560.25"), "IBM": Decimal("190.5"), "MSFT": Decimal("30.125")}
        self.brokerage = FakeBrokerage(prices=prices, fills_at=self.fills_at)
        self.brokerage.deposit("100000")
        deciders = {"executor": executor, "gateway": gateway, "ledger": ledger}
        self.brokerage.deliveries = lambda: chance.choices([0, 1, 2], [1, 4, 1])[0] if self.is_bad else 1
        self.bus = Bus(deciders, performer(self.brokerage), chance.choice)
        self.bus.dies = self.dies

    def fills_at(self, order: NewOrder) -> list[Decimal]:
        """Fill an order in parts, not always whole."""
        whole = int(order.order_qty)
        return [
            Decimal(step) for step in sorted({self.chance.randint(1, whole) for _ in range(self.chance.randint(0, 3))})
        ]

    def dies(self) -> BrokerPerformer | None:
        """Sometimes let the broker agent die right after it has acted."""
        return performer(self.brokerage) if self.is_bad and self.chance.random() < 0.1 else None

    def trouble(self) -> None:
        """Order a few troubles, and sometimes let the stream fall silent."""
        self.is_bad = True
        requests = ["submit", "cancel", "order", "fills", "activities", "orders"]
        for request in self.chance.sample(requests, self.chance.randint(0, 3)):
            self.brokerage.trouble(request, self.chance.choice(TROUBLES[request == "submit" :]))
        self.brokerage.is_heard = self.chance.random() < 0.5

    def happens_outside(self) -> None:
        """Sometimes trade by hand, and take a fee, when nobody looks or asks."""
        while self.chance.random() < 0.4:
            symbol, side = self.chance.choice(sorted(self.brokerage.prices)), self.chance.choice(["BUY", "SELL"])
            self.by_hand += 1
            self.brokerage.trade_by_hand(f"phone-{self.by_hand}", side, symbol, str(self.chance.randint(1, 5)))
        if self.chance.random() < 0.4:
            self.brokerage.charge("0.02")

    def polls(self) -> None:
        """Poll until the broker's truth has arrived."""
        self.is_bad, self.brokerage.is_heard = False, True
        for _ in range(POLLS):
            self.bus.performer._watches[ACCOUNT].poll()
            self.bus.settle()
        self.brokerage.troubles.clear()

    def maybe_crash(self) -> None:
        if self.chance.random() < 0.5:
            self.bus.crash(performer(self.brokerage))


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@for_all(st.integers(0, 2**32))
def test_every_way_ends_with_books_that_equal_the_broker(seed: int) -> None:
    world = World(Random(seed))
    try:
        live(world)
    finally:
        world.bus.performer.release(0)


def live(world: World) -> None:
    """Let two runs go all the way, then look."""
    world.bus.tell(limits_asked(), AS_OF)
    for name, made in PLANS.items():
        world.happens_outside()
        world.trouble()
        world.bus.tell(portfolio(name, symbols=("AAPL", "IBM", "MSFT")), AS_OF)
        world.maybe_crash()
        world.polls()
        assert books_of(world.bus, name).status is BooksStatus.READY
        world.trouble()
        world.bus.tell(made, AS_OF)
        world.maybe_crash()
        world.happens_outside()
        world.polls()
    world.bus.tell(portfolio("third", symbols=("AAPL",)), AS_OF)
    world.polls()

    check(world.bus, world.brokerage)
    kinds = Counter(each.kind for each in world.bus.said(LedgerEntry))
    assert kinds[EntryKind.MANUAL_FILL] == world.by_hand
    assert kinds[EntryKind.ROUNDING] == 0
    assert all(not each.is_open for each in world.brokerage.book.values())
    outcomes = Counter((each.plan_id, each.book, each.symbol) for each in world.bus.said(LineOutcome))
    assert outcomes == Counter((made.plan_id, each.book, each.symbol) for made in PLANS.values() for each in made.lines)
