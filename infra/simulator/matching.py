"""When an order is executed, at which price and in which chunks. Pure: the same order always gives the same chunks."""

import hashlib
from decimal import Decimal

from infra.simulator.book import Book
from infra.simulator.events import Hold
from infra.simulator.exact import ZERO, total
from infra.simulator.orders import Order
from infra.simulator.settings import Terms

#: Orders that are executed at once or not at all.
IMMEDIATE = frozenset({"ioc", "fok"})


def execution_price(book: Book, order: Order) -> Decimal | None:
    """Return the price the order trades at now (the ask for a buy, the bid for a sell), None while it must wait."""
    price = book.touch(order.terms.symbol, order.terms.side)
    limit_price = order.terms.limit_price
    if price is None or order.waits_for_stop:
        return None
    if limit_price is None:
        return price
    is_marketable = price <= limit_price if order.terms.side == "buy" else price >= limit_price
    return price if is_marketable else None


def cumulative_quantities(book: Book, order: Order, price: Decimal, hold: Hold) -> list[Decimal]:
    """Return the filled quantity after each chunk still to come, the last being where filling stops for now.

    Whole shares are spread evenly over the chunks; the last one takes what is left, any fraction included. The quote's
    size bounds them all; fill-or-kill takes all or nothing.
    """
    ordered = total(order.filled_qty, leaves(book, order, price))
    steps = _steps(order, ordered, hold, book.terms)
    size = book.sizes.get((order.terms.symbol, order.terms.side))
    if size is not None:
        end = total(order.filled_qty, size)
        steps = [step for step in steps if step < end] + ([end] if steps and steps[-1] >= end else [])
    steps = [step for step in steps if step > order.filled_qty]
    is_killed = order.terms.time_in_force == "fok" and steps[-1:] != [ordered]
    return [] if is_killed else steps


def leaves(book: Book, order: Order, price: Decimal) -> Decimal:
    """Return the shares still to be executed; a sell in dollars never takes more than is held."""
    leaves = order.leaves_at(price)
    held = book.held_qty(order.terms.symbol)
    return min(leaves, held) if order.terms.notional is not None and order.terms.side == "sell" else leaves


def _steps(order: Order, ordered: Decimal, hold: Hold, terms: Terms) -> list[Decimal]:
    chunks = _chunks(order, ordered, terms)
    if hold is Hold.REST:
        chunks = max(chunks, 2)
    share = Decimal(int(ordered) // chunks)
    steps = [share * n for n in range(1, chunks)] + [ordered]
    if hold is Hold.REST:
        steps = [] if order.filled_qty else [step for step in steps[:1] if step > ZERO]
    return steps


def _chunks(order: Order, ordered: Decimal, terms: Terms) -> int:
    digest = hashlib.sha256((terms.seed + order.terms.client_order_id).encode()).digest()
    if ordered < 2 or Decimal(digest[0]) >= 256 * terms.partial_rate:
        return 1
    return min(2 + digest[1] % 2, int(ordered))
