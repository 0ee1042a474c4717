"""Reading the account once for one run: cash, margins and positions, what happened in it, and quotes.

What happened is read before and after the account, until both say the same: a fee that is posted in between would be in
the cash and not among the activities, and the books would be blocked by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from agents.broker.memory import AccountMemory
from agents.broker.ports import Brokerage, Reply
from agents.broker.raw import Row, rows_of
from agents.broker.reading import AccountShown, account_of, positions_of, quotes_of, text, untradable
from agents.broker.strangers import ASKED_MAX, GONE, NOT_FOUND, activities_of, listed, name_of, unknown_orders
from agents.broker.tries import READS_MAX, REFUSED_QUOTES, UnreadError, tried
from schemas.account import (
    AccountSnapshot,
    Activity,
    InstrumentState,
    InstrumentStatus,
    Position,
    SnapshotContent,
    SnapshotStatus,
)
from schemas.execution import Execution
from schemas.market import Quote
from schemas.portfolio import PortfolioContent

Found = TypeVar("Found")


class UnreadableAccountError(Exception):
    """The account could not be read, after all tries."""


class RefusedError(UnreadableAccountError):
    """The answer was a no that another try does not change."""


NOTHING = AccountShown(*[Decimal(0)] * 5)


@dataclass(frozen=True)
class Shown:
    """What was read of an account; nothing at all while it could not be read."""

    account: AccountShown = NOTHING
    positions: tuple[Position, ...] = ()
    quotes: tuple[Quote, ...] = ()
    instruments: tuple[InstrumentState, ...] = ()
    activities: tuple[Activity, ...] = ()


@dataclass(frozen=True)
class AccountReader:
    """Reads one account; every part is tried three times, with a `pause` between two tries."""

    brokerage: Brokerage
    memory: AccountMemory
    quote_source: str
    now: Callable[[], datetime]
    pause: Callable[[], None]

    def snapshot(self, cleared: Execution) -> AccountSnapshot:
        """Return the snapshot for a cleared run, FAILED with what the broker said when a part of it cannot be read.

        Raises ValueError when the run says nothing of what it wants: it could not be planned.
        """
        wanted = cleared.portfolio
        if wanted is None:
            raise ValueError(f"run {cleared.run_id}: CLEARED says nothing of the portfolio")
        with self.memory.lock:
            self.memory.tell(cleared.ended_orders)
        shown, detail = Shown(), ""
        try:
            shown = self._read(wanted)
        except UnreadableAccountError as error:
            detail = str(error)
        content = SnapshotContent(
            taken_at=self.now(),
            cash=shown.account.cash,
            equity=shown.account.equity,
            buying_power=shown.account.buying_power,
            initial_margin=shown.account.initial_margin,
            maintenance_margin=shown.account.maintenance_margin,
            positions=shown.positions,
            quotes=shown.quotes,
            instruments=shown.instruments,
            activities=shown.activities,
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

    def _read(self, wanted: PortfolioContent) -> Shown:
        rows, account, positions = self._account_at_rest()
        needed = sorted({*_wanted(wanted), *(each.symbol for each in positions)})
        quotes = self._quotes(sorted({*needed, *_declared(wanted)}))
        two_sided = {each.symbol for each in quotes if each.bid > 0 and each.ask > 0}
        instruments = self._instruments([symbol for symbol in needed if symbol not in two_sided])
        return Shown(account, positions, quotes, instruments, self._activities(rows))

    def _account_at_rest(self) -> tuple[tuple[Row, ...], AccountShown, tuple[Position, ...]]:
        """Return activities, account and positions; of an account that does not come to rest, the last reading."""
        with self.memory.lock:
            after = self.memory.activities_after()
        rows = self._rows(after)
        account, positions = self._account()
        for _ in range(READS_MAX - 1):
            rows, before = self._rows(after), rows
            if _ids(rows) == _ids(before):
                break
            account, positions = self._account()
        return rows, account, positions

    def _account(self) -> tuple[AccountShown, tuple[Position, ...]]:
        return (
            self._tried("account", self.brokerage.account, account_of),
            self._tried("positions", self.brokerage.positions, positions_of),
        )

    def _rows(self, after: datetime | None) -> tuple[Row, ...]:
        return self._tried("activities", lambda: self.brokerage.activities(after), rows_of)

    def _quotes(self, symbols: list[str]) -> tuple[Quote, ...]:
        """Return the quotes, sorted; one symbol can make the broker refuse all, so refused symbols are asked in halves.

        A symbol that is refused alone has no quote.
        """
        if not symbols:
            return ()
        try:
            found = self._tried(
                "quotes",
                lambda: self.brokerage.quotes(symbols),
                lambda body: quotes_of(body, self.quote_source),
                REFUSED_QUOTES,
            )
        except RefusedError:
            half = len(symbols) // 2
            return (*self._quotes(symbols[:half]), *self._quotes(symbols[half:])) if half else ()
        return tuple(each for each in found if each.symbol in symbols)

    def _instruments(self, symbols: list[str]) -> tuple[InstrumentState, ...]:
        """Return what cannot be traded; an asset that cannot be read has no quote either, which is reason enough."""
        said = ((symbol, untradable(self.brokerage.asset(symbol))) for symbol in symbols)
        return tuple(
            InstrumentState(symbol=symbol, status=InstrumentStatus.NOT_TRADABLE, detail=why)
            for symbol, why in said
            if why
        )

    def _activities(self, rows: tuple[Row, ...]) -> tuple[Activity, ...]:
        """Return what happened outside our orders, sorted.

        An order that the broker has no more is none of ours. One that cannot be read leaves open whose it is, and so do
        more orders than are asked for at once: the snapshot fails, and what was learnt is remembered for the next.
        """
        self._ask_for_names(rows)
        with self.memory.lock:
            self.memory.note_times(row.fields for row in rows)
            activities = tuple(activities_of(self.memory, rows, self.memory.is_on_log))
        return tuple(sorted(activities, key=lambda each: each.activity_id))

    def _ask_for_names(self, rows: tuple[Row, ...]) -> None:
        with self.memory.lock:
            unknown = unknown_orders(self.memory, rows)
        found = listed(self.brokerage, unknown) if len(unknown) > ASKED_MAX else {}
        self._remember(found)
        left = [each for each in unknown if each not in found]
        for order_id in left[:ASKED_MAX]:
            self._remember({order_id: self._order_name(order_id)})
        if len(left) > ASKED_MAX:
            raise UnreadableAccountError(
                f"whose the executions of {len(left) - ASKED_MAX} orders are is unknown, the first is order"
                f" {left[ASKED_MAX]}: {len(left)} were in no listing, at most {ASKED_MAX} are asked for at once; the"
                " polls go on asking and what they learn is remembered, so request a run again in some minutes"
            )

    def _remember(self, names: Mapping[str, str]) -> None:
        with self.memory.lock:
            self.memory.asked.update(names)

    def _order_name(self, order_id: str) -> str:
        def asked() -> Reply:
            return self.brokerage.order_by_broker_id(order_id)

        try:
            return self._tried(f"order {order_id}", asked, _named, frozenset({NOT_FOUND}))
        except RefusedError:
            return GONE

    def _tried(
        self,
        name: str,
        ask: Callable[[], Reply],
        reading: Callable[[str], Found],
        refusals: frozenset[int] = frozenset(),
    ) -> Found:
        try:
            return tried(name, ask, reading, self.pause, refusals)
        except UnreadError as error:
            if error.http_status in refusals:
                raise RefusedError(str(error)) from error
            raise UnreadableAccountError(f"{name}, {READS_MAX} tries: {error.problem}") from error


def _wanted(portfolio: PortfolioContent) -> set[str]:
    """Return what is wanted, in whichever way the books are kept, and what is disputed."""
    netted = {each.symbol for each in portfolio.targets} | {each.symbol for each in portfolio.conflicts}
    return netted | {target.symbol for each in portfolio.book_targets for target in each.targets}


def _declared(portfolio: PortfolioContent) -> set[str]:
    """Return what strategies may own although the account shows none of it: one is long of it, another one short."""
    return {symbol for each in portfolio.terms.strategies for symbol in each.symbols}


def _named(body: str) -> str:
    name = name_of(Reply(200, body, None))
    if not name:
        raise ValueError(f"expected an order with a client order id, was {body[:50]!r}")
    return name


def _ids(rows: tuple[Row, ...]) -> set[str]:
    return {text(row.fields, "id") for row in rows}
