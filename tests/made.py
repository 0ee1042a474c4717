"""Terms, limits and wishes in a few words, for stories of every agent: the usual values, and what a story changes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from infra.limits_file import USUAL
from schemas.account import SnapshotContent
from schemas.gate import GateLimits
from schemas.identity import run_id
from schemas.order import OrderContribution, Side
from schemas.portfolio import PortfolioContent
from schemas.run import (
    BindingRule,
    CashPolicy,
    ConflictRule,
    DriftRule,
    ExecutionRules,
    Limits,
    Mode,
    OrderStyle,
    OverlapPolicy,
    RunRules,
    RunTerms,
    StrategyTerms,
    SyncRule,
)

ACCOUNT = "DEMO-1"
AS_OF = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)


def limits(**changed: Any) -> Limits:
    """Return limits that bind as little as they can."""
    usual: dict[str, Any] = {
        "trade_value_min": Decimal(50),
        "trade_value_max": None,
        "quantity_step": Decimal(1),
        "weight_total_max": Decimal(1),
        "position_weight_max": None,
        "cash_reserve": Decimal(0),
        "is_leverage_allowed": False,
        "initial_margin_rate": Decimal("0.5"),
        "maintenance_margin_rate": Decimal("0.3"),
        "margin_utilisation_max": None,
        "maintenance_buffer": None,
        "is_short_allowed": False,
        "quote_age_max_s": 60,
        "binding": BindingRule.SCALE,
    }
    return Limits(**{**usual, **changed})


def rules(**changed: Any) -> RunRules:
    """Return the plainest way to bring strategies together."""
    usual: dict[str, Any] = {
        "sync_rule": SyncRule.ALL,
        "quorum": None,
        "conflict_rule": ConflictRule.SUM,
        "overlap_policy": OverlapPolicy.ALLOW,
        "cash_policy": CashPolicy.POOL,
        "drift_rule": DriftRule.THRESHOLD,
        "drift_threshold": Decimal("0.1"),
        "is_full_allocation_required": False,
    }
    return RunRules(**{**usual, **changed})


def execution(**changed: Any) -> ExecutionRules:
    """Return the plainest way to send orders: at the market, once."""
    usual: dict[str, Any] = {
        "order_style": OrderStyle.MARKET,
        "limit_offset": Decimal(0),
        "is_extended_hours": False,
        "steps_max": 1,
        "failed_reducing_max": None,
    }
    return ExecutionRules(**{**usual, **changed})


def gate_limits(**changed: Any) -> GateLimits:
    """Return limits at the gate that bind as little as they can."""
    return GateLimits(**{**USUAL, "order_qty_max": Decimal(1_000_000), **changed})


def contribution(strategy_id: str, side: Side, quantity: Decimal | str, **changed: Any) -> OrderContribution:
    """Return one strategy's part in an order; it owned nothing before."""
    usual: dict[str, Any] = {"position": Decimal(0), "gross_value": Decimal(0)}
    return OrderContribution(strategy_id=strategy_id, side=side, quantity=Decimal(quantity), **{**usual, **changed})


def strategy(strategy_id: str, **changed: Any) -> StrategyTerms:
    """Return what a netted strategy brings into a run."""
    usual: dict[str, Any] = {
        "kind": "fixed-weights",
        "mode": Mode.NETTED,
        "allocation": Decimal("0.5"),
        "priority": 1,
        "weight_total_max": None,
        "position_weight_max": None,
        "trade_value_max": None,
        "symbols": ("AAPL", "IBM"),
        "parameters": (),
    }
    return StrategyTerms(strategy_id=strategy_id, **{**usual, **changed})


def run_terms(name: str = "first", **changed: Any) -> RunTerms:
    """Return the configuration of a run; `name` is the asker's name for it."""
    usual: dict[str, Any] = {
        "run_id": run_id(ACCOUNT, AS_OF, name),
        "as_of": AS_OF,
        "strategies": (strategy("core"), strategy("trend")),
        "limits": limits(),
        "rules": rules(),
        "execution": execution(),
        "valid_until": AS_OF + timedelta(hours=4),
        "deadline_at": None,
        "bars_until": (),
    }
    return RunTerms(**{**usual, **changed})


def portfolio_content(terms: RunTerms | None = None, **changed: Any) -> PortfolioContent:
    """Return what a run wants: nothing, unless the story says so."""
    usual: dict[str, Any] = {
        "targets": (),
        "book_targets": (),
        "silent_strategies": (),
        "kept": (),
        "conflicts": (),
        "scope": None,
    }
    return PortfolioContent(terms=terms or run_terms(), **{**usual, **changed})


def snapshot_content(portfolio: PortfolioContent | None = None, **changed: Any) -> SnapshotContent:
    """Return an account with cash and nothing else; margins and buying power are those of a cash account."""
    usual: Mapping[str, Any] = {
        "taken_at": AS_OF,
        "cash": Decimal(100_000),
        "equity": Decimal(100_000),
        "buying_power": changed.get("cash", Decimal(100_000)),
        "initial_margin": Decimal(0),
        "maintenance_margin": Decimal(0),
        "positions": (),
        "quotes": (),
        "instruments": (),
        "activities": (),
        "ended_orders": (),
    }
    return SnapshotContent(portfolio=portfolio or portfolio_content(), **{**usual, **changed})
