"""What the demo trades: one account, three strategies of clearly different kinds, and the limits they are held to."""

from datetime import datetime, timedelta
from decimal import Decimal

from infra.run_file import EXECUTION, LIMITS, RULES
from schemas.identity import run_id
from schemas.run import Mode, Parameter, PartitionPosition, RunRequest, StrategyTerms

ACCOUNT = "DEMO-1"
CASH = Decimal(100_000)
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

ORDERS_VALID_FOR = timedelta(minutes=15)


def strategy(
    name: str, kind: str, allocation: str, priority: int, mode: Mode = Mode.NETTED, **parameters: str
) -> StrategyTerms:
    """Return what a strategy of the demo brings into a run; `parameters` are its settings."""
    return StrategyTerms(
        strategy_id=name,
        kind=kind,
        mode=mode,
        allocation=Decimal(allocation),
        priority=priority,
        weight_total_max=None,
        position_weight_max=None,
        trade_value_max=None,
        symbols=SYMBOLS,
        parameters=tuple(Parameter(name=key, value=value) for key, value in sorted(parameters.items())),
    )


STRATEGIES = (
    strategy("core", "fixed-weights", "0.40", 3, AAPL="0.25", GOOG="0.25", IBM="0.25", MSFT="0.25"),
    strategy("dip", "rsi", "0.25", 2, high="65", low="40", n="14", weight="0.20"),
    strategy("trend", "momentum", "0.35", 1, n="2", window="20"),
)


def request(
    as_of: datetime,
    bars_until: tuple[PartitionPosition, ...],
    request_id: str = "demo",
    strategies: tuple[StrategyTerms, ...] = STRATEGIES,
) -> RunRequest:
    """Return the demo's request for a rebalance at a session's close."""
    return RunRequest(
        account_id=ACCOUNT,
        run_id=run_id(ACCOUNT, as_of, request_id),
        request_id=request_id,
        requested_by="demo",
        as_of=as_of,
        strategies=strategies,
        limits=LIMITS,
        rules=RULES,
        execution=EXECUTION,
        valid_until=as_of + ORDERS_VALID_FOR,
        deadline_at=None,
        bars_until=bars_until,
    )
