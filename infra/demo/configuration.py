"""What the demo trades: one account, three strategies of clearly different kinds, and the limits they are held to."""

from datetime import datetime, timedelta
from decimal import Decimal

from schemas.identity import run_id
from schemas.run import ConflictRule, Limits, Mode, Parameter, PartitionPosition, RunRequest, StrategyTerms

ACCOUNT = "DEMO-1"
CASH = Decimal(100_000)
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

LIMITS = Limits(
    trade_value_min=Decimal(250),
    quantity_step=Decimal(1),
    weight_total_max=Decimal(1),
    cash_reserve=Decimal("0.01"),
    quote_age_max_s=60,
)

ORDERS_VALID_FOR = timedelta(minutes=15)


def _strategy(name: str, kind: str, allocation: str, priority: int, **parameters: str) -> StrategyTerms:
    return StrategyTerms(
        strategy_id=name,
        kind=kind,
        mode=Mode.NETTED,
        allocation=Decimal(allocation),
        priority=priority,
        symbols=SYMBOLS,
        parameters=tuple(Parameter(name=key, value=value) for key, value in sorted(parameters.items())),
    )


STRATEGIES = (
    _strategy("core", "fixed-weights", "0.40", 3, AAPL="0.25", GOOG="0.25", IBM="0.25", MSFT="0.25"),
    _strategy("dip", "rsi", "0.25", 2, high="65", low="40", n="14", weight="0.20"),
    _strategy("trend", "momentum", "0.35", 1, n="2", window="20"),
)


def request(as_of: datetime, bars_until: tuple[PartitionPosition, ...], request_id: str = "demo") -> RunRequest:
    """Return the demo's request for a rebalance at a session's close."""
    return RunRequest(
        account_id=ACCOUNT,
        run_id=run_id(ACCOUNT, as_of, request_id),
        request_id=request_id,
        requested_by="demo",
        as_of=as_of,
        strategies=STRATEGIES,
        limits=LIMITS,
        conflict_rule=ConflictRule.SUM,
        valid_until=as_of + ORDERS_VALID_FOR,
        deadline_at=None,
        bars_until=bars_until,
    )
