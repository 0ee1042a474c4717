"""What happens to an order at the simulated brokerage."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator.events import Hold
from infra.simulator.margin import buying_power
from infra.simulator.rules import RefusalError
from infra.simulator.settings import START_OF_TIME

ACCOUNT = Any


def events(account: ACCOUNT) -> list[str]:
    return [json.loads(update)["data"]["event"] for update in account.updates]


def refusal(act: Callable[[], object]) -> tuple[int, dict[str, object]]:
    with pytest.raises(RefusalError) as refused:
        act()
    return refused.value.status, refused.value.body


def test_a_buy_is_filled_at_the_ask_and_a_sell_at_the_bid(account: ACCOUNT) -> None:
    account.post("b", "buy", "3")
    account.post("s", "sell", "2")

    assert account.engine.book.cash == Decimal(100_000) - 3 * 101 + 2 * 100
    assert account.engine.book.held_qty("AAPL") == 1
    assert events(account) == ["new", "fill", "new", "fill"]


def test_cash_is_the_exact_sum_of_quantity_times_price(account: ACCOUNT) -> None:
    account.quote("TINY", "0.0001", "0.0003")

    account.post("b", "buy", "0.123456789", symbol="TINY")

    assert account.engine.book.cash == Decimal("99999.9999629629633")


def test_a_market_order_waits_for_a_quote(account: ACCOUNT) -> None:
    account.post("b", "buy", "1", symbol="MSFT")
    assert events(account) == ["new"]

    account.quote("MSFT", "0", "0")
    assert events(account) == ["new"]

    account.quote("MSFT", "400", "401")
    assert events(account) == ["new", "fill"]


def test_a_limit_order_waits_until_the_market_reaches_it(account: ACCOUNT) -> None:
    order_id = account.post("b", "buy", "1", limit_price="100.50")
    assert account.engine.order(order_id).status == "new"

    account.quote("AAPL", "100", "100.25")

    order = account.engine.order(order_id)
    assert (order.status, order.filled_value) == ("filled", Decimal("100.25"))


@pytest.mark.parametrize(("qty", "chunks"), [("2", 2), ("10", 3), ("7.5", 3), ("1.9", 1), ("1", 1)])
def test_chunks_are_whole_shares_that_sum_to_the_order(
    open_account: Callable[..., ACCOUNT], qty: str, chunks: int
) -> None:
    account = open_account(partial_rate="1")
    account.quote("AAPL", "100", "101")
    client_order_id = next(name for name in map(str, range(50)) if _three_chunks(name))

    account.post(client_order_id, "buy", qty)

    fills = [json.loads(update)["data"] for update in account.updates][1:]
    assert sum(Decimal(fill["qty"]) for fill in fills) == Decimal(qty)
    assert len(fills) == chunks
    assert [fill["event"] for fill in fills] == ["partial_fill"] * (chunks - 1) + ["fill"]
    assert len({fill["execution_id"] for fill in fills}) == chunks
    assert fills[-1]["order"]["filled_qty"] == qty
    assert all(Decimal(fill["qty"]) == int(Decimal(fill["qty"])) for fill in fills[:-1])


def _three_chunks(client_order_id: str) -> bool:
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(client_order_id.encode()).digest()[1] % 2 == 1


def test_about_one_order_in_four_is_filled_in_chunks(open_account: Callable[..., ACCOUNT]) -> None:
    account = open_account(partial_rate="0.25")
    account.quote("AAPL", "1", "1")

    for n in range(200):
        account.post(f"order-{n}", "buy", "2")

    assert 30 <= events(account).count("partial_fill") <= 70


def test_held_orders_rest_until_they_are_released(account: ACCOUNT) -> None:
    account.engine.hold("AAPL", Hold.ALL)
    order_id = account.post("b", "buy", "1")
    account.quote("AAPL", "90", "91")
    assert account.engine.order(order_id).status == "new"

    account.engine.hold("AAPL", Hold.NONE)

    assert account.engine.order(order_id).filled_value == 91


def test_an_order_can_be_canceled_after_a_part_of_it_was_filled(account: ACCOUNT) -> None:
    account.engine.hold("AAPL", Hold.REST)
    order_id = account.post("b", "buy", "10")
    account.quote("AAPL", "100", "101")

    account.engine.cancel(order_id)

    order = account.engine.order(order_id)
    assert (order.status, order.filled_qty, order.leaves_qty) == ("canceled", 5, 0)
    assert events(account) == ["new", "partial_fill", "canceled"]
    assert buying_power(account.engine.book) == account.engine.book.cash == Decimal(100_000) - 5 * 101


def test_an_order_may_be_rejected_after_it_was_accepted(account: ACCOUNT) -> None:
    account.engine.hold("AAPL", Hold.REJECT)

    account.post("b", "buy", "1")

    assert events(account) == ["new", "rejected"]


def test_an_ended_order_cannot_be_canceled(account: ACCOUNT) -> None:
    order_id = account.post("b", "buy", "1")

    status, body = refusal(lambda: account.engine.cancel(order_id))

    assert (status, body) == (422, {"code": 42210000, "message": "order is not cancelable"})


def test_day_orders_expire_when_their_session_ends(account: ACCOUNT) -> None:
    day = account.post("d", "buy", "1", symbol="MSFT")
    gtc = account.post("g", "buy", "1", symbol="MSFT", time_in_force="gtc")
    close = START_OF_TIME.replace(hour=21)

    account.engine.set_clock(close - timedelta(seconds=1))
    assert account.engine.order(day).status == "new"
    account.engine.set_clock(close)

    assert account.engine.order(day).status == "expired"
    assert account.engine.order(gtc).status == "new"
    assert events(account)[-1] == "expired"


def test_the_clock_never_goes_back(account: ACCOUNT) -> None:
    later = START_OF_TIME + timedelta(hours=1)
    account.engine.set_clock(later)
    account.post("b", "buy", "1")

    account.engine.set_clock(later)
    status, body = refusal(lambda: account.engine.set_clock(later - timedelta(seconds=1)))

    assert status == 422
    assert "cannot go back" in str(body["message"])


def test_an_id_is_taken_for_ever(account: ACCOUNT) -> None:
    account.engine.cancel(account.post("once", "buy", "1", symbol="MSFT"))

    status, body = refusal(lambda: account.post("once", "buy", "1"))

    assert (status, body) == (422, {"code": 40010001, "message": "client_order_id must be unique"})
    assert account.engine.book.posts["once"] == 2


def test_a_refused_order_does_not_take_its_id(account: ACCOUNT) -> None:
    refusal(lambda: account.post("again", "buy", "0"))

    account.post("again", "buy", "1")

    assert account.engine.book.posts["again"] == 2


MALFORMED = [
    ({"qty": "0"}, 40010001, "qty must be > 0"),
    ({"qty": "-1"}, 40010001, "qty must be > 0"),
    ({"qty": "ten"}, 40010001, "invalid qty: ten"),
    ({"qty": "NaN"}, 40010001, "invalid qty: NaN"),
    ({"qty": "0.1234567891"}, 40010001, "qty must be limited to 9 decimal places"),
    ({"qty": None}, 40010001, "qty or notional is required"),
    ({"notional": "5"}, 40010001, "only one of qty or notional is accepted"),
    ({"side": "hold"}, 40010001, "invalid side: hold"),
    ({"symbol": None}, 40010001, "symbol is required"),
    ({"symbol": "no such"}, 42210000, 'asset "no such" not found'),
    ({"client_order_id": "x" * 129}, 40010001, "client_order_id must be no more than 128 characters"),
    ({"type": "limit"}, 40010001, "limit orders require a limit price"),
    ({"limit_price": "1"}, 42210000, "market orders require no stop or limit price"),
    ({"qty": "0.5", "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY orders"),
    ({"type": "stop"}, 40010001, "stop orders require a stop price"),
    ({"type": "stop_limit", "stop_price": "1"}, 40010001, "stop limit orders require both stop and limit price"),
    ({"type": "stop", "stop_price": "1", "limit_price": "1"}, 42210000, "stop orders take no limit_price"),
    ({"type": "stop", "stop_price": "0"}, 42210000, "stop price must be > 0"),
    ({"type": "trailing_stop"}, 40010001, "trailing stop orders require one of trail_price or trail_percent"),
    ({"trail_price": "1"}, 42210000, "market orders take no trail_price"),
    ({"type": "iceberg"}, 40010001, "invalid type: iceberg"),
    ({"time_in_force": "gtd"}, 40010001, "invalid time_in_force: gtd"),
    ({"extended_hours": True}, 42210000, "extended hours order must be DAY or GTC limit orders"),
    ({"extended_hours": "yes"}, 40010001, "invalid extended_hours: yes"),
    ({"qty": "0.5", "time_in_force": "ioc"}, 42210000, "fractional orders must be DAY orders"),
    ({"qty": None, "notional": "5", "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY orders"),
    (
        {"qty": None, "notional": "5", "type": "limit", "limit_price": "1"},
        42210000,
        "notional orders must be market orders",
    ),
    ({"qty": None, "notional": "0"}, 40010001, "notional must be > 0"),
    (
        {"type": "stop", "stop_price": "1", "time_in_force": "cls"},
        42210000,
        "cls orders must be market or limit orders",
    ),
    ({"order_class": "bracket"}, 42210000, "order_class bracket is not simulated"),
    ({"take_profit": {"limit_price": "9"}}, 42210000, "take_profit is not simulated"),
    (
        {"type": "limit", "limit_price": "10.001"},
        42210000,
        "invalid limit_price 10.001. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (
        {"type": "limit", "limit_price": "0.00001"},
        42210000,
        "invalid limit_price 0.00001. sub-penny increment does not fulfill minimum pricing criteria",
    ),
]


@pytest.mark.parametrize(("change", "code", "message"), MALFORMED, ids=[row[2] for row in MALFORMED])
def test_a_malformed_order_is_refused_in_the_brokers_words(
    account: ACCOUNT, change: dict[str, object], code: int, message: str
) -> None:
    order: dict[str, object] = {"client_order_id": "x", "symbol": "AAPL", "side": "buy", "qty": "1"}
    order |= {"type": "market", "time_in_force": "day"}

    status, body = refusal(lambda: account.engine.submit(order | change))

    assert (status, body) == (422, {"code": code, "message": message})
    assert not account.engine.book.orders


@pytest.mark.parametrize(("price", "qty"), [("10.01", "1"), ("0.0001", "1"), ("10.010000", "0.123456789")])
def test_prices_in_whole_cents_or_below_a_dollar_in_hundredths_of_a_cent_are_taken(
    account: ACCOUNT, price: str, qty: str
) -> None:
    account.post("x", "buy", qty, limit_price=price)

    assert len(account.engine.book.open_orders()) == 1


def test_open_buys_claim_buying_power(account: ACCOUNT) -> None:
    account.engine.hold("AAPL", Hold.ALL)
    account.post("first", "buy", "900")

    status, body = refusal(lambda: account.post("second", "buy", "100"))

    assert status == 403
    assert body == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "9100",
        "cost_basis": "10100",
    }


def test_market_buys_may_claim_more_than_the_ask(open_account: Callable[..., ACCOUNT]) -> None:
    account = open_account(cash="102", reserve_rate="1.04")
    account.quote("AAPL", "99", "100")

    assert refusal(lambda: account.post("x", "buy", "1"))[0] == 403
    account.post("y", "buy", "0.98")


def test_open_sells_claim_shares(account: ACCOUNT) -> None:
    account.post("b", "buy", "10")
    account.engine.hold("AAPL", Hold.ALL)
    account.post("s", "sell", "6.5")

    status, body = refusal(lambda: account.post("t", "sell", "5"))

    assert status == 403
    assert body["message"] == "insufficient qty available for order (requested: 5, available: 3.5)"
    assert (body["existing_qty"], body["held_for_orders"], body["available"]) == ("10", "6.5", "3.5")


def test_nothing_is_sold_short(account: ACCOUNT) -> None:
    status, body = refusal(lambda: account.post("s", "sell", "1"))

    assert (status, body) == (403, {"code": 40310000, "message": "account is not allowed to short"})


WASH_TRADES = [
    ("market meets market", {}, {}, "opposite side market/stop order exists"),
    ("limit meets market", {}, {"limit_price": "200"}, "opposite side market/stop order exists"),
    ("market meets limit", {"limit_price": "90"}, {}, "opposite side limit order exists"),
    ("limits cross", {"limit_price": "90"}, {"limit_price": "90"}, "opposite side limit order exists"),
    ("limits do not cross", {"limit_price": "90"}, {"limit_price": "90.01"}, None),
]


@pytest.mark.parametrize(
    ("resting", "coming", "reason"), [row[1:] for row in WASH_TRADES], ids=[row[0] for row in WASH_TRADES]
)
def test_an_order_that_could_meet_an_open_opposite_one_is_refused(
    account: ACCOUNT, resting: dict[str, str], coming: dict[str, str], reason: str | None
) -> None:
    account.post("b", "buy", "10")
    account.engine.hold("AAPL", Hold.ALL)
    resting_id = account.post("buy", "buy", "1", **resting)

    if reason is None:
        account.post("sell", "sell", "1", **coming)
        return
    status, body = refusal(lambda: account.post("sell", "sell", "1", **coming))

    assert status == 403
    assert body == {
        "code": 40310000,
        "message": "potential wash trade detected. use complex orders",
        "reject_reason": reason,
        "existing_order_id": resting_id,
    }


def test_a_buy_that_reaches_an_open_sell_is_refused(account: ACCOUNT) -> None:
    account.post("b", "buy", "10")
    account.post("sell", "sell", "1", limit_price="150")

    assert refusal(lambda: account.post("reaches", "buy", "1", limit_price="150"))[0] == 403
    account.engine.hold("AAPL", Hold.ALL)
    account.post("below", "buy", "1", limit_price="149.99")


def test_an_open_order_of_another_symbol_is_no_wash_trade(account: ACCOUNT) -> None:
    account.post("b", "buy", "10")
    account.post("m", "buy", "1", symbol="MSFT")

    account.post("s", "sell", "1")


def test_money_moves_without_a_trade(account: ACCOUNT) -> None:
    account.engine.move_cash("DIV", Decimal("1.02"), symbol="AAPL")
    account.engine.move_cash("FEE", Decimal("-0.01"))

    assert account.engine.book.cash == Decimal("100001.01")
    assert len(account.engine.book.activities) == 3
