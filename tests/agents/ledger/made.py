"""Fills, activities and snapshots as the ledger meets them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from schemas.account import (
    AccountActivity,
    AccountSnapshot,
    Activity,
    OrderProgress,
    Position,
    SnapshotStatus,
)
from schemas.identity import derived, fill_id, plan_id
from schemas.market import Quote
from schemas.order import (
    NET,
    Fill,
    OrderTerms,
    OrdType,
    Phase,
    Side,
    TimeInForce,
    Venue,
)
from schemas.run import StrategyTerms
from tests.agents.executor.made import ACCOUNT, AS_OF, VALID_UNTIL, run
from tests.made import contribution, portfolio_content, rules, run_terms, snapshot_content


def order(
    symbol: str = "AAPL",
    side: Side = Side.BUY,
    wishes: Mapping[str, str] | None = None,
    *,
    sold_by: Mapping[str, str] | None = None,
    name: str = "first",
    book: str = NET,
    leg: int | None = None,
) -> OrderTerms:
    """Return an order of a run's plan; with `sold_by` it is a cross between the two."""
    wishes = wishes or {"core": "6", "trend": "4"}
    parts = [contribution(each, side, wishes[each]) for each in sorted(wishes)]
    parts += [contribution(each, Side.SELL, quantity) for each, quantity in sorted((sold_by or {}).items())]
    is_cross = sold_by is not None
    usual = 0 if is_cross else 2 if side is Side.BUY else 1
    order_qty = sum((Decimal(each) for each in wishes.values()), Decimal(0))
    return OrderTerms(
        intent_id=derived("intent", name, book, symbol, side, is_cross, leg),
        plan_id=plan_id(run(name)),
        run_id=run(name),
        book=book,
        symbol=symbol,
        side=side,
        order_qty=order_qty,
        line_qty=order_qty,
        ord_type=OrdType.MARKET,
        limit_price=None,
        is_extended_hours=False,
        time_in_force=TimeInForce.DAY,
        venue=Venue.INTERNAL if is_cross else Venue.BROKER,
        leg=usual if leg is None else leg,
        step=1,
        phase=Phase.CROSSES if is_cross else Phase.INCREASING if side is Side.BUY else Phase.REDUCING,
        valid_until=VALID_UNTIL,
        reference_price=Decimal(10),
        contributions=tuple(parts),
    )


def order_name(terms: OrderTerms) -> str:
    """Return the client order id of an order."""
    return f"{terms.book}-{terms.symbol}-{terms.intent_id.hex[:8]}"


def fill(terms: OrderTerms, cum: str, qty: str, price: str = "10", at: datetime = AS_OF) -> Fill:
    """Return an execution of an order: cumulative quantity after it, its own quantity."""
    name = order_name(terms)
    return Fill(
        account_id=ACCOUNT,
        fill_id=fill_id(name, cum),
        exec_id=None,
        client_order_id=name,
        broker_order_id=None,
        last_qty=Decimal(qty),
        last_px=Decimal(price),
        cum_qty=Decimal(cum),
        leaves_qty=terms.order_qty - Decimal(cum),
        transact_time=at,
        order=terms,
    )


def activity(net_amount: Any = "100000", activity_type: str = "CSD", name: str = "opening") -> AccountActivity:
    """Return an activity of the account."""
    body = json.dumps({"id": name, "activity_type": activity_type, "net_amount": net_amount})
    return AccountActivity(
        account_id=ACCOUNT, activity_id=name, activity_type=activity_type, client_order_id=None, body=body
    )


def by_hand(
    side: str,
    quantity: str,
    symbol: str = "AAPL",
    price: str = "10",
    *,
    name: str = "",
    client_order_id: str | None = "by-phone",
    said: Mapping[str, Any] | None = None,
) -> AccountActivity:
    """Return an execution of an order that is not ours; `said` changes the broker's words."""
    name = name or f"{side}-{quantity}-{symbol}"
    fields = {"id": name, "activity_type": "FILL", "side": side, "qty": quantity, "symbol": symbol, "price": price}
    return AccountActivity(
        account_id=ACCOUNT,
        activity_id=name,
        activity_type="FILL",
        client_order_id=client_order_id,
        body=json.dumps({**fields, **(said or {})}),
    )


def by_value(each: AccountActivity) -> Activity:
    """Return an activity as a snapshot carries it."""
    fields = each.model_dump()
    del fields["account_id"]
    return Activity(**fields)


def quote(symbol: str, bid: str, ask: str) -> Quote:
    """Return a quote at the run's instant."""
    return Quote(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), quoted_at=AS_OF, source="test")


def snapshot(
    cash: str = "100000",
    positions: Mapping[str, str] | None = None,
    ended: Mapping[str, str] | None = None,
    *,
    name: str = "first",
    failed: str = "",
    strategies: Iterable[StrategyTerms] | None = None,
    activities: Iterable[AccountActivity] = (),
    quotes: Mapping[str, tuple[str, str]] | None = None,
    equity: str | None = None,
    taken_at: datetime = AS_OF,
    scope: tuple[str, ...] | None = None,
    **changed_rules: Any,
) -> AccountSnapshot:
    """Return the account as the broker shows it for a run; equity is cash unless it is told."""
    terms = run_terms(name, rules=rules(**changed_rules))
    if strategies is not None:
        terms = terms.model_copy(update={"strategies": tuple(strategies)})
    found = snapshot_content(
        portfolio_content(terms, scope=scope),
        taken_at=taken_at,
        cash=Decimal(cash),
        equity=Decimal(cash if equity is None else equity),
        positions=tuple(
            Position(symbol=symbol, quantity=Decimal(quantity))
            for symbol, quantity in sorted((positions or {}).items())
        ),
        quotes=tuple(quote(symbol, *prices) for symbol, prices in sorted((quotes or {}).items())),
        activities=tuple(sorted((by_value(each) for each in activities), key=lambda each: each.activity_id)),
        ended_orders=tuple(
            OrderProgress(client_order_id=each, cum_qty=Decimal(quantity), gross_trade_amt=Decimal(0))
            for each, quantity in sorted((ended or {}).items())
        ),
    )
    return AccountSnapshot(
        account_id=ACCOUNT,
        run_id=run(name),
        status=SnapshotStatus.FAILED if failed else SnapshotStatus.READ,
        detail=failed,
        content=found,
    )
