"""Watching one account unasked: its stream of trade updates, and polls that close what the stream left out.

A poll follows every confirmation that the stream is listening, and the passing of the interval. It reads first and
compares afterwards: what it then publishes may be older than what the stream said meanwhile, and is harmless, because
the gateway's orders only go forward.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.broker import facts
from agents.broker.facts import Asking
from agents.broker.memory import AccountMemory, OrderMemory, executions_of, words_of
from agents.broker.ports import LISTENING, Brokerage, Reply, Subscription
from agents.broker.reading import Row, fields_of, number, order_of, part, rows_of, text
from agents.declaration import Fact
from schemas.order import ReportRequest

log = logging.getLogger(__name__)

#: A poll under way is not waited for longer: what it still brings is dropped.
STOP_TIMEOUT_S = 1.0

FILL = "FILL"


@dataclass(frozen=True)
class Seen:
    """What a poll has read: orders by their client order id, and activities; None when they could not be read."""

    asking: Asking
    orders: Mapping[str, Reply]
    activities: tuple[Row, ...] | None


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
        return Seen(asking, orders, _rows(self._brokerage.activities(after)))

    def _open_orders(self) -> dict[str, Reply]:
        rows = _rows(self._brokerage.orders("open", None)) or ()
        named = ((text(row.fields, "client_order_id"), Reply(200, row.text, None)) for row in rows)
        return {name: reply for name, reply in named if name}

    def _news(self, seen: Seen) -> Iterator[Fact]:
        rows = seen.activities or ()
        filled = {self._memory.names.get(text(row.fields, "order_id"), "") for row in rows} - {""}
        for name in sorted({*seen.orders, *filled}):
            yield from self._order_news(self._memory.order(name), seen.orders.get(name), rows, seen.asking)
        yield from activity_news(self._memory, rows, seen.asking.received_at)

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


def activity_news(memory: AccountMemory, rows: Sequence[Row], received_at: datetime) -> Iterator[Fact]:
    """Yield the activities that were not published, executions aside: those are said order by order."""
    memory.note_times(row.fields for row in rows)
    for row in rows:
        activity_id, activity_type = text(row.fields, "id"), text(row.fields, "activity_type")
        if activity_id and activity_type and activity_type != FILL and activity_id not in memory.activities:
            yield facts.activity(memory.account_id, row, received_at)


def _broker_order_id(shown: Reply | None) -> str:
    order = None if shown is None else order_of(fields_of(shown.body))
    return "" if order is None else order.broker_order_id


def _is_news(order: OrderMemory, shown: Reply, at: datetime) -> bool:
    """Say whether an order's text differs from what was published, or says an end that may not have been believed."""
    said = order_of(fields_of(shown.body)) if shown.http_status == 200 else None
    words = words_of(shown.http_status, said, at)
    return words is not None and (words != order.words or (said is not None and said.is_over))


def _rows(reply: Reply) -> tuple[Row, ...] | None:
    try:
        return rows_of(reply.body) if reply.http_status == 200 else None
    except ValueError:
        return None
