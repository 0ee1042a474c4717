"""The books beside the broker's account: exactly equal, different, or too early to say."""

from dataclasses import dataclass
from decimal import Decimal

from agents.ledger.books import ZERO, Account, differences, owed_with, without_later
from agents.ledger.entries import plain
from agents.ledger.rounding import is_rounding
from schemas.account import SnapshotContent
from schemas.ledger import CASH, BookDifference, BooksStatus


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
    found = differences(account, snapshot)
    missing = _missing(account, snapshot)
    if missing:
        return Verdict(BooksStatus.PENDING, f"fills are still to be booked: {missing}", account, found)
    candidates = ((_rounding(each, differences(each, snapshot)), each) for each in without_later(account, snapshot))
    fitting = [(rounding, shown) for rounding, shown in candidates if rounding is not None]
    if fitting:
        rounding, shown = min(fitting, key=lambda each: abs(each[0]))
        return Verdict(BooksStatus.READY, "", shown, rounding=rounding)
    if account.is_empty and not snapshot.positions:
        return Verdict(BooksStatus.PENDING, "nothing is booked yet: the first deposit is missing", account, found)
    items = ", ".join(f"{each.item} {plain(each.ledger)} here, {plain(each.broker)} there" for each in found)
    return Verdict(BooksStatus.BLOCKED, f"books and broker differ: {items}", account, found)


def _rounding(account: Account, found: tuple[BookDifference, ...]) -> Decimal | None:
    """Return the cash that differs if it may be rounding, 0 where nothing differs, None where more does."""
    amount = sum((each.broker - each.ledger for each in found), ZERO)
    if any(each.item != CASH for each in found):
        return None
    return amount if is_rounding(account.roundings, amount, account.fills) else None


def _missing(account: Account, snapshot: SnapshotContent) -> str:
    """Return which ended orders have executed more than is booked; crosses count, although they move no total."""
    late = (
        f"{name} {plain(account.booked.get(name, ZERO))} of {plain(cum_qty)}"
        for name, cum_qty in sorted(owed_with(account, snapshot).items())
    )
    return ", ".join(late)
