"""What happened in the account outside our orders: cash that moved, and what was traded by hand."""

import json
from decimal import Decimal

from agents.ledger.entries import Part, balanced, traded
from schemas.account import AccountActivity, Activity
from schemas.identity import derived
from schemas.ledger import CASH, MANUAL, STREET, SYSTEM, EntryKind, LedgerEntry, Posting
from schemas.quantities import at_scale

DEPOSITS = frozenset({"ACATC", "CSD", "CSW", "JNLC", "TRANS"})
"""Cash that comes from outside or goes there (Alpaca: account transfer, deposit, withdrawal, journal, any of these)."""

FILL = "FILL"
"""The activity of an execution; those of our own orders are booked from fills, which know whose they are."""

SIGNS = {"buy": 1, "sell": -1, "sell_short": -1}
"""Alpaca's sides of an execution, and what each does to the position."""

MONEY_DIGITS, QUANTITY_DIGITS, PRICE_DIGITS = 15, 9, 6


def activity_entry(account_id: str, activity: Activity | AccountActivity) -> LedgerEntry | None:
    """Return the entry of an activity; None for one that moves nothing, or nothing that can be read.

    An execution of an order that is not ours belongs to MANUAL, whoever placed it; any other cash to the SYSTEM.
    """
    fields = _fields(activity.body)
    if activity.activity_type != FILL:
        return _moved_cash(account_id, activity, fields)
    return None if activity.client_order_id is None else _traded_by_hand(account_id, activity, fields)


def _moved_cash(account_id: str, activity: Activity | AccountActivity, fields: dict[str, object]) -> LedgerEntry | None:
    amount = _number(fields, "net_amount", MONEY_DIGITS)
    if not amount:
        return None
    kind = EntryKind.DEPOSIT if activity.activity_type in DEPOSITS else EntryKind.OTHER_ACTIVITY
    postings = balanced(
        (
            Posting(owner=STREET, mode=None, commodity=CASH, amount=-amount),
            Posting(owner=SYSTEM, mode=None, commodity=CASH, amount=amount),
        )
    )
    return _entry(account_id, activity, kind, None, activity.activity_type, postings)


def _traded_by_hand(
    account_id: str, activity: Activity | AccountActivity, fields: dict[str, object]
) -> LedgerEntry | None:
    quantity, price = _number(fields, "qty", QUANTITY_DIGITS), _number(fields, "price", PRICE_DIGITS)
    symbol, side = fields.get("symbol"), fields.get("side")
    if not isinstance(symbol, str) or symbol in ("", CASH) or not isinstance(side, str) or side not in SIGNS:
        return None
    if quantity is None or price is None or quantity <= 0 or price <= 0:
        return None
    by = f"the order {activity.client_order_id}" if activity.client_order_id else "an order the broker has no more"
    detail = f"{side} by {by}"
    postings = traded(symbol, price, [Part(MANUAL, None, SIGNS[side] * quantity)])
    return _entry(account_id, activity, EntryKind.MANUAL_FILL, symbol, detail, postings)


def _entry(
    account_id: str,
    activity: Activity | AccountActivity,
    kind: EntryKind,
    symbol: str | None,
    detail: str,
    postings: tuple[Posting, ...],
) -> LedgerEntry:
    return LedgerEntry(
        account_id=account_id,
        entry_id=derived("entry", account_id, activity.activity_id),
        kind=kind,
        run_id=None,
        plan_id=None,
        book=None,
        symbol=symbol,
        fill_id=None,
        client_order_id=None,
        cum_qty=None,
        transact_time=None,
        activity_id=activity.activity_id,
        detail=detail,
        postings=postings,
    )


def _fields(body: str) -> dict[str, object]:
    try:
        fields = json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _number(fields: dict[str, object], name: str, digits: int) -> Decimal | None:
    """Return a field's number; None where it has none, or none that fits: what it moved makes the books differ."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return at_scale(digits)(Decimal(value))
    except (ValueError, ArithmeticError):
        return None
