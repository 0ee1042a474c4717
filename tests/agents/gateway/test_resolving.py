"""What a person says of an order that the broker leaves open or contradicts: it ends, and executions are booked."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as some

from agents.gateway import decider as gateway
from agents.ledger import decider as ledger
from agents.testing import Story, given
from schemas.gate import HaltCause, TradingHalt
from schemas.ledger import CASH, MANUAL, STREET, LedgerEntry
from schemas.order import BrokerReport, Fill, IntentAction, OrderEvent, ReportKind, ReportRequest, Side
from schemas.resolution import ManualTrade, OrderResolution, OrderResolutionRequest, ResolutionStatus, ResolvedAs
from tests.agents.gateway.asking import order
from tests.agents.gateway.beginnings import accepted, submitted, unknown, words
from tests.agents.gateway.words import (
    ACCOUNT,
    AS_OF,
    NAME,
    answered,
    checked,
    fills,
    intent,
    limited,
    not_found,
    order_json,
    read,
    report,
    resume_asked,
    silent,
    traded,
    update,
)

MINUTE = timedelta(minutes=1)


def asked(resolved_as: ResolvedAs = ResolvedAs.NOT_OURS, **changed: Any) -> OrderResolutionRequest:
    usual: dict[str, Any] = {
        "account_id": ACCOUNT,
        "request_id": "resolution",
        "requested_by": "ann",
        "requested_at": AS_OF + MINUTE,
        "client_order_id": NAME,
        "resolved_as": resolved_as,
        "cum_qty": None,
        "avg_px": None,
        "manual_trades": (),
        "reason": "the desk says so",
    }
    return OrderResolutionRequest(**{**usual, **changed})


def of(side: Side, quantity: str, symbol: str, price: str) -> ManualTrade:
    return ManualTrade(symbol=symbol, side=side, quantity=Decimal(quantity), price=Decimal(price))


def stranger(**changed: Any) -> dict[str, Any]:
    """Return an order that the broker shows under our name: another symbol, on the other side."""
    return {**order_json(), "symbol": "MSFT", "side": "sell", **changed}


def contradicted() -> Story:
    """The broker has another order under our name."""
    return submitted().when(answered(body=stranger()))


def stranger_executed(cum: str, qty: str) -> BrokerReport:
    """Return a trade update of that other order."""
    data = {"event": "partial_fill", "qty": qty, "price": "31.2", "timestamp": AS_OF.isoformat()}
    body = json.dumps({"data": {**data, "order": stranger(filled_qty=cum)}})
    return report(ReportKind.STREAM, ReportRequest.NOTHING, body, attempt=0)


def answer(story: Story) -> OrderResolution:
    (found,) = [each for each in story.said if isinstance(each, OrderResolution)]
    return found


def booked(story: Story) -> list[tuple[str, str, str, str, str]]:
    """Return what is said to be executed: for whom, side, shares, symbol, price."""
    return [
        (
            each.order.book,
            each.order.side,
            f"{each.last_qty:f}".rstrip("0").rstrip("."),
            each.order.symbol,
            str(each.last_px),
        )
        for each in story.said
        if isinstance(each, Fill)
    ]


def halts(story: Story) -> list[TradingHalt]:
    return [each for each in story.said if isinstance(each, TradingHalt)]


# --- an order that is none of ours


def test_what_the_broker_has_under_our_name_is_not_ours() -> None:
    story = contradicted()
    assert words(story) == ["UNKNOWN/UNKNOWN"]
    assert [each.cause for each in halts(story)] == [HaltCause.CONTRADICTION]

    ended = story.when(asked(manual_trades=(of(Side.SELL, "10", "MSFT", "31.2"),)))

    assert answer(ended).status is ResolutionStatus.ACCEPTED
    assert answer(ended).executed_qty == 10
    assert words(ended) == ["RESTATED/REJECTED"]
    assert booked(ended) == [(MANUAL, "SELL", "10", "MSFT", "31.200000")]
    (event,) = [each for each in ended.said if isinstance(each, OrderEvent)]
    assert event.reason == "NOT_OURS by ann: the desk says so"
    assert event.cum_qty == event.leaves_qty == 0


def test_capital_is_free_once_it_has_ended_and_the_halt_is_ended_by_its_own_word() -> None:
    story = contradicted()
    (halt,) = halts(story)
    after = story.when(asked())

    stopped = after.when(order("another"), at=AS_OF + MINUTE)
    assert [each.refusal for each in stopped.said if isinstance(each, OrderEvent)] == ["HALTED"]

    free = stopped.when(resume_asked(halt.halt_id, requested_at=AS_OF + MINUTE))
    assert words(free.when(order("a third"), at=AS_OF + MINUTE)) == ["CHECKING/PENDING_NEW"]


def test_an_execution_of_another_symbol_is_an_alarm_and_not_our_fill() -> None:
    story = accepted().when(stranger_executed("4", "4"))

    assert booked(story) == []
    assert words(story) == ["UNKNOWN/UNKNOWN"]
    assert [each.reason for each in halts(story)] == [
        f"{NAME}: executed 4.000000000 of symbol MSFT, ours AAPL, side sell, ours buy"
    ]
    assert story.when(stranger_executed("6", "2")).said == ()


@pytest.mark.parametrize(
    ("shown", "is_ours"), [({"side": "sell"}, False), ({"symbol": "MSFT"}, False), ({"side": "buy"}, True)]
)
def test_an_execution_that_was_read_is_ours_by_symbol_and_side(shown: dict[str, str], is_ours: bool) -> None:
    said = fills(("4", "4"))
    rows = [{**row, **shown} for row in json.loads(said.body)]

    story = accepted().when(said.model_copy(update={"body": json.dumps(rows)}))

    assert bool(booked(story)) is is_ours
    assert bool(halts(story)) is not is_ours


def test_a_sale_that_opens_a_short_is_a_sale() -> None:
    story = given(gateway, limited()).when(order("short", side=Side.SELL), at=AS_OF)
    story = story.when(checked(name="short")).when(_named(answered()))
    rows = [{**row, "side": "sell_short", "symbol": "AAPL"} for row in json.loads(fills(("10", "10")).body)]

    story = story.when(_named(fills(("10", "10")).model_copy(update={"body": json.dumps(rows)})))

    assert [each[1] for each in booked(story)] == ["SELL"]


def _named(said: BrokerReport) -> BrokerReport:
    return said.model_copy(update={"client_order_id": "short"})


# --- how an order ended


def test_an_order_that_was_filled_is_booked_for_its_strategies() -> None:
    story = unknown().when(asked(ResolvedAs.FILLED, avg_px=Decimal("560.5")))

    assert words(story) == ["TRADE/FILLED", "RESTATED/FILLED"]
    assert booked(story) == [("net", "BUY", "10", "AAPL", "560.500000")]


def test_what_was_executed_beyond_what_is_booked_brings_the_average_to_what_was_said() -> None:
    story = accepted().when(traded("4", "4", price="560")).when(stranger_executed("5", "1"))

    story = story.when(asked(ResolvedAs.CANCELED, cum_qty=Decimal(8), avg_px=Decimal(561)))

    assert words(story) == ["TRADE/PARTIALLY_FILLED", "RESTATED/CANCELED"]
    assert booked(story) == [("net", "BUY", "4", "AAPL", "562.000000")]
    assert answer(story).executed_qty == 8


def test_what_was_booked_and_never_executed_is_manuals_on_the_other_side() -> None:
    story = accepted().when(traded("4", "4", price="560")).when(update("trade_bust", "partially_filled", "4"))
    assert "takes it back" in answer(story.when(asked(ResolvedAs.CANCELED, request_id="early"))).reason
    story = story.when(intent(IntentAction.CANCEL))

    story = story.when(asked(ResolvedAs.CANCELED, cum_qty=Decimal(1), avg_px=Decimal(560)))

    assert words(story) == ["RESTATED/CANCELED"]
    assert booked(story) == [(MANUAL, "SELL", "3", "AAPL", "560.000000")]
    assert answer(story).cum_qty == answer(story).executed_qty == 1


@pytest.mark.parametrize(
    ("resolved_as", "status"),
    [(ResolvedAs.CANCELED, "CANCELED"), (ResolvedAs.REJECTED, "REJECTED"), (ResolvedAs.EXPIRED, "EXPIRED")],
)
def test_an_order_ends_as_it_was_said(resolved_as: ResolvedAs, status: str) -> None:
    story = unknown().when(asked(resolved_as))

    assert words(story) == [f"RESTATED/{status}"]
    assert booked(story) == []


def test_the_rest_of_its_line_is_left_to_the_next_plan() -> None:
    story = unknown().when(asked(ResolvedAs.CANCELED))

    again = intent(intent_id=order("again").order.intent_id, step=2)
    story = story.when(again.model_copy(update={"client_order_id": "again"}), at=AS_OF + MINUTE)

    assert [each.refusal for each in story.said if isinstance(each, OrderEvent)] == ["LINE_EXCEEDED"]


# --- what is refused


@pytest.mark.parametrize(
    ("story", "said", "why"),
    [
        (accepted(), asked(), "is NEW at the broker"),
        (unknown(), asked(client_order_id="nobody"), "no order nobody was asked for"),
        (given(gateway, limited()).when(intent(), at=AS_OF), asked(), "was not handed to the broker yet"),
        (given(gateway, limited()).when(intent(IntentAction.CROSS), at=AS_OF), asked(), "is a cross"),
        (
            accepted().when(traded("10", "10")),
            asked(),
            "has ended FILLED with 10.000000000 executed, and nothing contra",
        ),
        (unknown(), asked(ResolvedAs.FILLED, cum_qty=Decimal(9), avg_px=Decimal(1)), "FILLED with 9.000000000 of 10.0"),
        (unknown(), asked(ResolvedAs.FILLED), "at which average price"),
        (
            unknown(),
            asked(ResolvedAs.CANCELED, cum_qty=Decimal(10), avg_px=Decimal(1)),
            "CANCELED with 10.000000000 of",
        ),
        (unknown(), asked(ResolvedAs.FILLED, cum_qty=Decimal(11), avg_px=Decimal(1)), "is a manual trade"),
        (unknown(), asked(cum_qty=Decimal(1), avg_px=Decimal(1)), "none of it is"),
        (unknown(), asked(ResolvedAs.FILLED, avg_px=Decimal(10) ** 12), "the most that is believed"),
        (unknown(), asked(manual_trades=(of(Side.BUY, "1000000000000", "IBM", "1"),)), "the most that is believed"),
        (unknown(), asked(manual_trades=(of(Side.BUY, "1", CASH, "1"),)), "is cash in the books"),
        (
            accepted().when(traded("4", "4")).when(stranger_executed("5", "1")),
            asked(ResolvedAs.CANCELED, cum_qty=Decimal(5), avg_px=Decimal(1)),
            "does not go with 4.000000000 booked",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(story: Story, said: OrderResolutionRequest, why: str) -> None:
    after = story.when(said)

    assert len(after.said) == 1
    assert answer(after).status is ResolutionStatus.REFUSED
    assert why in answer(after).reason


def test_an_order_that_may_be_sent_yet_is_not_ended_before_it_expires() -> None:
    """The broker agent may be late: it would send the order, and nobody would count it any more."""
    until = order("x").order.valid_until
    for story in (submitted(), submitted().when(intent(IntentAction.CANCEL)), unknown().when(not_found())):
        early = story.when(asked(ResolvedAs.CANCELED, requested_at=until - MINUTE))
        assert answer(early).status is ResolutionStatus.REFUSED
        assert "may be on its way to the broker" in answer(early).reason

        late = story.when(asked(ResolvedAs.CANCELED, requested_at=until))
        assert words(late) == ["RESTATED/CANCELED"]


def test_asking_twice_is_asking_once() -> None:
    after = unknown().when(asked(ResolvedAs.CANCELED))

    after.when(asked(ResolvedAs.CANCELED)).then()
    assert answer(after.when(asked(ResolvedAs.CANCELED, request_id="again"))).status is ResolutionStatus.REFUSED


# --- what the broker says afterwards


def test_what_was_said_of_it_is_no_news_when_the_broker_says_it_too() -> None:
    story = unknown().when(asked(ResolvedAs.FILLED, avg_px=Decimal("560.5")))

    for each in (read("filled", "10"), fills(("4", "4"), ("10", "6")), traded("10", "10"), not_found(), silent()):
        assert story.when(each).said == ()


@pytest.mark.parametrize("news", [traded("3", "3"), read("new"), fills(("3", "3")), read("canceled", "3")])
def test_what_the_broker_shows_beyond_it_halts_the_symbol_again_and_is_not_booked(news: BrokerReport) -> None:
    story = unknown().when(asked(ResolvedAs.CANCELED))

    alarmed = story.when(news)

    assert [each.cause for each in halts(alarmed)] == [HaltCause.CONTRADICTION]
    assert (words(alarmed), booked(alarmed)) == ([], [])
    assert alarmed.when(news).said == ()

    more = asked(ResolvedAs.CANCELED, request_id="more", cum_qty=Decimal(3), avg_px=Decimal("560.5"))
    again = alarmed.when(more)
    assert words(again) == ["TRADE/CANCELED", "RESTATED/CANCELED"]
    assert booked(again) == [("net", "BUY", "3", "AAPL", "560.500000")]
    assert answer(again.when(asked(request_id="no more"))).status is ResolutionStatus.REFUSED


def test_more_than_was_ordered_of_an_order_that_has_ended_is_manuals() -> None:
    story = accepted().when(traded("10", "10")).when(fills(("10", "10"), ("12", "2")))
    assert [each.cause for each in halts(story)] == [HaltCause.CONTRADICTION]

    story = story.when(asked(ResolvedAs.FILLED, manual_trades=(of(Side.BUY, "2", "AAPL", "560.5"),)))

    assert words(story) == ["RESTATED/FILLED"]
    assert booked(story) == [(MANUAL, "BUY", "2", "AAPL", "560.500000")]
    assert story.when(read("filled", "12")).said == ()

    more = story.when(read("filled", "15"))
    assert [each.cause for each in halts(more)] == [HaltCause.CONTRADICTION]
    again = asked(ResolvedAs.FILLED, request_id="more", manual_trades=(of(Side.BUY, "3", "AAPL", "560.5"),))
    more = more.when(again)
    assert answer(more).executed_qty == 15
    names = [each.client_order_id for step in (story, more) for each in step.said if isinstance(each, Fill)]
    assert names == [f"{NAME}/1", f"{NAME}/2"]
    assert more.when(read("filled", "15")).said == ()


@pytest.mark.parametrize(
    ("second", "price", "expected"),
    [
        ("0", None, [(MANUAL, "SELL", "1", "AAPL", "560.000000")]),
        ("1", "560", []),
        ("3", "561", [(MANUAL, "BUY", "2", "AAPL", "561.500000")]),
        ("6", "561", [("net", "BUY", "2", "AAPL", "561.200000"), (MANUAL, "BUY", "3", "AAPL", "561.200000")]),
    ],
)
def test_who_corrects_what_was_said_corrects_what_is_booked_by_then(
    second: str, price: str | None, expected: list[tuple[str, str, str, str, str]]
) -> None:
    """Four were booked, three of them taken out by the first word: one is left, at 560 dollars."""
    story = accepted().when(traded("4", "4", price="560")).when(stranger_executed("5", "1"))
    story = story.when(asked(ResolvedAs.CANCELED, cum_qty=Decimal(1), avg_px=Decimal(560)))
    story = story.when(read("canceled", "7"))

    said = {"cum_qty": Decimal(second), "avg_px": None if price is None else Decimal(price)}
    story = story.when(asked(ResolvedAs.CANCELED, request_id="second", **said))

    assert answer(story).status is ResolutionStatus.ACCEPTED
    assert booked(story) == expected


# --- the books


@settings(deadline=None)
@examples(
    before=some.integers(0, 9),
    executed=some.integers(0, 10),
    cents=some.integers(1, 100_000),
    strangers=some.lists(
        some.tuples(some.sampled_from(list(Side)), some.integers(1, 50), some.integers(1, 9_999)), max_size=3
    ),
)
def test_the_books_of_all_owners_are_what_the_broker_has(
    before: int, executed: int, cents: int, strangers: list[tuple[Side, int, int]]
) -> None:
    """Whatever was booked before: after an accepted word, shares are the broker's exactly, dollars to its rounding."""
    story = accepted() if not before else accepted().when(traded(str(before), str(before), price="560.5"))
    told = [*story.said]
    story = story.when(stranger_executed("11", "1"))
    price = Decimal(cents) / 100
    beside = tuple(of(side, str(qty), "MSFT", str(Decimal(px) / 100)) for side, qty, px in strangers)
    outcome = ResolvedAs.FILLED if executed == 10 else ResolvedAs.CANCELED
    said = asked(outcome, cum_qty=Decimal(executed), avg_px=price, manual_trades=beside)

    story = story.when(said)

    if answer(story).status is ResolutionStatus.REFUSED:
        assert "does not go with" in answer(story).reason
        return
    books: dict[str, Decimal] = {}
    keeper = given(ledger)
    for each in (record for record in (*told, *story.said) if isinstance(record, Fill)):
        keeper = keeper.when(each)
        for entry in (record for record in keeper.said if isinstance(record, LedgerEntry)):
            for posting in entry.postings:
                if posting.owner != STREET:
                    books[posting.commodity] = books.get(posting.commodity, Decimal(0)) + posting.amount
    signed = [(1 if side is Side.BUY else -1, qty, Decimal(px) / 100) for side, qty, px in strangers]
    assert books.get("AAPL", 0) == executed
    assert books.get("MSFT", 0) == sum(sign * qty for sign, qty, _ in signed)
    dollars = -executed * (price if executed != before else Decimal("560.5")) - sum(s * q * p for s, q, p in signed)
    assert abs(books.get(CASH, Decimal(0)) - dollars) < Decimal("0.00001")
