"""The demo's market: real sessions, as the calendar has them."""

import warnings
from datetime import timedelta

from exchange_calendars import get_calendar

from infra.demo.market import HISTORY_SESSIONS, Market


def test_every_session_of_the_data_is_one_of_the_exchange_and_none_is_missing() -> None:
    sessions = Market().sessions
    days = [session.on for session in sessions]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library calls what a newer pandas deprecates
        calendar = get_calendar("XNYS", start=days[0], end=days[-1])

    assert days == [session.date() for session in calendar.sessions]
    closes = [calendar.session_close(session).to_pydatetime() for session in calendar.sessions]
    assert [session.as_of + timedelta(minutes=1) for session in sessions] == closes


def test_a_run_is_valued_a_minute_before_its_session_closes() -> None:
    by_day = {session.on.isoformat(): session for session in Market().sessions}

    assert by_day["2012-12-24"].as_of.isoformat() == "2012-12-24T17:59:00+00:00"
    assert by_day["2012-07-02"].as_of.isoformat() == "2012-07-02T19:59:00+00:00"


def test_the_traded_sessions_follow_the_history_without_a_gap() -> None:
    history, traded = Market().last(60)

    assert len(history) == HISTORY_SESSIONS
    assert len(traded) == 60
    assert [*history, *traded] == list(Market().sessions[-60 - HISTORY_SESSIONS :])
