"""How the simulator's state reads in Alpaca's words: numbers as strings, every field the specification requires."""

import json
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

from infra.simulator import margin, valuation
from infra.simulator.book import Book, Execution
from infra.simulator.exact import ZERO, plain, product, stamp, total
from infra.simulator.orders import Order
from infra.simulator.sessions import new_york_day
from schemas.quantities import CONTEXT

MakeId = Callable[..., str]


def to_json(value: object) -> str:
    """Write compact JSON; every number in it is a string or an integer, so nothing passes through float."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def average(value: Decimal, qty: Decimal) -> str:
    """Write value / qty, rounded for display."""
    return plain(CONTEXT.divide(value, qty).quantize(valuation.AVERAGE_UNIT, rounding=ROUND_HALF_EVEN, context=CONTEXT))


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
        "replaced_at": updated_at if item.status == "replaced" else None,
        "replaced_by": item.replaced_by,
        "replaces": terms.replaces,
        "asset_id": asset_id(terms.symbol, make_id),
        "symbol": terms.symbol,
        "asset_class": "us_equity",
        "notional": _number(terms.notional),
        "qty": _number(terms.qty),
        "filled_qty": plain(item.filled_qty),
        "filled_avg_price": average(item.filled_value, item.filled_qty) if item.filled_qty else None,
        "order_class": "",
        "order_type": terms.type,
        "type": terms.type,
        "side": terms.side,
        "time_in_force": terms.time_in_force,
        "limit_price": _number(terms.limit_price),
        "stop_price": _number(item.stop_price),
        "status": item.status,
        "extended_hours": terms.extended_hours,
        "legs": None,
        "trail_percent": _number(terms.trail_percent),
        "trail_price": _number(terms.trail_price),
        "hwm": _number(item.high_water_mark),
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def position(book: Book, symbol: str, make_id: MakeId) -> dict[str, object]:
    """Return a holding; `lastday_price` is the one at which the last New York day ended, today's if there is none."""
    held = book.positions[symbol]
    price = valuation.mark(book, symbol)
    value = product(held.qty, price)
    profit = CONTEXT.subtract(value, held.cost)
    today, invested = _profit_today(book, symbol, value)
    lastday_price = _lastday_price(book, symbol, price)
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
        "unrealized_plpc": average(profit, abs(held.cost)) if held.cost else "0",
        "unrealized_intraday_pl": _shown(today),
        "unrealized_intraday_plpc": average(today, abs(invested)) if invested else "0",
        "current_price": plain(price),
        "lastday_price": _shown(lastday_price),
        "change_today": average(CONTEXT.subtract(price, lastday_price), lastday_price) if lastday_price else "0",
    }


def _lastday_price(book: Book, symbol: str, price: Decimal) -> Decimal:
    return price if book.yesterday is None else book.yesterday.prices.get(symbol, price)


def _profit_today(book: Book, symbol: str, value: Decimal) -> tuple[Decimal, Decimal]:
    """Return what a holding has gained today, and what it is measured by: its worth last night and today's trades."""
    invested = ZERO
    if book.yesterday is not None and symbol in book.yesterday.prices:
        invested = CONTEXT.multiply(book.yesterday.prices[symbol], book.yesterday.quantities[symbol])
    for item in reversed(book.activities):
        if not isinstance(item, Execution):
            continue
        if new_york_day(item.fill.at) != book.today:
            break
        if item.order.terms.symbol == symbol:
            traded = product(item.fill.qty, item.fill.price)
            invested = CONTEXT.add(invested, traded if item.order.terms.side == "buy" else -traded)
    return CONTEXT.subtract(value, invested), invested


def _shown(value: Decimal) -> str:
    return plain(CONTEXT.quantize(value, Decimal("1E-18")))


def account(book: Book, make_id: MakeId) -> dict[str, object]:
    """Return the account; cash is exact, however many decimals that takes."""
    equity = plain(valuation.equity(book))
    buying_power = plain(max(margin.buying_power(book), ZERO))
    last = book.yesterday
    balance_day = new_york_day(book.terms.now) if last is None else last.day
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
        "last_equity": plain(book.terms.cash if last is None else last.equity),
        "long_market_value": plain(valuation.long_value(book)),
        "short_market_value": plain(valuation.short_value(book)),
        "initial_margin": plain(margin.initial_margin(book)),
        "maintenance_margin": plain(margin.maintenance_margin(book)),
        "last_maintenance_margin": "0" if last is None else plain(margin.maintenance_of(book, last.gross_value)),
        "sma": "0",
        "multiplier": str(book.multiplier),
        "shorting_enabled": book.multiplier > 1 and not book.configuration.no_shorting,
        "account_blocked": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "trade_suspended_by_user": book.configuration.suspend_trade,
        "accrued_fees": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "balance_asof": balance_day.isoformat(),
        "created_at": stamp(book.terms.now),
    }
