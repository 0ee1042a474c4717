"""The finished plan judged once more, by its sums and limits alone: what does not hold blocks the plan, unsent.

Nothing here follows the way the plan was made: positions, money and exposures are added up again from what the lines
say. A fault is one of ours, so it names the two values that disagree.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import add

from agents.planner.account import Account
from agents.planner.lines import Line
from agents.planner.strategies import own_capital, weight_total
from agents.planner.units import SHARE, as_money, as_quantity
from schemas.ledger import BooksContent
from schemas.plan import LineStatus


def fault(lines: Sequence[Line], account: Account, content: BooksContent) -> str | None:
    """Return the first thing that does not hold, with its two values; None for a plan that may be sent."""
    return next(_faults(lines, account, content), None)


def _faults(lines: Sequence[Line], account: Account, content: BooksContent) -> Iterator[str]:
    for line in lines:
        told = _line_fault(line)
        if told is not None:
            yield f"line {line.sized.symbol} of {line.sized.book}: {told}"
    yield from _position_faults(lines, account)
    yield from _money_faults(lines, account)
    yield from _strategy_faults(lines, content)


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
    nothing = (0,) * len(line.sized.owners)
    if not line.cuts and list(map(add, line.netting.crossed or nothing, line.ordered or nothing)) == line.allowed:
        return None
    columns = (
        line.sized.owners,
        line.sized.wanted,
        line.allowed,
        line.netting.crossed or nothing,
        line.ordered or nothing,
    )
    for name, wanted, allowed, crossed, ordered in zip(*columns, strict=True):
        done = crossed + ordered
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
    """Yield buys beyond the money there is, and a trade value beyond its limit; covering a short is never cut."""
    buys = sum(line.notional for line in lines if line.is_buy)
    sells = sum(line.notional for line in lines if not line.is_buy)
    covers = sum(line.reducing * line.meets for line in lines if line.is_buy)
    if buys > max(account.available + sells, covers):
        yield f"expected buys of at most {as_money(account.available + sells):f}, was {as_money(buys):f}"
    if account.trade_left is not None and buys + sells > max(account.trade_left, 0):
        yield f"expected to trade at most {as_money(account.trade_left):f}, was {as_money(buys + sells):f}"


def _strategy_faults(lines: Sequence[Line], content: BooksContent) -> Iterator[str]:
    """Yield the sum of a strategy's positions beyond its limit, when what it may trade adds to them."""
    run = content.snapshot.portfolio.terms
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sized, mid = line.sized, line.sized.market.mid
        after = sized.current if sized.rule is not None else map(add, sized.current, line.allowed)
        for name, quantity in zip(sized.owners, after, strict=True):
            sums[name] += abs(quantity) * mid
    for terms in run.strategies:
        name, limit = terms.strategy_id, weight_total(terms, run, own_capital(terms, content))
        if sums[name] > limit:
            most = max(limit, _reduced(lines, name))
            if sums[name] > most:
                yield f"{name}: expected positions of at most {as_money(most):f} together, was {as_money(sums[name]):f}"


def _reduced(lines: Sequence[Line], name: str) -> int:
    """Return the sum of one owner's positions after its reductions alone, in units of money at the midpoint."""
    total = 0
    for line in lines:
        if name in line.sized.owners:
            place = line.sized.owners.index(name)
            held, traded = line.sized.current[place], 0 if line.sized.rule is not None else line.allowed[place]
            kept = abs(held) if held * traded >= 0 else max(abs(held) - abs(traded), 0)
            total += kept * line.sized.market.mid
    return total
