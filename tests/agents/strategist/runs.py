"""Runs and bars for stories about the strategist."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from agents.strategist.bars import BarsSlice, BarsView
from schemas.identity import run_id
from schemas.market import Bar
from schemas.run import Parameter, PartitionPosition, Run, RunRefusal, RunStatus, StrategyTerms
from tests import made

ACCOUNT = "paper-1"
AS_OF = datetime(2012, 6, 1, 20, 30, tzinfo=UTC)
TODAY = date(2012, 6, 1)


def strategy(
    name: str, kind: str, symbols: Iterable[str] = ("AAPL", "IBM", "MSFT"), **settings: object
) -> StrategyTerms:
    return made.strategy(
        name,
        kind=kind,
        symbols=tuple(symbols),
        parameters=tuple(Parameter(name=key, value=str(settings[key])) for key in sorted(settings)),
    )


def run(*strategies: StrategyTerms, until: int = 10**6, as_of: datetime = AS_OF, refused: bool = False) -> Run:
    terms = made.run_terms(
        run_id=run_id(ACCOUNT, as_of, "daily"),
        as_of=as_of,
        strategies=strategies,
        valid_until=as_of + timedelta(hours=1),
        bars_until=(PartitionPosition(partition=0, next_offset=until),),
    )
    return Run(
        account_id=ACCOUNT,
        run_id=terms.run_id,
        status=RunStatus.REFUSED if refused else RunStatus.REQUESTED,
        refusal=RunRefusal.NOT_A_SESSION if refused else None,
        detail="",
        warnings=(),
        terms=terms,
    )


def bar(symbol: str, day: date, price: object, close: object | None = None) -> Bar:
    adjusted = Decimal(str(price))
    paid = adjusted if close is None else Decimal(str(close))
    return Bar(
        symbol=symbol,
        session_date=day,
        open=paid,
        high=paid,
        low=paid,
        close=paid,
        adjusted_close=adjusted,
        volume=1000,
        source="test",
    )


def history(symbol: str, *prices: object, last: date = TODAY) -> list[Bar]:
    """One bar a day, the last price on `last`."""
    first = last - timedelta(days=len(prices) - 1)
    return [bar(symbol, first + timedelta(days=number), price) for number, price in enumerate(prices)]


def view_of(*bars: Sequence[Bar]) -> BarsView:
    """All bars in one partition, one after another."""
    view = BarsView()
    for offset, each in enumerate(one for several in bars for one in several):
        view.add(0, offset, each)
    return view


def all_of(view: BarsView) -> BarsSlice:
    return view.until((PartitionPosition(partition=0, next_offset=10**6),))
