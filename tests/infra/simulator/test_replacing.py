"""An order in the place of an open one."""

import json
from typing import Any

import pytest

from infra.simulator import margin, render
from infra.simulator.events import Hold
from infra.simulator.recorder import simulated_id
from tests.infra.simulator.refusals import refused

ACCOUNT = Any


@pytest.fixture
def resting(account: ACCOUNT) -> str:
    """The id of a limit order for 10 shares at 90 dollars."""
    return str(account.post("first", "buy", "10", limit_price="90", time_in_force="gtc"))


def test_a_replacement_is_a_new_order_and_the_old_one_points_to_it(account: ACCOUNT, resting: str) -> None:
    new = account.engine.replace(resting, {"limit_price": "95", "client_order_id": "second"})

    old = render.order(account.engine.order(resting), simulated_id)
    assert (new.terms.client_order_id, new.terms.replaces, new.terms.limit_price) == ("second", resting, 95)
    assert (new.terms.qty, new.terms.time_in_force, new.status) == (10, "gtc", "new")
    assert (old["status"], old["replaced_by"], old["replaced_at"]) == (
        "replaced",
        new.terms.order_id,
        old["updated_at"],
    )
    assert [json.loads(update)["data"]["event"] for update in account.updates] == ["new", "replaced", "new"]
    assert refused(lambda: account.engine.cancel(resting)) == (422, "order is not cancelable")


def test_a_replacement_that_is_marketable_is_executed(account: ACCOUNT, resting: str) -> None:
    new = account.engine.replace(resting, {"limit_price": "101"})
    assert account.engine.order(new.terms.order_id).filled_value == 1010


def test_what_is_not_named_is_what_the_old_order_leaves(account: ACCOUNT, resting: str) -> None:
    account.quote("AAPL", "89", "90", sizes=("4", "4"))
    assert account.engine.replace(resting, {"limit_price": "95"}).terms.qty == 6


def test_a_replacement_claims_what_the_old_order_no_longer_does(account: ACCOUNT) -> None:
    old = account.post("all", "buy", "1000", limit_price="99")
    assert refused(lambda: account.engine.replace(old, {"limit_price": "100.01"}))[1] == "insufficient buying power"
    assert account.engine.order(old).status == "new"

    account.engine.replace(old, {"limit_price": "100"})

    assert margin.buying_power(account.engine.book) == 0


def test_a_replacement_may_sell_what_the_old_order_held(account: ACCOUNT) -> None:
    account.post("b", "buy", "10")
    old = account.post("s", "sell", "10", limit_price="150")
    account.engine.replace(old, {"limit_price": "149"})
    assert account.engine.book.reserved_qty("AAPL") == 10
    (new,) = account.engine.book.open_ids
    status, message = refused(lambda: account.engine.replace(new, {"qty": "11"}))
    assert (status, message) == (403, "insufficient qty available for order (requested: 11, available: 10)")


def test_a_replacement_may_not_meet_an_opposite_order(account: ACCOUNT, resting: str) -> None:
    account.post("b", "buy", "1")
    account.post("s", "sell", "1", limit_price="150")
    assert refused(lambda: account.engine.replace(resting, {"limit_price": "150"}))[0] == 403


REFUSED = [
    ({}, 422, "order parameters are not changed"),
    ({"limit_price": "90"}, 422, "order parameters are not changed"),
    ({"qty": "0"}, 422, "qty must be > 0"),
    ({"qty": "1.5"}, 422, "qty of a replacement must be of whole shares"),
    ({"stop_price": "80"}, 422, "limit orders take no stop_price"),
    ({"trail": "1"}, 422, "limit orders take no trail"),
    ({"notional": "100"}, 422, "notional orders cannot be replaced"),
    ({"time_in_force": "gtd"}, 422, "invalid time_in_force: gtd"),
    ({"limit_price": "95", "client_order_id": "first"}, 422, "client_order_id must be unique"),
    (
        {"limit_price": "95.001"},
        422,
        "invalid limit_price 95.001. sub-penny increment does not fulfill minimum pricing criteria",
    ),
]


@pytest.mark.parametrize(("request_", "status", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_a_bad_replacement_leaves_the_old_order_alone(
    account: ACCOUNT, resting: str, request_: dict[str, object], status: int, message: str
) -> None:
    assert refused(lambda: account.engine.replace(resting, request_)) == (status, message)
    assert account.engine.order(resting).status == "new"
    assert len(account.engine.book.orders) == 1


def test_what_has_ended_is_in_dollars_or_unknown_cannot_be_replaced(account: ACCOUNT) -> None:
    done = account.post("done", "buy", "1")
    assert refused(lambda: account.engine.replace(done, {"qty": "2"})) == (422, "order is not open")
    account.engine.hold("AAPL", Hold.ALL)
    dollars = account.post("dollars", "buy", None, notional="50")
    assert refused(lambda: account.engine.replace(dollars, {"qty": "2"})) == (422, "notional orders cannot be replaced")
    fraction = account.post("fraction", "buy", "1.5")
    assert refused(lambda: account.engine.replace(fraction, {"qty": "2"}))[1] == (
        "qty of fractional orders cannot be changed"
    )
    assert refused(lambda: account.engine.replace("ghost", {"qty": "2"}))[0] == 404


def test_a_trail_and_a_stop_price_can_be_replaced(account: ACCOUNT) -> None:
    trailing = account.post("t", "buy", "1", type="trailing_stop", trail_percent="5")
    stop = account.post("s", "buy", "1", type="stop", stop_price="110")

    new_trail = account.engine.replace(trailing, {"trail": "2"})
    new_stop = account.engine.replace(stop, {"stop_price": "111"})

    assert (new_trail.terms.trail_percent, new_trail.terms.trail_price) == (2, None)
    assert new_stop.terms.stop_price == 111


def test_a_replacement_survives_a_restart(account: ACCOUNT, resting: str) -> None:
    account.engine.replace(resting, {"limit_price": "95"})
    before = account.engine.book
    account.restart()
    assert account.engine.book == before
