"""Answers of the simulator against Alpaca's official OpenAPI files, where those are at hand."""

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infra.simulator import render
from infra.simulator.engine import simulated_id

ACCOUNT = Any
CHECKOUT = Path(__file__).resolve().parents[3]


class Specification:
    """An OpenAPI 3.1 file; checks values against the keywords of JSON Schema that these files use."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())

    def schema(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._document["components"]["schemas"][name]
        return found

    def problems(self, value: object, name: str) -> list[str]:
        """Return what is wrong with a value that should be of the named schema."""
        return list(self._problems(value, self.schema(name), name))

    def _problems(self, value: object, schema: dict[str, Any], place: str) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._problems(value, self.schema(schema["$ref"].rpartition("/")[2]), place)
        expected = schema.get("type", [])
        expected = [expected] if isinstance(expected, str) else expected
        if expected and not any(_is(value, kind) for kind in expected):
            yield f"{place}: expected {expected}, was {value!r}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        if isinstance(value, str):
            yield from _text_problems(value, schema, place)
        if isinstance(value, dict):
            yield from (f"{place}.{name}: missing" for name in schema.get("required", []) if name not in value)
            properties = schema.get("properties", {})
            for name, part in value.items():
                inner = properties.get(name, schema.get("additionalProperties"))
                if isinstance(inner, dict):
                    yield from self._problems(part, inner, f"{place}.{name}")
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                yield from self._problems(item, schema["items"], f"{place}[{index}]")


KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _is(value: object, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _text_problems(value: str, schema: dict[str, Any], place: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{place}: length of {value!r}"
    read: dict[str, Callable[[str], object]] = {"uuid": UUID, "date-time": datetime.fromisoformat}
    try:
        read.get(schema.get("format", ""), str)(value)
    except ValueError:
        yield f"{place}: {value!r} is no {schema['format']}"


def specification(name: str) -> Specification:
    """Return an official file; skips the test where there is none."""
    given = os.environ.get("TAPE_SHARED_DATA")
    folder = Path(given) if given else CHECKOUT.parent / "shared" / "data"
    path = folder / "alpaca" / name
    if not path.is_file():
        pytest.skip(f"no {path}: set TAPE_SHARED_DATA to the folder that holds alpaca/{name}")
    return Specification(path)


@pytest.fixture(scope="module")
def trading() -> Specification:
    return specification("trading-api.json")


@pytest.fixture
def busy(open_account: Callable[..., ACCOUNT]) -> ACCOUNT:
    """An account with orders in every state, two positions and three kinds of activities."""
    account = open_account(partial_rate="1")
    account.quote("AAPL", "100.01", "100.05")
    account.quote("MSFT", "400", "400.5")
    account.post("bought", "buy", "10")
    account.post("fraction", "buy", "0.123456789", symbol="MSFT")
    account.post("waits", "sell", "3.5", limit_price="150")
    account.engine.cancel(account.post("canceled", "buy", "1", symbol="TSLA"))
    account.engine.move_cash("DIV", Decimal("1.02"), symbol="AAPL", qty=Decimal(10), per_share_amount=Decimal("0.102"))
    return account


def test_orders_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    orders = [render.order(order, simulated_id) for order in busy.engine.book.orders.values()]

    assert {order["status"] for order in orders} == {"filled", "new", "canceled"}
    for order in orders:
        assert trading.problems(order, "Order") == []
        assert set(order) <= set(trading.schema("Order")["properties"])


def test_orders_in_the_stream_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    updates = [json.loads(update)["data"] for update in busy.updates]

    assert {update["event"] for update in updates} == {"new", "partial_fill", "fill", "canceled"}
    for update in updates:
        assert trading.problems(update["order"], "Order") == []


def test_the_account_is_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    account = render.account(busy.engine.book, simulated_id)

    assert trading.problems(account, "Account") == []
    assert set(account) <= set(trading.schema("Account")["properties"])


def test_positions_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    book = busy.engine.book
    positions = [render.position(book, symbol, simulated_id) for symbol in book.positions]

    assert len(positions) == 2
    for position in positions:
        assert trading.problems(position, "Position") == []
    assert positions[0]["qty_available"] == "6.5"


def test_shorts_are_as_specified(open_account: Callable[..., ACCOUNT], trading: Specification) -> None:
    account = open_account(multiplier=2)
    account.quote("AAPL", "100", "101")
    account.post("short", "sell", "10")
    position = render.position(account.engine.book, "AAPL", simulated_id)

    assert trading.problems(position, "Position") == []
    assert trading.problems(render.account(account.engine.book, simulated_id), "Account") == []
    assert position["side"] == "short"


@pytest.mark.parametrize("listed", [None, ("active", True, True), ("inactive", False, False)])
def test_assets_are_as_specified(busy: ACCOUNT, trading: Specification, listed: tuple[Any, ...] | None) -> None:
    if listed is not None:
        busy.engine.list_asset("AAPL", *listed)
    asset = render.asset(busy.engine.book, "AAPL", simulated_id)

    assert asset is not None
    assert trading.problems(asset, "Assets") == []
    assert set(asset) - {"easy_to_borrow"} <= set(trading.schema("Assets")["properties"])


def test_activities_are_as_specified(busy: ACCOUNT, trading: Specification) -> None:
    rows = [render.activity(item, simulated_id) for item in busy.engine.book.activities]

    assert {row["activity_type"] for row in rows} == {"CSD", "FILL", "DIV"}
    for row in rows:
        is_fill = row["activity_type"] == "FILL"
        schema = "TradingActivities" if is_fill else "NonTradeActivities"
        known = set(trading.schema(schema)["properties"])
        assert trading.problems({**row, **({} if is_fill else {"date": row["created_at"]})}, schema) == []
        assert known - set(row) <= {"cusip", "group_id", "activity_sub_type", "symbol", "qty", "per_share_amount"}
        assert re.fullmatch(r"\d{17}::[0-9a-f-]{36}", str(row["id"]))
    assert len({row["id"] for row in rows}) == len(rows)


def test_quotes_are_as_specified(busy: ACCOUNT) -> None:
    data = specification("market-data-api.json")
    text = render.quotes(list(busy.engine.book.quotes.values()))

    answer = json.loads(text, parse_float=Decimal)

    assert data.problems(answer, "stock_latest_quotes_resp") == []
    assert answer["quotes"]["AAPL"]["ap"] == Decimal("100.05")


def test_a_deviation_would_be_noticed(busy: ACCOUNT, trading: Specification) -> None:
    position = render.position(busy.engine.book, "AAPL", simulated_id)

    assert trading.problems({**position, "qty": 10}, "Position") == ["Position.qty: expected ['string'], was 10"]
    assert trading.problems({**position, "asset_id": "AAPL"}, "Position") == ["Position.asset_id: 'AAPL' is no uuid"]
    assert trading.problems({**position, "exchange": "MOON"}, "Position")[0].startswith("Position.exchange: 'MOON'")
    del position["qty"]
    assert trading.problems(position, "Position") == ["Position.qty: missing"]
