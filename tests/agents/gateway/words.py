"""Intents as the executor asks, and reports in the broker's words."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from schemas.gate import HaltAction, HaltScope, OrderLimits, OrderLimitsRequest, TradingHaltRequest
from schemas.identity import derived, plan_id, run_id
from schemas.order import (
    NET,
    BrokerReport,
    IntentAction,
    OrderIntent,
    OrderTerms,
    OrdType,
    Phase,
    ReportKind,
    ReportRequest,
    Side,
    TimeInForce,
    Venue,
)
from tests.made import contribution, gate_limits

ACCOUNT = "DEMO-1"
AS_OF = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)
VALID_UNTIL = datetime(2012, 6, 1, 19, 55, tzinfo=UTC)
NAME = "net-AAPL-20120601T155500-1a2b3c4d"
BROKER_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
FILLED_AT = "2012-06-01T15:56:00.123456789Z"

CHECKED_AT = AS_OF
BID, ASK = "560.4", "560.6"

_reports = count()


def limited(**changed: Any) -> OrderLimits:
    """Return that the account has limits: as wide as they can be, unless told otherwise."""
    limits = gate_limits(**changed)
    return OrderLimits(account_id=ACCOUNT, request_id="limits", requested_by="operator", limits=limits)


def limits_asked(request_id: str = "limits", **changed: Any) -> OrderLimitsRequest:
    """Return that somebody sets limits."""
    return OrderLimitsRequest(
        account_id=ACCOUNT,
        request_id=request_id,
        requested_by="operator",
        requested_at=AS_OF,
        limits=gate_limits(**changed),
    )


def halt_asked(scope: HaltScope = HaltScope.ACCOUNT, name: str = "", **changed: Any) -> TradingHaltRequest:
    """Return that somebody halts, of all things, the account."""
    usual: dict[str, Any] = {
        "account_id": ACCOUNT,
        "request_id": "halt",
        "requested_by": "operator",
        "requested_at": AS_OF,
        "action": HaltAction.HALT,
        "halt_id": None,
        "scope": scope,
        "name": name,
        "is_reducing_allowed": False,
        "is_canceling": False,
        "until": None,
        "reason": "too much noise",
    }
    return TradingHaltRequest(**{**usual, **changed})


def resume_asked(halt_id: Any, **changed: Any) -> TradingHaltRequest:
    """Return that somebody ends a halt."""
    return halt_asked(**{"action": HaltAction.RESUME, "halt_id": halt_id, "request_id": "resume", **changed})


def intent(
    action: IntentAction = IntentAction.SUBMIT,
    qty: str = "10",
    parts: tuple[tuple[str, Side, str], ...] | None = None,
    **changed: Any,
) -> OrderIntent:
    """Return an intent to buy AAPL for core and trend, 60 to 40, unless told otherwise."""
    run = run_id(ACCOUNT, AS_OF, "first")
    is_cross = action is IntentAction.CROSS
    if parts is None:
        whole = Decimal(qty)
        sides = (Side.BUY, Side.SELL) if is_cross else (Side.BUY, Side.BUY)
        shares = (whole, whole) if is_cross else (whole * 6 / 10, whole * 4 / 10)
        wishes = tuple(zip(("core", "trend"), sides, shares, strict=True))
    else:
        wishes = tuple((owner, side, Decimal(quantity)) for owner, side, quantity in parts)
    fields: dict[str, Any] = {
        "intent_id": derived("intent", run, action is IntentAction.CROSS),
        "plan_id": plan_id(run),
        "run_id": run,
        "book": NET,
        "symbol": "AAPL",
        "side": Side.BUY,
        "order_qty": Decimal(qty),
        "line_qty": Decimal(qty),
        "ord_type": OrdType.MARKET,
        "limit_price": None,
        "is_extended_hours": False,
        "time_in_force": TimeInForce.DAY,
        "venue": Venue.INTERNAL if is_cross else Venue.BROKER,
        "leg": 0 if is_cross else 2,
        "step": 1,
        "phase": Phase.CROSSES if is_cross else Phase.INCREASING,
        "valid_until": VALID_UNTIL,
        "reference_price": Decimal("560.5"),
        "contributions": tuple(contribution(owner, side, quantity) for owner, side, quantity in wishes),
    }
    terms = OrderTerms(**{**fields, **changed})
    return OrderIntent(account_id=ACCOUNT, client_order_id=NAME, action=action, order=terms)


def report(
    kind: ReportKind,
    request: ReportRequest,
    body: str = "",
    *,
    http_status: int | None = None,
    error: str = "",
    attempt: int = 1,
    at: datetime = AS_OF,
    name: str = NAME,
) -> BrokerReport:
    """Return a report; each has an id of its own, as the outside's words have."""
    return BrokerReport(
        account_id=ACCOUNT,
        report_id=derived("report", next(_reports)),
        client_order_id=name,
        kind=kind,
        request=request,
        attempt=attempt,
        http_status=http_status,
        body=body,
        error=error,
        received_at=at,
    )


def check_json(
    positions: Mapping[str, str] | list[dict[str, Any]] | None = None, at: datetime = CHECKED_AT, **changed: Any
) -> dict[str, Any]:
    """Return market and account as they are read for an order of AAPL; positions in shares at 560.5 dollars, or raw."""
    held = positions if isinstance(positions, Mapping) else {}
    rows = [
        {"symbol": symbol, "qty": qty, "side": "short" if Decimal(qty) < 0 else "long", "current_price": "560.5"}
        for symbol, qty in held.items()
    ]
    usual: dict[str, Any] = {
        "read_at": at.isoformat(),
        "quote": {"bp": float(BID), "ap": float(ASK), "bs": 1, "as": 2, "t": at.isoformat()},
        "account": {"equity": "100000", "last_equity": "100000", "status": "ACTIVE"},
        "positions": positions if isinstance(positions, list) else rows,
        "clock": {"timestamp": at.isoformat(), "is_open": True},
    }
    return {**usual, **changed}


def checked(
    positions: Mapping[str, str] | list[dict[str, Any]] | None = None,
    at: datetime = CHECKED_AT,
    name: str = NAME,
    **changed: Any,
) -> BrokerReport:
    """Return the report of a CHECK; everything is well unless told otherwise."""
    body = json.dumps(check_json(positions, at, **changed))
    return report(ReportKind.READ, ReportRequest.CHECK, body, http_status=200, attempt=0, at=at, name=name)


def check_failed(status: int | None = 500, error: str = "positions, 3 tries: HTTP 500") -> BrokerReport:
    """Return the report of a CHECK that could not be made."""
    kind = ReportKind.SILENCE if status is None else ReportKind.READ
    return report(kind, ReportRequest.CHECK, http_status=status, error=error, attempt=0)


def order_json(status: str = "new", filled: str = "0") -> dict[str, Any]:
    """Return an order as the broker shows it."""
    return {
        "id": BROKER_ID,
        "client_order_id": NAME,
        "status": status,
        "filled_qty": filled,
        "qty": "10",
        "updated_at": FILLED_AT,
        f"{status}_at": FILLED_AT,
    }


def answered(status: int = 200, body: Any = None, *, attempt: int = 1) -> BrokerReport:
    """Return the answer to a SUBMIT."""
    text = json.dumps(order_json() if body is None else body)
    return report(ReportKind.ANSWER, ReportRequest.SUBMIT, text, http_status=status, attempt=attempt)


def refused(status: int, code: int, message: str, *, attempt: int = 1) -> BrokerReport:
    """Return the answer to a SUBMIT that says no."""
    return answered(status, {"code": code, "message": message}, attempt=attempt)


def duplicate(attempt: int = 1) -> BrokerReport:
    """Return the answer to a SUBMIT whose id the broker has had before."""
    return refused(422, 40010001, "client_order_id must be unique", attempt=attempt)


def silent(request: ReportRequest = ReportRequest.SUBMIT, *, attempt: int = 1) -> BrokerReport:
    """Return the silence after a request."""
    return report(ReportKind.SILENCE, request, error="ReadTimeout after 10 s", attempt=attempt)


def kept_back(attempt: int = 1) -> BrokerReport:
    """Return that an order was not sent."""
    error = "NOT_SENT EXPIRED valid until 19:55, was 19:56"
    return report(ReportKind.ANSWER, ReportRequest.SUBMIT, error=error, attempt=attempt)


def cancel_answered(status: int | None) -> BrokerReport:
    """Return the answer to a CANCEL, or the silence after it."""
    if status is None:
        return silent(ReportRequest.CANCEL)
    return report(ReportKind.ANSWER, ReportRequest.CANCEL, http_status=status)


def read(status: str = "new", filled: str = "0", *, at: datetime = AS_OF) -> BrokerReport:
    """Return the order as it was read."""
    body = json.dumps(order_json(status, filled))
    return report(ReportKind.READ, ReportRequest.ORDER, body, http_status=200, at=at)


def not_found(at: datetime = AS_OF, attempt: int = 1) -> BrokerReport:
    """Return that a read did not find the order."""
    body = json.dumps({"code": 40410000, "message": "order not found"})
    return report(ReportKind.READ, ReportRequest.ORDER, body, http_status=404, at=at, attempt=attempt)


def fills(*steps: tuple[str, str], order_id: str = BROKER_ID) -> BrokerReport:
    """Return the executions of the order as they were read, each as (cumulative quantity after it, quantity)."""
    rows = [
        {
            "id": f"20120601::{cum}",
            "activity_type": "FILL",
            "order_id": order_id,
            "cum_qty": cum,
            "qty": qty,
            "price": "560.5",
            "transaction_time": FILLED_AT,
        }
        for cum, qty in steps
    ]
    return report(ReportKind.READ, ReportRequest.FILLS, json.dumps(rows), http_status=200)


def update(event: str, status: str = "new", filled: str = "0", **more: Any) -> BrokerReport:
    """Return a trade update that is no execution."""
    data = {"event": event, "timestamp": FILLED_AT, "order": order_json(status, filled), **more}
    body = json.dumps({"stream": "trade_updates", "data": data})
    return report(ReportKind.STREAM, ReportRequest.NOTHING, body, attempt=0)


def traded(cum: str, qty: str, whole: str = "10", price: str = "560.5") -> BrokerReport:
    """Return a trade update that is an execution."""
    is_whole = Decimal(cum) == Decimal(whole)
    event, status = ("fill", "filled") if is_whole else ("partial_fill", "partially_filled")
    return update(event, status, cum, qty=qty, price=price, execution_id=f"execution-{cum}")
