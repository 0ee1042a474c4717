"""What holdings are worth and what they bind: equity, margins, buying power. Pure; a fold of nothing.

A cash account binds the whole value of a holding. One that lends (`multiplier` 2) binds half of it as initial margin
and three tenths as maintenance margin, long or short, which are the regulation's and the exchanges' least rates.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from infra.simulator.book import Book, Order
from infra.simulator.exact import ZERO, product, total
from schemas.quantities import CONTEXT

HALF = Decimal("0.5")
MAINTENANCE_RATE = Decimal("0.3")

#: Alpaca shows averages rounded; nine decimals are more than any price it quotes.
AVERAGE_UNIT = Decimal("1E-9")


def mark(book: Book, symbol: str) -> Decimal:
    """Return the price a holding is valued at: the middle of the quote, else what it cost on average."""
    quote = book.quotes.get(symbol)
    if quote is not None and quote.bid > 0 and quote.ask > 0:
        return product(total(quote.bid, quote.ask), HALF)
    held = book.positions[symbol]
    return CONTEXT.divide(held.cost, held.qty).quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN, context=CONTEXT)


def long_value(book: Book) -> Decimal:
    """Return what is held long, dollars."""
    return total(*(product(each.qty, mark(book, symbol)) for symbol, each in book.positions.items() if each.qty > 0))


def short_value(book: Book) -> Decimal:
    """Return what is held short, dollars, 0 or negative."""
    return total(*(product(each.qty, mark(book, symbol)) for symbol, each in book.positions.items() if each.qty < 0))


def equity(book: Book) -> Decimal:
    """Return what is left when all is closed at its mark, dollars."""
    return total(book.cash, long_value(book), short_value(book))


def initial_margin(book: Book) -> Decimal:
    """Return what holdings bind when they are opened, dollars."""
    exposure = total(long_value(book), -short_value(book))
    return exposure if book.terms.multiplier == 1 else product(exposure, HALF)


def maintenance_margin(book: Book) -> Decimal:
    """Return what holdings bind as long as they are held, dollars."""
    exposure = total(long_value(book), -short_value(book))
    return exposure if book.terms.multiplier == 1 else product(exposure, MAINTENANCE_RATE)


def buying_power(book: Book) -> Decimal:
    """Return what may be bought or sold short, less what open orders have claimed; below 0 when prices moved since."""
    claims = (-claim(book, order) for order in book.open_orders())
    if book.terms.multiplier == 1:
        return total(book.cash, *claims)
    free = total(equity(book), -initial_margin(book))
    return total(product(free, Decimal(book.terms.multiplier)), *claims)


def claim(book: Book, order: Order) -> Decimal:
    """Return the dollars an open order claims: nothing when it brings the holding nearer to zero."""
    held, terms = book.held_qty(order.terms.symbol), order.terms
    if (held > 0 and terms.side == "sell") or (held < 0 and terms.side == "buy"):
        return ZERO
    return product(order.leaves_qty, book.reserve_price(terms.symbol, terms.limit_price))
