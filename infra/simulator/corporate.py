"""What happens to an account without a trade: dividends, splits, new names, fees. All of it inside a step."""

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from infra.simulator.book import Execution
from infra.simulator.events import Booked, Ended, Listed, Quoted, Renamed, Restated, Split
from infra.simulator.exact import CENT, SHARE_UNIT, ZERO, plain, product, ratio, rounded_down, rounded_up, total
from infra.simulator.orders import Order
from infra.simulator.recorder import Recorder, simulated_id
from infra.simulator.rules import invalid, is_symbol, is_whole
from infra.simulator.sessions import new_york_day
from infra.simulator.valuation import mark
from schemas.quantities import CONTEXT

ONE, HUNDREDTH_OF_A_CENT = Decimal(1), Decimal("0.0001")
MILLION = Decimal(1_000_000)


def book(recorder: Recorder, activity_type: str, net_amount: Decimal, **row: object) -> str:
    """Book an activity; `row` are further fields of `Booked`. Returns the activity's id."""
    count = len(recorder.book.activities)
    activity_id = simulated_id("activity", activity_type, str(row.get("symbol") or ""), plain(net_amount), str(count))
    fields = {"activity_id": activity_id, "activity_type": activity_type, "net_amount": net_amount}
    recorder.happen(Booked.model_validate({"at": recorder.next(), **fields, **row}))
    return activity_id


def pay_dividend(recorder: Recorder, symbol: str, per_share: Decimal) -> str | None:
    """Pay a cash dividend, in whole cents: a long holding gets it, a short one owes it. None when nothing is held."""
    qty = recorder.book.held_qty(symbol)
    if qty == 0:
        return None
    amount = _cents(product(qty, per_share))
    kind = "CDIV" if qty > 0 else "SPD"
    return book(
        recorder, "DIV", amount, activity_sub_type=kind, symbol=symbol, qty=abs(qty), per_share_amount=per_share
    )


def split(
    recorder: Recorder, symbol: str, new_rate: Decimal, old_rate: Decimal, cash_in_lieu_price: Decimal | None
) -> None:
    """Make `old_rate` shares `new_rate` shares.

    Of a holding in whole shares the fraction is paid out at `cash_in_lieu_price` a new share (None: what it is valued
    at); a holding in fractions stays in fractions. A forward split restates open orders, a reverse split cancels them,
    and both cancel those that trail the market. The standing quote is rescaled to prices that can be traded.
    """
    if new_rate <= 0 or old_rate <= 0 or new_rate == old_rate:
        raise invalid(f"a split of {plain(old_rate)} into {plain(new_rate)} shares is none")
    for order in recorder.book.open_orders(symbol):
        if new_rate < old_rate or order.terms.type == "trailing_stop":
            recorder.happen(Ended(at=recorder.next(), order_id=order.terms.order_id, status="canceled"))
        elif order.terms.notional is None:
            _restate(recorder, order, new_rate, old_rate)
    _split_holding(recorder, symbol, new_rate, old_rate, cash_in_lieu_price)
    quote = recorder.book.quotes.get(symbol)
    if quote is not None:
        at = recorder.next()
        bid, ask = (ratio(product(price, old_rate), new_rate) for price in (quote.bid, quote.ask))
        recorder.happen(Quoted(at=at, symbol=symbol, bid=_down(bid), ask=_up(ask), time=at))


def _restate(recorder: Recorder, order: Order, new_rate: Decimal, old_rate: Decimal) -> None:
    unit = ONE if is_whole(order.leaves_qty) else SHARE_UNIT
    leaves = rounded_down(ratio(product(order.leaves_qty, new_rate), old_rate), unit)
    limit_price, stop_price = (
        None if price is None else ratio(product(price, old_rate), new_rate)
        for price in (order.terms.limit_price, order.terms.stop_price)
    )
    towards_market = order.terms.side == "sell"
    recorder.happen(
        Restated(
            at=recorder.next(),
            order_id=order.terms.order_id,
            symbol=order.terms.symbol,
            qty=total(order.filled_qty, leaves),
            limit_price=_tradable(limit_price, is_up=towards_market),
            stop_price=_tradable(stop_price, is_up=not towards_market),
        )
    )


def _split_holding(
    recorder: Recorder, symbol: str, new_rate: Decimal, old_rate: Decimal, cash_in_lieu_price: Decimal | None
) -> None:
    held = recorder.book.positions.get(symbol)
    if held is None:
        return
    exact = ratio(product(held.qty, new_rate), old_rate)
    qty = rounded_down(exact, ONE if is_whole(held.qty) else SHARE_UNIT)
    price = cash_in_lieu_price
    if price is None:
        price = ratio(product(mark(recorder.book, symbol), old_rate), new_rate)
    cash = _cents(CONTEXT.multiply(CONTEXT.subtract(exact, qty), price)) if is_whole(held.qty) else ZERO
    cost = CONTEXT.multiply(held.cost, ratio(qty, exact))
    recorder.happen(Split(at=recorder.next(), symbol=symbol, new_rate=new_rate, old_rate=old_rate, qty=qty, cost=cost))
    kind = "FSPLIT" if new_rate > old_rate else "RSPLIT"
    _book_exchange(recorder, "SPLIT", kind, (symbol, -held.qty, ZERO), (symbol, qty, cash))


def rename(recorder: Recorder, symbol: str, new_symbol: str) -> None:
    """Let a symbol go by another one, with holding, open orders and quote; the old one is no asset any more."""
    taken = recorder.book
    if not is_symbol(new_symbol) or new_symbol in taken.positions or new_symbol in taken.quotes:
        raise invalid(f"{symbol} cannot be renamed {new_symbol}: that is no symbol, or one in use")
    for order in recorder.book.open_orders(symbol):
        change = order.terms.model_dump(include={"order_id", "qty", "limit_price", "stop_price"})
        recorder.happen(Restated(at=recorder.next(), symbol=new_symbol, **change))
    qty = recorder.book.held_qty(symbol)
    recorder.happen(Renamed(at=recorder.next(), symbol=symbol, new_symbol=new_symbol))
    quote = recorder.book.quotes.get(symbol)
    if quote is not None:
        recorder.happen(quote.model_copy(update={"at": recorder.next(), "symbol": new_symbol}))
    gone = Listed(at=recorder.next(), symbol=symbol, status=None, tradable=False, fractionable=False)
    recorder.happen(gone)
    if qty:
        _book_exchange(recorder, "NC", "SNC", (symbol, -qty, ZERO), (new_symbol, qty, ZERO))


def _book_exchange(recorder: Recorder, activity_type: str, kind: str, *legs: tuple[str, Decimal, Decimal]) -> None:
    """Book what leaves and what comes as two rows of one group; each leg is a symbol, a quantity, and dollars."""
    group_id = simulated_id("group", activity_type, str(len(recorder.book.activities)))
    for symbol, qty, amount in legs:
        book(recorder, activity_type, amount, activity_sub_type=kind, symbol=symbol, qty=qty, group_id=group_id)


def charge_fees(
    recorder: Recorder, day: date, reg_per_million: Decimal, taf_per_share: Decimal, taf_cap: Decimal
) -> list[str]:
    """Charge what was sold on a New York day: a rate on the proceeds (REG), one per share capped per execution (TAF).

    Each is summed over the day and rounded up to the cent; one that was charged for the day is not charged again.
    """
    sold = [
        each.fill
        for each in recorder.book.activities
        if isinstance(each, Execution) and each.order.terms.side == "sell" and new_york_day(each.fill.at) == day
    ]
    proceeds = total(*(product(fill.qty, fill.price) for fill in sold))
    fees = {
        "REG": ratio(product(proceeds, reg_per_million), MILLION),
        "TAF": total(*(min(product(fill.qty, taf_per_share), taf_cap) for fill in sold)),
    }
    charged = set(_charged(recorder, day))
    return [
        book(recorder, "FEE", -rounded_up(fee, CENT), activity_sub_type=kind, day=day)
        for kind, fee in fees.items()
        if fee > 0 and kind not in charged
    ]


def _charged(recorder: Recorder, day: date) -> Iterable[str]:
    booked = (each for each in recorder.book.activities if isinstance(each, Booked))
    return (each.activity_sub_type or "" for each in booked if each.activity_type == "FEE" and each.day == day)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP, context=CONTEXT)


def _tradable(price: Decimal | None, *, is_up: bool) -> Decimal | None:
    if price is None:
        return None
    return _up(price) if is_up else _down(price)


def _up(price: Decimal) -> Decimal:
    return rounded_up(price, _tick(price))


def _down(price: Decimal) -> Decimal:
    return rounded_down(price, _tick(price))


def _tick(price: Decimal) -> Decimal:
    return CENT if price >= 1 else HUNDREDTH_OF_A_CENT
