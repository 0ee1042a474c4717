"""What happened at the simulated brokerage, as its journal keeps it. The state is a fold of these and nothing else."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from infra.simulator.settings import Terms


class Hold(StrEnum):
    """What the market does with orders of a symbol."""

    NONE = "NONE"  # fills them
    ALL = "ALL"  # lets them rest
    REST = "REST"  # fills the first chunk and lets the rest be
    REJECT = "REJECT"  # accepts them and rejects them a moment later


class Event(BaseModel):
    """A fact with the simulated time it happened at; times rise strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: AwareDatetime


class Opened(Event):
    """An account was opened with a cash deposit."""

    kind: Literal["opened"] = "opened"
    terms: Terms


class Posted(Event):
    """An order was asked for, whether or not it was taken."""

    kind: Literal["posted"] = "posted"
    client_order_id: str


class Quoted(Event):
    """Best bid and offer; a price of 0 means that the side is empty."""

    kind: Literal["quoted"] = "quoted"
    symbol: str
    bid: Decimal
    ask: Decimal
    time: AwareDatetime


class Held(Event):
    """The market treats orders of a symbol differently from now on."""

    kind: Literal["held"] = "held"
    symbol: str
    hold: Hold


class ClockSet(Event):
    """The simulated clock was set."""

    kind: Literal["clock_set"] = "clock_set"
    now: AwareDatetime


class Accepted(Event):
    """An order was taken."""

    kind: Literal["accepted"] = "accepted"
    order_id: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    qty: Decimal
    type: Literal["market", "limit"]
    limit_price: Decimal | None
    time_in_force: Literal["day", "gtc"]


class Filled(Event):
    """A part of an order, or the rest of it, was executed; `cum_qty` is the quantity executed after it."""

    kind: Literal["filled"] = "filled"
    order_id: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal


class Ended(Event):
    """An order ended without being filled completely."""

    kind: Literal["ended"] = "ended"
    order_id: str
    status: Literal["canceled", "expired", "rejected"]


class MovedCash(Event):
    """Money moved without a trade: a deposit, a dividend, a fee."""

    kind: Literal["moved_cash"] = "moved_cash"
    activity_id: str
    activity_type: str
    net_amount: Decimal
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None
    description: str = ""


class Listed(Event):
    """What a symbol is from now on; `status` None = there is no such asset."""

    kind: Literal["listed"] = "listed"
    symbol: str
    status: Literal["active", "inactive"] | None
    tradable: bool
    fractionable: bool


AnyEvent = Opened | Posted | Quoted | Held | Listed | ClockSet | Accepted | Filled | Ended | MovedCash

EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="kind")])
