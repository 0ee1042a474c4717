"""The broker agent's hands: carries orders to the brokerage, reads for the log, and reports word for word.

It decides nothing about trading. The three things it looks at by itself only make sure that a report is true:

- `valid_until`, against the clock, right before an order is sent: the way through the log may have taken long;
- whether an order that is kept back or refused exists all the same, because a process may have died right after sending
  it, and the very same event is then performed again;
- how long to wait before a repeated attempt.

Doing anything twice is harmless: the brokerage takes a client order id once, and what is read twice says the same.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from agents.broker import facts
from agents.broker.absent import NoBrokerage
from agents.broker.facts import Origin, Subject
from agents.broker.memory import AccountMemory, executions_of, is_refusal
from agents.broker.ports import Brokerage, NewOrder, Reply
from agents.broker.reading import fields_of, instant, order_of, rows_of
from agents.broker.snapshot import AccountReader
from agents.broker.watch import AccountWatch, activity_news
from agents.decider import Message
from agents.declaration import Fact
from schemas.execution import Execution, ExecutionStatus
from schemas.order import NOT_SENT, TERMINAL, ExecType, OrderEvent, ReportRequest
from schemas.record import Envelope, Record

#: Clocks of two machines of one brokerage may differ; `after` is strict.
CLOCKS_DIFFER = timedelta(seconds=1)


class BrokerPerformer:
    """Performs for all accounts it has a brokerage for; one instance serves all partitions of a process."""

    def __init__(
        self,
        brokerages: Mapping[str, Brokerage],
        now: Callable[[], datetime],
        partition_of_account: Callable[[str], int],
        poll_interval_s: float = 60.0,
        retry_wait_s: float = 0.5,
        quote_source: str = "broker",
    ) -> None:
        """Prepare; nothing is connected before `take_over`.

        `now` is the clock of `received_at`, `taken_at` and `valid_until`. A repeated attempt waits `retry_wait_s`, and
        twice as long each time. `quote_source` is what quotes are said to come from.
        """
        self._brokerages = dict(brokerages)
        self._now = now
        self._partition_of_account = partition_of_account
        self._poll_interval_s = poll_interval_s
        self._retry_wait_s = retry_wait_s
        self._quote_source = quote_source
        self._memories: dict[str, AccountMemory] = {}
        self._watches: dict[str, AccountWatch] = {}

    def take_over(
        self, partition: int, published: Sequence[tuple[Envelope, Record]], publish: Callable[[Fact], None]
    ) -> None:
        """Remember what was published about the partition's accounts, and start to listen and to poll."""
        self.release(partition)
        for account_id in self._accounts(partition):
            memory = AccountMemory(account_id)
            for envelope, record in published:
                if getattr(record, "account_id", None) == account_id:
                    memory.note(envelope, record)
            watch = AccountWatch(self._brokerages[account_id], memory, publish, self._now, self._poll_interval_s)
            self._memories[account_id], self._watches[account_id] = memory, watch
            watch.start()

    def release(self, partition: int) -> None:
        """Stop listening and polling; nothing is published for the partition after this returns."""
        for account_id in self._accounts(partition):
            watch = self._watches.pop(account_id, None)
            if watch is not None:
                watch.stop()

    def perform(self, message: Message) -> Sequence[Fact]:
        """Act on a message and return what was said; messages that ask for nothing return nothing."""
        match message.record:
            case Execution(status=ExecutionStatus.CLEARED) as cleared:
                return self._noted(cleared.account_id, self._snapshot(cleared, message))
            case OrderEvent(exec_type=ExecType.SUBMITTING) as event:
                return self._noted(event.account_id, self._submit(event, message))
            case OrderEvent(exec_type=ExecType.CANCELING) as event:
                return self._noted(event.account_id, self._cancel(event, message))
            case OrderEvent(exec_type=ExecType.QUERYING) as event:
                return self._noted(event.account_id, self._query(event, message))
            case OrderEvent(ord_status=status) as event if status in TERMINAL:
                memory = self._memory(event.account_id)
                with memory.lock:
                    memory.ended(event.client_order_id)
                return ()
            case _:
                return ()

    def _submit(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        order, attempt = event.order, event.attempt
        memory, brokerage = self._memory(event.account_id), self._brokerage(event.account_id)
        with memory.lock:
            memory.submitting(event.client_order_id, Origin(order.run_id, message.event_id, attempt))
        subject = self._subject(event)
        if attempt > 1:
            self._pause(event.account_id, self._retry_wait_s * 2 ** (attempt - 2))
        now = self._now()
        if now >= order.valid_until:
            why = f"{NOT_SENT} EXPIRED valid until {order.valid_until.isoformat()}, was {now.isoformat()}"
            return self._unless_it_exists(event, message, Reply(None, "", why))
        new_order = NewOrder(
            client_order_id=event.client_order_id,
            symbol=order.symbol,
            side=order.side.value,
            order_qty=order.order_qty,
            ord_type=order.ord_type.value,
            limit_price=None,
            time_in_force=order.time_in_force.value,
        )
        reply = brokerage.submit(new_order)
        if is_refusal(reply.http_status):
            return self._unless_it_exists(event, message, reply)
        asking = facts.asked_by(message, self._now())
        return (facts.answer(subject, ReportRequest.SUBMIT, reply, asking, attempt),)

    def _unless_it_exists(self, event: OrderEvent, message: Message, no: Reply) -> Sequence[Fact]:
        """Return `no` (kept back, or refused) as the answer, but only if the brokerage does not have the order."""
        subject, attempt = self._subject(event), event.attempt
        shown = self._brokerage(event.account_id).order_by_client_id(event.client_order_id)
        asking = facts.asked_by(message, self._now())
        if shown.http_status == 200 and order_of(fields_of(shown.body)) is not None:
            return self._read_order(event, message, shown)
        if shown.http_status != 404:
            why = no.error or f"refused with HTTP {no.http_status} {no.body}"
            unsure = Reply(None, "", f"{why}; whether it exists all the same cannot be read: {_problem(shown)}")
            return (facts.silence(subject, ReportRequest.SUBMIT, unsure, asking, attempt),)
        if no.http_status is None:
            return (facts.kept_back(subject, no.error or NOT_SENT, asking, attempt),)
        return (facts.answer(subject, ReportRequest.SUBMIT, no, asking, attempt),)

    def _cancel(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        """Cancel by the broker's id; an order whose id is unknown is looked up first."""
        brokerage = self._brokerage(event.account_id)
        broker_order_id = event.broker_order_id
        if broker_order_id is None:
            shown = brokerage.order_by_client_id(event.client_order_id)
            found = order_of(fields_of(shown.body)) if shown.http_status == 200 else None
            if found is None or found.is_over:
                return self._read_order(event, message, shown)
            broker_order_id = found.broker_order_id
        reply = brokerage.cancel(broker_order_id)
        asking = facts.asked_by(message, self._now())
        return (facts.answer(self._subject(event), ReportRequest.CANCEL, reply, asking, event.attempt),)

    def _query(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        shown = self._brokerage(event.account_id).order_by_client_id(event.client_order_id)
        return self._read_order(event, message, shown)

    def _read_order(self, event: OrderEvent, message: Message, shown: Reply) -> Sequence[Fact]:
        """Return the order as it was read, and before it its executions; read later, they miss none the order knows."""
        subject, brokerage = self._subject(event), self._brokerage(event.account_id)
        fields = fields_of(shown.body) if shown.http_status == 200 else {}
        found = order_of(fields)
        said: list[Fact] = []
        if found is not None:
            sent_at = instant(fields, "submitted_at", "created_at")
            reply = brokerage.fill_activities(None if sent_at is None else sent_at - CLOCKS_DIFFER)
            asking = facts.asked_by(message, self._now())
            said.append(_own_fills(subject, reply, found.broker_order_id, asking))
        asking = facts.asked_by(message, self._now())
        return (*said, facts.read(subject, ReportRequest.ORDER, shown, asking))

    def _snapshot(self, cleared: Execution, message: Message) -> Sequence[Fact]:
        """Return what happened in the account, each a record of its own, and then the account with all of it."""
        account_id = cleared.account_id
        memory = self._memory(account_id)
        reader = AccountReader(
            self._brokerage(account_id),
            memory,
            self._quote_source,
            self._now,
            lambda: self._pause(account_id, self._retry_wait_s),
        )
        record = reader.snapshot(cleared)
        with memory.lock:
            news = tuple(activity_news(memory, record.content.activities, self._now()))
        return (*news, facts.snapshot(record, message))

    def _noted(self, account_id: str, said: Sequence[Fact]) -> Sequence[Fact]:
        memory = self._memory(account_id)
        with memory.lock:
            for fact in said:
                memory.note_fact(fact)
        return said

    def _accounts(self, partition: int) -> list[str]:
        return [each for each in sorted(self._brokerages) if self._partition_of_account(each) == partition]

    def _memory(self, account_id: str) -> AccountMemory:
        return self._memories.setdefault(account_id, AccountMemory(account_id))

    def _brokerage(self, account_id: str) -> Brokerage:
        return self._brokerages.get(account_id) or NoBrokerage(account_id)

    def _subject(self, event: OrderEvent) -> Subject:
        memory = self._memory(event.account_id)
        with memory.lock:
            return memory.subject(event.client_order_id)

    def _pause(self, account_id: str, seconds: float) -> None:
        watch = self._watches.get(account_id)
        if watch is None:
            threading.Event().wait(seconds)
        else:
            watch.pause(seconds)


def _own_fills(subject: Subject, reply: Reply, broker_order_id: str, asking: facts.Asking) -> Fact:
    """Return the order's own executions of a listing; a listing that cannot be read is passed on as it is."""
    try:
        rows = rows_of(reply.body) if reply.http_status == 200 else None
    except ValueError:
        rows = None
    if rows is None:
        return facts.read(subject, ReportRequest.FILLS, reply, asking)
    return facts.fills_read(subject, executions_of(rows, broker_order_id), asking)


def _problem(reply: Reply) -> str:
    return reply.error or f"HTTP {reply.http_status} {reply.body}"
