"""What the demo trades: one account, three strategies of clearly different kinds, and the limits they are held to.

The limits at the gate are those of a careful owner of 100 000 dollars. No run of the demo comes near them: it would be
the demo's own mistake, and is stopped like anybody's.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from infra.run_file import RunFile
from schemas.gate import GateLimits, SessionRule, StrategyGateLimits
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


GATE_LIMITS = GateLimits(
    order_qty_max=Decimal(10_000),
    order_notional_max=Decimal(75_000),
    price_collar=Decimal("0.05"),
    quote_age_max_s=60,
    position_value_max=Decimal(100_000),
    # Orders of one session are counted whole even when they have ended: the simulator's clock stands still in it.
    gross_value_max=Decimal(300_000),
    strategies=tuple(
        StrategyGateLimits(strategy_id=name, position_value_max=Decimal(75_000), gross_value_max=Decimal(150_000))
        for name in ("core", "dip", "swing", "trend")
    ),
    orders_per_second_max=50,
    orders_per_minute_max=100,
    orders_per_day_max=500,
    open_orders_max=50,
    duplicate_window_s=5,
    symbols_allowed=SYMBOLS,
    symbols_denied=(),
    session=SessionRule.REGULAR,
    daily_loss_max=Decimal(15_000),
    unknown_age_max_s=300,
)


def request(
    as_of: datetime,
    bars_until: tuple[PartitionPosition, ...],
    request_id: str = "demo",
    strategies: tuple[StrategyTerms, ...] = STRATEGIES,
) -> RunRequest:
    """Return the demo's request for a rebalance at a session's close."""
    minutes = ORDERS_VALID_FOR // timedelta(minutes=1)
    run = RunFile(account_id=ACCOUNT, valid_for_minutes=minutes, deadline_s=0, strategies=strategies)
    return run.request(as_of, bars_until, request_id, requested_by="demo")
