"""Reading answers: exact, and the rows of a listing in the words in which they were received."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.broker.ports import Reply
from agents.broker.raw import members_of, rows_of
from agents.broker.reading import (
    account_of,
    fields_of,
    instant,
    number,
    positions_of,
    quotes_of,
    text,
    untradable,
)
from tests.agents.broker.fake import SILENT, refusal, reply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@for_all(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4), st.sampled_from([None, 1]))
def test_rows_keep_their_text(rows: list[dict[str, Any]], indent: int | None) -> None:
    body = json.dumps(rows, indent=indent)
    found = rows_of(body)

    assert [json.loads(row.text) for row in found] == rows
    assert all(row.text in body for row in found)


@pytest.mark.parametrize("body", ["", "{}", "[", "[{}", "[{},", "[{} {}]", "[1]", "[{]", "null", "[" * 5000])
def test_what_is_no_array_of_objects_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rows_of(body)


@settings(max_examples=30, deadline=None)
@for_all(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from([None, 1]))
def test_members_keep_their_text(fields: dict[str, Any], indent: int | None) -> None:
    body = json.dumps(fields, indent=indent)
    found = members_of(body)

    assert {name: json.loads(text) for name, text in found.items()} == fields
    assert all(text in body for text in found.values())


@pytest.mark.parametrize("body", ["", "[]", "{", '{"a"', '{"a" 1}', '{"a":1', '{"a":1 "b":2}', "{1:2}", "null"])
def test_what_is_no_object_has_no_members(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        members_of(body)


def test_fields_of_anything_but_an_object_are_none() -> None:
    assert [fields_of(body) for body in ("[]", "", "<html>", "[" * 100_000)] == [{}] * 4


@pytest.mark.parametrize(("value", "found"), [("1.50", "1.50"), (3, "3"), (True, None), ("NaN", None), ("x", None)])
def test_a_number_is_exact_or_none(value: Any, found: str | None) -> None:
    assert number({"qty": value}, "qty") == (None if found is None else Decimal(found))


def test_half_a_character_is_no_text() -> None:
    assert text(fields_of('{"id": "\\ud800"}'), "id") == ""


def test_a_time_has_microseconds_and_a_date_is_its_midnight() -> None:
    fields = {"t": "2012-06-01T11:56:00.123456789-04:00", "date": "2012-06-01", "naive": "2012-06-01T11:56:00"}
    assert instant(fields, "missing", "naive", "t") == datetime(2012, 6, 1, 15, 56, 0, 123456, UTC)
    assert instant(fields, "date") == datetime(2012, 6, 1, tzinfo=UTC)
    assert instant(fields, "naive") is None


def test_cash_is_exact_and_what_is_valued_is_rounded_to_the_schema() -> None:
    margins = '"buying_power": "2", "initial_margin": "0.5", "maintenance_margin": 0.3'
    found = account_of(f'{{"cash": "0.123456789012345", "equity": 1.00000000000000051, {margins}}}')
    assert (found.cash, found.equity) == (Decimal("0.123456789012345"), Decimal("1.000000000000001"))
    assert (found.buying_power, found.initial_margin, found.maintenance_margin) == (2, Decimal("0.5"), Decimal("0.3"))
    with pytest.raises(ValueError, match="expected a number in cash"):
        account_of("{}")
    with pytest.raises(ValueError, match="expected a number in buying_power"):
        account_of('{"cash": "1", "equity": "1"}')


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (reply({"status": "active", "tradable": True}), ""),
        (reply({"status": "active"}), ""),
        (reply({"status": "active", "tradable": False}), "asset status active, tradable no"),
        (reply({"status": "inactive", "tradable": True}), "asset status inactive, tradable yes"),
        (refusal(404, 40410000, "asset not found"), "the broker knows no such asset"),
        (refusal(500, 50010000, "no"), ""),
        (SILENT, ""),
        (Reply(200, "[", None), ""),
    ],
)
def test_a_symbol_cannot_be_traded_only_when_its_asset_says_so(said: Reply, why: str) -> None:
    assert untradable(said) == why


def test_shorts_are_negative_and_empty_positions_are_left_out() -> None:
    rows = [
        {"symbol": "IBM", "qty": "2", "side": "short"},
        {"symbol": "FB", "qty": "-2", "side": "short"},
        {"symbol": "AAPL", "qty": "1.5", "side": "long"},
        {"symbol": "OLD", "qty": "0"},
    ]
    found = [(each.symbol, str(each.quantity.normalize())) for each in positions_of(json.dumps(rows))]
    assert found == [("AAPL", "1.5"), ("FB", "-2"), ("IBM", "-2")]


def test_a_quote_that_cannot_be_read_is_left_out() -> None:
    good = {"bp": 1.1, "ap": 1.2, "t": "2012-06-01T15:55:00Z"}
    bad = [{}, {**good, "bp": None}, {**good, "ap": -1}, {**good, "t": "now"}, {**good, "bp": "1.1234567"}]
    quotes = {"AAPL": good} | {f"BAD{index}": quote for index, quote in enumerate(bad)}

    (found,) = quotes_of(json.dumps({"quotes": quotes}), "iex")
    assert (found.symbol, found.bid, found.ask, found.source) == ("AAPL", Decimal("1.1"), Decimal("1.2"), "iex")
    with pytest.raises(ValueError, match="expected an object with quotes"):
        quotes_of("{}", "iex")
