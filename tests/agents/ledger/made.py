"""Fills, activities and snapshots as the ledger meets them."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.account import AccountActivity, AccountSnapshot, OrderProgress, Position, SnapshotContent, SnapshotStatus
from schemas.identity import derived, fill_id, plan_id
from schemas.order import (
    Fill,
    OrderContribution,
    OrderTerms,
    OrdType,
    Phase,
    Side,
    TimeInForce,
    Venue,
)
from tests.agents.executor.made import ACCOUNT, AS_OF, VALID_UNTIL, content, run


def order(
    symbol: str = "AAPL",
    side: Side = Side.BUY,
    wishes: Mapping[str, str] | None = None,
    *,
    sold_by: Mapping[str, str] | None = None,
    name: str = "first",
) -> OrderTerms:
    """Return an order of a run's plan; with `sold_by` it is a cross between the two."""
    wishes = wishes or {"core": "6", "trend": "4"}
    parts = [OrderContribution(strategy_id=each, side=side, quantity=Decimal(wishes[each])) for each in sorted(wishes)]
    parts += [
        OrderContribution(strategy_id=each, side=Side.SELL, quantity=Decimal(quantity))
        for each, quantity in sorted((sold_by or {}).items())
    ]
    is_cross = sold_by is not None
    return OrderTerms(
        intent_id=derived("intent", name, symbol, side, is_cross),
        plan_id=plan_id(run(name)),
        run_id=run(name),
        symbol=symbol,
        side=side,
        order_qty=sum((Decimal(each) for each in wishes.values()), Decimal(0)),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        venue=Venue.INTERNAL if is_cross else Venue.BROKER,
        leg=0 if is_cross else 1,
        step=1,
        phase=Phase.CROSSES if is_cross else Phase.BUYS if side is Side.BUY else Phase.SELLS,
        valid_until=VALID_UNTIL,
        reference_price=Decimal(10),
        contributions=tuple(parts),
    )


def order_name(terms: OrderTerms) -> str:
    """Return the client order id of an order."""
    return f"net-{terms.symbol}-{terms.intent_id.hex[:8]}"


def fill(terms: OrderTerms, cum: str, qty: str, price: str = "10") -> Fill:
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
        transact_time=AS_OF,
        order=terms,
    )


def activity(net_amount: Any = "100000", activity_type: str = "CSD", name: str = "opening") -> AccountActivity:
    """Return an activity of the account."""
    body = json.dumps({"id": name, "activity_type": activity_type, "net_amount": net_amount})
    return AccountActivity(account_id=ACCOUNT, activity_id=name, activity_type=activity_type, body=body)


def snapshot(
    cash: str = "100000",
    positions: Mapping[str, str] | None = None,
    ended: Mapping[str, str] | None = None,
    *,
    name: str = "first",
    failed: str = "",
) -> AccountSnapshot:
    """Return the account as the broker shows it for a run."""
    found = SnapshotContent(
        taken_at=AS_OF,
        cash=Decimal(cash),
        equity=Decimal(cash),
        positions=tuple(
            Position(symbol=symbol, quantity=Decimal(quantity))
            for symbol, quantity in sorted((positions or {}).items())
        ),
        quotes=(),
        ended_orders=tuple(
            OrderProgress(client_order_id=each, cum_qty=Decimal(quantity))
            for each, quantity in sorted((ended or {}).items())
        ),
        portfolio=content(name),
    )
    return AccountSnapshot(
        account_id=ACCOUNT,
        run_id=run(name),
        status=SnapshotStatus.FAILED if failed else SnapshotStatus.READ,
        detail=failed,
        content=found,
    )
