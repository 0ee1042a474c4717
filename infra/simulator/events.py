"""What happened at the simulated brokerage, as its journal keeps it. The state is a fold of these and nothing else."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from infra.simulator.settings import Terms

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]


class Hold(StrEnum):
    """What the market does with orders of a symbol."""

    NONE = "NONE"  # fills them
    ALL = "ALL"  # lets them rest
    REST = "REST"  # fills the first chunk and lets the rest be
    REJECT = "REJECT"  # accepts them and rejects them a moment later


class Configuration(BaseModel):
    """What the account's owner has chosen; the simulator heeds the first four and keeps the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: Literal["1", "2", "4"] = "4"
    max_options_trading_level: Literal[0, 1, 2, 3] = 0
    disable_overnight_trading: bool = False
    ptp_no_exception_entry: bool = False
    trade_confirm_email: Literal["all", "none"] = "all"


class Event(BaseModel):
    """A fact with the simulated time it happened at; times rise strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: AwareDatetime


class Opened(Event):
    """An account was opened with a cash deposit."""

    kind: Literal["opened"] = "opened"
    terms: Terms


class Configured(Event):
    """The account's owner has chosen."""

    kind: Literal["configured"] = "configured"
    configuration: Configuration


class Posted(Event):
    """An order was asked for, whether or not it was taken."""

    kind: Literal["posted"] = "posted"
    client_order_id: str


class Quoted(Event):
    """Best bid and offer; a price of 0 means that the side is empty, a size of None that it takes any quantity."""

    kind: Literal["quoted"] = "quoted"
    symbol: str
    bid: Decimal
    ask: Decimal
    time: AwareDatetime
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None


class Traded(Event):
    """Others traded with each other."""

    kind: Literal["traded"] = "traded"
    symbol: str
    price: Decimal
    size: Decimal
    time: AwareDatetime
    exchange: str = "V"
    conditions: tuple[str, ...] = ("@",)
    tape: str = "C"


class Held(Event):
    """The market treats orders of a symbol differently from now on."""

    kind: Literal["held"] = "held"
    symbol: str
    hold: Hold


class Halted(Event):
    """Trading in a symbol stopped, or went on."""

    kind: Literal["halted"] = "halted"
    symbol: str
    is_halted: bool
    reason: str = ""


class ClockSet(Event):
    """The simulated clock was set."""

    kind: Literal["clock_set"] = "clock_set"
    now: AwareDatetime


class Accepted(Event):
    """An order was taken; `is_queued` when it waits for a session, `replaces` is the order it takes the place of."""

    kind: Literal["accepted"] = "accepted"
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal | None
    notional: Decimal | None = None
    type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce
    extended_hours: bool = False
    is_queued: bool = False
    replaces: str | None = None


class Routed(Event):
    """An order that waited for its session was sent to the market."""

    kind: Literal["routed"] = "routed"
    order_id: str


class Triggered(Event):
    """The market reached an order's stop price: it is a market or limit order from now on."""

    kind: Literal["triggered"] = "triggered"
    order_id: str


class Filled(Event):
    """A part of an order, or the rest of it, was executed; `cum_qty` and `leaves_qty` are as of after it."""

    kind: Literal["filled"] = "filled"
    order_id: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    leaves_qty: Decimal


class Restated(Event):
    """A corporate action changed an open order."""

    kind: Literal["restated"] = "restated"
    order_id: str
    symbol: str
    qty: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


class Ended(Event):
    """An order ended without being filled completely."""

    kind: Literal["ended"] = "ended"
    order_id: str
    status: Literal["canceled", "expired", "rejected", "replaced"]
    replaced_by: str | None = None


class Booked(Event):
    """An activity that is no trade: a deposit, a dividend, a fee. It moves cash only; `qty` is what the row says."""

    kind: Literal["booked"] = "booked"
    activity_id: str
    activity_type: str
    net_amount: Decimal
    activity_sub_type: str | None = None
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None
    group_id: str | None = None
    day: date | None = None
    description: str = ""


class Split(Event):
    """`old_rate` shares became `new_rate` shares; `qty` and `cost` are the holding after it, fractions paid out."""

    kind: Literal["split"] = "split"
    symbol: str
    new_rate: Decimal
    old_rate: Decimal
    qty: Decimal
    cost: Decimal


class Renamed(Event):
    """A holding goes by another symbol; orders, quotes and assets have events of their own."""

    kind: Literal["renamed"] = "renamed"
    symbol: str
    new_symbol: str


class Listed(Event):
    """What a symbol is from now on; `status` None = there is no such asset."""

    kind: Literal["listed"] = "listed"
    symbol: str
    status: Literal["active", "inactive"] | None
    tradable: bool
    fractionable: bool


AnyEvent = (
    Opened
    | Configured
    | Posted
    | Quoted
    | Traded
    | Held
    | Halted
    | Listed
    | ClockSet
    | Accepted
    | Routed
    | Triggered
    | Filled
    | Restated
    | Ended
    | Booked
    | Split
    | Renamed
)

EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="kind")])
