"""Whose turn it is: which orders of a phase may go to the broker now, and which wait.

The broker refuses an order that could meet an open one of the other side (Alpaca: 403, potential wash trade), whichever
strategies they are of. So two opposite orders of one symbol are never out at once.
"""

from agents.executor.progress import Progress
from schemas.execution import LineUnderWay
from schemas.order import Side

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


def free_lines(progress: Progress, leg: int) -> tuple[LineUnderWay, ...]:
    """Return the lines whose order of a leg may be sent now: the most urgent first, then by symbol and book.

    An order waits for every opposite one of its symbol that is open, and for those that go before it and wait too:
    otherwise one side could be overtaken for ever.
    """
    unsent = progress.unsent_lines(leg)
    taken = {(terms.symbol, terms.side) for _, terms in progress.open_broker_orders} if unsent else set()
    free = []
    for line in unsent:
        if line.side is None:
            raise ValueError(f"line {line.symbol} of {line.book}: expected a side for {line.order_qty}, was none")
        if (line.symbol, OPPOSITE[line.side]) not in taken:
            free.append(line)
        taken.add((line.symbol, line.side))
    return tuple(free)
