"""From a fact to its entry: balanced postings, or nothing where the fact moves nothing that can be booked."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal

from agents.ledger.split import split
from schemas.account import AccountActivity
from schemas.identity import derived
from schemas.ledger import CASH, STREET, SYSTEM, EntryKind, LedgerEntry, Posting
from schemas.order import Fill, OrderContribution, Side, Venue
from schemas.quantities import at_scale

ZERO = Decimal(0)

DEPOSITS = frozenset({"CSD", "JNLC"})
"""Cash that comes from outside or goes there (Alpaca: cash deposit, journaled cash)."""

FILL = "FILL"
"""The activity of an execution; executions are booked from fills, which know whose they are."""


def fill_entry(fill: Fill, allocated: Mapping[str, Decimal]) -> LedgerEntry:
    """Return the entry of a fill; `allocated` is what its plan line's earlier fills gave to each strategy.

    Every order of a line carries the line's wishes as contributions, so one line is split as one. Raises ValueError
    when a fill has nobody to go to.
    """
    order = fill.order
    if order.symbol == CASH:
        raise ValueError(f"fill {fill.fill_id}: the symbol {CASH} is cash in the books")
    is_cross = order.venue is Venue.INTERNAL
    parts = _crossed(fill) if is_cross else _shared(fill, allocated)
    return LedgerEntry(
        account_id=fill.account_id,
        entry_id=derived("entry", fill.fill_id),
        kind=EntryKind.CROSS if is_cross else EntryKind.FILL,
        run_id=order.run_id,
        plan_id=order.plan_id,
        symbol=order.symbol,
        fill_id=fill.fill_id,
        client_order_id=fill.client_order_id,
        cum_qty=fill.cum_qty,
        activity_id=None,
        postings=_traded(order.symbol, fill.last_px, parts),
    )


def activity_entry(activity: AccountActivity) -> LedgerEntry | None:
    """Return the entry of an activity that moved cash, booked to the system; None for any other."""
    amount = _net_amount(activity.body)
    if activity.activity_type == FILL or not amount:
        return None
    postings = (
        Posting(owner=STREET, commodity=CASH, amount=-amount),
        Posting(owner=SYSTEM, commodity=CASH, amount=amount),
    )
    return LedgerEntry(
        account_id=activity.account_id,
        entry_id=derived("entry", activity.account_id, activity.activity_id),
        kind=EntryKind.DEPOSIT if activity.activity_type in DEPOSITS else EntryKind.OTHER_ACTIVITY,
        run_id=None,
        plan_id=None,
        symbol=None,
        fill_id=None,
        client_order_id=None,
        cum_qty=None,
        activity_id=activity.activity_id,
        postings=_balanced(postings),
    )


def _shared(fill: Fill, allocated: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    sign = 1 if fill.order.side is Side.BUY else -1
    if any(each.side is not fill.order.side for each in fill.order.contributions):
        raise ValueError(f"fill {fill.fill_id}: a {fill.order.side} order has contributions of the other side")
    parts = split(_summed(fill.order.contributions), allocated, fill.last_qty)
    return [(owner, sign * quantity) for owner, quantity in sorted(parts.items())]


def _crossed(fill: Fill) -> list[tuple[str, Decimal]]:
    """Each side gets its whole wish: a cross is executed in one piece."""
    by_side = {side: _summed(each for each in fill.order.contributions if each.side is side) for side in Side}
    buys, sells = (sum(by_side[side].values(), ZERO) for side in (Side.BUY, Side.SELL))
    if not buys == sells == fill.last_qty:
        raise ValueError(f"cross {fill.fill_id} of {fill.last_qty}: buys are {buys}, sells are {sells}")
    bought = [(owner, quantity) for owner, quantity in sorted(by_side[Side.BUY].items())]
    return bought + [(owner, -quantity) for owner, quantity in sorted(by_side[Side.SELL].items())]


def _summed(contributions: Iterable[OrderContribution]) -> dict[str, Decimal]:
    wishes: dict[str, Decimal] = {}
    for each in contributions:
        wishes[each.strategy_id] = wishes.get(each.strategy_id, ZERO) + each.quantity
    return wishes


def _traded(symbol: str, price: Decimal, parts: Iterable[tuple[str, Decimal]]) -> tuple[Posting, ...]:
    """Return shares against cash for every part, the street on the other side; zero postings are left out."""
    amounts: dict[tuple[str, str], Decimal] = {}
    for owner, quantity in parts:
        for who, sign in ((owner, 1), (STREET, -1)):
            for commodity, amount in ((symbol, sign * quantity), (CASH, -sign * quantity * price)):
                amounts[commodity, who] = amounts.get((commodity, who), ZERO) + amount
    postings = (
        Posting(owner=owner, commodity=commodity, amount=amount)
        for (commodity, owner), amount in sorted(amounts.items())
        if amount
    )
    return _balanced(tuple(postings))


def _balanced(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    """Return the postings; raises ValueError when a commodity does not sum to zero."""
    sums: dict[str, Decimal] = {}
    for posting in postings:
        sums[posting.commodity] = sums.get(posting.commodity, ZERO) + posting.amount
    wrong = {commodity: amount for commodity, amount in sorted(sums.items()) if amount}
    if wrong:
        raise ValueError(f"expected postings that sum to zero per commodity, was {wrong}")
    return postings


def _net_amount(body: str) -> Decimal | None:
    """Return the cash an activity moved; None where it has none, or none that can be read: the books will differ."""
    try:
        fields = json.loads(body, parse_float=Decimal)
        amount = fields.get("net_amount") if isinstance(fields, dict) else None
        if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
            return None
        return at_scale(15)(Decimal(amount))
    except (ValueError, ArithmeticError, RecursionError):
        return None
