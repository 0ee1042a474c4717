"""Reading the account once for one run: cash and equity, positions, and the quotes of all that is wanted or held."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from agents.broker.ports import Brokerage, Reply
from agents.broker.reading import cash_and_equity_of, positions_of, quotes_of
from schemas.account import AccountSnapshot, Position, SnapshotContent, SnapshotStatus
from schemas.execution import Execution
from schemas.market import Quote

READS_MAX = 3

Found = TypeVar("Found")


class UnreadableAccountError(Exception):
    """The account could not be read, after all tries."""


def read_account(
    brokerage: Brokerage,
    cleared: Execution,
    quote_source: str,
    now: Callable[[], datetime],
    pause: Callable[[], None],
) -> AccountSnapshot:
    """Return the snapshot for a cleared run, FAILED with what the broker said when a part of it cannot be read.

    Raises ValueError when the run says nothing of what it wants: it could not be planned.
    """
    wanted = cleared.portfolio
    if wanted is None:
        raise ValueError(f"run {cleared.run_id}: CLEARED says nothing of the portfolio")
    cash, equity = Decimal(0), Decimal(0)
    positions: tuple[Position, ...] = ()
    quotes: tuple[Quote, ...] = ()
    detail = ""
    try:
        cash, equity = _tried("account", brokerage.account, cash_and_equity_of, pause)
        positions = _tried("positions", brokerage.positions, positions_of, pause)
        symbols = sorted({each.symbol for each in wanted.targets} | {each.symbol for each in positions})
        if symbols:
            found = _tried(
                "quotes", lambda: brokerage.quotes(symbols), lambda body: quotes_of(body, quote_source), pause
            )
            quotes = tuple(each for each in found if each.symbol in symbols)
    except UnreadableAccountError as error:
        cash, equity, positions, quotes, detail = Decimal(0), Decimal(0), (), (), str(error)
    content = SnapshotContent(
        taken_at=now(),
        cash=cash,
        equity=equity,
        positions=positions,
        quotes=quotes,
        ended_orders=cleared.ended_orders,
        portfolio=wanted,
    )
    return AccountSnapshot(
        account_id=cleared.account_id,
        run_id=cleared.run_id,
        status=SnapshotStatus.FAILED if detail else SnapshotStatus.READ,
        detail=detail,
        content=content,
    )


def _tried(name: str, ask: Callable[[], Reply], reading: Callable[[str], Found], pause: Callable[[], None]) -> Found:
    problem = ""
    for attempt in range(READS_MAX):
        if attempt:
            pause()
        reply = ask()
        if reply.http_status == 200:
            try:
                return reading(reply.body)
            except ValueError as error:
                problem = str(error)
        else:
            problem = reply.error or f"HTTP {reply.http_status} {reply.body[:200]}"
    raise UnreadableAccountError(f"{name}, {READS_MAX} tries: {problem}")
