"""The finished plan judged once more, by its sums and limits alone: what does not hold blocks the plan, unsent.

Nothing here follows the way the plan was made: positions, money and exposures are added up again from what the lines
say. A fault is one of ours, so it names the two values that disagree.
"""

from collections.abc import Iterable, Iterator, Sequence

from agents.planner.account import Account
from agents.planner.lines import Line
from agents.planner.strategy_trades import Beyond
from agents.planner.units import SHARE, as_money, as_quantity
from schemas.plan import LineStatus


def fault(lines: Sequence[Line], account: Account, beyond: Sequence[Beyond]) -> str | None:
    """Return the first thing that does not hold, with its two values; None for a plan that may be sent.

    `beyond` are the strategies found beyond limits of their own (`strategy_trades`).
    """
    return next(_faults(lines, account, beyond), None)


def _faults(lines: Sequence[Line], account: Account, beyond: Sequence[Beyond]) -> Iterator[str]:
    for line in lines:
        told = _line_fault(line)
        if told is not None:
            yield f"line {line.sized.symbol} of {line.sized.book}: {told}"
    yield from _position_faults(lines, account)
    yield from _money_faults(lines, account)
    yield from _strategy_faults(beyond)


def _line_fault(line: Line) -> str | None:
    """Return what is wrong with the sums of a line."""
    signed = line.quantity if line.is_buy else -line.quantity
    if sum(line.ordered) != signed:
        return f"expected orders of {as_quantity(signed):f} together, was {as_quantity(sum(line.ordered)):f}"
    if sum(line.netting.crossed) != 0:
        return f"expected crosses of 0 together, was {as_quantity(sum(line.netting.crossed)):f}"
    if not 0 <= line.reducing <= line.quantity <= line.net:
        return (
            f"expected 0 <= reducing <= quantity <= {as_quantity(line.net):f},"
            f" was {as_quantity(line.reducing):f} and {as_quantity(line.quantity):f}"
        )
    if bool(line.quantity) and line.status is not LineStatus.PLANNED:
        return f"expected no order on a line that is {line.status}, was {as_quantity(line.quantity):f}"
    return _part_fault(line) if line.cuts or line.netting.crossed or line.quantity < line.net else None


def _part_fault(line: Line) -> str | None:
    """Return whose part is more than its own limits allow, or against what it wants."""
    traded = line.traded()
    if not line.cuts and traded == line.allowed:
        return None
    columns = line.sized.owners, line.sized.wanted, line.allowed, traded
    for name, wanted, allowed, done in zip(*columns, strict=True):
        if not (0 <= done <= allowed <= wanted or 0 >= done >= allowed >= wanted):
            return (
                f"expected {name} to trade at most {as_quantity(allowed):f} of {as_quantity(wanted):f},"
                f" was {as_quantity(done):f}"
            )
    return None


def _position_faults(lines: Sequence[Line], account: Account) -> Iterator[str]:
    """Yield positions and exposures beyond their limits; what was beyond before may stay, but not grow."""
    reduced, final = dict(account.positions), dict(account.positions)
    for line in lines:
        if line.quantity:
            symbol, sign = line.sized.symbol, 1 if line.is_buy else -1
            reduced[symbol] = reduced.get(symbol, 0) + sign * line.reducing
            final[symbol] = final.get(symbol, 0) + sign * line.quantity
    for symbol in sorted(final):
        before, after, mid = abs(reduced.get(symbol, 0)), final[symbol], account.mids.get(symbol, 0)
        if after == account.positions.get(symbol, 0):
            continue
        if after < 0 and (after % SHARE or (after < reduced.get(symbol, 0) and not account.is_short_allowed)):
            yield f"{symbol}: expected a position of at least 0, was {as_quantity(after):f}"
        most = account.position_max
        if most is not None and abs(after) > before and abs(after) * mid > most:
            yield f"{symbol}: expected a position of at most {as_money(most):f}, was {as_money(abs(after) * mid):f}"
    most = max(account.ceiling.exposure, account.exposure_of(reduced))
    if account.exposure_of(final) > most:
        rule, was = account.ceiling.rule, as_money(account.exposure_of(final))
        yield f"{rule}: expected an exposure of at most {as_money(most):f}, was {was:f}"


def _money_faults(lines: Sequence[Line], account: Account) -> Iterator[str]:
    """Yield buys beyond the money there is, and a trade value beyond its limit; covering a short is never cut.

    Without leverage a cover is paid from its collateral, which is no part of what is available.
    """
    buys = sum(line.notional for line in lines if line.is_buy)
    sells = sum(line.notional for line in lines if not line.is_buy)
    covers = sum(line.reducing * line.meets for line in lines if line.is_buy)
    most = account.available + sells + (0 if account.is_leveraged else covers)
    if buys > max(most, covers):
        yield f"expected buys of at most {as_money(most):f}, was {as_money(buys):f}"
    if account.trade_left is not None and buys + sells > max(account.trade_left, 0):
        yield f"expected to trade at most {as_money(account.trade_left):f}, was {as_money(buys + sells):f}"


def _strategy_faults(beyond: Iterable[Beyond]) -> Iterator[str]:
    for each in beyond:
        limit, used = as_money(each.limit), as_money(each.used)
        yield f"{each.strategy_id}: {each.rule}: expected at most {limit:f}, was {used:f}"
