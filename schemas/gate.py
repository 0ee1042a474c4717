"""What the gate before the broker is held to: limits of an account, and halts that a person or the gateway declared."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.account import OrderProgress
from schemas.quantities import Money, Quantity, Weight
from schemas.record import AccountRecord, Instant, Value


class StrategyGateLimits(Value):
    """The limits of one strategy at the gate."""

    strategy_id: str = Field(description="The strategy.", min_length=1)
    position_value_max: Money | None = Field(
        description="STRATEGY_POSITION_VALUE_MAX: greatest value of one symbol, dollars; null = no limit.", ge=0
    )
    gross_value_max: Money | None = Field(
        description="STRATEGY_GROSS_VALUE_MAX: greatest value of all symbols, longs and shorts added up, dollars;"
        " null = no limit.",
        ge=0,
    )


class DeniedSymbol(Value):
    """A symbol that is not traded, for good or for a while."""

    symbol: str = Field(description="Ticker, upper case.", min_length=1)
    until: Instant | None = Field(description="Denied until this instant; null = for good.")
    reason: str = Field(description="Why, for a person.")


class SessionRule(StrEnum):
    """When orders may be sent."""

    REGULAR = "REGULAR"
    ANY = "ANY"


class GateLimits(Value):
    """What no order may exceed, whatever asked for it; every amount counts open and UNKNOWN orders at their worst."""

    order_qty_max: Quantity | None = Field(description="Greatest quantity of one order, shares; null = no limit.", ge=0)
    order_notional_max: Money | None = Field(
        description="Greatest value of one order at its worst price, dollars; null = no limit.", ge=0
    )
    price_collar: Weight | None = Field(
        description="PRICE_COLLAR: greatest distance of the fresh quote, and of a limit price, from the price the plan"
        " was made at, as a fraction of that price; null = no limit.",
        gt=0,
        lt=1,
    )
    quote_age_max_s: int = Field(description="QUOTE_STALE: oldest fresh quote, seconds.", gt=0)
    position_value_max: Money | None = Field(
        description="Greatest value of the account's position in one symbol, dollars; null = no limit.", ge=0
    )
    gross_value_max: Money | None = Field(
        description="Greatest value of all positions of the account, longs and shorts added up, dollars;"
        " null = no limit.",
        ge=0,
    )
    strategies: tuple[StrategyGateLimits, ...] = Field(description="Limits per strategy, sorted by strategy_id.")
    orders_per_second_max: int | None = Field(description="Orders sent in any second; null = no limit.", ge=0)
    orders_per_minute_max: int | None = Field(description="Orders sent in any minute; null = no limit.", ge=0)
    orders_per_day_max: int | None = Field(description="Orders sent in a UTC day; null = no limit.", ge=0)
    open_orders_max: int | None = Field(description="Orders open or UNKNOWN at once; null = no limit.", ge=0)
    duplicate_window_s: int | None = Field(
        description="DUPLICATE_ORDER: no second order of the same book, symbol, side and quantity within so many"
        " seconds; null = no limit.",
        ge=0,
    )
    symbols_allowed: tuple[str, ...] | None = Field(description="The only symbols traded, sorted; null = all.")
    symbols_denied: tuple[DeniedSymbol, ...] = Field(description="Symbols not traded, sorted by symbol.")
    session: SessionRule = Field(description="REGULAR: orders are sent while the market is open; or ANY.")
    daily_loss_max: Money | None = Field(
        description="Greatest loss of equity since the last close, cash that came from outside or went there set aside,"
        " dollars; beyond it only reducing orders pass; null = no limit.",
        ge=0,
    )
    unknown_age_max_s: int = Field(
        description="An order that stays UNKNOWN for longer halts its symbol, seconds.", gt=0
    )


class OrderLimitsRequest(AccountRecord):
    """Somebody sets the limits of an account."""

    topic: ClassVar[str] = "order-limit-requests.v1"

    request_id: str = Field(description="The asker's own name for this request; asking twice is asking once.")
    requested_by: str = Field(description="Who asks.")
    requested_at: Instant = Field(description="The asker's clock.")
    limits: GateLimits = Field(description="The limits, all of them.")


class OrderLimits(AccountRecord):
    """The limits of an account from now on; the gateway's memory of them."""

    topic: ClassVar[str] = "order-limits.v1"

    request_id: str = Field(description="The request.")
    requested_by: str = Field(description="Who asked.")
    limits: GateLimits = Field(description="The limits, by value.")


class HaltScope(StrEnum):
    """What a halt stops."""

    ACCOUNT = "ACCOUNT"
    STRATEGY = "STRATEGY"
    SYMBOL = "SYMBOL"


class HaltAction(StrEnum):
    """What is asked for."""

    HALT = "HALT"
    RESUME = "RESUME"


class TradingHaltRequest(AccountRecord):
    """Somebody stops trading, or lets it go on."""

    topic: ClassVar[str] = "trading-halt-requests.v1"

    request_id: str = Field(description="The asker's own name for this request; asking twice is asking once.")
    requested_by: str = Field(description="Who asks.")
    requested_at: Instant = Field(description="The asker's clock.")
    action: HaltAction = Field(description="HALT or RESUME.")
    halt_id: UUID | None = Field(description="With RESUME: the halt that ends; else null.")
    scope: HaltScope = Field(description="ACCOUNT, STRATEGY or SYMBOL; with RESUME that of the halt.")
    name: str = Field(description="The strategy or the symbol; empty for the account.")
    is_reducing_allowed: bool = Field(description="With HALT: whether orders that reduce a position still pass.")
    is_canceling: bool = Field(description="With HALT: whether open orders in its scope are canceled.")
    until: Instant | None = Field(description="With HALT: it ends by itself at this instant; null = it does not.")
    reason: str = Field(description="Why, for a person.")


class HaltStatus(StrEnum):
    """Where a halt stands."""

    IN_FORCE = "IN_FORCE"
    ENDED = "ENDED"
    REFUSED = "REFUSED"


class HaltCause(StrEnum):
    """What led to a halt."""

    OPERATOR = "OPERATOR"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNKNOWN_TOO_OLD = "UNKNOWN_TOO_OLD"
    CONTRADICTION = "CONTRADICTION"


class TradingHalt(AccountRecord):
    """Trading is stopped, or goes on; the gateway's memory of halts."""

    topic: ClassVar[str] = "trading-halts.v1"

    halt_id: UUID = Field(description="Derived from the request, or from the order that led to it.")
    status: HaltStatus = Field(description="IN_FORCE, ENDED, or REFUSED: a RESUME that names no halt in force.")
    cause: HaltCause = Field(description="An operator, or what the gateway saw.")
    scope: HaltScope = Field(description="ACCOUNT, STRATEGY or SYMBOL.")
    name: str = Field(description="The strategy or the symbol; empty for the account.")
    is_reducing_allowed: bool = Field(description="Whether orders that reduce a position still pass.")
    until: Instant | None = Field(description="It ends by itself at this instant; null = it does not.")
    request_id: str = Field(description="The request that led to this; empty when none did.")
    requested_by: str = Field(description="Who asked; gateway when nobody did.")
    reason: str = Field(description="Why, for a person.")
    open_orders: tuple[OrderProgress, ...] = Field(
        description="Orders in its scope that are open or UNKNOWN, sorted; what is executed of them is still booked."
    )
