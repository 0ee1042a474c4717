"""The books beside the broker's account: exactly equal, different, or too early to say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agents.ledger.books import ZERO, Account, unknown_to, without
from schemas.account import OrderProgress, SnapshotContent
from schemas.ledger import CASH, BookDifference, BooksStatus

ROUNDED_MAX = Decimal("0.005")
"""Most that the broker's rounding of one execution's dollars to whole cents can make: half a cent."""


@dataclass(frozen=True)
class Verdict:
    """What a comparison comes to.

    `rounding` is what the broker has rounded, dollars, where nothing else differs. `shown` are the books as the
    snapshot shows them: without the activities that were booked already and happened after it.
    """

    status: BooksStatus
    detail: str
    shown: Account
    differences: tuple[BookDifference, ...] = ()
    rounding: Decimal = ZERO


def compared(account: Account, snapshot: SnapshotContent) -> Verdict:
    """Return how the books compare with a snapshot.

    Cash that differs by no more than half a cent per execution since the books last equalled the account is the
    broker's rounding, and so is what takes an earlier rounding back; a quantity that differs is never rounded.
    """
    differences = _differences(account, snapshot)
    missing = _missing(account, snapshot.ended_orders)
    if missing:
        return Verdict(BooksStatus.PENDING, f"fills are still to be booked: {missing}", account, differences)
    candidates = ((_rounding(each, _differences(each, snapshot)), each) for each in _before(account, snapshot))
    fitting = [(rounding, shown) for rounding, shown in candidates if rounding is not None]
    if fitting:
        rounding, shown = min(fitting, key=lambda each: abs(each[0]))
        return Verdict(BooksStatus.READY, "", shown, rounding=rounding)
    if account.is_empty and not snapshot.positions:
        return Verdict(BooksStatus.PENDING, "nothing is booked yet: the first deposit is missing", account, differences)
    items = ", ".join(f"{each.item} {plain(each.ledger)} here, {plain(each.broker)} there" for each in differences)
    return Verdict(BooksStatus.BLOCKED, f"books and broker differ: {items}", account, differences)


def plain(amount: Decimal) -> str:
    """Return a number as a person writes it: without exponent, and without zeros at its end."""
    return format(amount.normalize(), "f") if amount else "0"


def _before(account: Account, snapshot: SnapshotContent) -> Iterator[Account]:
    """Yield the books, then without the last activity, the last two, ...: those that the snapshot does not know.

    Activities and snapshots reach the ledger by two topics, so one that happened later may be booked earlier.
    """
    yield account
    for entry in reversed(unknown_to(account, snapshot)):
        account = without(account, entry)
        yield account


def _rounding(account: Account, differences: tuple[BookDifference, ...]) -> Decimal | None:
    """Return the cash that differs if it may be rounding, 0 where nothing differs, None where more does."""
    amount = sum((each.broker - each.ledger for each in differences), ZERO)
    if any(each.item != CASH for each in differences):
        return None
    is_rounding = abs(amount) <= ROUNDED_MAX * account.fills
    return amount if is_rounding or _takes_back(account, amount) else None


def _takes_back(account: Account, amount: Decimal) -> bool:
    """Say whether cash that differs may be a fee that was taken for rounding before the broker had posted it.

    What was booked then was the fee and the rounding of its executions, so their half cents are the room there is.
    """
    return any(
        amount * rounded < 0 and abs(amount) <= abs(rounded) + ROUNDED_MAX * (count + account.fills)
        for rounded, count in account.roundings
    )


def _differences(account: Account, snapshot: SnapshotContent) -> tuple[BookDifference, ...]:
    own = account.totals()
    broker: Mapping[str, Decimal] = {CASH: snapshot.cash} | {each.symbol: each.quantity for each in snapshot.positions}
    return tuple(
        BookDifference(item=item, ledger=own.get(item, ZERO), broker=broker.get(item, ZERO))
        for item in sorted({*own, *broker})
        if own.get(item, ZERO) != broker.get(item, ZERO)
    )


def _missing(account: Account, ended: Iterable[OrderProgress]) -> str:
    """Return which ended orders have executed more than is booked; crosses count, although they move no total."""
    late = (
        f"{each.client_order_id} {plain(account.booked.get(each.client_order_id, ZERO))} of {plain(each.cum_qty)}"
        for each in ended
        if account.booked.get(each.client_order_id, ZERO) < each.cum_qty
    )
    return ", ".join(late)
