"""A run as a person writes it down: a TOML file with an account, strategies, and only what differs from the usual.

What is left out has the value of `LIMITS` and `RULES`: whole shares, cash only, no short, wishes summed, all signals
waited for, a minute at most. The record that is published says everything, so a later change of these values changes
no old decision.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from infra.errors import TapeError
from schemas.identity import run_id
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
    Parameter,
    PartitionPosition,
    RunRequest,
    RunRules,
    StrategyTerms,
    SyncRule,
)

LIMITS = Limits(
    trade_value_min=Decimal(250),
    trade_value_max=None,
    quantity_step=Decimal(1),
    weight_total_max=Decimal(1),
    position_weight_max=None,
    cash_reserve=Decimal("0.01"),
    is_leverage_allowed=False,
    # Regulation T (12 CFR 220.12) and FINRA rule 4210 (c): what a margin account must at least deposit and keep
    initial_margin_rate=Decimal("0.5"),
    maintenance_margin_rate=Decimal("0.25"),
    margin_utilisation_max=None,
    maintenance_buffer=None,
    is_short_allowed=False,
    quote_age_max_s=60,
    binding=BindingRule.SCALE,
)

RULES = RunRules(
    sync_rule=SyncRule.ALL,
    quorum=None,
    conflict_rule=ConflictRule.SUM,
    overlap_policy=OverlapPolicy.ALLOW,
    cash_policy=CashPolicy.POOL,
    drift_rule=DriftRule.THRESHOLD,
    drift_threshold=Decimal("0.1"),
    is_full_allocation_required=False,
)

EXECUTION = ExecutionRules(
    order_style=OrderStyle.MARKET,
    limit_offset=Decimal(0),
    is_extended_hours=False,
    steps_max=1,
    failed_reducing_max=None,
)

STRATEGY: Mapping[str, Any] = {
    "mode": Mode.NETTED,
    "priority": 1,
    "weight_total_max": None,
    "position_weight_max": None,
    "trade_value_max": None,
    "parameters": (),
}


class RunFile(BaseModel):
    """What the file says, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_id: str = Field(min_length=1)
    valid_for_minutes: int = Field(default=15, gt=0, description="Orders are not sent later than this.")
    deadline_s: int = Field(default=60, ge=0, description="Signals are waited for this long; 0 = without end.")
    limits: Limits = LIMITS
    rules: RunRules = RULES
    execution: ExecutionRules = EXECUTION
    strategies: tuple[StrategyTerms, ...] = ()

    @field_validator("limits", mode="before")
    @classmethod
    def _with_usual_limits(cls, value: object) -> object:
        return {**LIMITS.model_dump(), **value} if isinstance(value, dict) else value

    @field_validator("rules", mode="before")
    @classmethod
    def _with_usual_rules(cls, value: object) -> object:
        return {**RULES.model_dump(), **value} if isinstance(value, dict) else value

    @field_validator("execution", mode="before")
    @classmethod
    def _with_usual_execution(cls, value: object) -> object:
        return {**EXECUTION.model_dump(), **value} if isinstance(value, dict) else value

    @field_validator("strategies", mode="before")
    @classmethod
    def _with_usual_terms(cls, value: object) -> object:
        return tuple(_terms(each) for each in value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _deadline_before_the_end(self) -> Self:
        if self.deadline_s >= self.valid_for_minutes * 60:
            raise ValueError(f"expected a deadline before the orders' {self.valid_for_minutes} minutes are over")
        return self

    def request(
        self, as_of: datetime, bars_until: tuple[PartitionPosition, ...], request_id: str, requested_by: str
    ) -> RunRequest:
        """Return the request for a run at `as_of`; the same name for the same instant is the same run."""
        return RunRequest(
            account_id=self.account_id,
            run_id=run_id(self.account_id, as_of, request_id),
            request_id=request_id,
            requested_by=requested_by,
            as_of=as_of,
            strategies=self.strategies,
            limits=self.limits,
            rules=self.rules,
            execution=self.execution,
            valid_until=as_of + timedelta(minutes=self.valid_for_minutes),
            deadline_at=as_of + timedelta(seconds=self.deadline_s) if self.deadline_s else None,
            bars_until=bars_until,
        )


def load(path: Path) -> RunFile:
    """Return what a file says; TapeError names every field that cannot be used and what stands there."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TapeError(f"the run file cannot be read: {error}", where=str(path)) from error
    try:
        return RunFile.model_validate(said)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}, was {each['input']!r}" for each in error.errors()]
        raise TapeError("\n".join(wrong), where=str(path), next_command="correct it, then run it again") from error


def _terms(strategy: object) -> object:
    if not isinstance(strategy, dict):
        return strategy
    parameters = strategy.get("parameters", {})
    named = (
        tuple(Parameter(name=name, value=str(value)) for name, value in sorted(parameters.items()))
        if isinstance(parameters, dict)
        else parameters
    )
    return {**STRATEGY, **strategy, "parameters": named}
