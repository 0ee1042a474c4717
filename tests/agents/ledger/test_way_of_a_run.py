"""From a plan to the books: executor, gateway, broker and ledger together, on a brokerage in memory."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from agents.broker.performer import BrokerPerformer
from agents.broker.ports import Reply
from agents.executor import decider as executor
from agents.gateway import decider as gateway
from agents.gateway.sending import ATTEMPTS_MAX
from agents.ledger import decider as ledger
from schemas.account import AccountSnapshot
from schemas.execution import Execution, ExecutionStatus, LineOutcome, Outcome
from schemas.ledger import Books, BooksStatus, LedgerEntry
from schemas.order import ExecType, Fill, OrderEvent
from schemas.run import Mode
from tests.agents.broker.fake import SILENT, FakeBrokerage, refusal
from tests.agents.executor.made import ACCOUNT, AS_OF, line, plan, portfolio, run
from tests.agents.gateway.words import limits_asked
from tests.agents.ledger.bus import Bus

LOST_AFTER = "lost"


def performer(brokerage: FakeBrokerage) -> BrokerPerformer:
    return BrokerPerformer({ACCOUNT: brokerage}, lambda: AS_OF, lambda _: 0, poll_interval_s=3600, retry_wait_s=0)


@pytest.fixture
def brokerage() -> FakeBrokerage:
    """An account of 100,000 dollars in which orders are filled in three parts."""
    made = FakeBrokerage(prices={"AAPL": Decimal("560.25"), "IBM": Decimal("190.5"), "MSFT": Decimal("30.125")})
    made.fills_at = lambda order: sorted({Decimal(1), order.order_qty // 2 + 1, order.order_qty})
    made.deposit("100000")
    return made


@pytest.fixture
def bus(brokerage: FakeBrokerage) -> Iterator[Bus]:
    made = Bus({"executor": executor, "gateway": gateway, "ledger": ledger}, performer(brokerage))
    brokerage.listening()
    made.settle(unasked=1)
    made.tell(limits_asked(), AS_OF)
    yield made
    made.performer.release(0)


def first_run(bus: Bus) -> None:
    """Buy for two strategies, 60 to 40 of one symbol and all of another for one."""
    bus.tell(portfolio("first", symbols=("AAPL", "IBM", "MSFT")), AS_OF)
    bus.tell(plan(line("AAPL", {"core": 6, "trend": 4}), line("MSFT", {"trend": 7}), name="first"), AS_OF)


def second_run(bus: Bus) -> None:
    """Sell a part, cross a part, and buy something else."""
    bus.tell(portfolio("second", symbols=("AAPL", "IBM", "MSFT")), AS_OF)
    bus.tell(
        plan(
            line("AAPL", {"core": -3}),
            line("IBM", {"core": 5}),
            line("MSFT", {"trend": -1}, {"core": 2, "trend": -2}),
            name="second",
        ),
        AS_OF,
    )


def books_of(bus: Bus, name: str) -> Books:
    return [each for each in bus.said(Books) if each.run_id == run(name)][-1]


def shares(found: Books) -> dict[tuple[str, str], int]:
    return {
        (each.strategy_id, holding.symbol): int(holding.quantity)
        for each in found.content.strategies
        for holding in each.holdings
    }


def outcomes(bus: Bus, name: str) -> dict[str, Outcome]:
    return {each.symbol: each.outcome for each in bus.said(LineOutcome) if each.run_id == run(name)}


def check(bus: Bus, brokerage: FakeBrokerage) -> None:
    """Run once more with nothing to do: books must equal the account, and every fill must be booked once."""
    bus.tell(portfolio("last", symbols=("AAPL",)), AS_OF)
    last = books_of(bus, "last")
    assert (last.status, last.differences) == (BooksStatus.READY, ())
    assert sum((each.cash for each in last.content.strategies), Decimal(0)) == brokerage.cash
    held = {symbol: int(quantity) for symbol, quantity in brokerage.held.items() if quantity}
    found: dict[str, int] = {}
    for (_, symbol), quantity in shares(last).items():
        found[symbol] = found.get(symbol, 0) + quantity
    assert {symbol: quantity for symbol, quantity in found.items() if quantity} == held
    booked = [each.fill_id for each in bus.said(LedgerEntry) if each.fill_id is not None]
    assert booked == [each.fill_id for each in bus.said(Fill)]
    assert len(set(booked)) == len(booked)


def test_two_runs_go_all_the_way_and_the_books_equal_the_broker(bus: Bus, brokerage: FakeBrokerage) -> None:
    first_run(bus)
    assert books_of(bus, "first").status is BooksStatus.READY
    assert outcomes(bus, "first") == {"AAPL": Outcome.FILLED, "MSFT": Outcome.FILLED}

    second_run(bus)
    assert shares(books_of(bus, "second")) == {("core", "AAPL"): 6, ("trend", "AAPL"): 4, ("trend", "MSFT"): 7}
    assert outcomes(bus, "second") == dict.fromkeys(("AAPL", "IBM", "MSFT"), Outcome.FILLED)
    assert [each.status.value for each in bus.said(Execution) if each.run_id == run("second")] == [
        "CLEARED",
        "ACCEPTED",
        "ACCEPTED",
        "REDUCED",
        "FINISHED",
    ]
    check(bus, brokerage)
    assert shares(books_of(bus, "last")) == {
        ("core", "AAPL"): 3,
        ("core", "IBM"): 5,
        ("core", "MSFT"): 2,
        ("trend", "AAPL"): 4,
        ("trend", "MSFT"): 4,
    }


def test_every_record_belongs_to_the_run_it_speaks_of(bus: Bus) -> None:
    first_run(bus)
    second_run(bus)

    def run_of(record: object) -> UUID | None:
        order = getattr(record, "order", None)
        found: UUID | None = getattr(record, "run_id", None) or (None if order is None else order.run_id)
        return found

    spoken = [(envelope.correlation_id, run_of(record)) for envelope, record in bus.log if run_of(record)]
    assert all(correlation == of for correlation, of in spoken)


def test_agents_that_start_again_go_on_where_they_were(bus: Bus, brokerage: FakeBrokerage) -> None:
    first_run(bus)
    bus.crash(performer(brokerage))
    second_run(bus)
    bus.crash(performer(brokerage))
    check(bus, brokerage)


def test_what_is_traded_by_hand_between_two_runs_is_owned_by_manual(bus: Bus, brokerage: FakeBrokerage) -> None:
    first_run(bus)
    brokerage.trade_by_hand("phone-1", "SELL", "AAPL", "4")
    brokerage.charge("0.02")
    second_run(bus)

    assert books_of(bus, "second").status is BooksStatus.READY
    assert shares(books_of(bus, "second")) == {
        ("core", "AAPL"): 6,
        ("manual", "AAPL"): -4,
        ("trend", "AAPL"): 4,
        ("trend", "MSFT"): 7,
    }
    check(bus, brokerage)
    assert shares(books_of(bus, "last"))["manual", "AAPL"] == -4


def test_orders_of_two_books_are_owned_by_their_books(bus: Bus, brokerage: FakeBrokerage) -> None:
    bus.tell(portfolio("first", symbols=("AAPL",)), AS_OF)
    lines = (line("AAPL", {"mine": 6}, book="mine"), line("AAPL", {"yours": 4}, book="yours"))
    bus.tell(plan(*lines, line("AAPL", {"core": 2}), name="first"), AS_OF)
    check(bus, brokerage)

    last = books_of(bus, "last")
    assert shares(last) == {("core", "AAPL"): 2, ("mine", "AAPL"): 6, ("yours", "AAPL"): 4}
    modes = {each.strategy_id: each.mode for each in last.content.strategies}
    assert (modes["mine"], modes["yours"], modes["core"]) == (Mode.BOOK, Mode.BOOK, Mode.NETTED)


TROUBLES: dict[str, tuple[str, list[Reply | str]]] = {
    "the answer to a submit is lost": ("submit", [LOST_AFTER]),
    "a submit is lost": ("submit", [SILENT]),
    "two submits are lost": ("submit", [SILENT, SILENT]),
    "a submit is answered by a gateway's 504": ("submit", [Reply(504, "<html>", None)]),
    "a submit comes too often": ("submit", [refusal(429, 42910000, "rate limit exceeded")]),
    "an answer is cut short": ("submit", [Reply(200, '{"id": "61e6', None)]),
    "the account cannot be read twice": ("account", [SILENT, refusal(500, 50010000, "no")]),
}


@pytest.mark.parametrize("trouble", sorted(TROUBLES))
def test_troubles_at_the_broker_neither_lose_nor_double_an_order(
    bus: Bus, brokerage: FakeBrokerage, trouble: str
) -> None:
    request, replies = TROUBLES[trouble]
    brokerage.trouble(request, *replies)
    first_run(bus)
    brokerage.trouble(request, *replies)
    second_run(bus)

    check(bus, brokerage)
    assert len(brokerage.book) == 5
    assert set(outcomes(bus, "second").values()) == {Outcome.FILLED}


def test_what_the_stream_loses_the_next_poll_brings(bus: Bus, brokerage: FakeBrokerage) -> None:
    brokerage.is_heard = False
    first_run(bus)
    assert outcomes(bus, "first") == {}

    brokerage.listening()
    bus.settle(unasked=4)
    assert set(outcomes(bus, "first").values()) == {Outcome.FILLED}
    brokerage.is_heard = True
    check(bus, brokerage)


def test_a_newer_run_cancels_the_older_and_plans_on_what_was_filled(bus: Bus, brokerage: FakeBrokerage) -> None:
    brokerage.fills_at = lambda order: [order.order_qty // 2]
    first_run(bus)
    assert outcomes(bus, "first") == {}

    bus.tell(portfolio("second", symbols=("AAPL",)), AS_OF)
    assert outcomes(bus, "first") == {"AAPL": Outcome.PARTLY_FILLED, "MSFT": Outcome.PARTLY_FILLED}
    assert all(not each.is_open for each in brokerage.book.values())
    assert [each.status for each in bus.said(Execution) if each.run_id == run("first")][
        -1
    ] is ExecutionStatus.SUPERSEDED
    assert books_of(bus, "second").status is BooksStatus.READY
    assert shares(books_of(bus, "second")) == {("core", "AAPL"): 3, ("trend", "AAPL"): 2, ("trend", "MSFT"): 3}
    check(bus, brokerage)


@pytest.mark.parametrize("reply", [SILENT, "lost", refusal(500, 50010000, "no"), refusal(429, 42910000, "no")])
def test_a_cancellation_with_trouble_is_repeated_until_the_order_has_ended(
    bus: Bus, brokerage: FakeBrokerage, reply: Reply | str
) -> None:
    brokerage.fills_at = lambda _: []
    first_run(bus)
    brokerage.trouble("cancel", reply, reply)
    bus.tell(portfolio("second", symbols=("AAPL",)), AS_OF)

    assert set(outcomes(bus, "first").values()) == {Outcome.SUPERSEDED}
    assert all(each.status == "canceled" for each in brokerage.book.values())
    check(bus, brokerage)


def test_the_broker_is_asked_again_and_again_but_not_without_end(bus: Bus, brokerage: FakeBrokerage) -> None:
    brokerage.trouble("submit", *itertools.repeat(SILENT, 50))
    first_run(bus)

    assert brokerage.posts.count(brokerage.posts[0]) == ATTEMPTS_MAX
    last = {each.client_order_id: each for each in bus.said(OrderEvent)}
    assert {each.ord_status.value for each in last.values()} == {"UNKNOWN"}
    brokerage.troubles.clear()
    bus.tell(portfolio("second", symbols=("AAPL",)), AS_OF)
    assert not [each for each in bus.said(AccountSnapshot) if each.run_id == run("second")]
    assert {each.exec_type for each in bus.said(OrderEvent)} >= {ExecType.CANCELING}
