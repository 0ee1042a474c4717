"""How the simulator's state reads in Alpaca's words: numbers as strings, every field the specification requires."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from infra.simulator import margin
from infra.simulator.book import Activity, Book, Execution, Order, Position
from infra.simulator.events import Accepted, AnyEvent, Ended, Filled, MovedCash, Quoted
from infra.simulator.exact import EXACT, ZERO, plain, product, stamp, total
from schemas.quantities import CONTEXT

NEW_YORK = ZoneInfo("America/New_York")
MakeId = Callable[..., str]


def to_json(value: object) -> str:
    """Write compact JSON; every number in it is a string or an integer, so nothing passes through float."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def average(value: Decimal, qty: Decimal) -> str:
    """Write value / qty, rounded for display."""
    return plain(CONTEXT.divide(value, qty).quantize(margin.AVERAGE_UNIT, rounding=ROUND_HALF_EVEN, context=CONTEXT))


def asset_id(symbol: str, make_id: MakeId) -> str:
    """Return the id of the one asset a symbol names."""
    return make_id("asset", symbol)


def asset(book: Book, symbol: str, make_id: MakeId) -> dict[str, object] | None:
    """Return what a symbol is, None when there is no such asset; an active one until the market is told otherwise."""
    listed = book.assets.get(symbol)
    if listed is not None and listed.status is None:
        return None
    can_borrow = book.terms.multiplier > 1
    return {
        "id": asset_id(symbol, make_id),
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": symbol,
        "name": f"{symbol} Common Stock",
        "status": "active" if listed is None else listed.status,
        "tradable": listed is None or listed.tradable,
        "marginable": can_borrow,
        "shortable": can_borrow,
        "easy_to_borrow": can_borrow,
        "fractionable": listed is None or listed.fractionable,
        "attributes": [],
    }


def order(item: Order, make_id: MakeId) -> dict[str, object]:
    """Return an order as REST and stream show it."""
    terms = item.terms
    submitted_at = stamp(terms.at)
    updated_at = stamp(item.updated_at or terms.at)
    return {
        "id": terms.order_id,
        "client_order_id": terms.client_order_id,
        "created_at": submitted_at,
        "updated_at": updated_at,
        "submitted_at": submitted_at,
        "filled_at": updated_at if item.status == "filled" else None,
        "expired_at": updated_at if item.status == "expired" else None,
        "canceled_at": updated_at if item.status == "canceled" else None,
        "failed_at": updated_at if item.status == "rejected" else None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": asset_id(terms.symbol, make_id),
        "symbol": terms.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": plain(terms.qty),
        "filled_qty": plain(item.filled_qty),
        "filled_avg_price": average(item.filled_value, item.filled_qty) if item.filled_qty else None,
        "order_class": "",
        "order_type": terms.type,
        "type": terms.type,
        "side": terms.side,
        "time_in_force": terms.time_in_force,
        "limit_price": None if terms.limit_price is None else plain(terms.limit_price),
        "stop_price": None,
        "status": item.status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def trade_update(book: Book, event: AnyEvent, make_id: MakeId) -> str | None:
    """Return what the stream says about an event that was just applied, None for one that concerns no order."""
    if not isinstance(event, Accepted | Filled | Ended):
        return None
    item = book.orders[event.order_id]
    name, execution = _event_name(event, item), {}
    identity = plain(event.cum_qty) if isinstance(event, Filled) else name
    if isinstance(event, Filled):
        position_qty = plain(book.held_qty(item.terms.symbol))
        execution = {"price": plain(event.price), "qty": plain(event.qty), "position_qty": position_qty}
    data = {
        "event": name,
        "execution_id": make_id("execution", item.terms.client_order_id, identity),
        "at": stamp(event.at),
        "timestamp": stamp(event.at),
        **execution,
        "order": order(item, make_id),
    }
    return to_json({"stream": "trade_updates", "data": data})


def _event_name(event: Accepted | Filled | Ended, item: Order) -> str:
    match event:
        case Accepted():
            return "new"
        case Filled():
            return "fill" if item.status == "filled" else "partial_fill"
        case Ended():
            return event.status


def activity_id(item: Activity, make_id: MakeId) -> str:
    """Return the paging id of an activity: its New York time to the millisecond, then an id of its own."""
    if isinstance(item, MovedCash):
        return f"{_day_and_time(item.at)}::{item.activity_id}"
    own = make_id("activity", item.order.terms.client_order_id, plain(item.fill.cum_qty))
    return f"{_day_and_time(item.fill.at)}::{own}"


def activity_time(item: Activity) -> datetime:
    """Return when an activity happened."""
    return item.at if isinstance(item, MovedCash) else item.fill.at


def activity_type(item: Activity) -> str:
    """Return the activity's type, FILL for executions."""
    return item.activity_type if isinstance(item, MovedCash) else "FILL"


def activity(item: Activity, make_id: MakeId) -> dict[str, object]:
    """Return a row of the account's activities."""
    return _moved_cash(item, make_id) if isinstance(item, MovedCash) else _execution(item, make_id)


def _day_and_time(at: datetime) -> str:
    return at.astimezone(NEW_YORK).strftime("%Y%m%d%H%M%S%f")[:17]


def _execution(item: Execution, make_id: MakeId) -> dict[str, object]:
    terms, fill = item.order.terms, item.fill
    return {
        "id": activity_id(item, make_id),
        "activity_type": "FILL",
        "transaction_time": stamp(fill.at),
        "type": "fill" if item.order.status == "filled" else "partial_fill",
        "price": plain(fill.price),
        "qty": plain(fill.qty),
        "side": terms.side,
        "symbol": terms.symbol,
        "leaves_qty": plain(item.order.leaves_qty),
        "order_id": terms.order_id,
        "cum_qty": plain(fill.cum_qty),
        "order_status": item.order.status,
    }


def _moved_cash(item: MovedCash, make_id: MakeId) -> dict[str, object]:
    row: dict[str, object] = {
        "id": activity_id(item, make_id),
        "activity_type": item.activity_type,
        "date": item.at.astimezone(NEW_YORK).date().isoformat(),
        "created_at": stamp(item.at),
        "net_amount": plain(item.net_amount),
        "currency": "USD",
        "status": "executed",
        "description": item.description,
    }
    if item.symbol is not None:
        row["symbol"] = item.symbol
    if item.qty is not None:
        row["qty"] = plain(item.qty)
    if item.per_share_amount is not None:
        row["per_share_amount"] = plain(item.per_share_amount)
    return row


def position(book: Book, symbol: str, make_id: MakeId) -> dict[str, object]:
    """Return a holding."""
    held: Position = book.positions[symbol]
    price = margin.mark(book, symbol)
    value = product(held.qty, price)
    profit = CONTEXT.subtract(value, held.cost)
    ratio = average(profit, abs(held.cost)) if held.cost else "0"
    return {
        "asset_id": asset_id(symbol, make_id),
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": book.terms.multiplier > 1,
        "qty": plain(held.qty),
        "qty_available": plain(total(held.qty, (-book.reserved_qty(symbol)).copy_sign(-held.qty))),
        "side": "long" if held.qty > 0 else "short",
        "avg_entry_price": average(held.cost, held.qty),
        "cost_basis": _shown(held.cost),
        "market_value": plain(value),
        "unrealized_pl": _shown(profit),
        "unrealized_plpc": ratio,
        "unrealized_intraday_pl": _shown(profit),
        "unrealized_intraday_plpc": ratio,
        "current_price": plain(price),
        "lastday_price": plain(price),
        "change_today": "0",
    }


def _shown(value: Decimal) -> str:
    return plain(CONTEXT.quantize(value, Decimal("1E-18")))


def account(book: Book, make_id: MakeId) -> dict[str, object]:
    """Return the account; cash is exact, however many decimals that takes."""
    equity = plain(margin.equity(book))
    buying_power = plain(max(margin.buying_power(book), ZERO))
    return {
        "id": make_id("account", book.terms.account_number),
        "account_number": book.terms.account_number,
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "cash": plain(book.cash),
        "buying_power": buying_power,
        "regt_buying_power": buying_power,
        "non_marginable_buying_power": plain(max(min(book.cash, margin.buying_power(book)), ZERO)),
        "options_buying_power": "0",
        "options_approved_level": 0,
        "options_trading_level": 0,
        "equity": equity,
        "portfolio_value": equity,
        "last_equity": plain(book.terms.cash),
        "long_market_value": plain(margin.long_value(book)),
        "short_market_value": plain(margin.short_value(book)),
        "initial_margin": plain(margin.initial_margin(book)),
        "maintenance_margin": plain(margin.maintenance_margin(book)),
        "last_maintenance_margin": "0",
        "sma": "0",
        "multiplier": str(book.terms.multiplier),
        "shorting_enabled": book.terms.multiplier > 1,
        "account_blocked": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "trade_suspended_by_user": False,
        "accrued_fees": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "balance_asof": book.terms.now.astimezone(NEW_YORK).date().isoformat(),
        "created_at": stamp(book.terms.now),
    }


def quotes(found: list[Quoted]) -> str:
    """Return latest quotes as JSON text; prices are JSON numbers there, written digit by digit from the decimals."""
    return '{"quotes":{' + ",".join(f"{to_json(quote.symbol)}:{_quote(quote)}" for quote in found) + "}}"


def _quote(quote: Quoted) -> str:
    bid, ask = (plain(EXACT.plus(price)) for price in (quote.bid, quote.ask))
    return f'{{"t":"{stamp(quote.time)}","bx":"V","bp":{bid},"bs":100,"ax":"V","ap":{ask},"as":100,"c":["R"],"z":"C"}}'
