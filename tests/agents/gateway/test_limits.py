"""The limits at the gate: each passes what reaches it exactly, and refuses the next unit, with the values in words."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.gateway import decider as gateway
from agents.gateway.gate import CROSS_CHECKS, FIRST_HALF, SECOND_HALF
from agents.testing import Story, given
from schemas.gate import DeniedSymbol, SessionRule, StrategyGateLimits
from schemas.identity import derived
from schemas.order import (
    BrokerReport,
    IntentAction,
    OrderEvent,
    OrdType,
    Phase,
    Refusal,
    Side,
)
from tests.agents.gateway.asking import filled, order, passes, sent, verdict
from tests.agents.gateway.words import (
    AS_OF,
    CHECKED_AT,
    check_failed,
    checked,
    fills,
    intent,
    limited,
    limits_asked,
    read,
    silent,
)
from tests.made import gate_limits

UNIT = Decimal("0.000000001")
MOMENT = timedelta(microseconds=1)


# --- what must be set


def test_without_limits_nothing_passes() -> None:
    assert verdict(given(gateway).when(intent(), at=AS_OF)) == "REFUSED NO_LIMITS"
    assert verdict(given(gateway).when(intent(IntentAction.CROSS), at=AS_OF)) == "REFUSED NO_LIMITS"


def test_limits_that_set_no_number_are_no_limits() -> None:
    assert verdict(given(gateway, limited(order_qty_max=None)).when(intent(), at=AS_OF)) == "REFUSED NO_LIMITS"

    strategies = (StrategyGateLimits(strategy_id="core", position_value_max=None, gross_value_max=Decimal(100_000)),)
    story = given(gateway, limited(order_qty_max=None, strategies=strategies))
    assert verdict(story.when(intent(), at=AS_OF)) == "CHECKING"


def test_limits_are_set_by_a_request_and_asking_twice_is_asking_once() -> None:
    story = (
        given(gateway)
        .when(limits_asked("first", order_qty_max=Decimal(5)))
        .then(limited(order_qty_max=Decimal(5)).model_copy(update={"request_id": "first"}))
    )
    assert verdict(story.when(intent(), at=AS_OF)) == "REFUSED ORDER_QTY_MAX"

    wider = story.when(limits_asked("second", order_qty_max=Decimal(50)))
    assert verdict(wider.when(intent(), at=AS_OF)) == "CHECKING"
    wider.when(limits_asked("first", order_qty_max=Decimal(5))).then()


def test_limits_set_between_the_two_halves_hold() -> None:
    story = given(gateway, limited()).when(intent(), at=AS_OF).when(limits_asked("less", order_qty_max=Decimal(5)))

    assert verdict(story.when(checked())) == "REFUSED ORDER_QTY_MAX"


# --- the bounds of one order

WIDE: dict[str, Any] = {}
TEN_AT_WORST = Decimal(5606)  # ten shares at the offer of 560.6


@pytest.mark.parametrize(
    ("refusal", "limits", "least", "more"),
    [
        (Refusal.ORDER_QTY_MAX, {"order_qty_max": Decimal(10)}, {"qty": "10"}, {"qty": 10 + UNIT}),
        (Refusal.ORDER_NOTIONAL_MAX, {"order_notional_max": TEN_AT_WORST}, {"qty": "10"}, {"qty": 10 + UNIT}),
        (Refusal.POSITION_VALUE_MAX, {"position_value_max": TEN_AT_WORST}, {"qty": "10"}, {"qty": 10 + UNIT}),
        (Refusal.GROSS_VALUE_MAX, {"gross_value_max": TEN_AT_WORST}, {"qty": "10"}, {"qty": 10 + UNIT}),
        (Refusal.LINE_EXCEEDED, WIDE, {"line_qty": Decimal(10)}, {"line_qty": 10 - UNIT}),
        (Refusal.EXPIRED_INTENT, WIDE, {"valid_until": AS_OF + MOMENT}, {"valid_until": AS_OF}),
        (Refusal.SYMBOL_NOT_ALLOWED, {"symbols_allowed": ("AAPL",)}, {}, {"symbol": "MSFT"}),
        (Refusal.SYMBOL_NOT_ALLOWED, {"symbols_allowed": ("AAPL",)}, {}, {"symbol": "aapl"}),
        (
            Refusal.ORDER_FORM,
            WIDE,
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal("560.61")},
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal("560.611")},
        ),
        (
            Refusal.ORDER_FORM,
            WIDE,
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal("0.0001")},
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal("0.00001")},
        ),
        (Refusal.ORDER_FORM, WIDE, {}, {"ord_type": OrdType.LIMIT, "limit_price": None}),
        (Refusal.ORDER_FORM, WIDE, {}, {"ord_type": OrdType.LIMIT, "limit_price": Decimal(0)}),
        (Refusal.ORDER_FORM, WIDE, {}, {"limit_price": Decimal(560)}),
        (Refusal.ORDER_FORM, WIDE, {}, {"is_extended_hours": True}),
        (
            Refusal.ORDER_FORM,
            WIDE,
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal(560), "is_extended_hours": True},
            {"ord_type": OrdType.LIMIT, "limit_price": Decimal(560), "is_extended_hours": True, "qty": "1.5"},
        ),
        (Refusal.NO_PRICE, WIDE, {}, {"reference_price": Decimal(0)}),
    ],
)
def test_an_order_passes_up_to_the_limit_and_not_beyond(
    refusal: Refusal, limits: dict[str, Any], least: dict[str, Any], more: dict[str, Any]
) -> None:
    story = given(gateway, limited(**limits))

    assert passes(sent(story, order("at", **least)))
    assert verdict(sent(story, order("beyond", **more))) == f"REFUSED {refusal}"


def test_a_denied_symbol_may_be_traded_again_when_its_time_is_over() -> None:
    until = AS_OF + timedelta(hours=1)
    blocked = DeniedSymbol(symbol="AAPL", until=until, reason="earnings")
    story = given(gateway, limited(symbols_denied=(blocked,)))

    assert verdict(story.when(order("early"), at=until - MOMENT)) == "REFUSED SYMBOL_DENIED"
    assert passes(sent(story, order("later"), checked(at=until), at=until))
    assert passes(sent(story, order("other", symbol="MSFT")))
    for_good = DeniedSymbol(symbol="AAPL", until=None, reason="sanctions")
    assert verdict(sent(given(gateway, limited(symbols_denied=(for_good,))), order("no"))) == "REFUSED SYMBOL_DENIED"


# --- the market


def quoted(**changed: Any) -> dict[str, Any]:
    return {"bp": 560.4, "ap": 560.6, "t": CHECKED_AT.isoformat(), **changed}


@pytest.mark.parametrize(
    "quote",
    [
        None,
        [],
        {},
        quoted(bp=0),
        quoted(ap=0),
        quoted(bp=-1),
        quoted(bp=561),
        quoted(bp="NaN"),
        quoted(ap=None),
        quoted(ap="1e999999"),
        quoted(ap=560.1234567),
        quoted(t=None),
        quoted(t="2012-06-01T15:55:00"),
        quoted(t="yesterday"),
    ],
)
def test_without_a_quote_of_two_sides_and_a_time_nothing_passes(quote: Any) -> None:
    assert verdict(sent(given(gateway, limited()), order("one"), checked(quote=quote))) == "REFUSED NO_QUOTE"


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_quote_is_used_as_long_as_it_is_fresh(sign: int) -> None:
    story = given(gateway, limited(quote_age_max_s=60))
    at_limit, beyond = (
        checked(quote=quoted(t=(CHECKED_AT + sign * age).isoformat()))
        for age in (timedelta(seconds=60), timedelta(seconds=60) + MOMENT)
    )

    assert passes(sent(story, order("fresh"), at_limit))
    assert verdict(sent(story, order("stale"), beyond)) == "REFUSED QUOTE_STALE"


@pytest.mark.parametrize(
    ("side", "quote", "is_within"),
    [
        (Side.BUY, quoted(bp=600, ap=616.55), True),
        (Side.BUY, quoted(bp=600, ap=616.550001), False),
        (Side.BUY, quoted(bp=1, ap=504.45), True),
        (Side.BUY, quoted(bp=1, ap=504.449999), False),
        (Side.SELL, quoted(bp=504.45, ap=900), True),
        (Side.SELL, quoted(bp=504.449999, ap=900), False),
    ],
)
def test_the_price_it_would_trade_at_stays_near_the_price_of_the_plan(side: Side, quote: Any, is_within: bool) -> None:
    """A tenth of 560.5 is 56.05."""
    story = given(gateway, limited(price_collar=Decimal("0.1")))
    after = sent(story, order("one", side=side), checked(positions={"AAPL": "10"}, quote=quote))

    assert verdict(after) == ("SUBMITTING" if is_within else "REFUSED PRICE_COLLAR")


def test_a_limit_price_stays_near_the_price_of_the_plan() -> None:
    story = given(gateway, limited(price_collar=Decimal("0.1")))
    form = {"ord_type": OrdType.LIMIT}

    assert passes(sent(story, order("at", limit_price=Decimal("616.55"), **form)))
    assert verdict(sent(story, order("beyond", limit_price=Decimal("616.56"), **form))) == "REFUSED PRICE_COLLAR"


def test_orders_are_sent_while_the_market_is_open_unless_any_time_will_do() -> None:
    closed = checked(clock={"timestamp": CHECKED_AT.isoformat(), "is_open": False})
    story = given(gateway, limited())

    assert verdict(sent(story, order("closed"), closed)) == "REFUSED SESSION_CLOSED"
    assert passes(sent(given(gateway, limited(session=SessionRule.ANY)), order("any"), closed))
    assert verdict(sent(story, order("unsaid"), checked(clock={}))) == "REFUSED CHECK_FAILED"
    assert passes(sent(given(gateway, limited(session=SessionRule.ANY)), order("unsaid"), checked(clock={})))


@pytest.mark.parametrize(
    "failed",
    [
        check_failed(500),
        check_failed(None),
        check_failed(401),
        checked().model_copy(update={"body": "{"}),
        checked().model_copy(update={"body": "[" * 100_000}),
        checked(read_at=None),
        checked(read_at="yesterday"),
        checked(account=None),
        checked(clock=None),
        checked(positions={"AAPL": "1"}).model_copy(update={"body": '{"read_at": "2012-06-01T15:55:00Z"}'}),
    ],
)
def test_what_could_not_be_read_lets_nothing_pass(failed: BrokerReport) -> None:
    assert verdict(sent(given(gateway, limited()), order("one"), failed)) == "REFUSED CHECK_FAILED"


def test_a_limit_that_cannot_be_judged_is_not_kept() -> None:
    loss = given(gateway, limited(daily_loss_max=Decimal(100)))
    assert verdict(sent(loss, order("one"), checked(account={"equity": "100"}))) == "REFUSED CHECK_FAILED"

    unpriced = [{"symbol": "MSFT", "qty": "3", "side": "long", "current_price": None, "market_value": None}]
    gross = given(gateway, limited(gross_value_max=Decimal(1_000_000)))
    assert verdict(sent(gross, order("two"), checked(unpriced))) == "REFUSED CHECK_FAILED"
    assert passes(sent(given(gateway, limited()), order("three"), checked(unpriced)))


def test_what_the_gate_saw_is_on_the_log() -> None:
    story = sent(given(gateway, limited(price_collar=Decimal("0.01"))), order("one"), checked({"AAPL": "-3"}))

    (event,) = story.said
    assert isinstance(event, OrderEvent)
    assert event.check is not None
    assert (event.check.read_at, event.check.position) == (CHECKED_AT, -3)
    assert (event.check.bid, event.check.ask) == (Decimal("560.4"), Decimal("560.6"))
    assert event.check.worst_price == Decimal("560.6") * Decimal("1.01")


@pytest.mark.parametrize(
    ("changed", "worst"),
    [
        ({"side": Side.SELL}, "566.004"),
        ({"ord_type": OrdType.LIMIT, "limit_price": Decimal("561.2")}, "561.2"),
        ({"ord_type": OrdType.LIMIT, "limit_price": Decimal("561.2"), "side": Side.SELL}, "561.2"),
        ({"ord_type": OrdType.LIMIT, "limit_price": Decimal("559.2"), "side": Side.SELL}, "560.4"),
    ],
)
def test_an_order_is_counted_at_its_limit_or_at_the_far_touch_and_the_collar(changed: Any, worst: str) -> None:
    story = sent(given(gateway, limited(price_collar=Decimal("0.01"))), order("one", **changed))

    (event,) = story.said
    assert isinstance(event, OrderEvent)
    assert event.check is not None
    assert event.check.worst_price == Decimal(worst)


# --- the day


def test_after_the_days_loss_only_reducing_orders_pass() -> None:
    story = given(gateway, limited(daily_loss_max=Decimal(1000)))
    at_limit, beyond = ({"equity": each, "last_equity": "100000"} for each in ("99000", "98999.99"))

    assert passes(sent(story, order("at"), checked(account=at_limit)))
    assert verdict(sent(story, order("beyond"), checked(account=beyond))) == "REFUSED DAILY_LOSS_MAX"
    exit_ = order("exit", side=Side.SELL)
    assert passes(sent(story, exit_, checked({"AAPL": "10"}, account=beyond)))
    assert verdict(sent(story, exit_, checked({"AAPL": "9"}, account=beyond))) == "REFUSED DAILY_LOSS_MAX"


def moved(amount: str | None, day: str | None = "2012-06-01", kind: str = "CSD") -> dict[str, Any]:
    """Return a transfer of cash as the broker shows it."""
    return {"id": "1", "activity_type": kind, "date": day, "net_amount": amount}


CLOSED = {"last_equity": "100000", "balance_asof": "2012-05-31"}


@pytest.mark.parametrize(
    ("equity", "transfers", "is_lost"),
    [
        ("103999.99", [moved("5000")], True),
        ("104000", [moved("5000")], False),
        ("93999.99", [moved("-5000", kind="CSW")], True),
        ("94000", [moved("-5000", kind="CSW")], False),
        ("101000", [moved("5000"), moved("-3000", kind="JNLC")], False),
        ("98999", [moved("5000", "2012-05-31")], True),
        ("99000", [moved("5000", "2012-05-31")], False),
        ("99000", [moved("5000", kind="DIV")], False),
        ("98999.99", [], True),
        ("94000", [moved("-5000", kind="CSW") | {"status": "executed"}], False),
        ("94000", [moved("-5000", kind="CSW") | {"status": "canceled"}], True),
    ],
    ids=str,
)
def test_cash_from_outside_hides_no_loss_and_cash_that_went_there_is_none(
    equity: str, transfers: list[dict[str, Any]], is_lost: bool
) -> None:
    story = given(gateway, limited(daily_loss_max=Decimal(1000)))

    said = sent(story, order("one"), checked(account={"equity": equity, **CLOSED}, transfers=transfers))

    assert verdict(said) == ("REFUSED DAILY_LOSS_MAX" if is_lost else "SUBMITTING")


@pytest.mark.parametrize(
    ("account", "transfers"),
    [
        (CLOSED, [moved("plenty")]),
        (CLOSED, [moved("5000", None)]),
        (CLOSED, [moved("5000", "today")]),
        (CLOSED, {}),
        ({"last_equity": "100000"}, [moved("5000")]),
    ],
)
def test_transfers_that_cannot_be_read_let_nothing_pass_that_a_days_loss_holds(account: Any, transfers: Any) -> None:
    reading = checked(account={"equity": "100000", **account}, transfers=transfers)

    held = given(gateway, limited(daily_loss_max=Decimal(1000)))
    assert verdict(sent(held, order("one"), reading)) == "REFUSED CHECK_FAILED"
    assert passes(sent(given(gateway, limited(daily_loss_max=None, order_qty_max=Decimal(10))), order("one"), reading))


def told_one_after_another(story: Story, times: Sequence[timedelta]) -> list[str]:
    """Return the verdicts on orders whose checks were read after these times; each is a symbol of its own."""
    found = []
    for number, step in enumerate(times):
        at = CHECKED_AT + step
        story = sent(story, order(f"order-{number}", symbol=f"S{number}"), checked(at=at), at=at)
        found.append(verdict(story))
    return found


@pytest.mark.parametrize(
    ("name", "span"),
    [("orders_per_second_max", timedelta(seconds=1)), ("orders_per_minute_max", timedelta(minutes=1))],
)
def test_orders_are_counted_within_a_time(name: str, span: timedelta) -> None:
    story = given(gateway, limited(**{name: 2}))
    refused = f"REFUSED {name.upper()}"
    start = timedelta(0)

    assert told_one_after_another(story, [start, start, start]) == ["SUBMITTING", "SUBMITTING", refused]
    assert told_one_after_another(story, [start, start, span - MOMENT])[-1] == refused
    assert told_one_after_another(story, [start, start, span])[-1] == "SUBMITTING"
    assert told_one_after_another(story, [start, span - MOMENT, span, span])[-2:] == ["SUBMITTING", refused]


def test_a_clock_that_was_set_back_lets_nothing_more_through() -> None:
    story = given(gateway, limited(orders_per_second_max=2))
    start = timedelta(0)

    verdicts = told_one_after_another(story, [start, -timedelta(minutes=30), -timedelta(minutes=29)])
    assert verdicts == ["SUBMITTING", "SUBMITTING", "REFUSED ORDERS_PER_SECOND_MAX"]


def test_orders_are_counted_by_the_day() -> None:
    story = given(gateway, limited(orders_per_day_max=2))
    midnight = timedelta(hours=8, minutes=5)
    forever = {"valid_until": AS_OF + timedelta(days=2)}
    found = []
    for number, step in enumerate([timedelta(0), midnight - MOMENT, midnight - MOMENT, midnight]):
        at = CHECKED_AT + step
        story = sent(story, order(f"order-{number}", symbol=f"S{number}", **forever), checked(at=at), at=at)
        found.append(verdict(story))

    assert found == ["SUBMITTING", "SUBMITTING", "REFUSED ORDERS_PER_DAY_MAX", "SUBMITTING"]


# --- other orders


def test_open_orders_are_counted_from_the_moment_they_are_asked_for() -> None:
    story = given(gateway, limited(open_orders_max=2)).when(order("first", symbol="A"), at=AS_OF)
    story = sent(story, order("second", symbol="B"))
    assert passes(story)

    assert verdict(story.when(order("third", symbol="C"), at=AS_OF)) == "REFUSED OPEN_ORDERS_MAX"
    ended = filled(story, "second", "10")
    assert verdict(ended.when(order("third", symbol="C"), at=AS_OF)) == "CHECKING"


def test_an_opposite_order_of_the_symbol_is_not_sent_while_one_is_under_way() -> None:
    story = given(gateway, limited()).when(order("buy"), at=AS_OF)

    assert verdict(story.when(order("sell", side=Side.SELL), at=AS_OF)) == "REFUSED SELF_CROSS"
    assert verdict(story.when(order("sell", side=Side.SELL, symbol="MSFT"), at=AS_OF)) == "CHECKING"
    assert verdict(story.when(order("more", side=Side.BUY), at=AS_OF)) == "CHECKING"


def test_the_same_order_of_another_line_within_the_window_is_a_duplicate() -> None:
    story = filled(sent(given(gateway, limited(duplicate_window_s=60)), order("first")), "first", "10")
    before, after = (AS_OF + timedelta(seconds=60) - step for step in (MOMENT, timedelta(0)))

    assert verdict(story.when(order("again"), at=before)) == "REFUSED DUPLICATE_ORDER"
    assert verdict(story.when(order("again"), at=after)) == "CHECKING"
    assert verdict(story.when(order("more", qty="11"), at=before)) == "CHECKING"
    assert verdict(story.when(order("back", side=Side.SELL), at=before)) == "CHECKING"


def test_an_order_under_way_is_a_duplicate_whenever_it_was_asked_for() -> None:
    story = given(gateway, limited(duplicate_window_s=0)).when(order("first"), at=AS_OF)

    assert verdict(story.when(order("again"), at=AS_OF + timedelta(hours=1))) == "REFUSED DUPLICATE_ORDER"


def test_two_orders_of_one_line_are_no_duplicates_and_never_more_than_the_line() -> None:
    line = {"plan_id": derived("plan", "line"), "line_qty": Decimal(20), "qty": "10"}
    story = given(gateway, limited(duplicate_window_s=60))
    story = filled(sent(story, order("first", **line)), "first", "10")
    later = {"reading": checked(at=AS_OF + timedelta(minutes=2))}
    second = sent(story, order("second", **line), **later)

    assert passes(second)
    assert verdict(second.when(order("third", **{**line, "qty": str(UNIT)}), at=AS_OF)) == "REFUSED LINE_EXCEEDED"


def test_of_an_ended_order_a_line_counts_what_was_executed() -> None:
    line = {"plan_id": derived("plan", "line"), "line_qty": Decimal(10)}
    story = sent(given(gateway, limited()), order("first", qty="10", **line))
    for each in (read(), fills(("4", "4")), read("canceled", "4")):
        story = story.when(each.model_copy(update={"client_order_id": "first"}))

    assert verdict(story.when(order("rest", qty="6", **line), at=AS_OF)) == "CHECKING"
    assert verdict(story.when(order("rest", qty=6 + UNIT, **line), at=AS_OF)) == "REFUSED LINE_EXCEEDED"


def test_a_symbol_is_blocked_while_an_order_of_it_is_unknown_even_for_reducing_orders() -> None:
    story = given(gateway, limited()).when(order("waits", phase=Phase.REDUCING), at=AS_OF)
    story = sent(story, order("first")).when(silent().model_copy(update={"client_order_id": "first"}))

    for phase in (Phase.INCREASING, Phase.REDUCING):
        assert verdict(story.when(order("other", qty="3", phase=phase), at=AS_OF)) == "REFUSED SYMBOL_UNKNOWN"
    assert verdict(story.when(order("other", qty="3", symbol="MSFT"), at=AS_OF)) == "CHECKING"
    waiting = checked({"AAPL": "-10"}).model_copy(update={"client_order_id": "waits"})
    assert verdict(story.when(waiting)) == "REFUSED SYMBOL_UNKNOWN"
    found = story.when(read().model_copy(update={"client_order_id": "first"}))
    assert verdict(found.when(order("other", qty="3"), at=AS_OF)) == "CHECKING"


def test_the_checks_are_made_in_the_order_of_their_names() -> None:
    """All of them; that an order was taken back is no check."""
    made = [refusal for refusal, _ in (*FIRST_HALF, *SECOND_HALF)]
    assert made == [each for each in Refusal if each is not Refusal.CANCELED_BEFORE_SENT]
    places = [list(Refusal).index(refusal) for refusal, _ in CROSS_CHECKS]
    assert places == sorted(places)


def test_of_several_reasons_the_first_one_speaks() -> None:
    limits = gate_limits(
        order_qty_max=Decimal(1),
        symbols_allowed=(),
        symbols_denied=(DeniedSymbol(symbol="AAPL", until=None, reason="no"),),
        open_orders_max=0,
    )
    story = given(gateway, limited(**limits.model_dump(include={"order_qty_max", "open_orders_max"})))
    assert verdict(story.when(order("one"), at=AS_OF)) == "REFUSED ORDER_QTY_MAX"
    both = limited(symbols_allowed=(), symbols_denied=limits.symbols_denied, order_qty_max=Decimal(1))
    assert verdict(given(gateway, both).when(order("one"), at=AS_OF)) == "REFUSED SYMBOL_NOT_ALLOWED"
    denied = limited(symbols_denied=limits.symbols_denied, order_qty_max=Decimal(1))
    assert verdict(given(gateway, denied).when(order("one"), at=AS_OF)) == "REFUSED SYMBOL_DENIED"
