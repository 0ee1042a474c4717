"""Reading the account at the broker the way anybody would: through alpaca-py."""

import json
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from agents.broker.ports import Reply
from infra.alpaca.brokerage import AlpacaBrokerage
from infra.alpaca.settings import AlpacaSettings
from infra.demo.reckoning import BrokerTruth
from infra.errors import TapeError


def brokerage_at(environment: dict[str, str]) -> AlpacaBrokerage:
    """Return the account at the broker that the TAPE_BROKERAGE_ settings name."""
    return AlpacaBrokerage(
        AlpacaSettings(
            key_id=SecretStr(environment["TAPE_BROKERAGE_KEY_ID"]),
            secret_key=SecretStr(environment["TAPE_BROKERAGE_SECRET_KEY"]),
            trading_url=environment["TAPE_BROKERAGE_URL"],
            data_url=environment["TAPE_BROKERAGE_DATA_URL"],
            stream_url=environment["TAPE_BROKERAGE_STREAM_URL"],
        )
    )


def broker_truth(environment: dict[str, str]) -> BrokerTruth:
    """Return cash, positions and orders as the broker states them; `environment` holds the TAPE_BROKERAGE_ settings."""
    brokerage = brokerage_at(environment)
    account = _read(brokerage.account(), "account")
    positions = _read(brokerage.positions(), "positions")
    orders = _read(brokerage.orders("all", None), "orders")
    return BrokerTruth(
        Decimal(account["cash"]),
        {row["symbol"]: Decimal(row["qty"]) for row in positions},
        tuple(row["client_order_id"] for row in orders),
    )


def _read(reply: Reply, what: str) -> Any:
    if reply.http_status != 200:
        raise TapeError(f"the broker's {what} cannot be read: HTTP {reply.http_status} {reply.body or reply.error}")
    return json.loads(reply.body, parse_float=Decimal)
