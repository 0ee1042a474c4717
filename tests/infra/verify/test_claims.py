"""Every claim holds of a log in which nothing is wrong, and names exactly what is."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.verify import books, broker, identity, orders, resolutions, wishes
from infra.verify.broker import AtBroker
from infra.verify.claim import Claim
from infra.verify.service import at_broker as verified_at_broker
from infra.verify.service import claims, finish, show
from infra.verify.under_way import UnderWay
from schemas.execution import Execution, ExecutionStatus, LineOutcome
from schemas.gate import HaltCause, HaltScope, HaltStatus, OrderLimits, TradingHalt
from schemas.identity import derived
from schemas.ledger import CASH, STREET, BooksContent, EntryKind, LedgerEntry, Posting
from schemas.order import (
    BrokerReport,
    ExecType,
    Fill,
    OrderContribution,
    OrderEvent,
    OrderIntent,
    OrderTerms,
    OrdStatus,
    Phase,
    PreTradeCheck,
    Refusal,
    ReportKind,
    Side,
    Venue,
)
from schemas.plan import Plan, PlanLine
from schemas.record import Record
from schemas.resolution import OrderResolution, OrderResolutionRequest, ResolutionStatus
from schemas.signal import Signal, SignalReceipt
from tests.agents.broker.fake import FakeBrokerage, reply
from tests.infra.postgres.stories import NOON, Log, blank
from tests.made import gate_limits, portfolio_content, run_terms, snapshot_content

ACCOUNT = "paper-1"
NAME, BROKER_ID = "net-AAPL-1", "61e69015"
OTHER = "net-AAPL-2"
PLAN, INTENT, FILL, SIGNAL, HALT = (derived("verify", each) for each in ("plan", "intent", "fill", "signal", "halt"))


def terms(**said: Any) -> OrderTerms:
    usual = {"plan_id": PLAN, "intent_id": INTENT, "book": "net", "symbol": "AAPL", "venue": Venue.BROKER}
    wants = (blank(OrderContribution, strategy_id="core", quantity=Decimal(10)),)
    return blank(OrderTerms, **{**usual, "order_qty": Decimal(10), "step": 1, "contributions": wants, **said})


def intent(**said: Any) -> OrderIntent:
    return blank(OrderIntent, **{"account_id": ACCOUNT, "client_order_id": NAME, "order": terms(), **said})


def event(exec_type: ExecType, status: OrdStatus, **said: Any) -> OrderEvent:
    usual = {"account_id": ACCOUNT, "client_order_id": NAME, "order": terms(), "leaves_qty": Decimal(10)}
    return blank(OrderEvent, exec_type=exec_type, ord_status=status, **{**usual, **said})


SUBMITTING = event(ExecType.SUBMITTING, OrdStatus.PENDING_NEW)


def seen_at(position: str, attempt: int = 1, phase: Phase = Phase.INCREASING) -> OrderEvent:
    """Return that an order to buy 10 is sent, which the gate let pass at a position."""
    check = blank(PreTradeCheck, read_at=NOON, position=Decimal(position))
    order = terms(side=Side.BUY, phase=phase)
    return SUBMITTING.model_copy(update={"attempt": attempt, "check": check, "order": order})


TRADE = event(
    ExecType.TRADE,
    OrdStatus.FILLED,
    broker_order_id=BROKER_ID,
    cum_qty=Decimal(10),
    last_qty=Decimal(10),
    last_px=Decimal(20),
    leaves_qty=Decimal(0),
    gross_trade_amt=Decimal(200),
)


def plan(quantity: str = "10") -> Plan:
    line = blank(PlanLine, book="net", symbol="AAPL", quantity=Decimal(quantity))
    content = BooksContent(snapshot=snapshot_content(portfolio_content()), strategies=())
    return blank(Plan, account_id=ACCOUNT, plan_id=PLAN, lines=(line,), books=content)


def outcome(**said: Any) -> LineOutcome:
    return blank(LineOutcome, **{"account_id": ACCOUNT, "plan_id": PLAN, "book": "net", "symbol": "AAPL", **said})


FINISHED = blank(Execution, account_id=ACCOUNT, plan_id=PLAN, status=ExecutionStatus.FINISHED)


def fill(**said: Any) -> Fill:
    usual = {"account_id": ACCOUNT, "fill_id": FILL, "client_order_id": NAME, "broker_order_id": BROKER_ID}
    traded = {"last_qty": Decimal(10), "last_px": Decimal(20), "cum_qty": Decimal(10), "order": terms()}
    return blank(Fill, **{**usual, **traded, **said})


def entry(shares: str = "10", dollars: str = "-200", **said: Any) -> LedgerEntry:
    moved = {"AAPL": Decimal(shares), CASH: Decimal(dollars)}
    postings = tuple(
        Posting(owner=owner, mode=None, commodity=item, amount=sign * amount)
        for item, amount in moved.items()
        for owner, sign in (("core", 1), (STREET, -1))
    )
    usual = {"account_id": ACCOUNT, "kind": EntryKind.FILL, "fill_id": FILL, "postings": postings}
    return blank(LedgerEntry, **{**usual, **said})


def halt(status: HaltStatus = HaltStatus.IN_FORCE, **said: Any) -> TradingHalt:
    usual = {"account_id": ACCOUNT, "halt_id": HALT, "scope": HaltScope.SYMBOL, "name": "AAPL"}
    return blank(TradingHalt, status=status, **{**usual, **said})


def resolution_asked(**said: Any) -> OrderResolutionRequest:
    usual = {"account_id": ACCOUNT, "request_id": "asked", "client_order_id": OTHER, "reason": "why"}
    return blank(OrderResolutionRequest, **{**usual, **said})


def resolution(**said: Any) -> OrderResolution:
    usual = {"account_id": ACCOUNT, "request_id": "asked", "client_order_id": OTHER, "reason": "why"}
    return blank(OrderResolution, status=ResolutionStatus.ACCEPTED, **{**usual, **said})


def restated(**said: Any) -> OrderEvent:
    usual = {"client_order_id": OTHER, "leaves_qty": Decimal(0)}
    return event(ExecType.RESTATED, OrdStatus.REJECTED, **{**usual, **said})


def at_broker(**said: Any) -> AtBroker:
    usual: dict[str, Any] = {
        "orders": [{"id": BROKER_ID, "client_order_id": NAME}],
        "fills": [{"order_id": BROKER_ID, "cum_qty": "10", "qty": "10", "price": "20"}],
        "positions": {"AAPL": Decimal(10)},
        "cash": Decimal(-200),
    }
    return AtBroker(account_id=ACCOUNT, **{**usual, **said})


SIGNALED = (
    blank(Signal, account_id=ACCOUNT, signal_id=SIGNAL, terms=run_terms()),
    blank(SignalReceipt, account_id=ACCOUNT, signal_id=SIGNAL, terms=run_terms()),
)
GOOD: tuple[Record, ...] = (
    *SIGNALED,
    plan(),
    intent(),
    event(ExecType.CHECKING, OrdStatus.PENDING_NEW),
    SUBMITTING,
    TRADE,
    fill(),
    outcome(),
    FINISHED,
    entry(),
)


def shown(checked: Iterable[Claim], log: Log) -> None:
    """Show a log to claims as a verification does: a topic at a time, then the end."""
    checked = list(checked)
    for incoming in log.incoming():
        show(checked, incoming)
    finish(checked, log.ends)


def found(checked: Claim, records: Sequence[Record]) -> list[str]:
    log = Log()
    for record in records:
        log.say(record)
    shown([checked], log)
    return [each.what for each in checked.findings]


def test_every_claim_holds_of_a_log_in_which_nothing_is_wrong_and_has_looked_at_something() -> None:
    log = Log()
    old = [event(ExecType.UNKNOWN, OrdStatus.UNKNOWN), event(ExecType.ACCEPTED, OrdStatus.NEW)]
    refused = event(ExecType.REFUSED, OrdStatus.REJECTED, client_order_id="other", refusal=Refusal.HALTED, reason="why")
    over = refused.model_copy(update={"leaves_qty": Decimal(0)})
    for record in (*GOOD[:6], *old, *GOOD[6:], over, resolution_asked(), resolution(), restated()):
        log.say(record)
    every = claims([at_broker()])

    shown(every, log)

    assert {each.name: list(each.findings) for each in every} == {each.name: [] for each in every}
    assert [each.name for each in every if not each.checked] == []


BROKEN: dict[str, tuple[type[Claim], list[Record], str]] = {
    "a signal nobody answers": (wishes.EverySignalAnswered, [SIGNALED[0]], f"signal {SIGNAL} has no receipt"),
    "a line without an end": (
        wishes.EveryLineEndsOnce,
        [plan(), FINISHED],
        f"line AAPL of net in plan {PLAN} has no outcome",
    ),
    "a line that ends twice": (
        wishes.EveryLineEndsOnce,
        [plan(), outcome(), outcome(), FINISHED],
        f"line AAPL of net in plan {PLAN} ended FILLED and again FILLED",
    ),
    "an end of no line": (
        wishes.EveryLineEndsOnce,
        [outcome()],
        f"line AAPL of net ended, plan {PLAN} has no such line",
    ),
    "a refusal without a reason": (
        wishes.EveryRefusalSaysWhy,
        [event(ExecType.REFUSED, OrdStatus.REJECTED)],
        f"order {NAME} was refused without a reason",
    ),
    "an end that nobody said": (
        resolutions.ResolvedByAWord,
        [restated()],
        f"order {OTHER} was resolved by 0 words and ended by 1",
    ),
    "a word without an end": (
        resolutions.ResolvedByAWord,
        [resolution_asked(), resolution()],
        f"order {OTHER} was resolved by 1 words and ended by 0",
    ),
    "a word that nobody asked for": (
        resolutions.ResolvedByAWord,
        [resolution(), restated()],
        f"order {OTHER} was resolved, nobody asked for it",
    ),
    "a word that is answered twice": (
        resolutions.ResolvedByAWord,
        [resolution_asked(), resolution(), resolution(), restated(), restated()],
        "request asked was answered twice",
    ),
    "an order nobody asked for": (orders.OneOrderPerIntent, [SUBMITTING], f"order {NAME} was sent, no intent asked"),
    "an intent with two names": (
        orders.OneOrderPerIntent,
        [intent(), intent(client_order_id="other")],
        f"intent {INTENT} is called {NAME} and other",
    ),
    "more executed than planned": (
        orders.NotMoreThanPlanned,
        [plan("9"), TRADE],
        f"line AAPL of net in plan {PLAN} orders 9.000000000, executed 10.000000000",
    ),
    "leaves that do not add up": (
        orders.QuantitiesAddUp,
        [TRADE.model_copy(update={"leaves_qty": Decimal(1)})],
        f"order {NAME}: expected leaves_qty 0, was 1",
    ),
    "an execution that is lost": (
        orders.QuantitiesAddUp,
        [TRADE, event(ExecType.CANCELED, OrdStatus.CANCELED, leaves_qty=Decimal(0))],
        f"order {NAME}: expected 10",
    ),
    "an order during a halt": (
        orders.NothingSentWhileHalted,
        [halt(), SUBMITTING],
        f"order {NAME} was sent during halt {HALT}",
    ),
    "an order UNKNOWN for too long": (
        orders.NoUnknownLeft,
        [
            blank(OrderLimits, account_id=ACCOUNT, limits=gate_limits(unknown_age_max_s=60)),
            event(ExecType.UNKNOWN, OrdStatus.UNKNOWN),
        ],
        f"order {NAME} has been UNKNOWN for 121 s, the bound is 60 s",
    ),
    "an order UNKNOWN for too long, and its symbol halted for another reason": (
        orders.NoUnknownLeft,
        [
            blank(OrderLimits, account_id=ACCOUNT, limits=gate_limits(unknown_age_max_s=60)),
            event(ExecType.UNKNOWN, OrdStatus.UNKNOWN),
            halt(),
        ],
        f"order {NAME} has been UNKNOWN for 121 s, the bound is 60 s",
    ),
    "a fill that is not booked": (books.EveryFillBookedOnce, [fill()], f"fill {FILL} of order {NAME} is not booked"),
    "a fill booked twice": (books.EveryFillBookedOnce, [fill(), entry(), entry()], f"fill {FILL} was booked twice"),
    "a fill said twice": (books.EveryFillBookedOnce, [fill(), fill(), entry()], f"fill {FILL} was said twice"),
    "a fill booked at another price": (
        books.EveryFillBookedOnce,
        [fill(), entry(dollars="-201")],
        "booked are 10.000000000000000 shares and -201.000000000000000 dollars",
    ),
    "a fill booked on the other side": (
        books.EveryFillBookedOnce,
        [fill(), entry("-10", "200")],
        "booked are -10.000000000000000 shares and 200.000000000000000 dollars",
    ),
    "an entry without a fill": (books.EveryFillBookedOnce, [entry()], f"the ledger books fill {FILL}, which nobody"),
    "an entry that does not balance": (
        books.EveryEntryBalances,
        [entry(postings=(Posting(owner="core", mode=None, commodity=CASH, amount=Decimal(1)),))],
        "leaves 1.000000000000000 of USD",
    ),
}


@pytest.mark.parametrize("story", BROKEN)
def test_what_is_wrong_is_named(story: str) -> None:
    claim, records, what = BROKEN[story]
    log = Log()
    for record in records:
        log.say(record)
    log.say(halt(HaltStatus.ENDED, halt_id=derived("verify", "later"), name="MSFT"), at=NOON + timedelta(seconds=121))
    checked = claim()

    shown([checked], log)

    [finding] = checked.findings
    assert what in finding.what
    assert "/0/" in finding.where


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([halt(), halt(HaltStatus.ENDED), SUBMITTING], "it has ended"),
        ([SUBMITTING, halt()], "it came later"),
        ([halt(name="MSFT"), SUBMITTING], "it is of another symbol"),
        ([halt(scope=HaltScope.STRATEGY, name="trend"), SUBMITTING], "it is of another strategy"),
        (
            [halt(is_reducing_allowed=True), seen_at("-10")],
            "the order reduces",
        ),
        (
            [halt(until=NOON + timedelta(hours=1)), seen_at("0", attempt=2)],
            "it may have run out before the second attempt",
        ),
        (
            [
                halt(until=NOON),
                SUBMITTING.model_copy(update={"check": blank(PreTradeCheck, read_at=NOON)}),
            ],
            "it has run out",
        ),
    ],
)
def test_a_halt_stops_what_is_in_its_scope_and_nothing_else(records: list[Record], why: str) -> None:
    assert found(orders.NothingSentWhileHalted(), records) == [], why


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (seen_at("-9"), "it goes past zero"),
        (seen_at("0", phase=Phase.REDUCING), "only its intent says that it reduces"),
        (seen_at("-10", attempt=2), "a halt lets no order go again"),
    ],
)
def test_what_does_not_reduce_is_stopped_by_a_halt_that_lets_reducing_orders_pass(order: OrderEvent, why: str) -> None:
    said = found(orders.NothingSentWhileHalted(), [halt(is_reducing_allowed=True), order])

    assert said == [f"order {NAME} was sent during halt {HALT}"], why


def test_an_unknown_order_whose_symbol_was_halted_for_it_is_left_to_whoever_looks() -> None:
    log = Log()
    of_it = derived("halt", ACCOUNT, HaltCause.UNKNOWN_TOO_OLD, NAME)
    log.say(blank(OrderLimits, account_id=ACCOUNT, limits=gate_limits(unknown_age_max_s=60)))
    log.say(event(ExecType.UNKNOWN, OrdStatus.UNKNOWN))
    log.say(halt(halt_id=of_it), at=NOON + timedelta(seconds=121))
    checked = orders.NoUnknownLeft()

    shown([checked], log)

    assert list(checked.findings) == []


def test_what_is_still_under_way_is_not_missed() -> None:
    log = Log()
    for record in (SIGNALED[0], plan(), FINISHED, fill()):
        log.say(record)
    waiting: list[Claim] = [wishes.EverySignalAnswered(), wishes.EveryLineEndsOnce(), books.EveryFillBookedOnce()]
    for incoming in log.incoming():
        show(waiting, incoming)

    finish(waiting, {})

    assert [list(each.findings) for each in waiting] == [[], [], []]


def test_one_id_with_other_bytes_is_found() -> None:
    log = Log()
    log.say(fill(), event_id=FILL)
    log.say(fill(), event_id=FILL)
    log.say(fill(last_px=Decimal(21)), event_id=FILL)
    checked = identity.OneIdOneRecord()

    shown([checked], log)

    assert [each.what for each in checked.findings] == [f"event id {FILL} stands for two different records"]


@pytest.mark.parametrize(("body", "count"), [("the same", 0), ("another", 1)])
def test_words_heard_again_later_are_the_same_report_and_other_words_are_not(body: str, count: int) -> None:
    first = blank(BrokerReport, account_id=ACCOUNT, report_id=FILL, body="the same", received_at=NOON)
    again = first.model_copy(update={"body": body, "received_at": NOON + timedelta(seconds=9)})
    log = Log()
    log.say(first, event_id=FILL)
    log.say(again, event_id=FILL)
    checked = identity.OneIdOneRecord()

    shown([checked], log)

    assert len(list(checked.findings)) == count


@pytest.mark.parametrize(("kind", "count"), [(ReportKind.SILENCE, 0), (ReportKind.ANSWER, 1)])
def test_how_our_client_puts_a_silence_is_no_word_of_the_brokers(kind: ReportKind, count: int) -> None:
    first = blank(BrokerReport, account_id=ACCOUNT, report_id=FILL, kind=kind, error="ReadTimeout", received_at=NOON)
    log = Log()
    log.say(first, event_id=FILL)
    log.say(first.model_copy(update={"error": "ConnectionError"}), event_id=FILL)
    checked = identity.OneIdOneRecord()

    shown([checked], log)

    assert len(list(checked.findings)) == count


def test_an_order_that_is_at_the_broker_twice_is_found() -> None:
    doubled = at_broker(orders=[{"id": each, "client_order_id": NAME} for each in (BROKER_ID, "other")])

    assert found(broker.OneBrokerOrderPerIntent(doubled), [SUBMITTING, TRADE]) == [
        f"order {NAME} is at the broker 2 times: {BROKER_ID}, other",
        f"order {NAME}: the log says {BROKER_ID}, the broker has {BROKER_ID}, other",
    ]


def test_an_order_that_was_refused_and_is_at_the_broker_is_found() -> None:
    refused = event(ExecType.REFUSED, OrdStatus.REJECTED, refusal=Refusal.HALTED, reason="why")

    assert found(broker.OneBrokerOrderPerIntent(at_broker()), [refused]) == [
        f"order {NAME} was never sent, the broker has {BROKER_ID}"
    ]
    assert found(broker.OneBrokerOrderPerIntent(at_broker()), [SUBMITTING, refused]) == []


def test_an_account_is_read_as_the_broker_agent_reads_it() -> None:
    brokerage = FakeBrokerage(prices={"AAPL": Decimal(20)}, held={"AAPL": Decimal(10)})
    short = json.loads(brokerage.positions().body)[0] | {"side": "short"}
    brokerage.trouble("positions", reply([short]))

    assert verified_at_broker(ACCOUNT, brokerage).positions == {"AAPL": Decimal(-10)}


def test_an_execution_the_broker_does_not_know_or_we_do_not_know_is_found() -> None:
    said = [SUBMITTING, TRADE, fill()]
    more = {"order_id": BROKER_ID, "cum_qty": "12", "qty": "2", "price": "20"}

    assert found(broker.SameExecutions(at_broker(fills=[])), said) == [
        f"order {BROKER_ID} up to 10.000000000: the broker says nothing, the log 10.000000000 at 20.000000"
    ]
    assert found(broker.SameExecutions(at_broker(fills=[*at_broker().fills, more])), said) == [
        f"order {BROKER_ID} up to 12: the broker says 2 at 20, the log nothing"
    ]


def test_an_execution_of_an_order_by_hand_is_nobodys_business_here() -> None:
    by_hand = {"order_id": "theirs", "cum_qty": "5", "qty": "5", "price": "20"}

    fills = [*at_broker().fills, by_hand]

    assert found(broker.SameExecutions(at_broker(fills=fills)), [SUBMITTING, TRADE, fill()]) == []


def test_books_that_differ_from_the_broker_are_found() -> None:
    other = at_broker(positions={"AAPL": Decimal(9)}, cash=Decimal("-200.01"))

    assert found(broker.SamePositions(other), [entry()]) == [
        "AAPL: the books have 10.000000000000000, the broker 9",
        "USD: the books have -200.000000000000000, the broker -200.01",
    ]


# --- what a person has resolved, beside the broker


def test_of_an_order_that_was_resolved_the_sum_is_compared() -> None:
    word = resolution(client_order_id=NAME, executed_qty=Decimal(10))
    halves = [{"order_id": BROKER_ID, "cum_qty": each, "qty": "5", "price": "19"} for each in ("5", "10")]
    said = [SUBMITTING, TRADE, fill(), word]

    assert found(broker.SameExecutions(at_broker(fills=halves)), said) == []
    assert found(broker.SameExecutions(at_broker(fills=halves[:1])), said) == [
        f"order {NAME} was resolved with {Decimal(10):.9f} executed, the broker says 5"
    ]


# --- while something is on its way


@pytest.mark.parametrize(
    ("records", "why_not"),
    [
        ([SUBMITTING, TRADE, fill(), entry()], ""),
        ([SUBMITTING], f"1 order under way: {NAME}"),
        (
            [SUBMITTING, SUBMITTING.model_copy(update={"client_order_id": OTHER})],
            f"2 orders under way: {NAME}, {OTHER}",
        ),
        ([SUBMITTING.model_copy(update={"account_id": "another"})], ""),
        ([SUBMITTING, TRADE, fill()], "1 execution not booked yet"),
        (
            [
                SUBMITTING,
                SUBMITTING.model_copy(update={"client_order_id": OTHER, "order": terms(venue=Venue.INTERNAL)}),
                TRADE,
                fill(),
                entry(),
            ],
            "",
        ),
    ],
)
def test_the_broker_is_compared_only_while_nothing_is_under_way(records: list[Record], why_not: str) -> None:
    log, under_way = Log(), UnderWay(ACCOUNT)
    for record in records:
        log.say(record)
    shown([under_way], log)

    assert under_way.why_not(at_broker(), at_broker()) == why_not
    assert list(under_way.findings) == []


def test_an_account_that_changes_meanwhile_is_not_compared() -> None:
    moved = at_broker(cash=Decimal(0))

    assert UnderWay(ACCOUNT).why_not(at_broker(), moved) == "the account has changed while the log was read"
