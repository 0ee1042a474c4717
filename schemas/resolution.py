"""Orders whose fate the broker leaves open: what a person found out about one, and what the gateway makes of it."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from schemas.order import Side
from schemas.quantities import Price, Quantity
from schemas.record import AccountRecord, Instant, Value


class ResolvedAs(StrEnum):
    """What became of an order, as a person found out at the broker."""

    NOT_OURS = "NOT_OURS"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class ManualTrade(Value):
    """Something the broker executed under an order's name that was not ordered: it belongs to no strategy."""

    symbol: str = Field(description="Ticker, upper case.", min_length=1)
    side: Side = Field(description="BUY or SELL.")
    quantity: Quantity = Field(description="Shares, unsigned.", gt=0)
    price: Price = Field(description="Average price, dollars per share.", gt=0)


class OrderResolutionRequest(AccountRecord):
    """Somebody says what became of an order that the broker leaves open, or contradicts."""

    topic: ClassVar[str] = "order-resolution-requests.v1"

    request_id: str = Field(description="The asker's own name for this request; asking twice is asking once.")
    requested_by: str = Field(description="Who asks.")
    requested_at: Instant = Field(description="The asker's clock.")
    client_order_id: str = Field(description="The order.")
    resolved_as: ResolvedAs = Field(
        description="NOT_OURS: what the broker has under this name is not what was ordered (FIX DKReason 127); else how"
        " the order ended."
    )
    cum_qty: Quantity | None = Field(
        description="Shares of it that the broker has executed, in all; null = the whole order with FILLED, none with"
        " NOT_OURS, else what is booked.",
        ge=0,
    )
    avg_px: Price | None = Field(description="Their average price, dollars per share; null = as booked.", gt=0)
    manual_trades: tuple[ManualTrade, ...] = Field(
        description="What the broker has executed under its name beside that, and nobody has named yet."
    )
    reason: str = Field(description="How it was found out, for a person.", min_length=1)


class ResolutionStatus(StrEnum):
    """Whether a person's word about an order counts."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


class OrderResolution(AccountRecord):
    """What the gateway makes of a person's word about an order; its memory of it."""

    topic: ClassVar[str] = "order-resolutions.v1"

    client_order_id: str = Field(description="The order.")
    status: ResolutionStatus = Field(description="ACCEPTED, or REFUSED: nothing follows from it.")
    resolved_as: ResolvedAs = Field(description="How it ended.")
    cum_qty: Quantity = Field(description="Shares of it that the broker has executed, in all; 0 when refused.")
    executed_qty: Quantity = Field(
        description="Shares the broker has executed under its name, manual trades included: more than that is news;"
        " 0 when refused."
    )
    manual_trades: tuple[ManualTrade, ...] = Field(
        description="What is booked to manual because of this; a part that was booked to strategies and never executed"
        " is among them, on the other side."
    )
    request_id: str = Field(description="The request.")
    requested_by: str = Field(description="Who asked.")
    reason: str = Field(description="How it was found out, or why it was refused.")
