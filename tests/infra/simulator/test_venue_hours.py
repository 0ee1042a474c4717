"""An account whose terms ask for venue hours: what waits for which session."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from infra.simulator.rules import RefusalError

ACCOUNT = Any


def at(clock: str) -> datetime:
    """Return a time of the first Monday of 2026, UTC; sessions are from 14:30 to 21:00, late hours end at 1:00."""
    return datetime.fromisoformat(f"2026-01-05T{clock}+00:00")


@pytest.fixture
def venue(open_account: Callable[..., ACCOUNT]) -> ACCOUNT:
    """An account at eight in the morning in New York, an hour and a half before the open, with a quote for AAPL."""
    account = open_account(venue_hours=True, now=at("13:00"))
    account.quote("AAPL", "100", "101")
    return account


def status(account: ACCOUNT, order_id: str) -> str:
    return str(account.engine.order(order_id).status)


def test_an_order_waits_for_the_open(venue: ACCOUNT) -> None:
    order_id = venue.post("b", "buy", "1")
    venue.quote("AAPL", "99", "100")
    assert status(venue, order_id) == "accepted"
    with pytest.raises(RefusalError, match="isn't sent to exchange yet"):
        venue.engine.replace(order_id, {"qty": "2"})

    venue.engine.set_clock(at("14:29:59"))
    assert status(venue, order_id) == "accepted"
    venue.engine.set_clock(at("14:31"))

    order = venue.engine.order(order_id)
    assert (order.status, order.filled_value) == ("filled", 100)
    assert at("14:30") < order.updated_at < at("14:30:01")
    assert [json.loads(update)["data"]["event"] for update in venue.updates] == ["accepted", "new", "fill"]


def test_only_limit_orders_that_ask_for_it_trade_in_extended_hours(venue: ACCOUNT) -> None:
    early = venue.post("e", "buy", "1", limit_price="101", extended_hours=True)
    plain = venue.post("p", "buy", "1", limit_price="101")

    assert (status(venue, early), status(venue, plain)) == ("filled", "accepted")


def test_extended_day_orders_last_until_late_and_others_until_the_close(venue: ACCOUNT) -> None:
    late = venue.post("l", "buy", "1", limit_price="90", extended_hours=True)
    day = venue.post("d", "buy", "1", limit_price="90")
    gtc = venue.post("g", "buy", "1", limit_price="90", time_in_force="gtc")

    venue.engine.set_clock(at("21:00"))
    assert [status(venue, each) for each in (late, day, gtc)] == ["new", "expired", "new"]
    venue.quote("AAPL", "88", "89")
    assert [status(venue, each) for each in (late, gtc)] == ["filled", "new"]
    venue.engine.set_clock(at("14:30").replace(day=6))

    assert status(venue, gtc) == "filled"


def test_a_day_order_after_the_close_is_for_the_next_session(venue: ACCOUNT) -> None:
    venue.engine.set_clock(at("22:00"))
    order_id = venue.post("b", "buy", "1")
    venue.engine.set_clock(at("14:29").replace(day=6))
    assert status(venue, order_id) == "accepted"
    venue.engine.set_clock(at("23:00").replace(day=6))
    assert status(venue, order_id) == "filled"


def test_auction_orders_take_the_quote_that_stands_at_the_bell(venue: ACCOUNT) -> None:
    on_open = venue.post("o", "buy", "1", time_in_force="opg")
    low = venue.post("low", "buy", "1", limit_price="50", time_in_force="opg")
    on_close = venue.post("c", "buy", "1", time_in_force="cls")
    venue.quote("AAPL", "104", "105")
    venue.engine.set_clock(at("15:00"))
    assert [status(venue, each) for each in (on_open, low, on_close)] == ["filled", "canceled", "accepted"]
    assert venue.engine.order(on_open).filled_value == 105

    venue.quote("AAPL", "109", "110")
    assert status(venue, on_close) == "accepted"
    venue.engine.set_clock(at("21:00"))

    assert venue.engine.order(on_close).filled_value == 110


def test_a_halt_lasts_over_the_bell(venue: ACCOUNT) -> None:
    on_open, plain = venue.post("o", "buy", "1", time_in_force="opg"), venue.post("p", "buy", "1")
    venue.engine.halt("AAPL")
    venue.engine.set_clock(at("15:00"))
    assert (status(venue, on_open), status(venue, plain)) == ("canceled", "new")
    venue.engine.resume("AAPL")
    assert status(venue, plain) == "filled"


def test_a_jump_over_days_does_every_session_in_turn(venue: ACCOUNT) -> None:
    day = venue.post("d", "buy", "1", limit_price="90")
    gtc = venue.post("g", "buy", "1", limit_price="90", time_in_force="gtc")
    venue.engine.set_clock(at("13:00").replace(day=9))

    assert (status(venue, day), status(venue, gtc)) == ("expired", "new")
    assert at("21:00") < venue.engine.order(day).updated_at < at("21:01")
    before = venue.engine.book
    venue.restart()
    assert venue.engine.book == before


def test_immediate_orders_outside_their_session_are_canceled(venue: ACCOUNT) -> None:
    assert status(venue, venue.post("i", "buy", "1", time_in_force="ioc")) == "canceled"
