"""How long a plan of 500 symbols and 20 strategies takes to decide, netted and with a book for every strategy.

The decision alone, as the runtime calls it: one process, no broker, no encoding. It prints numbers and judges none.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from time import process_time
from typing import Any

from agents.decider import Message
from agents.planner import decider
from infra.clock import seconds, system_clock
from infra.demo.configuration import ACCOUNT, ORDERS_VALID_FOR, strategy
from infra.run_file import EXECUTION, LIMITS, RULES
from schemas.account import Position, SnapshotContent
from schemas.identity import derived, run_id
from schemas.ledger import Books, BooksContent, BooksStatus, Holding, StrategyBook
from schemas.market import Quote
from schemas.plan import Plan
from schemas.portfolio import BookTargets, Contribution, PortfolioContent, PortfolioTarget
from schemas.quantities import CONTEXT
from schemas.run import Mode, RunTerms
from schemas.signal import TargetWeight

SYMBOLS = tuple(f"S{number:03}" for number in range(500))
STRATEGIES = tuple(f"strategy-{number:02}" for number in range(20))
EQUITY = Decimal(500_000_000)
ROUNDS = 20


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return p50 and p90 of deciding a plan in milliseconds, and what the plan holds.

    `first` is a netted run in which nothing is held yet, `netted` and `book` one in which everybody holds everything.

    Beside them the least processor time of a round, which says more on a machine that has other work.
    """
    return {
        "plan_first_ms": _timed(_books(Mode.NETTED, is_held=False), rounds),
        "plan_netted_ms": _timed(_books(Mode.NETTED), rounds),
        "plan_book_ms": _timed(_books(Mode.BOOK), rounds),
    }


def _timed(books: Books, rounds: int) -> dict[str, Any]:
    message = Message(books, derived("bench", books.run_id), books.run_id, books.content.snapshot.taken_at)
    state, taken, worked, plan = decider.initial_state(), [], [], None
    with localcontext(CONTEXT):
        for _ in range(rounds):
            plan = None  # what the plan before takes to forget is not this one's
            started, before = seconds(), process_time()
            (plan,) = decider.decide(state, message)
            taken.append(seconds() - started)
            worked.append(process_time() - before)
    if not isinstance(plan, Plan):
        raise TypeError(f"expected a Plan after {rounds} rounds, was {type(plan).__name__}")
    return {
        "p50": _percentile(taken, 50),
        "p90": _percentile(taken, 90),
        "cpu_least": _percentile(worked, 0),
        "lines": plan.line_count,
        "contributions": sum(len(line.contributions) for line in plan.lines),
        "orders": sum(1 for line in plan.lines if line.quantity),
        "crosses": sum(1 for line in plan.lines if line.cross_quantity),
    }


def _percentile(taken: Sequence[float], percent: int) -> float:
    return round(1000 * sorted(taken)[min(len(taken) * percent // 100, len(taken) - 1)], 1)


def _books(mode: Mode, *, is_held: bool = True) -> Books:
    """Return books in which everybody wants every symbol, and holds it: then some sell what others buy."""
    now = system_clock()
    share = str(Decimal(1) / len(STRATEGIES))
    identity = run_id(ACCOUNT, now, f"bench-{mode}")
    terms = RunTerms(
        run_id=identity,
        as_of=now,
        strategies=tuple(strategy(name, "fixed-weights", share, 1, mode) for name in STRATEGIES),
        limits=LIMITS,
        rules=RULES,
        execution=EXECUTION,
        valid_until=now + ORDERS_VALID_FOR,
        deadline_at=None,
        bars_until=(),
    )
    owned = {
        name: [_held(place, number) if is_held else 0 for number in range(len(SYMBOLS))]
        for place, name in enumerate(STRATEGIES)
    }
    snapshot = SnapshotContent(
        taken_at=now,
        cash=EQUITY / 2,
        equity=EQUITY,
        buying_power=EQUITY / 2,
        initial_margin=Decimal(0),
        maintenance_margin=Decimal(0),
        positions=tuple(
            Position(symbol=symbol, quantity=Decimal(sum(owned[name][number] for name in STRATEGIES)))
            for number, symbol in enumerate(SYMBOLS)
            if is_held
        ),
        quotes=tuple(
            Quote(
                symbol=symbol, bid=_price(number), ask=_price(number) + Decimal("0.02"), quoted_at=now, source="bench"
            )
            for number, symbol in enumerate(SYMBOLS)
        ),
        instruments=(),
        activities=(),
        ended_orders=(),
        portfolio=_portfolio(terms, mode),
    )
    rows = tuple(
        StrategyBook(
            strategy_id=name,
            mode=mode,
            capital=EQUITY / len(STRATEGIES) if mode is Mode.BOOK else None,
            traded_value=Decimal(0),
            cash=Decimal(0),
            holdings=tuple(
                Holding(symbol=symbol, quantity=Decimal(held))
                for symbol, held in zip(SYMBOLS, owned[name], strict=True)
            ),
        )
        for name in STRATEGIES
    )
    content = BooksContent(snapshot=snapshot, strategies=rows)
    return Books(
        account_id=ACCOUNT, run_id=identity, status=BooksStatus.READY, detail="", differences=(), content=content
    )


def _portfolio(terms: RunTerms, mode: Mode) -> PortfolioContent:
    is_netted = mode is Mode.NETTED
    return PortfolioContent(
        terms=terms,
        targets=tuple(_target(symbol, number) for number, symbol in enumerate(SYMBOLS)) if is_netted else (),
        book_targets=() if is_netted else tuple(_book_targets(name, place) for place, name in enumerate(STRATEGIES)),
        silent_strategies=(),
        kept=(),
        conflicts=(),
        scope=None,
    )


def _target(symbol: str, number: int) -> PortfolioTarget:
    parts = tuple(
        Contribution(strategy_id=name, weight=_weight(place, number) / len(STRATEGIES))
        for place, name in enumerate(STRATEGIES)
    )
    return PortfolioTarget(symbol=symbol, weight=sum((each.weight for each in parts), Decimal(0)), contributions=parts)


def _book_targets(name: str, place: int) -> BookTargets:
    targets = tuple(TargetWeight(symbol=symbol, weight=_weight(place, number)) for number, symbol in enumerate(SYMBOLS))
    return BookTargets(strategy_id=name, targets=targets)


def _price(number: int) -> Decimal:
    return Decimal(20 + number % 230)


def _weight(place: int, number: int) -> Decimal:
    """Return from 0.0010 to 0.0028 of a strategy's capital, another for every strategy and symbol."""
    return Decimal(10 + (7 * place + 3 * number) % 19).scaleb(-4)


def _held(place: int, number: int) -> int:
    return 100 + (11 * place + 5 * number) % 400
