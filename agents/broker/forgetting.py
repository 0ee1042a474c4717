"""What the broker agent forgets of an account: what can never matter again. Money is at stake, so here is why.

What is forgotten was heard of, or happened, more than `KEPT_FOR` (two weeks) before both the account's latest activity
that was said and the latest clock that a fact shows. Two clocks, because either alone may be wrong by a bogus date.

*What the broker could still say of it.* Activities are read from a week (`ACTIVITY_OVERLAP`) before the latest activity
on. An order of ours is a day order: it is executed within a week (`FOLLOWED_FOR`: a session, weekend and holidays) of
its last word. So no reading shows an execution of a forgotten order: none can be taken for somebody's trade by hand
because it is not known any more that the order was ours, and none is lost, because every reading before showed it while
the order was known. The week in between covers what the clocks differ by. A trade by hand that was said, and any other
activity, is not read again either, so its id need not be known.

*What this agent could still do with it.* Polls follow an order for a week after its first word, and list those that
were sent within a week. Both are over. One that may or may not be at the broker (`is_unanswered`) is kept until it is
found, or a snapshot says that all has ended. One that is open, of whomever, is said once a day and so is never old.

*What is said if a word of it comes all the same* (a stream message or a read weeks later): the same words, in a chain
of their own instead of the run's, as of no attempt, and so under an id of their own; the gateway and the ledger keep
their own memory of orders and activities. And an execution of before what is remembered, in a listing that shows more
than was asked for, is nobody's trade by hand while its order has our form (`is_of_before`).

*Never forgotten*: an activity that does not say when it happened, for a broker lists it for ever.

It is a fold like all else: whether an agent folds its whole log or goes on from a snapshot, it forgets the same.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from immutables import Map

from agents.broker.order_said import OrderSaid
from agents.broker.said import AccountSaid, ActivitySaid

ACTIVITY_OVERLAP = timedelta(days=7)
"""How far back activities are read again: one may be recorded days after the time it names."""

FOLLOWED_FOR = timedelta(days=7)
"""How long an order without a known end is read at polls; a day order cannot live as long."""

KEPT_FOR = FOLLOWED_FOR + ACTIVITY_OVERLAP
"""How long after its last word something is remembered."""

EVERY = timedelta(days=1)
"""How far time goes on before everything is looked through again."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


def forgotten(said: AccountSaid) -> AccountSaid:
    """Return the account without what can never matter again; mostly that is the account as it was given."""
    until = _until(said)
    if until is None or (said.forgotten_until is not None and until - said.forgotten_until < EVERY):
        return said
    orders = Map({name: order for name, order in said.orders.items() if _is_kept(order, until)})
    activities = Map({name: each for name, each in said.activities.items() if _is_recent(each, until)})
    known = {each.order_id for each in activities.values()}
    return replace(
        said,
        orders=orders,
        names=Map({order_id: name for order_id, name in said.names.items() if name in orders}),
        activities=activities,
        strangers=Map({order_id: name for order_id, name in said.strangers.items() if order_id in known}),
        forgotten_until=until,
    )


def is_of_before(said: AccountSaid, at: datetime | None) -> bool:
    """Say whether something happened before what is remembered begins."""
    return at is not None and said.forgotten_until is not None and at < said.forgotten_until


def before(at: datetime, by: timedelta) -> datetime:
    """Return a time so much earlier, or the earliest there is."""
    return at - by if at - _EARLIEST > by else _EARLIEST


def _until(said: AccountSaid) -> datetime | None:
    if said.latest_activity is None or said.clock is None:
        return None
    return before(min(said.latest_activity, said.clock), KEPT_FOR)


def _is_kept(order: OrderSaid, until: datetime) -> bool:
    may_be_there = order.is_unanswered and not order.is_over
    return may_be_there or order.last_at is None or order.last_at >= until


def _is_recent(activity: ActivitySaid, until: datetime) -> bool:
    return activity.at is None or activity.at >= until
