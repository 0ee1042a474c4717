"""What was said about accounts: the fold of the broker agent's own published facts, one `AccountSaid` by account.

What can never matter again is forgotten (`agents.broker.forgetting`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from immutables import Map

from agents.broker.facts import ACTIVITY_TIMES
from agents.broker.order_said import OrderSaid, later, with_report
from agents.broker.raw import Fields
from agents.broker.reading import fields_of, instant, positions_of, text
from agents.declaration import Fact
from schemas.account import AccountActivity, AccountSnapshot, Position, SnapshotStatus
from schemas.order import BrokerReport, ReportRequest
from schemas.record import Envelope


@dataclass(frozen=True)
class ActivitySaid:
    """One activity: when it happened, None where it does not say, and whose order it is an execution of.

    `client_order_id` is empty when the broker has no such order any more, None for an activity of another type.
    """

    at: datetime | None
    order_id: str
    client_order_id: str | None


@dataclass(frozen=True)
class AccountSaid:
    """What was said about one account.

    `names` are the client order ids of orders by the broker's ids, as reports say them, `strangers` as activities do.
    `latest_activity` is up to when everything was read that happened, by the broker's times; `executed_at` the latest
    execution of any order, `clock` the agent's clock, as facts say them. `quoted` are the symbols of the last snapshot
    that have quotes, `positions` what was said last of the account's. Nothing of before `forgotten_until` is known.
    """

    orders: Map[str, OrderSaid] = field(default_factory=Map)
    names: Map[str, str] = field(default_factory=Map)
    activities: Map[str, ActivitySaid] = field(default_factory=Map)
    strangers: Map[str, str] = field(default_factory=Map)
    latest_activity: datetime | None = None
    executed_at: datetime | None = None
    clock: datetime | None = None
    quoted: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()
    forgotten_until: datetime | None = None

    def order(self, client_order_id: str) -> OrderSaid:
        """Return what is known of an order, nothing for a new one."""
        return self.orders.get(client_order_id) or OrderSaid(client_order_id)


def with_order(said: AccountSaid, order: OrderSaid) -> AccountSaid:
    """Return the account with another word of an order."""
    names = said.names
    if order.broker_order_id and names.get(order.broker_order_id) != order.client_order_id:
        names = names.set(order.broker_order_id, order.client_order_id)
    return replace(said, orders=said.orders.set(order.client_order_id, order), names=names)


def with_told(said: AccountSaid, client_order_ids: Iterable[str]) -> AccountSaid:
    """Return the account with orders that our log has told of, now."""
    for name in client_order_ids:
        order = said.order(name)
        said = with_order(said, replace(order, is_told=True, last_at=later(order.last_at, said.clock)))
    return said


def with_fact(said: AccountSaid, fact: Fact) -> AccountSaid:
    """Return the account after a fact; nothing is forgotten here."""
    match fact.record:
        case AccountActivity() as activity:
            return _with_activity(said, activity)
        case AccountSnapshot() as snapshot:
            return _with_snapshot(replace(said, clock=later(said.clock, snapshot.content.taken_at)), snapshot)
        case BrokerReport() as report:
            return _with_report(replace(said, clock=later(said.clock, report.received_at)), fact.envelope, report)
        case _:
            return said


def time_of(activity: Fields) -> datetime | None:
    """Return when an activity happened, None where it does not say."""
    return instant(activity, *ACTIVITY_TIMES)


def _with_activity(said: AccountSaid, activity: AccountActivity) -> AccountSaid:
    fields = fields_of(activity.body)
    at, order_id, name = time_of(fields), text(fields, "order_id"), activity.client_order_id
    return replace(
        said,
        activities=said.activities.set(activity.activity_id, ActivitySaid(at, order_id, name)),
        strangers=said.strangers if name is None else said.strangers.set(order_id, name),
        latest_activity=later(said.latest_activity, at),
    )


def _with_snapshot(said: AccountSaid, snapshot: AccountSnapshot) -> AccountSaid:
    """A snapshot is of a cleared run: whatever was sent before it has ended, and all that happened was read for it."""
    said = with_told(said, [each.client_order_id for each in snapshot.content.ended_orders])
    for order in said.orders.values():
        if order.is_unanswered:
            said = with_order(said, replace(order, is_unanswered=False))
    if snapshot.status is not SnapshotStatus.READ:
        return said
    read_until = None if said.executed_at is None else min(said.executed_at, snapshot.content.taken_at)
    return replace(
        said,
        quoted=tuple(each.symbol for each in snapshot.content.quotes),
        positions=snapshot.content.positions,
        latest_activity=later(said.latest_activity, read_until),
    )


def _with_report(said: AccountSaid, envelope: Envelope, report: BrokerReport) -> AccountSaid:
    if report.request is ReportRequest.CHECK:
        return said  # nothing was sent yet
    if report.request is ReportRequest.ACCOUNT and report.http_status == 200:
        return replace(said, positions=_positions(report.body, said.positions))
    if not report.client_order_id:
        return said
    order, executed_at = with_report(said.order(report.client_order_id), envelope, report)
    return replace(with_order(said, order), executed_at=later(said.executed_at, executed_at))


def _positions(body: str, before: tuple[Position, ...]) -> tuple[Position, ...]:
    try:
        return positions_of(body)
    except ValueError:
        return before
