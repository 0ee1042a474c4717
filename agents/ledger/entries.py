"""From a fact to its entry: balanced postings. This page: fills, and what moves inside the account."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from agents.ledger.split import split
from schemas.identity import derived
from schemas.ledger import CASH, STREET, EntryKind, LedgerEntry, Posting
from schemas.order import NET, Fill, OrderContribution, Side, Venue
from schemas.run import Mode

ZERO = Decimal(0)

ModeOf = Callable[[str], Mode | None]


class Part(NamedTuple):
    """What one owner gets of an execution: signed shares."""

    owner: str
    mode: Mode | None
    quantity: Decimal


def fill_entry(fill: Fill, allocated: Mapping[str, Decimal], mode_of: ModeOf) -> LedgerEntry:
    """Return the entry of a fill; `allocated` is what its plan line's earlier fills gave to each strategy.

    Every order of a line carries the line's wishes as contributions, so one line is split as one. Raises ValueError
    when a fill has nobody to go to, or an order of a strategy's own book has a part of somebody else.
    """
    order = fill.order
    if order.symbol == CASH:
        raise ValueError(f"fill {fill.fill_id}: the symbol {CASH} is cash in the books")
    strangers = [each.strategy_id for each in order.contributions if order.book not in (NET, each.strategy_id)]
    if strangers:
        raise ValueError(f"fill {fill.fill_id}: {strangers} have a part in an order of the book {order.book}")
    is_cross = order.venue is Venue.INTERNAL
    shares = _crossed(fill) if is_cross else _shared(fill, allocated)
    return LedgerEntry(
        account_id=fill.account_id,
        entry_id=derived("entry", fill.fill_id),
        kind=EntryKind.CROSS if is_cross else EntryKind.FILL,
        run_id=order.run_id,
        plan_id=order.plan_id,
        book=order.book,
        symbol=order.symbol,
        fill_id=fill.fill_id,
        client_order_id=fill.client_order_id,
        cum_qty=fill.cum_qty,
        transact_time=fill.transact_time,
        activity_id=None,
        detail="",
        postings=traded(
            order.symbol, fill.last_px, [Part(owner, mode_of(owner), quantity) for owner, quantity in shares]
        ),
    )


def internal_entry(
    kind: EntryKind, place: tuple[str, UUID], about: str, detail: str, postings: Iterable[Posting]
) -> LedgerEntry:
    """Return the entry of what a run moves without a trade; `place` is account and run, `about` whom it concerns."""
    account_id, run_id = place
    return LedgerEntry(
        account_id=account_id,
        entry_id=derived("entry", kind, account_id, run_id, about),
        kind=kind,
        run_id=run_id,
        plan_id=None,
        book=None,
        symbol=None,
        fill_id=None,
        client_order_id=None,
        cum_qty=None,
        transact_time=None,
        activity_id=None,
        detail=detail,
        postings=balanced(postings),
    )


def traded(symbol: str, price: Decimal, parts: Iterable[Part]) -> tuple[Posting, ...]:
    """Return shares against cash for every part, the street on the other side."""
    postings: list[Posting] = []
    for owner, mode, quantity in parts:
        for who, how, sign in ((owner, mode, 1), (STREET, None, -1)):
            postings.append(Posting(owner=who, mode=how, commodity=symbol, amount=sign * quantity))
            postings.append(Posting(owner=who, mode=how, commodity=CASH, amount=-sign * quantity * price))
    return balanced(postings)


def plain(amount: Decimal) -> str:
    """Return a number as a person writes it: without exponent, and without zeros at its end."""
    return format(amount.normalize(), "f") if amount else "0"


def balanced(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """Return the postings, one per owner, mode and commodity, sorted, zeros left out.

    Raises ValueError when a commodity does not sum to zero.
    """
    amounts: dict[tuple[str, str, str], Decimal] = {}
    sums: dict[str, Decimal] = {}
    for each in postings:
        key = (each.commodity, each.owner, "" if each.mode is None else each.mode.value)
        amounts[key] = amounts.get(key, ZERO) + each.amount
        sums[each.commodity] = sums.get(each.commodity, ZERO) + each.amount
    wrong = {commodity: amount for commodity, amount in sorted(sums.items()) if amount}
    if wrong:
        raise ValueError(f"expected postings that sum to zero per commodity, was {wrong}")
    return tuple(
        Posting(owner=owner, mode=Mode(mode) if mode else None, commodity=commodity, amount=amount)
        for (commodity, owner, mode), amount in sorted(amounts.items())
        if amount
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
