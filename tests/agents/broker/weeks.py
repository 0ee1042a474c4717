"""Weeks of one account: the real broker agent on a brokerage with dates, and what was said of it all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from immutables import Map

from agents.broker import memory
from agents.broker.ports import OrderStatusFilter, Reply, Side
from agents.broker.said import AccountSaid
from agents.decider import Message
from agents.declaration import Fact
from agents.testing import through_the_wire
from infra.runtime.state_form import form_of_states
from schemas.account import AccountActivity, OrderProgress
from schemas.client_order_id import client_order_id
from schemas.identity import derived
from schemas.order import ExecType, OrdStatus, ReportKind
from schemas.record import Record
from tests.agents.broker.fake import SILENT, FakeBrokerage, FakeOrder, reply
from tests.agents.broker.test_performer import Clock, cleared, step
from tests.agents.gateway.words import ACCOUNT
from tests.simulation.hands import Hands

FORM = form_of_states(memory)
TEN = Decimal(10)


@dataclass
class DatedBrokerage(FakeBrokerage):
    """A brokerage whose orders and activities have dates, and whose listings look at them."""

    clock: Clock = field(default_factory=Clock)
    sent_at: dict[str, datetime] = field(default_factory=dict)
    is_planned_on: bool = False

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:
        wanted = [each for each in self.book.values() if status == "all" or each.is_open is (status == "open")]
        return reply([self._shown(each) for each in wanted if after is None or self._sent_at(each) > after])

    def deposit(self, amount: str, activity_type: str = "CSD") -> None:
        super().deposit(amount, activity_type)
        self.activity[-1]["date"] = self.clock.at.date().isoformat()

    def _shown(self, order: FakeOrder) -> dict[str, Any]:
        return super()._shown(order) | {"submitted_at": self._sent_at(order).isoformat()}

    def _sent_at(self, order: FakeOrder) -> datetime:
        return self.sent_at.setdefault(order.new.client_order_id, self.clock.at)

    def _tick(self) -> str:
        self.ticks += 1
        return (self.clock.at + timedelta(microseconds=self.ticks)).isoformat()


class Weeks:
    """An account that is served for weeks. Whatever is published is folded, as by the runtime.

    `is_cut` says before which facts the memory is written down and read again.
    """

    def __init__(self, is_cut: Callable[[int], bool] = lambda _: False) -> None:
        self.clock = Clock()
        self.brokerage = DatedBrokerage(prices={"AAPL": TEN}, fills_at=lambda _: [], clock=self.clock)
        self.facts: list[Fact] = []
        self.state: Map[str, AccountSaid] = memory.initial_state()
        self.names: list[str] = []
        self._ended: list[str] = []
        self._is_cut = is_cut
        self._told = 0
        self.restarts()

    # --- what can happen

    def restarts(self) -> None:
        """Another process takes the account over: it knows what was published, and no more."""
        self.hands = Hands({ACCOUNT: self.brokerage}, self.clock)  # type: ignore[dict-item]  # it has what Hands asks of
        self.hands.take_over(0, self.state, self._publish)
        self.brokerage.on_message = lambda body: self.hands.hear(ACCOUNT, body)
        self.polls()

    def passes(self, days: int) -> None:
        """Days pass; day orders end with the first of them."""
        self.clock.at += timedelta(hours=6)
        self.ends("expired")
        self.clock.at += timedelta(days=days, hours=-6)

    def sends(self, answer: Reply | str | None = None) -> None:
        """The gateway lets another order of ours pass; `answer` is how the answer to it goes wrong."""
        number = len(self.names)
        self.names.append(client_order_id("net", "AAPL", self.clock.at, derived("intent", number)))
        if answer is not None:
            self.brokerage.trouble("submit", answer)
        order = step(ExecType.SUBMITTING).order.model_copy(update={"valid_until": self.clock.at + timedelta(hours=1)})
        said = self._tell(step(ExecType.SUBMITTING, client_order_id=self.names[-1], check=None, order=order))
        if any(each.record.kind is ReportKind.SILENCE for each in said):
            self._tell(step(ExecType.UNKNOWN, OrdStatus.UNKNOWN, client_order_id=self.names[-1]))

    def fills(self, quantity: int) -> None:
        """The market takes a part of every open order."""
        for order in self._open():
            cum_qty = min(order.filled_qty + quantity, order.new.order_qty)
            self.brokerage.fill(order.new.client_order_id, cum_qty)

    def ends(self, status: str) -> None:
        """Every open order ends."""
        for order in self._open():
            self.brokerage.end(order.new.client_order_id, status)

    def is_heard(self, yes: bool) -> None:
        """From now on the stream sends all, or nothing."""
        self.brokerage.is_heard = yes

    def trades_by_hand(self, side: Side) -> None:
        """Somebody with the broker's app trades."""
        self.brokerage.trade_by_hand(f"by-hand-{len(self.brokerage.book)}", side, "AAPL", "5")

    def charges(self) -> None:
        """The broker takes a fee."""
        self.brokerage.charge("0.01")

    def polls(self) -> None:
        self.hands.poll()
        self.hands.read_unknown()

    def clears(self) -> None:
        """A run is cleared: what is open is canceled, heard and read, and the account is read for it."""
        self.ends("canceled")
        self.polls()
        for name in self.names[self._told :]:
            self._tell(step(ExecType.CANCELED, OrdStatus.CANCELED, client_order_id=name))
        self._ended = self.names[self._told :] or self._ended
        self._told = len(self.names)
        ended = [OrderProgress(client_order_id=name, cum_qty=TEN, gross_trade_amt=TEN) for name in sorted(self._ended)]
        run_id = derived("run", len(self.facts))
        self._tell(cleared().model_copy(update={"run_id": run_id, "ended_orders": tuple(ended)}))

    # --- what came of it

    @property
    def known(self) -> AccountSaid:
        """What is remembered of the account."""
        return self.state.get(ACCOUNT) or AccountSaid()

    def said(self, kind: type[Record]) -> list[Any]:
        """All that was said of a kind."""
        return [each.record for each in self.facts if isinstance(each.record, kind)]

    def trades(self) -> list[tuple[str, str | None]]:
        """What was said to have happened outside our orders."""
        return [(each.activity_type, each.client_order_id) for each in self.said(AccountActivity)]

    def _open(self) -> list[FakeOrder]:
        return [each for each in self.brokerage.book.values() if each.is_open]

    def _tell(self, record: Record) -> Sequence[Any]:
        identity = derived("told", record.model_dump_json())
        said = self.hands.perform(Message(record, identity, identity, self.clock.at))
        for fact in said:
            self._publish(fact)
        return said

    def _publish(self, fact: Fact) -> None:
        fact = replace(fact, record=through_the_wire(fact.record))
        if self._is_cut(len(self.facts)):
            text = FORM.to_text(self.state)
            self.state = FORM.from_text(text)
            assert FORM.to_text(self.state) == text
        self.facts.append(fact)
        self.state = memory.evolve(self.state, fact)


LOST: tuple[Reply | str | None, ...] = (None, "lost", SILENT)
"""What may become of an answer: nothing, lost after the order was taken, lost with the order."""
