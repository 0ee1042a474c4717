"""What the broker agent remembers: of each account what was said (the log's part), and what only this process learnt.

`initial_state` and `evolve` are the agent's memory, folded from its own facts and written down beside them.
`AccountMemory` begins with that and goes on by itself: it is ahead by facts that are about to be published, and knows
besides what the gateway said of orders, up to when activities were read, and what orders are called that no report
names. A next owner hears, reads and asks that again.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import localcontext

from immutables import Map

from agents.broker.facts import Origin, Subject
from agents.broker.forgetting import ACTIVITY_OVERLAP, FOLLOWED_FOR, before, forgotten, is_of_before
from agents.broker.order_said import OrderSaid, later
from agents.broker.raw import Fields
from agents.broker.said import AccountSaid, time_of, with_fact, with_order, with_told
from agents.declaration import Fact
from schemas.account import AccountActivity, AccountSnapshot, OrderProgress, Position
from schemas.order import BrokerReport
from schemas.quantities import CONTEXT


def initial_state() -> Map[str, AccountSaid]:
    """Return what is remembered before anything was said: nothing, of no account."""
    return Map()


def evolve(state: Map[str, AccountSaid], fact: Fact) -> Map[str, AccountSaid]:
    """Return what is remembered after one more fact, by account."""
    match fact.record:
        case AccountActivity(account_id=account_id) | AccountSnapshot(account_id=account_id):
            pass
        case BrokerReport(account_id=account_id):
            pass
        case _:
            return state
    return state.set(account_id, forgotten(with_fact(state.get(account_id) or AccountSaid(), fact)))


@dataclass
class AccountMemory:
    """What this process knows of one account. Hold `lock` while reading or changing it: several threads do.

    `asked` are the client order ids of orders that were asked for, by the broker's ids; empty when the broker has no
    such order any more.
    """

    account_id: str
    said: AccountSaid = field(default_factory=AccountSaid)
    lock: threading.RLock = field(default_factory=threading.RLock)
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> Mapping[str, str]:
        """Client order ids by the broker's ids, as reports say them."""
        return self.said.names

    @property
    def quoted(self) -> tuple[str, ...]:
        """The symbols of the last snapshot that have quotes."""
        return self.said.quoted

    @property
    def positions(self) -> tuple[Position, ...]:
        """What was said last of the account's positions."""
        return self.said.positions

    def order(self, client_order_id: str) -> OrderSaid:
        """Return what is known of an order, nothing for a new one."""
        return self.said.order(client_order_id)

    def subject(self, client_order_id: str) -> Subject:
        """Return an order as the subject of a report."""
        return Subject(self.account_id, client_order_id, self.order(client_order_id).origin)

    def submitting(self, client_order_id: str, origin: Origin) -> None:
        """Note that an order is about to be sent."""
        self.said = with_told(self.said, [client_order_id])
        self.said = with_order(self.said, replace(self.order(client_order_id), origin=origin))

    def is_on_log(self, client_order_id: str) -> bool:
        """Say whether our log has told of an order: that it is to be sent, or that it has ended."""
        known = self.order(client_order_id)
        return known.is_told or known.origin.correlation_id is not None

    def ended(self, client_order_id: str) -> None:
        """Note that an order of our log has ended for good."""
        self.said = with_told(self.said, [client_order_id])
        self.said = with_order(self.said, replace(self.order(client_order_id), is_over=True))

    def tell(self, ended: Iterable[OrderProgress]) -> None:
        """Note orders that a cleared run says have ended."""
        self.said = with_told(self.said, [each.client_order_id for each in ended])

    def name_of(self, broker_order_id: str) -> str | None:
        """Return an order's client order id; empty when the broker has the order no more, None when it is unknown."""
        found = (each.get(broker_order_id) for each in (self.said.names, self.said.strangers, self.asked))
        return next((name for name in found if name is not None), None)

    def is_streamed(self, client_order_id: str, fact: Fact) -> bool:
        """Say whether a message of the stream was said before."""
        return fact.envelope.event_id in self.order(client_order_id).streamed

    def is_said(self, activity_id: str) -> bool:
        """Say whether an activity was said."""
        return activity_id in self.said.activities

    def is_of_before(self, at: datetime | None) -> bool:
        """Say whether something happened before what is remembered begins."""
        return is_of_before(self.said, at)

    def followed(self, now: datetime) -> tuple[OrderSaid, ...]:
        """Return the orders that something was said about, but not their end, sorted by id."""
        return tuple(
            order
            for _, order in sorted(self.said.orders.items())
            if not order.is_over and order.heard_at is not None and now - order.heard_at < FOLLOWED_FOR
        )

    def unanswered(self) -> tuple[str, ...]:
        """Return the orders that the broker may have or not, as far as the published facts say, sorted."""
        orders = sorted(self.said.orders.items())
        return tuple(name for name, order in orders if order.is_unanswered and not order.is_over)

    def activities_after(self) -> datetime | None:
        """Return from when on activities have to be read; by the broker's times, not by our clock."""
        latest = self.said.latest_activity
        return None if latest is None else before(latest, ACTIVITY_OVERLAP)

    def note_fact(self, fact: Fact) -> None:
        """Take in a fact that is about to be published."""
        with localcontext(CONTEXT):
            self.said = forgotten(with_fact(self.said, fact))

    def note_times(self, rows: Iterable[Fields]) -> None:
        """Take in when activities happened that were read."""
        latest = self.said.latest_activity
        for fields in rows:
            latest = later(latest, time_of(fields))
        self.said = replace(self.said, latest_activity=latest)
