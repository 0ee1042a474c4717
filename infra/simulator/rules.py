"""What the brokerage refuses, and in which words: validation of a new order and its check against the account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from infra.simulator.book import Book, Order
from infra.simulator.exact import plain, product, total
from infra.simulator.margin import buying_power

QTY_DECIMALS_MAX = 9
CLIENT_ORDER_ID_LENGTH_MAX = 128
MALFORMED = 40010001
INVALID = 42210000
FORBIDDEN = 40310000
NOT_FOUND = 40410000

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}([./][A-Z0-9]{1,5})?")


class RefusalError(Exception):
    """A request is refused with a status and a JSON body."""

    def __init__(self, status: int, code: int | None, message: str, **more: str) -> None:
        """Keep the answer; `code` None leaves it out, as Alpaca does for 401."""
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {**({} if code is None else {"code": code}), "message": message, **more}


@dataclass(frozen=True)
class Draft:
    """A new order that is well formed."""

    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    qty: Decimal
    type: Literal["market", "limit"]
    limit_price: Decimal | None
    time_in_force: Literal["day", "gtc"]


def malformed(message: str) -> RefusalError:
    """Return the refusal of a request that cannot be understood."""
    return RefusalError(422, MALFORMED, message)


def invalid(message: str) -> RefusalError:
    """Return the refusal of a request that breaks a rule."""
    return RefusalError(422, INVALID, message)


def not_found(message: str) -> RefusalError:
    """Return the refusal of a request for something that does not exist."""
    return RefusalError(404, NOT_FOUND, message)


def is_symbol(text: str) -> bool:
    """Say whether a text has the form of a symbol."""
    return _SYMBOL.fullmatch(text) is not None


def checked_client_order_id(request: Mapping[str, object]) -> str | None:
    """Return the client order id of a request, None if it has none."""
    client_order_id = request.get("client_order_id")
    if client_order_id is None or client_order_id == "":
        return None
    if not isinstance(client_order_id, str):
        raise malformed("client_order_id must be a string")
    if len(client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
        raise malformed(f"client_order_id must be no more than {CLIENT_ORDER_ID_LENGTH_MAX} characters")
    return client_order_id


def draft_of(request: Mapping[str, object], client_order_id: str) -> Draft:
    """Read a new order; raises RefusalError with the broker's words for the first rule it breaks."""
    _refuse_what_is_not_simulated(request)
    symbol = request.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise malformed("symbol is required")
    if not is_symbol(symbol):
        raise invalid(f'asset "{symbol}" not found')
    side, kind, time_in_force = request.get("side"), request.get("type"), request.get("time_in_force")
    if side not in ("buy", "sell"):
        raise malformed(f"invalid side: {side}")
    if kind not in ("market", "limit"):
        raise invalid(f"order type {kind} is not simulated")
    if time_in_force not in ("day", "gtc"):
        raise invalid(f"time_in_force {time_in_force} is not simulated")
    qty = _qty(request)
    if qty != qty.to_integral_value() and time_in_force != "day":
        raise invalid("fractional orders must be DAY orders")
    limit_price = _limit_price(request, kind)
    return Draft(client_order_id, symbol, side, qty, kind, limit_price, time_in_force)


def _refuse_what_is_not_simulated(request: Mapping[str, object]) -> None:
    if request.get("notional") is not None:
        if request.get("qty") is not None:
            raise malformed("only one of qty or notional is accepted")
        raise invalid("notional orders are not simulated")
    if request.get("order_class") not in (None, "", "simple"):
        raise invalid(f"order_class {request['order_class']} is not simulated")
    for name in ("stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss", "legs"):
        if request.get(name) is not None:
            raise invalid(f"{name} is not simulated")
    if request.get("extended_hours"):
        raise invalid("extended hours orders are not simulated")


def _qty(request: Mapping[str, object]) -> Decimal:
    if request.get("qty") is None:
        raise malformed("qty or notional is required")
    qty = _number("qty", request["qty"])
    if qty <= 0:
        raise malformed("qty must be > 0")
    if _decimals(qty) > QTY_DECIMALS_MAX:
        raise malformed(f"qty must be limited to {QTY_DECIMALS_MAX} decimal places")
    return qty


def _limit_price(request: Mapping[str, object], kind: object) -> Decimal | None:
    given = request.get("limit_price")
    if kind == "market":
        if given is not None:
            raise invalid("market orders require no stop or limit price")
        return None
    if given is None:
        raise malformed("limit orders require a limit price")
    price = _number("limit_price", given)
    if price <= 0:
        raise invalid("limit price must be > 0")
    if _decimals(price) > (2 if price >= 1 else 4):
        raise invalid(
            f"invalid limit_price {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return price


def _number(name: str, given: object) -> Decimal:
    """Read a number from a string or from an exact JSON literal."""
    try:
        if isinstance(given, Decimal | str):
            value = Decimal(given)
            if value.is_finite() and abs(value.adjusted()) < 30:
                return value
    except InvalidOperation:
        pass
    raise malformed(f"invalid {name}: {given}")


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def check_against_account(book: Book, draft: Draft) -> None:
    """Raise RefusalError when the asset, or the account as it stands, cannot carry the order."""
    _refuse_asset(book, draft)
    _refuse_wash_trade(book, draft)
    held = book.held_qty(draft.symbol)
    if (held > 0 and draft.side == "sell") or (held < 0 and draft.side == "buy"):
        _refuse_missing_qty(book, draft)
        return
    if draft.side == "sell":
        _refuse_short(book, draft)
    _refuse_missing_money(book, draft)


def _refuse_asset(book: Book, draft: Draft) -> None:
    """Every symbol is an active asset until the market is told otherwise."""
    asset = book.assets.get(draft.symbol)
    if asset is None:
        return
    if asset.status is None:
        raise invalid(f'asset "{draft.symbol}" not found')
    if asset.status == "inactive":
        raise invalid(f"asset {draft.symbol} is not active")
    if not asset.tradable:
        raise invalid(f"asset {draft.symbol} is not tradable")
    if not asset.fractionable and draft.qty != draft.qty.to_integral_value():
        raise RefusalError(403, FORBIDDEN, f'asset "{draft.symbol}" is not fractionable')


def _refuse_wash_trade(book: Book, draft: Draft) -> None:
    for order in book.open_orders(draft.symbol):
        if order.terms.side != draft.side and _could_meet(draft, order):
            kind = "market/stop" if order.terms.type == "market" else "limit"
            raise RefusalError(
                403,
                FORBIDDEN,
                "potential wash trade detected. use complex orders",
                reject_reason=f"opposite side {kind} order exists",
                existing_order_id=order.terms.order_id,
            )


def _could_meet(draft: Draft, resting: Order) -> bool:
    """Say whether the two could trade with each other: any market order could, limits only where they cross."""
    if draft.limit_price is None or resting.terms.limit_price is None:
        return True
    if draft.side == "buy":
        return draft.limit_price >= resting.terms.limit_price
    return draft.limit_price <= resting.terms.limit_price


def _refuse_missing_qty(book: Book, draft: Draft) -> None:
    """An order closes at most what is held and not claimed: none turns a long holding into a short one, or back."""
    held, reserved = abs(book.held_qty(draft.symbol)), book.reserved_qty(draft.symbol)
    available = total(held, -reserved)
    if draft.qty > available:
        raise RefusalError(
            403,
            FORBIDDEN,
            f"insufficient qty available for order (requested: {plain(draft.qty)}, available: {plain(available)})",
            symbol=draft.symbol,
            existing_qty=plain(held),
            held_for_orders=plain(reserved),
            available=plain(available),
        )


def _refuse_short(book: Book, draft: Draft) -> None:
    if book.terms.multiplier == 1:
        raise RefusalError(403, FORBIDDEN, "account is not allowed to short")
    if draft.qty != draft.qty.to_integral_value():
        raise invalid("fractional orders cannot be sold short")


def _refuse_missing_money(book: Book, draft: Draft) -> None:
    cost = product(draft.qty, book.reserve_price(draft.symbol, draft.limit_price))
    available = buying_power(book)
    if cost > available:
        raise RefusalError(
            403,
            FORBIDDEN,
            "insufficient buying power",
            buying_power=plain(max(available, Decimal(0))),
            cost_basis=plain(cost),
        )
