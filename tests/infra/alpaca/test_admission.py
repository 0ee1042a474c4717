"""A request that would come too soon: kept back, or waited for; an order is sent once or not at all."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from agents.broker.ports import NewOrder
from infra.alpaca import AlpacaBrokerage, AlpacaSettings
from infra.alpaca.budget import RequestBudget
from tests.infra.alpaca.script import Scripted, ScriptedBroker, scripted_broker
from tests.infra.alpaca.test_budget import Time, said

ORDER = NewOrder("a", "AAPL", "BUY", Decimal("1.500000000"), "LIMIT", Decimal("101.250000"), "DAY", extended_hours=True)
TOO_MANY = '{"code":42910000,"message":"rate limit exceeded"}'


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with scripted_broker() as broker:
        yield broker


@pytest.fixture
def time() -> Time:
    return Time()


Connect = Callable[..., AlpacaBrokerage]


@pytest.fixture
def connect(broker: ScriptedBroker, time: Time) -> Iterator[Connect]:
    """Return a function that makes a brokerage whose waiting takes no time."""
    made: list[AlpacaBrokerage] = []

    def connected(per_minute: int = 100) -> AlpacaBrokerage:
        settings = AlpacaSettings.model_validate(
            {"key_id": "AK1", "secret_key": "s", "trading_url": broker.url, "total_timeout": 10}
        )
        made.append(AlpacaBrokerage(settings, RequestBudget(per_minute, 1, time, time.pause)))
        return made[-1]

    yield connected
    for each in made:
        each.close()


def test_a_limit_order_says_everything_as_text(broker: ScriptedBroker, connect: Connect) -> None:
    broker.answer("POST /v2/orders", Scripted(200))

    connect().submit(ORDER)

    assert broker.asked[0].said == {
        "symbol": "AAPL",
        "qty": "1.5",
        "side": "buy",
        "type": "limit",
        "limit_price": "101.25",
        "time_in_force": "day",
        "client_order_id": "a",
        "extended_hours": True,
    }


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("act", ["submit", "cancel", "cancel_all", "suspend_trade"])
def test_what_has_an_effect_is_sent_once_whatever_the_answer(
    broker: ScriptedBroker, connect: Connect, status: int, act: str
) -> None:
    html = "<html><h1>Bad Gateway</h1></html>"
    requests = {
        "submit": ("POST /v2/orders", ORDER),
        "cancel": ("DELETE /v2/orders/1", "1"),
        "cancel_all": ("DELETE /v2/orders",),
        "suspend_trade": ("PATCH /v2/account/configurations", True),
    }
    request, *arguments = requests[act]
    broker.answer(str(request), Scripted(status, html))

    reply = getattr(connect(), act)(*arguments)

    assert (reply.http_status, reply.body, reply.error) == (status, html, None)
    assert broker.requests() == [request]


def test_an_order_whose_connection_is_hung_up_on_is_sent_once(broker: ScriptedBroker, connect: Connect) -> None:
    broker.answer("POST /v2/orders", Scripted(None))

    reply = connect().submit(ORDER)

    assert (reply.http_status, reply.body) == (None, "")
    assert broker.requests() == ["POST /v2/orders"]


def test_after_a_refusal_the_next_cancel_waits_for_the_reset(
    broker: ScriptedBroker, connect: Connect, time: Time
) -> None:
    broker.answer("POST /v2/orders", Scripted(429, TOO_MANY, said(0, reset_in_s=7)))
    broker.answer("DELETE /v2/orders/1", Scripted(204))
    brokerage = connect()

    refused, taken = brokerage.submit(ORDER), brokerage.cancel("1")

    assert (refused.http_status, taken.http_status) == (429, 204)
    assert time.pauses == [7]


def test_an_order_is_sent_now_or_not_at_all_and_says_so(broker: ScriptedBroker, connect: Connect, time: Time) -> None:
    broker.answer("POST /v2/orders", Scripted(429, TOO_MANY, said(0, reset_in_s=11)), Scripted(200))
    brokerage = connect()

    refused, kept_back = brokerage.submit(ORDER), brokerage.submit(ORDER)

    assert (refused.http_status, refused.body, refused.error) == (429, TOO_MANY, None)
    assert (kept_back.http_status, kept_back.body) == (429, TOO_MANY)
    assert kept_back.error == "not sent: no request is free for another 11.0 s"
    assert broker.requests() == ["POST /v2/orders"]
    assert time.pauses == []


def test_reads_leave_room_for_an_order(broker: ScriptedBroker, connect: Connect) -> None:
    broker.answer("GET /v2/positions", Scripted(200, "[]"))
    broker.answer("POST /v2/orders", Scripted(200))
    brokerage = connect(per_minute=3)

    reads = [brokerage.positions() for _ in range(3)]
    taken = brokerage.submit(ORDER)

    assert [each.http_status for each in reads] == [200, 200, 429]
    assert reads[2].error == "not sent: no request is free for another 60.0 s"
    assert taken.http_status == 200


@pytest.mark.parametrize("read", ["account", "clock"])
def test_a_read_that_was_refused_is_asked_once_more_after_the_reset(
    broker: ScriptedBroker, connect: Connect, time: Time, read: str
) -> None:
    broker.answer(f"GET /v2/{read}", Scripted(429, TOO_MANY, said(0, reset_in_s=3)), Scripted(200, '{"a":1}'))

    reply = getattr(connect(), read)()

    assert (reply.http_status, reply.body) == (200, '{"a":1}')
    assert time.pauses == [3]


def test_a_read_that_is_refused_again_is_not_asked_a_third_time(broker: ScriptedBroker, connect: Connect) -> None:
    broker.answer("GET /v2/account", Scripted(429, TOO_MANY))

    reply = connect().account()

    assert (reply.http_status, reply.body, reply.error) == (429, TOO_MANY, None)
    assert broker.requests() == ["GET /v2/account"] * 2


def test_a_read_that_cannot_be_repeated_in_time_is_the_refusal_as_received(
    broker: ScriptedBroker, connect: Connect, time: Time
) -> None:
    broker.answer("GET /v2/account", Scripted(429, TOO_MANY, said(0, reset_in_s=11)), Scripted(200))

    reply = connect().account()

    assert (reply.http_status, reply.body, reply.error) == (429, TOO_MANY, None)
    assert broker.requests() == ["GET /v2/account"]
    assert time.pauses == []


def test_a_page_that_was_refused_does_not_lose_the_listing(
    broker: ScriptedBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.alpaca.brokerage.ORDERS_PAGE", 1)
    broker.answer(
        "GET /v2/orders",
        Scripted(200, '[{"id":"1"}]'),
        Scripted(429, TOO_MANY, said(0, reset_in_s=3)),
        Scripted(200, '[{"id":"2"}]'),
        Scripted(200, "[]"),
    )

    reply = connect().orders("all", None)

    assert (reply.http_status, reply.body) == (200, '[{"id":"1"},{"id":"2"}]')


def test_wrong_keys_and_what_a_proxy_says_are_told_apart_by_their_status(
    broker: ScriptedBroker, connect: Connect
) -> None:
    broker.answer("GET /v2/account", Scripted(401, '{"message": "unauthorized."}'), Scripted(502, "<html>"))
    brokerage = connect()

    unauthorized, gateway = brokerage.account(), brokerage.account()

    assert (unauthorized.http_status, unauthorized.body) == (401, '{"message": "unauthorized."}')
    assert (gateway.http_status, gateway.body, gateway.error) == (502, "<html>", None)
