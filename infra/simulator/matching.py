"""When an order is executed, at which price and in which chunks. Pure: the same order always gives the same chunks."""

import hashlib
from decimal import Decimal

from infra.simulator.book import Order
from infra.simulator.events import Hold, Quoted
from infra.simulator.settings import Terms


def execution_price(order: Order, quote: Quoted | None) -> Decimal | None:
    """Return the price the order trades at now (the ask for a buy, the bid for a sell), None while it must wait."""
    if quote is None:
        return None
    price = quote.ask if order.terms.side == "buy" else quote.bid
    limit_price = order.terms.limit_price
    if price <= 0:
        return None
    if limit_price is None:
        return price
    is_marketable = price <= limit_price if order.terms.side == "buy" else price >= limit_price
    return price if is_marketable else None


def cumulative_quantities(order: Order, hold: Hold, terms: Terms) -> list[Decimal]:
    """Return the filled quantity after each chunk still to come, the last being where filling stops for now.

    Whole shares are spread evenly over the chunks; the last one takes what is left, any fraction included.
    """
    chunks = _chunks(order, terms)
    if hold is Hold.REST:
        chunks = max(chunks, 2)
    share = Decimal(int(order.terms.qty) // chunks)
    steps = [share * n for n in range(1, chunks)] + [order.terms.qty]
    if hold is Hold.REST:
        steps = [] if order.filled_qty else [step for step in steps[:1] if step > 0]
    return [step for step in steps if step > order.filled_qty]


def _chunks(order: Order, terms: Terms) -> int:
    digest = hashlib.sha256((terms.seed + order.terms.client_order_id).encode()).digest()
    if order.terms.qty < 2 or Decimal(digest[0]) >= 256 * terms.partial_rate:
        return 1
    return min(2 + digest[1] % 2, int(order.terms.qty))
