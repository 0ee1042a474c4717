"""Reading a new order: what is well formed, and in which words the brokerage says what is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, get_args

from infra.simulator.events import OrderType, Side, TimeInForce
from infra.simulator.rules import amount, invalid, is_symbol, is_whole, malformed, price

Word = TypeVar("Word", bound=str)
SIDES: tuple[Side, ...] = get_args(Side)
TYPES: tuple[OrderType, ...] = get_args(OrderType)
TIMES_IN_FORCE: tuple[TimeInForce, ...] = get_args(TimeInForce)
AUCTIONS: frozenset[TimeInForce] = frozenset({"opg", "cls"})
NOT_SIMULATED = ("take_profit", "stop_loss", "legs", "position_intent", "advanced_instructions")

#: Which prices a type of order takes; the words are those of its refusal without them.
WANTED: dict[OrderType, tuple[tuple[str, ...], str]] = {
    "market": ((), "market orders require no stop or limit price"),
    "limit": (("limit_price",), "limit orders require a limit price"),
    "stop": (("stop_price",), "stop orders require a stop price"),
    "stop_limit": (("limit_price", "stop_price"), "stop limit orders require both stop and limit price"),
    "trailing_stop": ((), "trailing stop orders require one of trail_price or trail_percent"),
}
PRICES = ("limit_price", "stop_price")
TRAILS = ("trail_price", "trail_percent")


@dataclass(frozen=True)
class Draft:
    """A new order that is well formed; exactly one of `qty` and `notional` is there."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal | None
    notional: Decimal | None
    type: OrderType
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    time_in_force: TimeInForce
    extended_hours: bool

    @property
    def is_fractional(self) -> bool:
        """Whether it may end in a fraction of a share."""
        return self.qty is None or not is_whole(self.qty)


def draft_of(request: Mapping[str, object], client_order_id: str) -> Draft:
    """Read a new order; raises RefusalError with the broker's words for the first rule it breaks."""
    _refuse_what_is_not_simulated(request)
    symbol = request.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise malformed("symbol is required")
    if not is_symbol(symbol):
        raise invalid(f'asset "{symbol}" not found')
    side, kind = _word(request, "side", SIDES), _word(request, "type", TYPES)
    time_in_force = time_in_force_of(request)
    qty, notional = _size(request)
    prices = _prices(request, kind)
    trails = {name: _trail(request, name, kind) for name in TRAILS}
    draft = Draft(
        client_order_id=client_order_id,
        symbol=symbol,
        side=side,
        qty=qty,
        notional=notional,
        type=kind,
        limit_price=prices["limit_price"],
        stop_price=prices["stop_price"],
        trail_price=trails["trail_price"],
        trail_percent=trails["trail_percent"],
        time_in_force=time_in_force,
        extended_hours=_extended_hours(request),
    )
    refuse_combination(draft)
    return draft


def refuse_combination(draft: Draft) -> None:
    """Raise RefusalError for parts that are well formed each and do not go together."""
    if draft.is_fractional and draft.time_in_force != "day":
        raise invalid("fractional orders must be DAY orders")
    if draft.notional is not None and draft.type != "market":
        raise invalid("notional orders must be market orders")
    if draft.time_in_force in AUCTIONS and draft.type not in ("market", "limit"):
        raise invalid(f"{draft.time_in_force} orders must be market or limit orders")
    if draft.type == "trailing_stop":
        if (draft.trail_price is None) is (draft.trail_percent is None):
            raise malformed(WANTED["trailing_stop"][1])
        if draft.time_in_force not in ("day", "gtc"):
            raise invalid("trailing stop orders must be DAY or GTC orders")
    if draft.extended_hours and (draft.type != "limit" or draft.time_in_force not in ("day", "gtc")):
        raise invalid("extended hours order must be DAY or GTC limit orders")


def _refuse_what_is_not_simulated(request: Mapping[str, object]) -> None:
    if request.get("order_class") not in (None, "", "simple"):
        raise invalid(f"order_class {request['order_class']} is not simulated")
    for name in NOT_SIMULATED:
        if request.get(name) is not None:
            raise invalid(f"{name} is not simulated")


def time_in_force_of(request: Mapping[str, object]) -> TimeInForce:
    """Read how long an order is good for."""
    return _word(request, "time_in_force", TIMES_IN_FORCE)


def _word(request: Mapping[str, object], name: str, words: tuple[Word, ...]) -> Word:
    for word in words:
        if request.get(name) == word:
            return word
    raise malformed(f"invalid {name}: {request.get(name)}")


def _size(request: Mapping[str, object]) -> tuple[Decimal | None, Decimal | None]:
    qty, notional = request.get("qty"), request.get("notional")
    if qty is not None and notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if qty is None and notional is None:
        raise malformed("qty or notional is required")
    return (None, amount("notional", notional)) if qty is None else (amount("qty", qty), None)


def _prices(request: Mapping[str, object], kind: OrderType) -> dict[str, Decimal | None]:
    wanted, words = WANTED[kind]
    given = {name: request.get(name) for name in PRICES}
    if any(given[name] is None for name in wanted):
        raise malformed(words)
    if any(given[name] is not None for name in PRICES if name not in wanted):
        raise invalid(words if kind == "market" else f"{kind} orders take no {_others(wanted)}")
    return {name: None if given[name] is None else price(name, given[name]) for name in PRICES}


def _others(wanted: tuple[str, ...]) -> str:
    return " or ".join(name for name in PRICES if name not in wanted)


def _trail(request: Mapping[str, object], name: str, kind: OrderType) -> Decimal | None:
    given = request.get(name)
    if given is None:
        return None
    if kind != "trailing_stop":
        raise invalid(f"{kind} orders take no {name}")
    return amount(name, given)


def _extended_hours(request: Mapping[str, object]) -> bool:
    given = request.get("extended_hours")
    if given not in (None, True, False):
        raise malformed(f"invalid extended_hours: {given}")
    return given is True
