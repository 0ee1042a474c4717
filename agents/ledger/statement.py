"""What the books say of every owner at the prices of a snapshot: what a planner works with."""

from collections.abc import Mapping
from decimal import Decimal

from agents.ledger.books import MODELESS, ZERO, Account, Amounts
from schemas.account import SnapshotContent
from schemas.ledger import CASH, SYSTEM, Holding, StrategyBook
from schemas.run import Mode


def midpoints(snapshot: SnapshotContent) -> dict[str, Decimal]:
    """Return the midpoint of every quote with two sides."""
    return {each.symbol: each.midpoint for each in snapshot.quotes if each.midpoint is not None}


def worth(amounts: Amounts, prices: Mapping[str, Decimal]) -> Decimal | None:
    """Return cash and holdings, dollars, exact; None while a holding has no price."""
    if any(commodity != CASH and commodity not in prices for commodity in amounts):
        return None
    return sum((amount if each == CASH else amount * prices[each] for each, amount in sorted(amounts.items())), ZERO)


def strategy_books(account: Account, snapshot: SnapshotContent) -> tuple[StrategyBook, ...]:
    """Return the books of the run's strategies, of everybody else who owns or has traded, and of the system, sorted."""
    prices, traded = midpoints(snapshot), account.traded.get(snapshot.taken_at.date()) or Amounts()
    asked = {each.strategy_id: each.mode for each in snapshot.portfolio.terms.strategies}
    return tuple(
        _book(owner, _mode(account, owner, asked), account.of(owner), traded.get(owner, ZERO), prices)
        for owner in sorted({*asked, *account.owners(), *traded.keys(), SYSTEM})
    )


def _mode(account: Account, owner: str, asked: Mapping[str, Mode]) -> Mode | None:
    """Return how books are kept; a strategy that has nothing keeps them as the run says, NETTED outside runs."""
    return None if owner in MODELESS else account.mode_of(owner) or asked.get(owner, Mode.NETTED)


def _book(
    owner: str, mode: Mode | None, amounts: Amounts, traded: Decimal, prices: Mapping[str, Decimal]
) -> StrategyBook:
    return StrategyBook(
        strategy_id=owner,
        mode=mode,
        capital=worth(amounts, prices) if mode is Mode.BOOK else None,
        traded_value=traded,
        cash=amounts.get(CASH, ZERO),
        holdings=tuple(
            Holding(symbol=commodity, quantity=amount)
            for commodity, amount in sorted(amounts.items())
            if commodity != CASH
        ),
    )
