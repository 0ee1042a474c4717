"""Accounts for stories about the planner: books, quotes and wishes in a few words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from agents.planner import decider as planner
from agents.testing import given
from schemas.account import Position, SnapshotContent
from schemas.identity import run_id
from schemas.ledger import BookDifference, Books, BooksContent, BooksStatus, Holding, StrategyBook
from schemas.market import Quote
from schemas.plan import Plan, PlanLine
from schemas.portfolio import Contribution, KeptSymbol, PortfolioContent, PortfolioTarget
from schemas.run import ConflictRule, Limits, Mode, RunTerms, StrategyTerms

ACCOUNT = "paper-1"
AS_OF = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)
RUN = run_id(ACCOUNT, AS_OF, "daily")
Number = str | int | Decimal
Amounts = Mapping[str, Mapping[str, Number]]


def limits(**changed: Any) -> Limits:
    usual: dict[str, Any] = {
        "trade_value_min": Decimal(50),
        "quantity_step": Decimal(1),
        "weight_total_max": Decimal(1),
        "cash_reserve": Decimal(0),
        "quote_age_max_s": 60,
    }
    return Limits(**{**usual, **changed})


def quote(symbol: str, bid: Number, ask: Number, age_s: float = 0) -> Quote:
    quoted_at = AS_OF - timedelta(seconds=age_s)
    return Quote(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), quoted_at=quoted_at, source="iex")


def books(
    *,
    wants: Amounts,
    holds: Amounts | None = None,
    quotes: Sequence[Quote] = (),
    cash: Number = 100_000,
    equity: Number = 100_000,
    silent: Sequence[str] = (),
    kept: Sequence[tuple[str, str]] = (),
    held: Limits | None = None,
    priorities: Mapping[str, int] | None = None,
    broker: Mapping[str, Number] | None = None,
    status: BooksStatus = BooksStatus.READY,
    detail: str = "",
    differences: Sequence[BookDifference] = (),
) -> Books:
    """Books of a run: `wants` weights and `holds` shares by owner and symbol; its strategies are those that want."""
    owned = holds or {}
    terms = RunTerms(
        run_id=RUN,
        as_of=AS_OF,
        strategies=tuple(_terms(name, (priorities or {}).get(name, 1)) for name in sorted(wants)),
        limits=held or limits(),
        conflict_rule=ConflictRule.SUM,
        valid_until=AS_OF + timedelta(hours=1),
        deadline_at=None,
        bars_until=(),
    )
    positions = _positions(owned) if broker is None else {symbol: Decimal(broker[symbol]) for symbol in sorted(broker)}
    snapshot = SnapshotContent(
        taken_at=AS_OF,
        cash=Decimal(cash),
        equity=Decimal(equity),
        positions=tuple(Position(symbol=symbol, quantity=each) for symbol, each in positions.items()),
        quotes=tuple(quotes),
        ended_orders=(),
        portfolio=PortfolioContent(
            terms=terms,
            targets=_targets(wants),
            silent_strategies=tuple(sorted(silent)),
            kept=tuple(KeptSymbol(strategy_id=name, symbol=symbol) for name, symbol in sorted(kept)),
        ),
    )
    return Books(
        account_id=ACCOUNT,
        run_id=RUN,
        status=status,
        detail=detail,
        differences=tuple(differences),
        content=BooksContent(snapshot=snapshot, strategies=tuple(_book(name, owned) for name in sorted(owned))),
    )


def planned(asked: Books) -> Plan:
    """The plan of books, as a reader decodes it."""
    (plan,) = given(planner).when(asked).said
    assert isinstance(plan, Plan)
    return plan


def line(plan: Plan, symbol: str) -> PlanLine:
    (found,) = (each for each in plan.lines if each.symbol == symbol)
    return found


def facts(of: object, names: str) -> tuple[object, ...]:
    """The named fields of a plan, a line or a contribution."""
    return tuple(getattr(of, name) for name in names.split())


def by_owner(found: PlanLine, names: str) -> dict[str, object]:
    """The named fields of every contribution of a line; one field stands for itself."""
    told = {each.strategy_id: facts(each, names) for each in found.contributions}
    return {owner: values[0] if len(values) == 1 else values for owner, values in told.items()}


def _terms(name: str, priority: int) -> StrategyTerms:
    return StrategyTerms(
        strategy_id=name,
        kind="fixed-weights",
        mode=Mode.NETTED,
        allocation=Decimal(1),
        priority=priority,
        symbols=(),
        parameters=(),
    )


def _positions(owned: Amounts) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for holding in owned.values():
        for symbol, quantity in holding.items():
            sums[symbol] = sums.get(symbol, Decimal(0)) + Decimal(quantity)
    return {symbol: sums[symbol] for symbol in sorted(sums) if sums[symbol]}


def _book(name: str, owned: Amounts) -> StrategyBook:
    quantities = owned[name]
    holdings = tuple(Holding(symbol=symbol, quantity=Decimal(quantities[symbol])) for symbol in sorted(quantities))
    return StrategyBook(strategy_id=name, cash=Decimal(0), holdings=holdings)


def _targets(wants: Amounts) -> tuple[PortfolioTarget, ...]:
    symbols = sorted({symbol for weights in wants.values() for symbol in weights})
    return tuple(_target(symbol, wants) for symbol in symbols)


def _target(symbol: str, wants: Amounts) -> PortfolioTarget:
    contributions = tuple(
        Contribution(strategy_id=name, weight=Decimal(wants[name][symbol]))
        for name in sorted(wants)
        if symbol in wants[name]
    )
    weight = sum((each.weight for each in contributions), Decimal(0))
    return PortfolioTarget(symbol=symbol, weight=weight, contributions=contributions)
