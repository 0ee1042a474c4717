"""How the account's equity is remembered and shown."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator.portfolio_history import answer, question_of
from infra.simulator.rules import RefusalError
from infra.simulator.settings import START_OF_TIME

ACCOUNT = Any


def history(account: ACCOUNT, **query: str) -> dict[str, Any]:
    book = account.engine.book
    found: dict[str, Any] = json.loads(answer(book, question_of(query, book.now)), parse_float=Decimal)
    return found


@pytest.fixture
def invested(account: ACCOUNT) -> ACCOUNT:
    """An account that holds 100 shares bought for 10,100 dollars, whose quote rises by a dollar every minute."""
    account.post("b", "buy", "100")
    for minute in range(1, 31):
        account.engine.set_clock(START_OF_TIME + timedelta(minutes=minute))
        account.quote("AAPL", str(100 + minute), str(101 + minute))
    return account


def test_a_window_says_what_the_account_was_worth_at_its_end(invested: ACCOUNT) -> None:
    found = history(invested, period="1D", timeframe="15Min")

    starts = [datetime.fromtimestamp(each, START_OF_TIME.tzinfo) for each in found["timestamp"]]
    assert starts == [START_OF_TIME + timedelta(minutes=15 * n) for n in range(3)]
    assert found["equity"] == [99_950 + 100 * minute for minute in (14, 29, 30)]
    assert found["profit_loss"] == [-50 + 100 * minute for minute in (14, 29, 30)]
    assert found["profit_loss_pct"][0] == Decimal("0.0135")
    assert found["base_value"] == 100_000


def test_it_is_the_same_after_a_restart(invested: ACCOUNT) -> None:
    before = history(invested)
    invested.restart()
    assert history(invested) == before


def test_money_paid_in_is_no_profit(account: ACCOUNT) -> None:
    account.engine.set_clock(START_OF_TIME + timedelta(minutes=5))
    account.engine.move_cash("CSD", Decimal(5_000))
    account.engine.move_cash("FEE", Decimal(-3))
    found = history(account, period="1D", timeframe="5Min", cashflow_types="CSD,FEE")

    assert found["equity"] == [100_000, 104_997]
    assert found["profit_loss"] == [0, -3]
    assert found["cashflow"] == {"CSD": [100_000, 5_000], "FEE": [0, -3]}


def test_profit_within_a_day_begins_anew_each_day_unless_asked(invested: ACCOUNT) -> None:
    invested.engine.set_clock(START_OF_TIME + timedelta(days=3))
    invested.quote("AAPL", "131", "132")

    assert history(invested, period="5D", timeframe="1H")["profit_loss"][-1] == 100
    assert history(invested, period="5D", timeframe="1H", pnl_reset="no_reset")["profit_loss"][-1] == 3_050
    assert history(invested, period="5D", timeframe="1D")["profit_loss"] == [2_950, 3_050]


def test_extended_hours_are_shown_when_asked_for(open_account: Callable[..., ACCOUNT]) -> None:
    account = open_account(now=START_OF_TIME.replace(hour=13))
    account.engine.set_clock(START_OF_TIME)
    assert len(history(account, period="1D", timeframe="1H")["timestamp"]) == 1
    assert len(history(account, period="1D", timeframe="1H", intraday_reporting="extended_hours")["timestamp"]) == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"period": "soon"}, "invalid period: soon"),
        ({"timeframe": "2H"}, "invalid timeframe: 2H"),
        ({"period": "2M", "timeframe": "1H"}, "only a timeframe of 1D is accepted for more than 30 days"),
        ({"start": "x"}, "invalid time: x"),
        ({"start": "2026-01-01", "end": "2026-01-02", "period": "1D"}, "only two of start, end and period"),
        ({"pnl_reset": "never"}, "invalid pnl_reset: never"),
        ({"intraday_reporting": "at_night"}, "invalid intraday_reporting: at_night"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(account: ACCOUNT, query: dict[str, str], message: str) -> None:
    with pytest.raises(RefusalError, match=message) as refused:
        history(account, **query)
    assert refused.value.status == 422
