"""The port's contract, spoken by the adapter through alpaca-py with a brokerage on the other side of a socket."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.broker.ports import Brokerage, NewOrder, Reply
from infra.alpaca import AlpacaBrokerage
from infra.alpaca.rest import PAGE_TRIES
from infra.simulator.client import SimulatorControl
from infra.simulator.events import Hold
from schemas.quantities import plain

MakeOrder = Callable[..., NewOrder]


def said(reply: Reply, http_status: int = 200) -> Any:
    """Return the body of an answer, numbers exactly as written."""
    assert (reply.http_status, reply.error) == (http_status, None), reply
    return json.loads(reply.body, parse_float=Decimal)


def test_the_adapter_is_a_brokerage(brokerage: AlpacaBrokerage) -> None:
    port: Brokerage = brokerage

    assert said(port.account())["status"] == "ACTIVE"


def test_an_order_is_taken_as_new_and_found_filled(brokerage: AlpacaBrokerage, order: MakeOrder) -> None:
    taken = said(brokerage.submit(order("a", qty="2")))
    found = said(brokerage.order_by_client_id("a"))

    assert (taken["client_order_id"], taken["status"], taken["filled_qty"]) == ("a", "new", "0")
    assert (found["id"], found["status"], found["filled_avg_price"]) == (taken["id"], "filled", "101")


@pytest.mark.parametrize("qty", ["0.123456789", "3.000000000", "100"])
@pytest.mark.parametrize(("price", "written"), [("0.0001", "0.0001"), ("250.100000", "250.1")])
def test_numbers_arrive_exactly_as_they_are(
    brokerage: AlpacaBrokerage, order: MakeOrder, qty: str, price: str, written: str
) -> None:
    taken = said(brokerage.submit(order("a", qty=qty, ord_type="LIMIT", limit_price=price, symbol="TINY")))

    assert (taken["qty"], taken["limit_price"]) == (qty.replace(".000000000", ""), written)


@pytest.mark.parametrize(
    ("value", "text"),
    [("250.100000", "250.1"), ("3.000000000", "3"), ("100", "100"), ("1E+2", "100"), ("1E-9", "0.000000001")],
)
def test_a_number_is_sent_without_exponent_and_without_decimals_it_does_not_need(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_cash_is_exact_to_the_last_digit(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.set_quote("TINY", "0.0001", "0.0003")

    said(brokerage.submit(order("a", qty="0.123456789", symbol="TINY")))

    assert said(brokerage.account())["cash"] == "99999.9999629629633"
    assert [row["qty"] for row in said(brokerage.positions())] == ["0.123456789"]


def test_quotes_are_written_digit_by_digit(brokerage: AlpacaBrokerage, control: SimulatorControl) -> None:
    control.set_quote("TINY", "0.0001", "1234567.1234")

    reply = brokerage.quotes(["TINY", "AAPL", "NONE"])

    assert '"bp":0.0001,' in reply.body
    assert '"ap":1234567.1234,' in reply.body
    assert sorted(said(reply)["quotes"]) == ["AAPL", "TINY"]


def test_an_open_order_is_canceled_once(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.hold("AAPL")
    order_id = said(brokerage.submit(order("a")))["id"]

    assert brokerage.cancel(order_id) == Reply(204, "", None)
    assert said(brokerage.cancel(order_id), 422) == {"code": 42210000, "message": "order is not cancelable"}
    assert said(brokerage.order_by_client_id("a"))["status"] == "canceled"


@pytest.mark.parametrize("order_id", ["5680c4bc-9ac1-4a12-a44c-df427ba53032", "not an id", "../account"])
def test_canceling_what_does_not_exist_is_answered(brokerage: AlpacaBrokerage, order_id: str) -> None:
    assert said(brokerage.cancel(order_id), 404) == {"code": 40410000, "message": f"order not found for {order_id}"}


def test_an_unknown_order_is_not_found(brokerage: AlpacaBrokerage) -> None:
    assert said(brokerage.order_by_client_id("ghost"), 404)["code"] == 40410000


def test_a_second_order_under_one_id_is_refused(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    said(brokerage.submit(order("a")))

    again = said(brokerage.submit(order("a")), 422)

    assert again == {"code": 40010001, "message": "client_order_id must be unique"}
    assert [(row.client_order_id, row.posts) for row in control.orders()] == [("a", 2)]
    assert len(said(brokerage.orders("all", None))) == 1


def _buy_everything(brokerage: AlpacaBrokerage, _: SimulatorControl, order: MakeOrder) -> Reply:
    return brokerage.submit(order("x", qty="1000000"))


def _sell_too_much(brokerage: AlpacaBrokerage, _: SimulatorControl, order: MakeOrder) -> Reply:
    brokerage.submit(order("b", qty="3"))
    return brokerage.submit(order("x", side="SELL", qty="4"))


def _sell_short(brokerage: AlpacaBrokerage, _: SimulatorControl, order: MakeOrder) -> Reply:
    return brokerage.submit(order("x", side="SELL"))


def _meet_oneself(brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder) -> Reply:
    control.hold("AAPL")
    brokerage.submit(order("b"))
    return brokerage.submit(order("x", side="SELL"))


def _ask_for_nothing(brokerage: AlpacaBrokerage, _: SimulatorControl, order: MakeOrder) -> Reply:
    return brokerage.submit(order("x", qty="0"))


def _split_a_penny(brokerage: AlpacaBrokerage, _: SimulatorControl, order: MakeOrder) -> Reply:
    return brokerage.submit(order("x", ord_type="LIMIT", limit_price="10.005"))


@dataclass(frozen=True)
class Refusal:
    """What leads to it, and how it reads."""

    act: Callable[..., Reply]
    status: int
    code: int
    message: str
    more: frozenset[str] = frozenset()


REFUSALS = [
    Refusal(_buy_everything, 403, 40310000, "insufficient buying power", frozenset({"buying_power", "cost_basis"})),
    Refusal(
        _sell_too_much,
        403,
        40310000,
        "insufficient qty available for order (requested: 4, available: 3)",
        frozenset({"symbol", "existing_qty", "held_for_orders", "available"}),
    ),
    Refusal(_sell_short, 403, 40310000, "account is not allowed to short"),
    Refusal(
        _meet_oneself,
        403,
        40310000,
        "potential wash trade detected. use complex orders",
        frozenset({"reject_reason", "existing_order_id"}),
    ),
    Refusal(_ask_for_nothing, 422, 40010001, "qty must be > 0"),
    Refusal(
        _split_a_penny,
        422,
        42210000,
        "invalid limit_price 10.005. sub-penny increment does not fulfill minimum pricing criteria",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[row.act.__name__.strip("_") for row in REFUSALS])
def test_a_refusal_comes_back_word_for_word(
    brokerage: AlpacaBrokerage,
    control: SimulatorControl,
    order: MakeOrder,
    refusal: Refusal,
) -> None:
    body: Mapping[str, object] = said(refusal.act(brokerage, control, order), refusal.status)

    assert (body["code"], body["message"]) == (refusal.code, refusal.message)
    assert set(body) == {"code", "message"} | refusal.more


def test_wrong_keys_are_unauthorized(connect: Callable[..., AlpacaBrokerage]) -> None:
    stranger = connect(key_id="AKREALKEY", secret_key="real-secret")

    assert said(stranger.account(), 401) == {"message": "unauthorized."}
    assert said(stranger.quotes(["AAPL"]), 401) == {"message": "unauthorized."}


def test_orders_are_listed_by_status_oldest_first(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    said(brokerage.submit(order("filled")))
    control.hold("AAPL", Hold.ALL)
    second = said(brokerage.submit(order("open")))
    third = said(brokerage.submit(order("open too")))

    def ids(reply: Reply) -> list[str]:
        return [row["client_order_id"] for row in said(reply)]

    assert ids(brokerage.orders("open", None)) == ["open", "open too"]
    assert ids(brokerage.orders("closed", None)) == ["filled"]
    assert ids(brokerage.orders("all", None)) == ["filled", "open", "open too"]
    assert ids(brokerage.orders("all", datetime.fromisoformat(second["submitted_at"]))) == ["open too"]
    assert ids(brokerage.orders("all", datetime.fromisoformat(third["submitted_at"]))) == []


def test_every_page_of_a_listing_is_read(
    brokerage: AlpacaBrokerage, order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.alpaca.brokerage.ORDERS_PAGE", 5)
    monkeypatch.setattr("infra.alpaca.brokerage.ACTIVITIES_PAGE", 5)
    names = [f"order-{n}" for n in range(15)]
    for name in names:
        said(brokerage.submit(order(name)))

    orders = said(brokerage.orders("all", None))
    fills = said(brokerage.fill_activities(None))
    everything = said(brokerage.activities(None))

    assert [row["client_order_id"] for row in orders] == names
    assert [row["order_id"] for row in fills] == [row["id"] for row in orders]
    assert [row["activity_type"] for row in everything] == ["CSD"] + ["FILL"] * 15
    assert said(brokerage.transfers(None)) == everything[:1]


@pytest.mark.parametrize("trouble", ["http_500", "http_504", "half_body", "broken_json", "reset_before"])
def test_a_page_that_can_be_read_at_the_last_try_is_read(
    brokerage: AlpacaBrokerage, control: SimulatorControl, trouble: str
) -> None:
    control.add_fault(trouble, "GET /v2/account/activities", times=PAGE_TRIES - 1)

    assert [row["activity_type"] for row in said(brokerage.activities(None))] == ["CSD"]


def test_a_page_that_fails_every_time_fails_the_listing(brokerage: AlpacaBrokerage, control: SimulatorControl) -> None:
    control.add_fault("http_500", "GET /v2/account/activities", times=PAGE_TRIES)

    assert said(brokerage.activities(None), 500)["message"] == "internal server error occurred"


def test_activities_are_those_strictly_after_a_time(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    said(brokerage.submit(order("a", qty="2")))
    control.move_cash("DIV", Decimal("1.02"), symbol="AAPL", qty=2)
    fill = said(brokerage.fill_activities(None))[0]
    filled_at = datetime.fromisoformat(fill["transaction_time"])

    assert (fill["qty"], fill["cum_qty"], fill["leaves_qty"], fill["price"]) == ("2", "2", "0", "101")
    assert said(brokerage.fill_activities(filled_at)) == []
    assert said(brokerage.fill_activities(filled_at - timedelta(microseconds=1))) == [fill]
    assert [(row["activity_type"], row["net_amount"]) for row in said(brokerage.activities(filled_at))] == [
        ("DIV", "1.02")
    ]


def test_a_time_without_a_zone_is_a_mistake_of_ours(brokerage: AlpacaBrokerage) -> None:
    with pytest.raises(ValueError, match="aware"):
        brokerage.orders("all", datetime(2026, 1, 2))  # noqa: DTZ001


def test_an_order_filled_in_chunks_has_an_activity_for_each(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.reset(partial_rate=1)
    control.set_quote("AAPL", "100", "101")

    said(brokerage.submit(order("a", qty="10")))

    fills = said(brokerage.fill_activities(None))
    assert len(fills) > 1
    assert sum(Decimal(fill["qty"]) for fill in fills) == 10
    assert [fill["type"] for fill in fills] == ["partial_fill"] * (len(fills) - 1) + ["fill"]
    assert [Decimal(fill["cum_qty"]) + Decimal(fill["leaves_qty"]) for fill in fills] == [10] * len(fills)


def test_a_day_order_expires_at_an_early_close(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    day_before_christmas = datetime(2025, 12, 24, 15, 0, tzinfo=UTC)
    control.reset(now=day_before_christmas)
    said(brokerage.submit(order("a", symbol="MSFT")))

    control.set_clock(day_before_christmas.replace(hour=17, minute=59))
    assert said(brokerage.order_by_client_id("a"))["status"] == "new"
    control.set_clock(day_before_christmas.replace(hour=18))

    assert said(brokerage.order_by_client_id("a"))["status"] == "expired"


def test_an_order_placed_by_hand_is_read_by_the_brokers_id(
    brokerage: AlpacaBrokerage, control: SimulatorControl
) -> None:
    control.place_order("buy", "AAPL", "3")
    (fill,) = said(brokerage.fill_activities(None))

    found = said(brokerage.order_by_broker_id(fill["order_id"]))
    assert (found["id"], found["filled_qty"], bool(found["client_order_id"])) == (fill["order_id"], "3", True)
    assert (fill["symbol"], fill["side"], fill["qty"], fill["price"]) == ("AAPL", "buy", "3", "101")


@pytest.mark.parametrize("order_id", ["5680c4bc-9ac1-4a12-a44c-df427ba53032", "../account"])
def test_an_order_the_broker_does_not_know_is_not_found(brokerage: AlpacaBrokerage, order_id: str) -> None:
    assert said(brokerage.order_by_broker_id(order_id), 404)["code"] == 40410000


def test_an_asset_says_whether_it_can_be_traded(brokerage: AlpacaBrokerage, control: SimulatorControl) -> None:
    asset = said(brokerage.asset("BRK.B"))
    assert (asset["symbol"], asset["status"], asset["tradable"]) == ("BRK.B", "active", True)
    assert said(brokerage.asset(asset["id"]), 404)["code"] == 40410000

    control.list_asset("BRK.B", "inactive", tradable=False, fractionable=False)
    asset = said(brokerage.asset("BRK.B"))
    assert (asset["status"], asset["tradable"], asset["fractionable"]) == ("inactive", False, False)
    assert said(brokerage.asset(asset["id"])) == asset
    control.list_asset("BRK.B", None)
    assert said(brokerage.asset("BRK.B"), 404) == {"code": 40410000, "message": "asset not found for BRK.B"}


@pytest.mark.parametrize("symbol", ["no such", "../account", "BTC/USD?x"])
def test_what_is_no_symbol_is_no_asset(brokerage: AlpacaBrokerage, symbol: str) -> None:
    assert said(brokerage.asset(symbol), 404)["code"] == 40410000


def test_the_account_says_what_is_bound_and_what_can_be_spent(
    brokerage: AlpacaBrokerage, control: SimulatorControl, order: MakeOrder
) -> None:
    control.reset(partial_rate=0, multiplier=2)
    control.set_quote("AAPL", "100", "100")
    said(brokerage.submit(order("a", qty="100")))

    account = said(brokerage.account())
    assert (account["initial_margin"], account["maintenance_margin"], account["buying_power"]) == (
        "5000",
        "3000",
        "190000",
    )
