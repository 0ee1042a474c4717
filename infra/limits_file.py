"""Limits at the gate as a person writes them down: a TOML file with an account, and the limits that are meant.

A limit that is left out is none; only what has to be said has a usual value (`USUAL`). A file that sets no limit at all
is refused, because the gate treats such limits as none, and lets nothing pass.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.errors import TapeError
from schemas.gate import GateLimits, SessionRule

USUAL: Mapping[str, Any] = {
    "order_qty_max": None,
    "order_notional_max": None,
    "price_collar": None,
    "quote_age_max_s": 60,
    "position_value_max": None,
    "gross_value_max": None,
    "strategies": (),
    "orders_per_second_max": None,
    "orders_per_minute_max": None,
    "orders_per_day_max": None,
    "open_orders_max": None,
    "duplicate_window_s": None,
    "symbols_allowed": None,
    "symbols_denied": (),
    "session": SessionRule.REGULAR,
    "daily_loss_max": None,
    "unknown_age_max_s": 300,
}

STRATEGY: Mapping[str, Any] = {"position_value_max": None, "gross_value_max": None}
DENIED: Mapping[str, Any] = {"until": None, "reason": ""}

NUMBERS = (
    *("order_qty_max", "order_notional_max", "price_collar", "position_value_max", "gross_value_max"),
    *("orders_per_second_max", "orders_per_minute_max", "orders_per_day_max", "open_orders_max"),
    *("duplicate_window_s", "daily_loss_max"),
)
"""Limits that hold an order back by a number; the age of a quote alone is none of them."""


@dataclass(frozen=True)
class LimitsFile:
    """What the file says, checked."""

    account_id: str
    limits: GateLimits


def load(path: Path) -> LimitsFile:
    """Return what a file says; TapeError names every field that cannot be used and what stands there."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TapeError(f"the file of limits cannot be read: {error}", where=str(path)) from error
    account_id = said.pop("account_id", None)
    try:
        limits = GateLimits.model_validate(_completed(said))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}, was {each['input']!r}" for each in error.errors()]
        raise _refused("\n".join(wrong), path) from error
    if not isinstance(account_id, str) or not account_id:
        raise _refused(f"account_id: expected the account's name, was {account_id!r}", path)
    if twice := _said_twice(limits):
        raise _refused(twice, path)
    if not sets_a_number(limits):
        raise _refused(f"no limit is set, and the gate lets nothing pass without one of {', '.join(NUMBERS)}", path)
    return LimitsFile(account_id, limits)


def sets_a_number(limits: GateLimits) -> bool:
    """Say whether any limit holds an order back by a number, for the account or for a strategy."""
    own = (getattr(limits, name) for name in NUMBERS)
    of_strategies = (getattr(each, name) for each in limits.strategies for name in STRATEGY)
    return any(each is not None for each in (*own, *of_strategies))


def _completed(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said with the usual values, lists sorted as the record wants them."""
    limits = {**USUAL, **said}
    limits["strategies"] = _entries(limits["strategies"], STRATEGY, "strategy_id")
    limits["symbols_denied"] = _entries(limits["symbols_denied"], DENIED, "symbol")
    if isinstance(limits["symbols_allowed"], list):
        limits["symbols_allowed"] = tuple(sorted(map(str, limits["symbols_allowed"])))
    return limits


def _entries(said: object, usual: Mapping[str, Any], name: str) -> object:
    if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
        return said
    return tuple(sorted(({**usual, **each} for each in said), key=lambda each: str(each.get(name))))


def _said_twice(limits: GateLimits) -> str:
    lists = {
        "strategies": [each.strategy_id for each in limits.strategies],
        "symbols_allowed": list(limits.symbols_allowed or ()),
        "symbols_denied": [each.symbol for each in limits.symbols_denied],
    }
    found = {name: sorted({each for each in said if said.count(each) > 1}) for name, said in lists.items()}
    return "; ".join(f"{name}: {', '.join(twice)} is there more than once" for name, twice in found.items() if twice)


def _refused(what: str, path: Path) -> TapeError:
    return TapeError(what, where=str(path), next_command=f"correct it, then: tape limits set {path}")
