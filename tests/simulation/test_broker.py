"""The brokerage in memory refuses what Alpaca refuses, and remembers that it was asked."""

from decimal import Decimal

import pytest

from agents.broker.ports import NewOrder, Side
from tests.simulation.broker import Clock, Exchange
from tests.simulation.chance import Chance
from tests.simulation.world import OPENING


def exchange(*, is_short: bool) -> Exchange:
    """Return a brokerage that is calm, with a symbol to trade."""
    seed = next(each for each in range(1000) if Chance(each).profile.is_short is is_short)
    made = Exchange(Chance(seed), Clock(OPENING), lambda: 0, cash=Decimal(1000))
    made.is_calm = True
    return made


def order(made: Exchange, name: str, side: Side, quantity: str) -> NewOrder:
    return NewOrder(name, made.chance.symbols[0], side, Decimal(quantity), "MARKET", None, "DAY")


def test_an_order_that_could_meet_an_open_opposite_one_is_refused() -> None:
    made = exchange(is_short=True)
    assert made.submit(order(made, "one", "BUY", "5")).http_status == 200

    assert made.submit(order(made, "other", "SELL", "1")).http_status == 403
    assert "wash trade" in made.refusals[0].why


def test_a_client_order_id_is_taken_once() -> None:
    made = exchange(is_short=True)
    made.submit(order(made, "one", "BUY", "5"))

    assert made.submit(order(made, "one", "BUY", "5")).http_status == 422
    assert len(made.orders_by_name) == 1


@pytest.mark.parametrize(("is_short", "quantity"), [(False, "1"), (True, "0.5")])
def test_shorts_are_refused_where_none_is_allowed_and_in_parts_of_a_share(is_short: bool, quantity: str) -> None:
    made = exchange(is_short=is_short)

    assert made.submit(order(made, "short", "SELL", quantity)).http_status == 403


def test_a_position_is_not_turned_over_in_one_order() -> None:
    made = exchange(is_short=True)
    made.held[made.chance.symbols[0]] = Decimal(3)

    assert made.submit(order(made, "turn", "SELL", "5")).http_status == 403
    assert made.submit(order(made, "exit", "SELL", "3")).http_status == 200


def test_an_execution_moves_shares_and_cash_by_the_same_amount() -> None:
    made = exchange(is_short=True)
    made.submit(order(made, "one", "BUY", "5"))
    made.execute(made.orders_by_name["one"], Decimal(2))

    price = Decimal(made.activity[-1]["price"])
    assert made.held[made.chance.symbols[0]] == 2
    assert abs(made.cash - (1000 - 2 * price)) <= Decimal("0.005")
    assert made.orders_by_name["one"].status == "partially_filled"
