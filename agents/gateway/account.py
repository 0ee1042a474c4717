"""What the gateway remembers of one account: its orders, limits and halts, as the fold of what was published of them.

Orders are kept for good, because executions may come late and an id is taken once. What is looked through at every
intent is kept apart and small: the orders under way, and those that ended minutes ago.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from immutables import Map

from agents.gateway.orders import ZERO, Order, after
from agents.gateway.rates import Sent
from schemas.gate import HaltStatus, OrderLimits, TradingHalt
from schemas.order import ExecType, OrderEvent, Venue
from schemas.resolution import OrderResolution, ResolutionStatus

JUST_ENDED_FOR = timedelta(minutes=5)
"""How long an ended order is looked at by checks; they are read seconds before they are judged."""

Twins = tuple[str, str, str, str]


@dataclass(frozen=True)
class Resolved:
    """What a person has said of an order: how often, shares executed of it and beside it, and fills of the latter.

    Of what is booked of it, `taken_qty` shares for `taken_amt` dollars were taken out of the account again.
    """

    times: int
    cum_qty: Decimal
    manual_qty: Decimal
    fills: int
    taken_qty: Decimal
    taken_amt: Decimal

    @property
    def executed_qty(self) -> Decimal:
        """Shares executed under its name; more than that is news."""
        return self.cum_qty + self.manual_qty


UNRESOLVED = Resolved(times=0, cum_qty=ZERO, manual_qty=ZERO, fills=0, taken_qty=ZERO, taken_amt=ZERO)
"""Of an order of which nobody has said anything."""


@dataclass(frozen=True)
class Account:
    """One account. `live`, `just_ended`, `plans` and `twins` are ways to orders at the broker, `live` those under way.

    `twins` has the orders of the same book, symbol, side and quantity, in the order in which they were asked for.
    `halts` has every halt there was, with its last status; `requests` the requests of a person that were answered;
    `resolved` the orders of which a person has said what became of them.
    """

    orders: Map[str, Order] = field(default_factory=Map)
    live: Map[str, Order] = field(default_factory=Map)
    just_ended: Map[str, Order] = field(default_factory=Map)
    plans: Map[UUID, tuple[str, ...]] = field(default_factory=Map)
    twins: Map[Twins, tuple[str, ...]] = field(default_factory=Map)
    limits: OrderLimits | None = None
    halts: Map[UUID, TradingHalt] = field(default_factory=Map)
    requests: Map[str, bool] = field(default_factory=Map)
    resolved: Map[str, Resolved] = field(default_factory=Map)
    sent: Sent = field(default_factory=Sent)

    @property
    def live_orders(self) -> tuple[Order, ...]:
        """The orders on their way to the broker, or there, sorted by id."""
        return tuple(sorted(self.live.values(), key=_name))

    def ended_since(self, at: datetime) -> tuple[Order, ...]:
        """Return the orders whose end may not yet be in what was read at a time, sorted by id."""
        ended = sorted(self.just_ended.values(), key=_name)
        return tuple(each for each in ended if each.ended_at is not None and each.ended_at >= at)

    def of_plan(self, plan_id: UUID) -> tuple[Order, ...]:
        """Return the orders and crosses of a plan, in the order in which they were asked for."""
        return tuple(self.orders[name] for name in self.plans.get(plan_id, ()))

    def twins_of(self, key: Twins) -> tuple[Order, ...]:
        """Return the orders of a kind, in the order in which they were asked for."""
        return tuple(self.orders[name] for name in self.twins.get(key, ()))


def twins_key(order: Order) -> Twins:
    """Return what two orders have in common that could be the same one twice."""
    terms = order.terms
    return terms.book, terms.symbol, terms.side.value, f"{terms.order_qty:f}"


def limits_key(request_id: str) -> str:
    """Return how a request for limits is remembered."""
    return f"limits/{request_id}"


def halt_key(request_id: str) -> str:
    """Return how a request for a halt, or for its end, is remembered."""
    return f"halt/{request_id}"


def resolution_key(request_id: str) -> str:
    """Return how a request to resolve an order is remembered."""
    return f"resolution/{request_id}"


def after_order(account: Account, said: OrderEvent) -> Account:
    """Return the account after one of its orders' events."""
    name = said.client_order_id
    before = account.orders.get(name)
    order = after(before, said)
    known = _with_new(account, order) if before is None and said.exec_type is not ExecType.REFUSED else account
    known = replace(known, orders=known.orders.set(name, order))
    if order.terms.venue is Venue.INTERNAL:
        return known
    if said.attempt == 1 and said.check is not None and (before is None or before.attempt == 0):
        known = _forget_ended(replace(known, sent=known.sent.after(said.check.read_at)), said.check.read_at)
    return _moved(known, name, order)


def after_limits(account: Account, said: OrderLimits) -> Account:
    """Return the account after limits were set."""
    return replace(account, limits=said, requests=account.requests.set(limits_key(said.request_id), True))


def after_halt(account: Account, said: TradingHalt) -> Account:
    """Return the account after a halt began or ended; one that was refused changes nothing."""
    requests = account.requests.set(halt_key(said.request_id), True) if said.request_id else account.requests
    is_halt = said.status is not HaltStatus.REFUSED
    halts = account.halts.set(said.halt_id, said) if is_halt else account.halts
    return replace(account, halts=halts, requests=requests)


def after_resolution(account: Account, said: OrderResolution) -> Account:
    """Return the account after a person's word about an order was answered; one that was refused changes nothing."""
    requests = account.requests.set(resolution_key(said.request_id), True)
    if said.status is not ResolutionStatus.ACCEPTED:
        return replace(account, requests=requests)
    before = account.resolved.get(said.client_order_id) or UNRESOLVED
    taken_qty = max(account.orders[said.client_order_id].cum_qty - said.cum_qty, ZERO)
    taken_now = taken_qty - before.taken_qty
    now = Resolved(
        times=before.times + 1,
        cum_qty=said.cum_qty,
        manual_qty=said.executed_qty - said.cum_qty,
        fills=before.fills + len(said.manual_trades),
        taken_qty=taken_qty,
        taken_amt=before.taken_amt + (taken_now * said.manual_trades[-1].price if taken_now else ZERO),
    )
    return replace(account, requests=requests, resolved=account.resolved.set(said.client_order_id, now))


def _with_new(account: Account, order: Order) -> Account:
    plan, name = order.terms.plan_id, order.client_order_id
    plans = account.plans.set(plan, (*account.plans.get(plan, ()), name))
    if order.terms.venue is Venue.INTERNAL:
        return replace(account, plans=plans)
    key = twins_key(order)
    return replace(account, plans=plans, twins=account.twins.set(key, (*account.twins.get(key, ()), name)))


def _moved(account: Account, name: str, order: Order) -> Account:
    if order.is_live:
        return replace(account, live=account.live.set(name, order))
    live = account.live.delete(name) if name in account.live else account.live
    ended = account.just_ended.set(name, order) if order.ended_at is not None else account.just_ended
    return replace(account, live=live, just_ended=ended)


def _forget_ended(account: Account, at: datetime) -> Account:
    kept = account.just_ended
    for name in sorted(account.just_ended):
        ended_at = account.just_ended[name].ended_at
        if ended_at is not None and ended_at < at - JUST_ENDED_FOR:
            kept = kept.delete(name)
    return replace(account, just_ended=kept)


def _name(order: Order) -> str:
    return order.client_order_id
