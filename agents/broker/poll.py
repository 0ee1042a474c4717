"""Polls: reading open and recently closed orders, activities and positions, and saying what is new of it.

It reads first and compares afterwards: what it then says may be older than what the stream said meanwhile, and is
harmless, because the gateway's orders only go forward.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.broker import facts
from agents.broker.facts import Asking
from agents.broker.forgetting import FOLLOWED_FOR
from agents.broker.memory import AccountMemory
from agents.broker.order_read import executions_of
from agents.broker.order_said import OrderSaid, words_of
from agents.broker.ports import UNAUTHORIZED, Brokerage, Reply
from agents.broker.raw import Row, rows_of
from agents.broker.reading import fields_of, number, order_of, positions_of, text
from agents.broker.strangers import (
    ASKED_MAX,
    GONE,
    GONE_AFTER,
    NOT_FOUND,
    activities_of,
    listed,
    may_be_ours,
    name_of,
    sayable,
    unknown_orders,
)
from agents.declaration import Fact
from schemas.account import Activity
from schemas.order import ReportRequest

CLOSED_OVERLAP = timedelta(minutes=5)
"""How long before the last poll an order may have been sent that it did not show: the clocks of two machines, and the
time a new order takes to come into a listing."""


TRIES = 3
"""How often a listing is asked for in one poll: until all of them were read, no order is sent."""


@dataclass
class Seen:
    """What a poll has read: orders by their client order id, activities, positions; and what could not be read."""

    asking: Asking
    orders: dict[str, Reply] = field(default_factory=dict)
    activities: tuple[Row, ...] = ()
    positions: Reply | None = None
    failed: list[Reply] = field(default_factory=list)

    def rows(self, listing: Callable[[], Reply]) -> tuple[Row, ...]:
        """Return the rows of a listing; none of one that could not be read in a few tries."""
        reply = tried(listing, lambda reply: _rows(reply) is not None)
        rows = _rows(reply)
        if rows is None:
            self.failed.append(reply)
        return rows or ()


class AccountPoll:
    """Polls one account; `is_stopped` ends a poll under way between two requests."""

    def __init__(
        self,
        brokerage: Brokerage,
        memory: AccountMemory,
        now: Callable[[], datetime],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._brokerage = brokerage
        self._memory = memory
        self._now = now
        self._is_stopped = is_stopped
        self._closed_after: datetime | None = None

    def read(self) -> Seen:
        """Read all of it; what is too much for one poll is left to the next."""
        seen = Seen(facts.polled(self._now()))
        at = seen.asking.received_at
        with self._memory.lock:
            followed = [order.client_order_id for order in self._memory.followed(at)]
            after = self._memory.activities_after()
        self._read_orders(seen, followed)
        seen.activities = seen.rows(lambda: self._brokerage.activities(after))
        self._read_positions(seen)
        self._ask_for_names(seen.activities, at)
        if not seen.failed:
            self._closed_after = at - CLOSED_OVERLAP
        return seen

    def news(self, seen: Seen) -> Iterator[Fact]:
        """Yield what is new; hold the memory's lock, and note each fact before the next one is asked for."""
        rows = seen.activities
        filled = {self._memory.names.get(text(row.fields, "order_id"), "") for row in rows} - {""}
        for name in sorted({*seen.orders, *filled}):
            yield from self._order_news(name, seen.orders.get(name), rows, seen.asking)
        said = sayable(self._memory, rows)
        self._memory.note_times(row.fields for row in said)
        happened = activities_of(self._memory, said, lambda name: may_be_ours(self._memory, name))
        yield from activity_news(self._memory, happened, seen.asking.received_at)
        yield from self._account_news(seen)

    def _read_orders(self, seen: Seen, followed: Sequence[str]) -> None:
        """Read open orders, then those of ours that were closed since the last poll, then what is in neither listing.

        An order that closes in between is in one of them, or in both.
        """
        closed_after = self._closed_after or seen.asking.received_at - FOLLOWED_FOR
        opened = seen.rows(lambda: self._brokerage.orders("open", None))
        closed = seen.rows(lambda: self._brokerage.orders("closed", closed_after))
        seen.orders.update(_by_name(opened))
        with self._memory.lock:
            seen.orders.update((n, reply) for n, reply in _by_name(closed).items() if may_be_ours(self._memory, n))
        for name in followed:
            if name not in seen.orders and not self._is_stopped():
                # one that cannot be read is read by the next poll: the account is followed all the same
                seen.orders[name] = self._brokerage.order_by_client_id(name)

    def _read_positions(self, seen: Seen) -> None:
        reply = tried(self._brokerage.positions, _is_positions)
        if _is_positions(reply):
            seen.positions = reply
        else:
            seen.failed.append(reply)

    def _ask_for_names(self, rows: Sequence[Row], now: datetime) -> None:
        """Remember what unknown orders are called; what is too much for one poll is left to the next."""
        with self._memory.lock:
            unknown = unknown_orders(self._memory, rows)
        found = listed(self._brokerage, unknown) if len(unknown) > ASKED_MAX else {}
        left = [each for each in unknown if each not in found]
        for order_id in left[:ASKED_MAX]:
            if self._is_stopped():
                return
            reply, at = self._brokerage.order_by_broker_id(order_id), unknown[order_id]
            is_gone = reply.http_status == NOT_FOUND and at is not None and now - at > GONE_AFTER
            name = GONE if is_gone else name_of(reply)
            if name is not None:
                found[order_id] = name
        with self._memory.lock:
            self._memory.asked.update(found)

    def _order_news(self, name: str, shown: Reply | None, rows: Sequence[Row], asking: Asking) -> Iterator[Fact]:
        """Executions first, so that an end that was read before them does not come too early."""
        subject, order = self._memory.subject(name), self._memory.order(name)
        fills = executions_of(rows, order.broker_order_id or _broker_order_id(shown))
        has_new = any((number(row.fields, "cum_qty") or 0) > order.executed for row in fills)
        if has_new:
            yield facts.fills_read(subject, fills, asking)
        if shown is not None and not order.is_settled and (has_new or _is_news(order, shown, asking.received_at)):
            yield facts.read(subject, ReportRequest.ORDER, shown, asking)

    def _account_news(self, seen: Seen) -> Iterator[Fact]:
        """Positions that are other ones than were said last, and once per poll that the keys are refused."""
        account_id = self._memory.account_id
        if seen.positions is not None and positions_of(seen.positions.body) != self._memory.positions:
            yield facts.account_read(account_id, seen.positions, seen.asking)
        for reply in [each for each in seen.failed if each.http_status == UNAUTHORIZED][:1]:
            yield facts.account_read(account_id, reply, seen.asking)


def activity_news(memory: AccountMemory, happened: Iterable[Activity], received_at: datetime) -> Iterator[Fact]:
    """Yield the activities that were not published yet."""
    for each in happened:
        if not memory.is_said(each.activity_id):
            yield facts.activity(memory.account_id, each, received_at)


def tried(ask: Callable[[], Reply], is_good: Callable[[Reply], bool]) -> Reply:
    """Return the first good reply of a few tries, else the last one; keys that are refused stay refused."""
    reply = ask()
    for _ in range(TRIES - 1):
        if is_good(reply) or reply.http_status == UNAUTHORIZED:
            break
        reply = ask()
    return reply


def _rows(reply: Reply) -> tuple[Row, ...] | None:
    """Return the rows of a listing, None of one that cannot be read."""
    try:
        return rows_of(reply.body) if reply.http_status == 200 else None
    except ValueError:
        return None


def _is_positions(reply: Reply) -> bool:
    try:
        return reply.http_status == 200 and positions_of(reply.body) is not None
    except ValueError:
        return False


def _by_name(rows: Iterable[Row]) -> Mapping[str, Reply]:
    named = ((text(row.fields, "client_order_id"), Reply(200, row.text, None)) for row in rows)
    return {name: reply for name, reply in named if name}


def _broker_order_id(shown: Reply | None) -> str:
    order = None if shown is None else order_of(fields_of(shown.body))
    return "" if order is None else order.broker_order_id


def _is_news(order: OrderSaid, shown: Reply, at: datetime) -> bool:
    """Say whether an order's text differs from what was published, or says an end that may not have been believed."""
    said = order_of(fields_of(shown.body)) if shown.http_status == 200 else None
    words = words_of(shown.http_status, said, at)
    return words is not None and (words != order.words or (said is not None and said.is_over))
