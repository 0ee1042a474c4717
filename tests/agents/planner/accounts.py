"""Accounts for stories about the planner: books, quotes and wishes in a few words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from agents.planner import decider as planner
from agents.testing import given
from schemas.account import InstrumentState, InstrumentStatus, Position
from schemas.ledger import BookDifference, Books, BooksContent, BooksStatus, Holding, StrategyBook
from schemas.market import Quote
from schemas.plan import Plan, PlanLine
from schemas.portfolio import BookTargets, Conflict, Contribution, KeptSymbol, PortfolioTarget
from schemas.run import ConflictRule, Limits, Mode, RunRules
from schemas.signal import TargetWeight
from tests import made

ACCOUNT = "paper-1"
AS_OF = made.AS_OF
RUN = made.run_terms("daily").run_id
Number = str | int | Decimal
Amounts = Mapping[str, Mapping[str, Number]]
OWNERS_WITHOUT_MODE = ("system", "manual")


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
    buying_power: Number | None = None,
    silent: Sequence[str] = (),
    kept: Sequence[tuple[str, str]] = (),
    held: Limits | None = None,
    rules: RunRules | None = None,
    priorities: Mapping[str, int] | None = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    capital: Mapping[str, Number | None] | None = None,
    former: Sequence[str] = (),
    traded: Mapping[str, Number] | None = None,
    flagged: Amounts | None = None,
    stopped: Mapping[str, InstrumentStatus] | None = None,
    scope: Sequence[str] | None = None,
    broker: Mapping[str, Number] | None = None,
    status: BooksStatus = BooksStatus.READY,
    detail: str = "",
    differences: Sequence[BookDifference] = (),
) -> Books:
    """Books of a run: `wants` weights and `holds` shares by owner and symbol; its strategies are those that want.

    A strategy named in `capital` keeps a book of its own; `own` changes its terms; `former` are BOOK strategies that
    are not in the run; `flagged` are wishes by symbol and strategy that a person has to decide about.
    """
    owned = {name: {} for name in (capital or {})} | dict(holds or {})
    with_book = tuple(capital or {})
    terms = made.run_terms(
        "daily",
        strategies=tuple(
            made.strategy(
                name,
                **{
                    "allocation": Decimal(1),
                    "priority": (priorities or {}).get(name, 1),
                    "mode": Mode.BOOK if name in with_book else Mode.NETTED,
                    **(own or {}).get(name, {}),
                },
            )
            for name in sorted({*wants, *with_book})
        ),
        limits=held or made.limits(),
        rules=rules or made.rules(),
    )
    netted = {name: wanted for name, wanted in wants.items() if name not in with_book}
    portfolio = made.portfolio_content(
        terms,
        targets=_targets(netted),
        book_targets=tuple(_book_targets(name, wants[name]) for name in sorted(wants) if name in with_book),
        silent_strategies=tuple(sorted(silent)),
        kept=tuple(KeptSymbol(strategy_id=name, symbol=symbol) for name, symbol in sorted(kept)),
        conflicts=tuple(_conflict(symbol, wishes) for symbol, wishes in sorted((flagged or {}).items())),
        scope=None if scope is None else tuple(scope),
    )
    positions = _positions(owned) if broker is None else {symbol: Decimal(broker[symbol]) for symbol in sorted(broker)}
    snapshot = made.snapshot_content(
        portfolio,
        cash=Decimal(cash),
        equity=Decimal(equity),
        buying_power=Decimal(cash if buying_power is None else buying_power),
        positions=tuple(Position(symbol=symbol, quantity=each) for symbol, each in positions.items()),
        quotes=tuple(quotes),
        instruments=tuple(
            InstrumentState(symbol=symbol, status=each, detail="") for symbol, each in sorted((stopped or {}).items())
        ),
    )
    rows = tuple(
        _book(name, owned, _mode(name, with_book, former), (capital or {}).get(name), (traded or {}).get(name, 0))
        for name in sorted({*owned, *(traded or {})})
    )
    return Books(
        account_id=ACCOUNT,
        run_id=RUN,
        status=status,
        detail=detail,
        differences=tuple(differences),
        content=BooksContent(snapshot=snapshot, strategies=rows),
    )


def planned(asked: Books) -> Plan:
    """The plan of books, as a reader decodes it."""
    (plan,) = given(planner).when(asked).said
    assert isinstance(plan, Plan)
    return plan


def line(plan: Plan, symbol: str, book: str = "net") -> PlanLine:
    (found,) = (each for each in plan.lines if (each.symbol, each.book) == (symbol, book))
    return found


def facts(of: object, names: str) -> tuple[object, ...]:
    """The named fields of a plan, a line or a contribution."""
    return tuple(getattr(of, name) for name in names.split())


def by_owner(found: PlanLine, names: str) -> dict[str, object]:
    """The named fields of every contribution of a line; one field stands for itself."""
    told = {each.strategy_id: facts(each, names) for each in found.contributions}
    return {owner: values[0] if len(values) == 1 else values for owner, values in told.items()}


def limit(plan: Plan, rule: str, scope: str = "net", symbol: str | None = None) -> tuple[object, ...]:
    """What one limit came to: limit, wanted, used, effect."""
    (found,) = (each for each in plan.constraints if (each.rule, each.scope, each.symbol) == (rule, scope, symbol))
    return facts(found, "limit wanted used effect")


def _mode(name: str, with_book: Sequence[str], former: Sequence[str]) -> Mode | None:
    if name in OWNERS_WITHOUT_MODE:
        return None
    return Mode.BOOK if name in with_book or name in former else Mode.NETTED


def _positions(owned: Amounts) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for holding in owned.values():
        for symbol, quantity in holding.items():
            sums[symbol] = sums.get(symbol, Decimal(0)) + Decimal(quantity)
    return {symbol: sums[symbol] for symbol in sorted(sums) if sums[symbol]}


def _book(name: str, owned: Amounts, mode: Mode | None, capital: Number | None, traded: Number) -> StrategyBook:
    quantities = owned.get(name, {})
    return StrategyBook(
        strategy_id=name,
        mode=mode,
        capital=None if capital is None else Decimal(capital),
        traded_value=Decimal(traded),
        cash=Decimal(0),
        holdings=tuple(Holding(symbol=symbol, quantity=Decimal(quantities[symbol])) for symbol in sorted(quantities)),
    )


def _book_targets(name: str, wanted: Mapping[str, Number]) -> BookTargets:
    targets = tuple(TargetWeight(symbol=symbol, weight=Decimal(wanted[symbol])) for symbol in sorted(wanted))
    return BookTargets(strategy_id=name, targets=targets)


def _conflict(symbol: str, wishes: Mapping[str, Number]) -> Conflict:
    return Conflict(
        symbol=symbol,
        rule=ConflictRule.FLAG,
        wishes=tuple(Contribution(strategy_id=name, weight=Decimal(wishes[name])) for name in sorted(wishes)),
        decided_by=None,
        is_open=True,
    )


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
