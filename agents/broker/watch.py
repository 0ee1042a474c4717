"""Watching one account unasked: its stream of trade updates, polls, and UNKNOWN orders that are read again.

A poll closes what the stream left out. It follows every confirmation that the stream is listening, and the passing of
the interval; one that could not read everything is repeated sooner.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from agents.broker import facts
from agents.broker.memory import AccountMemory
from agents.broker.order_read import order_as_read
from agents.broker.poll import AccountPoll
from agents.broker.ports import LISTENING, Brokerage, Subscription
from agents.broker.reading import fields_of, part, text
from agents.broker.strangers import NOT_FOUND
from agents.broker.sync import SYNC_PATIENCE_S, Sync
from agents.broker.unknown import UNKNOWN_FOR, UnknownOrders
from agents.declaration import Fact

log = logging.getLogger(__name__)

#: A poll under way is not waited for longer: what it still brings is dropped.
STOP_TIMEOUT_S = 1.0

#: After a poll that could not read everything; twice as long each time, up to the interval.
REPEAT_S = 1.0


class AccountWatch:
    """Follows one account until it is stopped."""

    def __init__(
        self,
        brokerage: Brokerage,
        memory: AccountMemory,
        publish: Callable[[Fact], None],
        now: Callable[[], datetime],
        poll_interval_s: float,
        seconds: Callable[[], float] = time.monotonic,
        sync_patience_s: float = SYNC_PATIENCE_S,
    ) -> None:
        """Prepare; `now` is the clock of what is published, `seconds` one that only goes forward."""
        self._brokerage = brokerage
        self._memory = memory
        self._publish = publish
        self._now = now
        self._poll_interval_s = poll_interval_s
        self._seconds = seconds
        self._wake = threading.Event()
        self._is_poll_wanted = threading.Event()
        self._stopped = threading.Event()
        self._sync = Sync(seconds, sync_patience_s)
        self._unknown = UnknownOrders(seconds, memory.unanswered())
        self._poll = AccountPoll(brokerage, memory, now, self._stopped.is_set)
        self._poll_due_s = seconds() + poll_interval_s
        self._repeat_s = REPEAT_S
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
        self._sync.stop()
        self._wake.set()
        if self._subscription is not None:
            self._subscription.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT_S)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the watch is stopped."""
        self._stopped.wait(seconds)

    def missing(self) -> str:
        """Return why no order may be sent now, empty when it may; waits a while for what is missing."""
        return self._sync.missing()

    def stands(self, client_order_id: str, *, is_unknown: bool) -> None:
        """Note where an order stands: an UNKNOWN one is read until it is not UNKNOWN any more."""
        with self._memory.lock:
            if is_unknown:
                self._unknown.begin(client_order_id)
            else:
                self._unknown.end(client_order_id)
        if is_unknown:
            self._wake.set()

    def poll(self) -> None:
        """Read orders, activities and positions, and publish what is new."""
        connection = self._sync.connection
        self._poll_due_s = self._seconds() + self._repeat_s
        self._repeat_s = min(self._repeat_s * 2, self._poll_interval_s)
        seen = self._poll.read()
        with self._memory.lock:
            self._say(self._poll.news(seen))
        if seen.failed:
            return
        self._poll_due_s, self._repeat_s = self._seconds() + self._poll_interval_s, REPEAT_S
        self._sync.polled(connection)

    def read_unknown(self) -> None:
        """Read the UNKNOWN orders whose turn it is, and publish what was said of each."""
        with self._memory.lock:
            due = self._unknown.due()
        for name in due:
            if self._stopped.is_set():
                return
            with self._memory.lock:
                subject, heard_at = self._memory.subject(name), self._memory.order(name).heard_at
            shown = self._brokerage.order_by_client_id(name)
            said = order_as_read(subject, self._brokerage, shown, lambda: facts.polled(self._now()))
            with self._memory.lock:
                self._say(said)
                self._unknown.read(name, is_found=not self._memory.order(name).is_unanswered)
                is_old = heard_at is not None and self._now() - heard_at > UNKNOWN_FOR
                is_gone = is_old and shown.http_status == NOT_FOUND
                if is_gone and not self._unknown.is_told(name):  # it may have been told while it was read
                    self._unknown.end(name)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(self._rest_s())
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self._go_on()
            except Exception:  # the next poll may succeed, and a thread that ends says nothing at all
                log.exception("a poll of account %s failed, the next one follows", self._memory.account_id)
                self.pause(REPEAT_S)

    def _go_on(self) -> None:
        if self._is_poll_wanted.is_set() or self._seconds() >= self._poll_due_s:
            self._is_poll_wanted.clear()  # before reading: a stream confirmed meanwhile wants a poll of its own
            self.poll()
        self.read_unknown()

    def _rest_s(self) -> float:
        if self._is_poll_wanted.is_set():
            return 0.0
        with self._memory.lock:
            unknown_s = self._unknown.rest_s()
        poll_s = max(0.0, self._poll_due_s - self._seconds())
        return poll_s if unknown_s is None else min(poll_s, unknown_s)

    def _on_message(self, body: str) -> None:
        received_at = self._now()
        name = text(part(part(fields_of(body), "data"), "order"), "client_order_id")
        with self._memory.lock:
            fact = facts.streamed(self._memory.subject(name), body, received_at)
            if not self._memory.is_streamed(name, fact):
                self._say((fact,))

    def _on_gap(self, what: str) -> None:
        if what == LISTENING:
            self._sync.listening()
            self._is_poll_wanted.set()
            self._wake.set()
        else:
            self._sync.lost(what)
            log.warning("trade updates of account %s are %s", self._memory.account_id, what)

    def _say(self, said: Iterable[Fact]) -> None:
        for fact in said:
            if self._stopped.is_set():
                return
            self._memory.note_fact(fact)
            self._publish(fact)
