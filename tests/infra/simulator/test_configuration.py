"""What the account's owner may choose, and what follows from it."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.simulator import margin, render
from infra.simulator.recorder import simulated_id
from tests.infra.simulator.refusals import refused

ACCOUNT = Any


def test_a_suspended_account_takes_no_new_order_and_cancels_old_ones(account: ACCOUNT) -> None:
    resting = account.post("r", "buy", "1", limit_price="90")
    account.engine.configure({"suspend_trade": True})
    account.restart()

    refusal = (403, "new orders are rejected by user request")
    assert refused(lambda: account.post("x", "buy", "1")) == refusal
    assert refused(lambda: account.engine.replace(resting, {"qty": "2"})) == refusal
    assert render.account(account.engine.book, simulated_id)["trade_suspended_by_user"] is True
    account.engine.cancel(resting)
    account.engine.configure({"suspend_trade": False})
    account.post("x", "buy", "1")


def test_an_order_that_rests_is_executed_in_a_suspended_account(account: ACCOUNT) -> None:
    resting = account.post("r", "buy", "1", limit_price="90")
    account.engine.configure({"suspend_trade": True})
    account.quote("AAPL", "89", "90")
    assert account.engine.order(resting).status == "filled"


def test_an_account_may_give_up_shorts_fractions_and_loans(open_account: Callable[..., ACCOUNT]) -> None:
    account = open_account(multiplier=2)
    account.quote("AAPL", "100", "100")
    assert margin.buying_power(account.engine.book) == 200_000

    account.engine.configure({"no_shorting": True, "fractional_trading": False, "max_margin_multiplier": "1"})

    assert refused(lambda: account.post("s", "sell", "1")) == (403, "account is not allowed to short")
    assert refused(lambda: account.post("f", "buy", "0.5"))[1] == "account is not allowed to trade fractional shares"
    assert margin.buying_power(account.engine.book) == 100_000
    shown = render.account(account.engine.book, simulated_id)
    assert (shown["multiplier"], shown["shorting_enabled"]) == ("1", False)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"suspend_trade": "perhaps"}, "suspend_trade"),
        ({"max_margin_multiplier": "3"}, "max_margin_multiplier"),
        ({"leverage": 2}, "leverage"),
    ],
)
def test_a_bad_choice_changes_nothing(account: ACCOUNT, changes: dict[str, object], name: str) -> None:
    before = account.engine.book.configuration
    assert refused(lambda: account.engine.configure(changes)) == (422, f"invalid configuration: {name}")
    assert account.engine.book.configuration == before


def test_what_is_none_stays_as_it_is_and_dropped_fields_are_passed_over(account: ACCOUNT) -> None:
    account.engine.configure({"no_shorting": True})
    account.engine.configure({"no_shorting": None, "trade_confirm_email": "none", "pdt_check": "entry"})
    found = account.engine.book.configuration
    assert (found.no_shorting, found.trade_confirm_email) == (True, "none")
