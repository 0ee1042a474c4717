"""What holdings bind and what may still be bought: margins, claims of open orders, buying power. A fold of nothing.

A cash account binds the whole value of a holding. One that lends (`multiplier` 2) binds half of it as initial margin
and three tenths as maintenance margin, long or short, which are the regulation's and the exchanges' least rates.
"""

from decimal import Decimal

from infra.simulator.book import Book
from infra.simulator.events import Accepted
from infra.simulator.exact import ZERO, product, total
from infra.simulator.orders import Order
from infra.simulator.valuation import HALF, equity, long_value, short_value

MAINTENANCE_RATE = Decimal("0.3")


def initial_margin(book: Book) -> Decimal:
    """Return what holdings bind when they are opened, dollars."""
    exposure = total(long_value(book), -short_value(book))
    return exposure if book.multiplier == 1 else product(exposure, HALF)


def maintenance_margin(book: Book) -> Decimal:
    """Return what holdings bind as long as they are held, dollars."""
    return maintenance_of(book, total(long_value(book), -short_value(book)))


def maintenance_of(book: Book, gross_value: Decimal) -> Decimal:
    """Return what holdings of a value bind as long as they are held, dollars."""
    return gross_value if book.multiplier == 1 else product(gross_value, MAINTENANCE_RATE)


def buying_power(book: Book) -> Decimal:
    """Return what may be bought or sold short, less what open orders have claimed; below 0 when prices moved since."""
    claims = (-claim(book, order) for order in book.open_orders())
    if book.multiplier == 1:
        return total(book.cash, *claims)
    free = total(equity(book), -initial_margin(book))
    return total(product(free, Decimal(book.multiplier)), *claims)


def claim(book: Book, order: Order) -> Decimal:
    """Return the dollars an open order claims: nothing when it brings the holding nearer to zero."""
    held, terms = book.held_qty(order.terms.symbol), order.terms
    if (held > 0 and terms.side == "sell") or (held < 0 and terms.side == "buy"):
        return ZERO
    if terms.notional is not None:
        return order.leaves_notional
    return product(order.leaves_qty, book.reserve_price(terms, order.stop_price))


def cost_of(book: Book, order: Accepted) -> Decimal:
    """Return the dollars an order would claim that is not taken yet."""
    return claim(book, Order.accepted(order, book.touch(order.symbol, order.side)))
