"""The order that closes a position, or a part of it."""

from collections.abc import Mapping
from decimal import Decimal

from infra.simulator.book import Book
from infra.simulator.exact import SHARE_UNIT, plain, product, rounded_down
from infra.simulator.rules import amount, is_whole, malformed, not_found

HUNDREDTH = Decimal("0.01")


def closing_request(book: Book, symbol: str, query: Mapping[str, str]) -> dict[str, object]:
    """Return the market order that closes a position; raises RefusalError.

    `query` may name a `qty` or a `percentage`; a percentage of whole shares is of whole shares, rounded down.
    """
    held = book.held_qty(symbol)
    if held == 0:
        raise not_found("position does not exist")
    qty, percentage = query.get("qty"), query.get("percentage")
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    wanted = abs(held)
    if qty is not None:
        wanted = amount("qty", qty)
    elif percentage is not None:
        wanted = _part(wanted, amount("percentage", percentage))
    side = "sell" if held > 0 else "buy"
    return {"symbol": symbol, "side": side, "qty": plain(wanted), "type": "market", "time_in_force": "day"}


def _part(held: Decimal, percentage: Decimal) -> Decimal:
    if percentage > 100:
        raise malformed("percentage must be between 0 and 100")
    return rounded_down(product(held, percentage, HUNDREDTH), Decimal(1) if is_whole(held) else SHARE_UNIT)
