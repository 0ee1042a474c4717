"""The broker agent's hands: carries orders to the brokerage, reads for the log, and reports word for word.

It decides nothing about trading. What it looks at by itself makes sure that a report is true, and stops an order that
the log let pass when this process knows better, right before it is sent:

- whether the account is followed (`agents.broker.sync`), `valid_until` against the clock, and the halt of this machine;
- whether an order that is kept back or refused exists all the same, because a process may have died right after sending
  it, and the very same event is then performed again;
- how long to wait before a repeated attempt.

Doing anything twice is harmless: the brokerage takes a client order id once, and what is read twice says the same.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from agents.broker import facts
from agents.broker.absent import NoBrokerage
from agents.broker.check import CheckReader
from agents.broker.facts import Origin, Subject
from agents.broker.memory import AccountMemory
from agents.broker.order_read import order_as_read
from agents.broker.order_said import is_refusal
from agents.broker.poll import activity_news
from agents.broker.ports import RATE_LIMITED, UNAUTHORIZED, Brokerage, NewOrder, Reply
from agents.broker.reading import fields_of, order_of
from agents.broker.said import AccountSaid
from agents.broker.snapshot import AccountReader
from agents.broker.sync import SYNC_PATIENCE_S
from agents.broker.watch import AccountWatch
from agents.decider import Message
from agents.declaration import Fact
from schemas.execution import Execution, ExecutionStatus
from schemas.order import NOT_SENT, TERMINAL, ExecType, OrderEvent, OrderTerms, OrdStatus, ReportRequest

CHECK_AGE_MAX = timedelta(minutes=5)
"""How old the reading may be that an order was let pass on: a quote and a position of long ago hold nothing back."""

WAIT_S, WAITS_MAX = 1.0, 60
"""How long, and how often, an order waits for a free request; Alpaca's budget is free again within a minute."""


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
        halted: Callable[[], str | None] = lambda: None,
        seconds: Callable[[], float] = time.monotonic,
        sync_patience_s: float = SYNC_PATIENCE_S,
    ) -> None:
        """Prepare; nothing is connected before `take_over`.

        `now` is the clock of `received_at`, `read_at`, `taken_at` and `valid_until`, `seconds` one that only goes
        forward. A repeated attempt waits `retry_wait_s`, and twice as long each time. `quote_source` is what quotes are
        said to come from. `halted` says why this machine sends no orders, None while it does; it is asked before each.
        An order waits `sync_patience_s` for the stream and the poll after it.
        """
        self._brokerages = dict(brokerages)
        self._now = now
        self._partition_of_account = partition_of_account
        self._poll_interval_s = poll_interval_s
        self._retry_wait_s = retry_wait_s
        self._quote_source = quote_source
        self._halted = halted
        self._seconds = seconds
        self._sync_patience_s = sync_patience_s
        self._checks: dict[str, CheckReader] = {}
        self._memories: dict[str, AccountMemory] = {}
        self._watches: dict[str, AccountWatch] = {}
        self._since: dict[str, datetime] = {}

    def take_over(self, partition: int, memory: Mapping[str, AccountSaid], publish: Callable[[Fact], None]) -> None:
        """Begin with what was said about the partition's accounts, and start to listen and to poll."""
        self.release(partition)
        for account_id in self._accounts(partition):
            known = AccountMemory(account_id, memory.get(account_id) or AccountSaid())
            brokerage = self._brokerages[account_id]
            watch = AccountWatch(
                brokerage, known, publish, self._now, self._poll_interval_s, self._seconds, self._sync_patience_s
            )
            self._memories[account_id], self._watches[account_id] = known, watch
            self._since[account_id] = self._now()
            self._checks.pop(account_id, None)
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
            case OrderEvent() as event:
                self._note_status(event)
                return self._noted(event.account_id, self._act_on(event, message))
            case _:
                return ()

    def _act_on(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        match event.exec_type:
            case ExecType.CHECKING:
                return self._check(event, message)
            case ExecType.SUBMITTING:
                return self._submit(event, message)
            case ExecType.CANCELING:
                return self._cancel(event, message)
            case ExecType.QUERYING:
                shown = self._brokerage(event.account_id).order_by_client_id(event.client_order_id)
                return self._read_order(event, message, shown)
            case _:
                return ()

    def _note_status(self, event: OrderEvent) -> None:
        memory, watch = self._memory(event.account_id), self._watches.get(event.account_id)
        if event.ord_status in TERMINAL:
            with memory.lock:
                memory.ended(event.client_order_id)
        if watch is not None:
            watch.stands(event.client_order_id, is_unknown=event.ord_status is OrdStatus.UNKNOWN)

    def _check(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        account_id = event.account_id
        memory = self._memory(account_id)
        with memory.lock:
            quoted = memory.quoted
        reply = self._check_reader(account_id).check(event.order.symbol, quoted)
        return (facts.checked(event, reply, facts.asked_by(message, self._now())),)

    def _submit(self, event: OrderEvent, message: Message) -> Sequence[Fact]:
        order, attempt = event.order, event.attempt
        memory = self._memory(event.account_id)
        with memory.lock:
            memory.submitting(event.client_order_id, Origin(order.run_id, message.event_id, attempt))
        subject = self._subject(event)
        if attempt > 1:
            self._pause(event.account_id, self._retry_wait_s * 2 ** (attempt - 2))
        reply = self._posted(event)
        is_unsent = (reply.error or "").startswith(NOT_SENT) or reply.http_status == RATE_LIMITED
        if is_unsent and self._may_be_repeated(event.account_id, message):
            return self._unless_it_was_sent(event, message, reply)
        if is_refusal(reply.http_status) or (reply.http_status is None and is_unsent):
            return self._unless_it_exists(event, message, reply)
        asking = facts.asked_by(message, self._now())
        return (facts.answer(subject, ReportRequest.SUBMIT, reply, asking, attempt),)

    def _posted(self, event: OrderEvent) -> Reply:
        """Hand the order over, or say why it is kept back. While no request is free nothing is sent: that is no try."""
        brokerage, new_order = self._brokerage(event.account_id), _new_order(event.client_order_id, event.order)
        held = ""
        for _ in range(WAITS_MAX):
            if why := self._kept_back(event):
                return Reply(None, "", f"{NOT_SENT} {why}")
            reply = brokerage.submit(new_order)
            if reply.http_status != RATE_LIMITED or reply.error is None:
                return reply
            held = reply.error
            self._pause(event.account_id, WAIT_S)
        return Reply(None, "", f"{NOT_SENT} RATE_LIMITED {held}")

    def _kept_back(self, event: OrderEvent) -> str:
        """Return why an order is not sent now, empty when it is; waiting for the stream comes before the clock."""
        if missing := self._not_in_sync(event.account_id):
            return f"NOT_IN_SYNC {missing}"
        now, valid_until = self._now(), event.order.valid_until
        if now >= valid_until:
            return f"EXPIRED valid until {valid_until.isoformat()}, was {now.isoformat()}"
        if event.check is not None and event.attempt == 1 and now - event.check.read_at > CHECK_AGE_MAX:
            return f"CHECK_OLD read at {event.check.read_at.isoformat()}, was {now.isoformat()}"
        reason = self._halted()
        return "" if reason is None else f"HALTED {reason}"

    def _not_in_sync(self, account_id: str) -> str:
        if account_id not in self._brokerages:
            return ""  # nothing is sent without a brokerage, and its silence says why
        watch = self._watches.get(account_id)
        return "this process follows the account no more" if watch is None else watch.missing()

    def _may_be_repeated(self, account_id: str, message: Message) -> bool:
        """Say whether a process before this one may have performed the message and died before it could say so."""
        since = self._since.get(account_id)
        return since is None or message.occurred_at <= since

    def _unless_it_was_sent(self, event: OrderEvent, message: Message, no: Reply) -> Sequence[Fact]:
        """Return the order when it is found, else that nothing is known: not finding it does not say it is not sent."""
        shown = self._brokerage(event.account_id).order_by_client_id(event.client_order_id)
        if shown.http_status == 200 and order_of(fields_of(shown.body)) is not None:
            return self._read_order(event, message, shown)
        asking = facts.asked_by(message, self._now())
        why = no.error or f"HTTP {no.http_status} {no.body}"
        unsure = Reply(None, "", f"{why}; whether a process before this one has sent it is not known")
        return (facts.silence(self._subject(event), ReportRequest.SUBMIT, unsure, asking, event.attempt),)

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
            silence = facts.silence(subject, ReportRequest.SUBMIT, unsure, asking, attempt)
            refused = [each for each in (no, shown) if each.http_status == UNAUTHORIZED][:1]
            return (silence, *(facts.account_read(event.account_id, each, asking) for each in refused))
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

    def _read_order(self, event: OrderEvent, message: Message, shown: Reply) -> Sequence[Fact]:
        brokerage = self._brokerage(event.account_id)
        return order_as_read(self._subject(event), brokerage, shown, lambda: facts.asked_by(message, self._now()))

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

    def _check_reader(self, account_id: str) -> CheckReader:
        if account_id not in self._checks:
            brokerage = self._brokerage(account_id)
            self._checks[account_id] = CheckReader(
                brokerage, self._now, self._seconds, lambda: self._pause(account_id, self._retry_wait_s)
            )
        return self._checks[account_id]

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


def _new_order(client_order_id: str, order: OrderTerms) -> NewOrder:
    return NewOrder(
        client_order_id=client_order_id,
        symbol=order.symbol,
        side=order.side.value,
        order_qty=order.order_qty,
        ord_type=order.ord_type.value,
        limit_price=order.limit_price,
        time_in_force=order.time_in_force.value,
        extended_hours=order.is_extended_hours,
    )


def _problem(reply: Reply) -> str:
    return reply.error or f"HTTP {reply.http_status} {reply.body}"
