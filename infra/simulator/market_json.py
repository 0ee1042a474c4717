"""How quotes, trades and bars read in Alpaca's words; prices are JSON numbers, written digit by digit."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from infra.simulator.bars import vwap
from infra.simulator.exact import plain, stamp
from infra.simulator.market_rows import BarRow, QuoteRow, TradeRow

Message = dict[str, Any]


def exact_json(value: object) -> str:
    """Write compact JSON in which a Decimal is a number with all its digits and a datetime an instant in UTC."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return f'"{stamp(value)}"'
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{exact_json(part)}" for name, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(exact_json, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def quote(row: QuoteRow) -> Message:
    """Return a quote; sizes are shares."""
    return {
        "t": row.time,
        "bx": row.bid_exchange,
        "bp": row.bid,
        "bs": int(row.bid_size),
        "ax": row.ask_exchange,
        "ap": row.ask,
        "as": int(row.ask_size),
        "c": ["R"],
        "z": row.tape,
    }


def trade(row: TradeRow) -> Message:
    """Return a trade; a fraction of a share is printed as none, as the tape does."""
    return {
        "t": row.time,
        "x": row.exchange,
        "p": row.price,
        "s": int(row.size),
        "c": list(row.conditions),
        "i": row.id,
        "z": row.tape,
    }


def bar(row: BarRow) -> Message:
    """Return a bar."""
    return {
        "t": row.time,
        "o": row.open,
        "h": row.high,
        "l": row.low,
        "c": row.close,
        "v": int(row.volume),
        "n": row.trades,
        "vw": vwap(row),
    }
