"""Every trading route's answer, over HTTP, against Alpaca's official OpenAPI file, where that is at hand."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.simulator.client import SimulatorControl
from infra.simulator.engine import Engine
from infra.simulator.events import Hold
from infra.simulator.journal import Journal
from infra.simulator.rest import AlpacaRest
from infra.simulator.sessions import session_of
from infra.simulator.settings import START_OF_TIME, SimulatorUrls, Terms
from tests.infra.simulator.http import ask, new_order
from tests.infra.simulator.openapi import Specification, specification

#: Answers that the official file says something about, by what they are of.
ASKED: list[tuple[str, str, str, int]] = [
    ("GET", "/v2/account", "", 200),
    ("GET", "/v2/account/configurations", "", 200),
    ("GET", "/v2/account/activities", "", 200),
    ("GET", "/v2/account/activities", "?category=non_trade_activity&direction=asc", 200),
    ("GET", "/v2/account/activities/{activity_type}", "/v2/account/activities/FILL", 200),
    ("GET", "/v2/account/activities/{activity_type}", "/v2/account/activities/DIV", 200),
    ("GET", "/v2/account/portfolio/history", "", 200),
    ("GET", "/v2/account/portfolio/history", "?period=1D&timeframe=15Min&cashflow_types=ALL", 200),
    ("GET", "/v2/orders", "?status=all&limit=500", 200),
    ("GET", "/v2/orders:by_client_order_id", "?client_order_id=limit", 200),
    ("GET", "/v2/positions", "", 200),
    ("GET", "/v2/positions/{symbol_or_asset_id}", "/v2/positions/AAPL", 200),
    ("GET", "/v2/assets", "", 200),
    ("GET", "/v2/assets/{symbol_or_asset_id}", "/v2/assets/AAPL", 200),
    ("GET", "/v2/clock", "", 200),
    ("GET", "/v2/calendar", "?start=2025-12-20&end=2026-01-10", 200),
    ("DELETE", "/v2/positions/{symbol_or_asset_id}", "/v2/positions/MSFT?percentage=50", 200),
    ("DELETE", "/v2/orders", "", 207),
    ("DELETE", "/v2/positions", "?cancel_orders=true", 207),
]
#: Routes whose answers need an order's id: asked for one by one below.
BY_ORDER_ID = {
    ("POST", "/v2/orders"),
    ("GET", "/v2/orders/{order_id}"),
    ("PATCH", "/v2/orders/{order_id}"),
    ("DELETE", "/v2/orders/{order_id}"),
    ("PATCH", "/v2/account/configurations"),
}
ORDERS: list[dict[str, Any]] = [
    {"client_order_id": "market", "qty": "10"},
    {"client_order_id": "limit", "qty": "1", "type": "limit", "limit_price": "90", "time_in_force": "gtc"},
    {"client_order_id": "stop", "qty": "1", "type": "stop", "stop_price": "110"},
    {"client_order_id": "both", "qty": "1", "type": "stop_limit", "stop_price": "110", "limit_price": "111"},
    {"client_order_id": "trail", "qty": "1", "type": "trailing_stop", "trail_percent": "5"},
    {"client_order_id": "ioc", "qty": "1", "time_in_force": "ioc", "type": "limit", "limit_price": "90"},
    {"client_order_id": "fok", "qty": "1", "time_in_force": "fok"},
    {"client_order_id": "cls", "qty": "1", "time_in_force": "cls"},
    {"client_order_id": "early", "qty": "1", "type": "limit", "limit_price": "90", "extended_hours": True},
    {"client_order_id": "other", "qty": "0.5", "symbol": "MSFT"},
]


@pytest.fixture(scope="module")
def trading() -> Specification:
    return specification("trading-api.json")


@pytest.fixture
def busy(urls: SimulatorUrls, trading: Specification) -> SimulatorControl:
    """An account with every kind of order, dollars among them, and activities of two days; each POST is checked."""
    control = SimulatorControl(urls.url)
    control.reset(partial_rate=1)
    control.set_quote("AAPL", "100", "101")
    control.set_quote("MSFT", "400", "401")
    for order in ORDERS:
        check(trading, urls, "POST", "/v2/orders", 200, body={**new_order("x"), **order})
    dollars = {key: value for key, value in new_order("dollars").items() if key != "qty"}
    check(trading, urls, "POST", "/v2/orders", 200, body={**dollars, "notional": "250"})
    control.move_cash("DIV", Decimal("1.02"), symbol="AAPL", qty="10", per_share_amount="0.102")
    control.set_clock(START_OF_TIME + timedelta(days=3))
    control.set_quote("AAPL", "110", "111")
    return control


def check(official: Specification, urls: SimulatorUrls, method: str, template: str, status: int, **how: Any) -> Any:
    """Ask, and hold the answer against the official file; return it."""
    path = how.pop("path", template)
    seen = ask(urls, method, path, **how)
    value = json.loads(seen.text, parse_float=Decimal) if seen.text else None
    assert (seen.outcome, seen.status) == ("answer", status), seen.text
    assert official.answer_problems(method, template, status, value) == []
    return value


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("method", "template", "asked", "status"), ASKED, ids=lambda each: str(each)[:50])
def test_an_answer_is_as_specified(
    urls: SimulatorUrls, trading: Specification, method: str, template: str, asked: str, status: int
) -> None:
    path = asked if asked.startswith("/") else template + asked
    assert check(trading, urls, method, template, status, path=path)


def test_an_order_is_as_specified_from_its_post_to_its_end(
    urls: SimulatorUrls, trading: Specification, busy: SimulatorControl
) -> None:
    busy.hold("AAPL", Hold.ALL)
    taken = check(trading, urls, "POST", "/v2/orders", 200, body=new_order("mine"))
    by_id, template = f"/v2/orders/{taken['id']}", "/v2/orders/{order_id}"
    new = check(trading, urls, "PATCH", template, 200, path=by_id, body={"qty": "2"})
    old = check(trading, urls, "GET", template, 200, path=by_id)
    check(trading, urls, "DELETE", template, 204, path=f"/v2/orders/{new['id']}")

    assert (old["replaced_by"], new["replaces"], new["qty"]) == (new["id"], taken["id"], "2")


@pytest.mark.usefixtures("busy")
def test_a_changed_configuration_is_as_specified(urls: SimulatorUrls, trading: Specification) -> None:
    path = "/v2/account/configurations"
    changed = check(trading, urls, "PATCH", path, 200, body={"suspend_trade": True})
    assert changed["suspend_trade"] is True
    assert check(trading, urls, "GET", path, 200) == changed


def test_every_route_is_among_those_asked(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    routes = AlpacaRest(Engine(journal, Terms(), lambda _: None, session_of)).routes()
    journal.close()

    asked = {(method, template) for method, template, *_ in ASKED}
    assert {(route.method, route.path) for route in routes} == asked | BY_ORDER_ID
