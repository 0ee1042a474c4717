"""Watching one account unasked: its stream of trade updates, and polls that close what the stream left out.

A poll follows every confirmation that the stream is listening, and the passing of the interval. It reads first and
compares afterwards: what it then publishes may be older than what the stream said meanwhile, and is harmless, because
the gateway's orders only go forward.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.broker import facts
from agents.broker.facts import Asking
from agents.broker.memory import AccountMemory, OrderMemory, executions_of, words_of
from agents.broker.ports import LISTENING, Brokerage, Reply, Subscription
from agents.broker.reading import Row, fields_of, number, order_of, part, rows_of, text
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

log = logging.getLogger(__name__)

#: A poll under way is not waited for longer: what it still brings is dropped.
STOP_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Seen:
    """What a poll has read: orders by their client order id, and activities."""

    asking: Asking
    orders: Mapping[str, Reply]
    activities: tuple[Row, ...]


class AccountWatch:
    """Follows one account until it is stopped."""

    def __init__(
        self,
        brokerage: Brokerage,
        memory: AccountMemory,
        publish: Callable[[Fact], None],
        now: Callable[[], datetime],
        poll_interval_s: float,
    ) -> None:
        self._brokerage = brokerage
        self._memory = memory
        self._publish = publish
        self._now = now
        self._poll_interval_s = poll_interval_s
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._subscription: Subscription | None = None
        self._thread = threading.Thread(target=self._run, name=f"poll-{memory.account_id}", daemon=True)

    def start(self) -> None:
        """Listen, and poll once that is confirmed."""
        self._thread.start()
        self._subscription = self._brokerage.listen(self._on_message, self._on_gap)

    def stop(self) -> None:
        """Stop; nothing is published after this returns. Stopping twice is harmless."""
        with self._memory.lock:
            self._stopped.set()
        self._wake.set()
        if self._subscription is not None:
            self._subscription.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT_S)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the watch is stopped."""
        self._stopped.wait(seconds)

    def poll(self) -> None:
        """Read orders and activities, and publish what is new."""
        seen = self._read()
        with self._memory.lock:
            self._say(self._news(seen))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(self._poll_interval_s)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self.poll()
            except Exception:  # the next poll may succeed, and a thread that ends says nothing at all
                log.exception("the poll of account %s failed, the next one follows", self._memory.account_id)

    def _on_message(self, body: str) -> None:
        received_at = self._now()
        order = part(part(fields_of(body), "data"), "order")
        with self._memory.lock:
            fact = facts.streamed(self._memory.subject(text(order, "client_order_id")), body, received_at)
            if fact.envelope.event_id not in self._memory.streamed:
                self._say((fact,))

    def _on_gap(self, what: str) -> None:
        if what == LISTENING:
            self._wake.set()
        else:
            log.warning("trade updates of account %s are %s", self._memory.account_id, what)

    def _say(self, said: Sequence[Fact] | Iterator[Fact]) -> None:
        for fact in said:
            if self._stopped.is_set():
                return
            self._memory.note_fact(fact)
            self._publish(fact)

    def _read(self) -> Seen:
        asking = facts.polled(self._now())
        with self._memory.lock:
            followed = [order.client_order_id for order in self._memory.followed(asking.received_at)]
            after = self._memory.activities_after()
        orders = self._open_orders()
        for client_order_id in followed:
            if client_order_id not in orders and not self._stopped.is_set():
                orders[client_order_id] = self._brokerage.order_by_client_id(client_order_id)
        rows = _rows(self._brokerage.activities(after))
        self._ask_for_names(rows, asking.received_at)
        return Seen(asking, orders, rows)

    def _ask_for_names(self, rows: Sequence[Row], now: datetime) -> None:
        """Remember what unknown orders are called; what is too much for one poll is left to the next."""
        with self._memory.lock:
            unknown = unknown_orders(self._memory, rows)
        found = listed(self._brokerage, unknown) if len(unknown) > ASKED_MAX else {}
        left = [each for each in unknown if each not in found]
        for order_id in left[:ASKED_MAX]:
            if self._stopped.is_set():
                return
            reply, at = self._brokerage.order_by_broker_id(order_id), unknown[order_id]
            is_gone = reply.http_status == NOT_FOUND and at is not None and now - at > GONE_AFTER
            name = GONE if is_gone else name_of(reply)
            if name is not None:
                found[order_id] = name
        with self._memory.lock:
            self._memory.asked.update(found)

    def _open_orders(self) -> dict[str, Reply]:
        rows = _rows(self._brokerage.orders("open", None))
        named = ((text(row.fields, "client_order_id"), Reply(200, row.text, None)) for row in rows)
        return {name: reply for name, reply in named if name}

    def _news(self, seen: Seen) -> Iterator[Fact]:
        rows = seen.activities
        filled = {self._memory.names.get(text(row.fields, "order_id"), "") for row in rows} - {""}
        for name in sorted({*seen.orders, *filled}):
            yield from self._order_news(self._memory.order(name), seen.orders.get(name), rows, seen.asking)
        said = sayable(self._memory, rows)
        self._memory.note_times(row.fields for row in said)
        happened = activities_of(self._memory, said, lambda name: may_be_ours(self._memory, name))
        yield from activity_news(self._memory, happened, seen.asking.received_at)

    def _order_news(
        self, order: OrderMemory, shown: Reply | None, rows: Sequence[Row], asking: Asking
    ) -> Iterator[Fact]:
        """Executions first, so that an end that was read before them does not come too early."""
        subject = self._memory.subject(order.client_order_id)
        fills = executions_of(rows, order.broker_order_id or _broker_order_id(shown))
        has_new = any((number(row.fields, "cum_qty") or 0) > order.executed for row in fills)
        if has_new:
            yield facts.fills_read(subject, fills, asking)
        if shown is not None and not order.is_over and (has_new or _is_news(order, shown, asking.received_at)):
            yield facts.read(subject, ReportRequest.ORDER, shown, asking)


def activity_news(memory: AccountMemory, happened: Iterable[Activity], received_at: datetime) -> Iterator[Fact]:
    """Yield the activities that were not published yet."""
    for each in happened:
        if each.activity_id not in memory.activities:
            yield facts.activity(memory.account_id, each, received_at)


def _broker_order_id(shown: Reply | None) -> str:
    order = None if shown is None else order_of(fields_of(shown.body))
    return "" if order is None else order.broker_order_id


def _is_news(order: OrderMemory, shown: Reply, at: datetime) -> bool:
    """Say whether an order's text differs from what was published, or says an end that may not have been believed."""
    said = order_of(fields_of(shown.body)) if shown.http_status == 200 else None
    words = words_of(shown.http_status, said, at)
    return words is not None and (words != order.words or (said is not None and said.is_over))


def _rows(reply: Reply) -> tuple[Row, ...]:
    """Return the rows of a listing; none of one that could not be read: the next poll reads it again."""
    try:
        return rows_of(reply.body) if reply.http_status == 200 else ()
    except ValueError:
        return ()
