"""How the account's equity went over time: the samples of the book, laid over the sessions of the exchange.

A row is labelled by the beginning of its window and says what the account was worth at the end of it, or now. Profit is
what equity has gained since the window before the first one, less what was paid in since.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from infra.simulator.book import TRANSFERS, Book
from infra.simulator.events import Booked
from infra.simulator.exact import ZERO, plain, total
from infra.simulator.paging import choice, instant
from infra.simulator.render import average, to_json
from infra.simulator.rules import malformed
from infra.simulator.sessions import Session, new_york_day, sessions_between
from infra.simulator.valuation import Sample, equity

TIMEFRAMES = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1H": timedelta(hours=1),
}
DAYS_OF = {"D": 1, "W": 7, "M": 30, "A": 365}
PERIOD_DEFAULT = "1M"
REPORTING = ("market_hours", "extended_hours", "continuous")


@dataclass(frozen=True)
class Question:
    """What is asked for: windows of `timeframe` between two times, and the cash flows to show beside them."""

    start: datetime
    end: datetime
    timeframe: str
    reporting: str
    resets_daily: bool
    cashflow_types: frozenset[str]


@dataclass(frozen=True)
class Window:
    """A stretch of time, of the session that it belongs to."""

    start: datetime
    end: datetime
    session: Session


def question_of(query: Mapping[str, str], now: datetime) -> Question:
    """Read a query; raises RefusalError for one that cannot be answered."""
    if all(query.get(name) for name in ("start", "end", "period")):
        raise malformed("only two of start, end and period are accepted")
    period = _period(query.get("period") or PERIOD_DEFAULT)
    end = min(instant(query["end"]), now) if query.get("end") else now
    start = instant(query["start"]) if query.get("start") else end - period
    if query.get("start") and query.get("period"):
        end = min(start + period, now)
    length = end - start
    usual = "1Min" if length < timedelta(days=7) else "15Min" if length < timedelta(days=30) else "1D"
    timeframe = query.get("timeframe") or usual
    if timeframe not in (*TIMEFRAMES, "1D"):
        raise malformed(f"invalid timeframe: {timeframe}")
    if timeframe != "1D" and length > timedelta(days=30):
        raise malformed("only a timeframe of 1D is accepted for more than 30 days")
    flows = query.get("cashflow_types", "NONE")
    is_extended = query.get("extended_hours", "").lower() == "true"
    return Question(
        start=start,
        end=end,
        timeframe=timeframe,
        reporting=choice(
            query.get("intraday_reporting") or REPORTING[int(is_extended)], REPORTING, "intraday_reporting"
        ),
        resets_daily=choice(query.get("pnl_reset"), ("per_day", "no_reset"), "pnl_reset") == "per_day",
        cashflow_types=TRANSFERS if flows == "ALL" else frozenset(flows.split(",")) - {"NONE"},
    )


def answer(book: Book, asked: Question) -> str:
    """Return the history as JSON text; its numbers are written digit by digit from the decimals."""
    samples = [*book.samples, Sample(book.now, equity(book), book.deposits)]
    windows = [each for each in _windows(asked) if each.end > book.terms.now and each.start <= book.now]
    found = [_last(samples, each.end) or samples[0] for each in windows]
    first = windows[0].start if windows else asked.start
    opening = Sample(book.terms.now, book.terms.cash, book.terms.cash)
    base = _last(samples, first) or opening
    bases = [_base(samples, each, asked) or base for each in windows]
    profits = [_profit(now, before) for now, before in zip(found, bases, strict=True)]
    ratios = [
        average(gain, before.equity) if before.equity else "0" for gain, before in zip(profits, bases, strict=True)
    ]
    parts = {
        "timestamp": _list(str(int(each.start.timestamp())) for each in windows),
        "equity": _list(plain(each.equity) for each in found),
        "profit_loss": _list(plain(each) for each in profits),
        "profit_loss_pct": _list(iter(ratios)),
        "base_value": plain(base.equity),
        "timeframe": to_json(asked.timeframe),
    }
    if base is not opening:
        parts["base_value_asof"] = to_json(new_york_day(base.minute).isoformat())
    if asked.cashflow_types:
        parts["cashflow"] = _cashflow(book, asked, windows)
    return "{" + ",".join(f"{to_json(name)}:{value}" for name, value in parts.items()) + "}"


def _windows(asked: Question) -> Iterator[Window]:
    for session in sessions_between(new_york_day(asked.start), new_york_day(asked.end)):
        if asked.timeframe == "1D":
            yield Window(session.open, session.close, session)
            continue
        start, end = session.open, session.close
        if asked.reporting == "extended_hours":
            start, end = session.early, session.late
        elif asked.reporting == "continuous":
            start, end = session.late - timedelta(days=1), session.late
        step = TIMEFRAMES[asked.timeframe]
        while start < end:
            if asked.start - step < start <= asked.end:
                yield Window(start, start + step, session)
            start += step


def _base(samples: Sequence[Sample], window: Window, asked: Question) -> Sample | None:
    """Return what profit is measured from; None for what the whole history is measured from."""
    if asked.timeframe == "1D" or not asked.resets_daily:
        return None
    return _last(samples, window.session.early)


def _last(samples: Sequence[Sample], before: datetime) -> Sample | None:
    """Return the last sample of a minute that began before a time."""
    index = bisect_right(samples, before - timedelta(microseconds=1), key=lambda sample: sample.minute)
    return samples[index - 1] if index else None


def _profit(now: Sample, base: Sample) -> Decimal:
    return total(now.equity, -base.equity, -now.deposits, base.deposits)


def _cashflow(book: Book, asked: Question, windows: Sequence[Window]) -> str:
    flows = [each for each in book.activities if isinstance(each, Booked)]
    rows = []
    for name in sorted(asked.cashflow_types):
        amounts = [
            total(ZERO, *(each.net_amount for each in flows if each.activity_type == name and _is_in(each, window)))
            for window in windows
        ]
        rows.append(f"{to_json(name)}:{_list(plain(each) for each in amounts)}")
    return "{" + ",".join(rows) + "}"


def _is_in(flow: Booked, window: Window) -> bool:
    return window.start <= flow.at < window.end


def _list(values: Iterator[str]) -> str:
    return "[" + ",".join(values) + "]"


def _period(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([DWMA])", text)
    if found is None:
        raise malformed(f"invalid period: {text}")
    return timedelta(days=int(found[1]) * DAYS_OF[found[2]])
