"""What the simulator is told, and what it says back, under /admin: the bodies its OpenAPI document is made of."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from infra.simulator.events import Hold
from infra.simulator.faults import Fault, FaultKind, FaultProfile


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuoteRequest(_Body):
    """A quote; `time` is now when left out; a price of 0 empties its side, a size of null takes any quantity."""

    symbol: str = Field(min_length=1)
    bid: Decimal = Field(ge=0, allow_inf_nan=False)
    ask: Decimal = Field(ge=0, allow_inf_nan=False)
    bid_size: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False, description="Shares.")
    ask_size: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False, description="Shares.")
    time: AwareDatetime | None = None


class TradeRequest(_Body):
    """A print of the market; `time` is now when left out, `conditions` are the tape's letters."""

    symbol: str = Field(min_length=1)
    price: Decimal = Field(gt=0, allow_inf_nan=False)
    size: Decimal = Field(gt=0, allow_inf_nan=False)
    time: AwareDatetime | None = None
    exchange: str = Field(default="V", min_length=1, max_length=1)
    conditions: tuple[str, ...] = ("@",)
    tape: Literal["A", "B", "C", "N", "O"] = "C"


class ClockRequest(_Body):
    """A new time."""

    now: AwareDatetime


class HoldRequest(_Body):
    """A new treatment of a symbol's orders: NONE fills, ALL rests, REST fills one chunk, REJECT rejects them."""

    symbol: str = Field(min_length=1)
    hold: Hold


class HaltRequest(_Body):
    """Trading in a symbol stops, or goes on; orders are taken meanwhile and none is executed."""

    symbol: str = Field(min_length=1)
    is_halted: bool = True
    reason: str = Field(default="", description="The tape's code, such as T1.")


class Dividend(_Body):
    """Cash for every share held."""

    kind: Literal["dividend"]
    symbol: str = Field(min_length=1)
    per_share: Decimal = Field(gt=0, allow_inf_nan=False)


class Split(_Body):
    """`old_rate` shares become `new_rate` shares: 1 and 2 double them; fractions may be paid out at a price."""

    kind: Literal["split"]
    symbol: str = Field(min_length=1)
    new_rate: Decimal = Field(gt=0, allow_inf_nan=False)
    old_rate: Decimal = Field(gt=0, allow_inf_nan=False)
    cash_in_lieu_price: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)


class Rename(_Body):
    """A symbol goes by another name."""

    kind: Literal["rename"]
    symbol: str = Field(min_length=1)
    new_symbol: str = Field(min_length=1)


CorporateAction = Annotated[Dividend | Split | Rename, Field(discriminator="kind")]


class FeesRequest(_Body):
    """What sells of a day cost: dollars per million of value, dollars per share, at most so much for a trade."""

    day: date
    reg_per_million: Decimal = Field(ge=0, allow_inf_nan=False)
    taf_per_share: Decimal = Field(ge=0, allow_inf_nan=False)
    taf_cap: Decimal = Field(ge=0, allow_inf_nan=False)


class AssetRequest(_Body):
    """What a symbol is; `status` null = it is gone."""

    symbol: str = Field(min_length=1)
    status: Literal["active", "inactive"] | None = "active"
    tradable: bool = True
    fractionable: bool = True


class FillRequest(_Body):
    """A part of an open order that is executed now."""

    client_order_id: str = Field(min_length=1)
    qty: Decimal = Field(gt=0, decimal_places=9, allow_inf_nan=False)


class OrderRequest(_Body):
    """A market order placed by hand; the broker names it when it has no name."""

    symbol: str = Field(min_length=1)
    side: Literal["buy", "sell"]
    qty: Decimal = Field(gt=0, decimal_places=9, allow_inf_nan=False)
    client_order_id: str | None = None


class ActivityRequest(_Body):
    """Money that moves without a trade."""

    activity_type: str = Field(min_length=1)
    net_amount: Decimal = Field(allow_inf_nan=False)
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None
    activity_sub_type: str | None = None
    description: str = ""


class Now(_Body):
    """The simulator's time after what was asked for."""

    now: AwareDatetime


class BookedActivity(_Body):
    """The id of a new activity."""

    id: str


class BookedActivities(_Body):
    """The ids of new activities, none where nothing had to be booked."""

    ids: list[str]


class ReceivedOrder(_Body):
    """A client order id, how often it was posted, refused duplicates included, and its order if there is one."""

    client_order_id: str
    posts: int
    order: dict[str, Any] | None


class ReceivedOrders(_Body):
    """Every client order id received, oldest first."""

    orders: list[ReceivedOrder]


class Counts(_Body):
    """How many orders were posted, refused duplicates included, and how many the account has."""

    posts: int
    orders: int


class OrderedFault(_Body):
    """An ordered trouble and how often it has struck; it strikes no more once that is `times`."""

    fault: Fault
    struck: int


class FaultReport(_Body):
    """All troubles, and how often each kind has struck since the last reset, ordered or drawn."""

    ordered: list[OrderedFault]
    profiles: list[FaultProfile]
    struck: dict[FaultKind, int]


class Problem(_Body):
    """Why a request was refused."""

    message: str
    code: int | None = None
