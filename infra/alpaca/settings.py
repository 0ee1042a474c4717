"""How to reach one Alpaca account."""

from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

ENCRYPTED = frozenset({"https", "wss"})
PLAIN = frozenset({"http", "ws"})


class AlpacaSettings(BaseModel):
    """Keys, addresses and times; times are seconds. Without addresses it is Alpaca's paper account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: SecretStr = Field(min_length=1)
    secret_key: SecretStr = Field(min_length=1)
    paper: bool = Field(default=True, description="False trades real money.")
    trading_url: str | None = Field(default=None, description="scheme://host of the trading API; None is Alpaca's.")
    data_url: str | None = Field(default=None, description="scheme://host of the market data API; None is Alpaca's.")
    stream_url: str | None = Field(default=None, description="Whole address of the trade updates; None is Alpaca's.")
    feed: str | None = Field(default=None, description="Market data feed (iex, sip, ...); None is the account's best.")
    allow_plaintext: bool = Field(default=False, description="Allow http and ws to another machine, as in compose.")

    requests_per_minute: int = Field(default=200, gt=0, description="As Alpaca counts them for one account.")
    requests_for_orders: int = Field(default=40, ge=0, description="Of those, what reads leave to orders and cancels.")

    connect_timeout: float = Field(default=3.0, gt=0)
    read_timeout: float = Field(default=6.0, gt=0, description="Longest wait for the next byte of an answer.")
    total_timeout: float = Field(
        default=10.0, gt=0, description="Longest time of one request, of waiting until it may be sent too."
    )
    listing_timeout: float = Field(default=30.0, gt=0, description="Longest time of a listing, all pages together.")

    handshake_timeout: float = Field(default=10.0, gt=0, description="For each of connect, authenticate and listen.")
    ping_interval: float = Field(default=5.0, gt=0)
    ping_timeout: float = Field(default=10.0, gt=0, description="A stream without a pong for so long is dead.")
    backoff_min: float = Field(default=0.5, gt=0)
    backoff_max: float = Field(default=30.0, gt=0)

    @field_validator("trading_url", "data_url", "stream_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        return url.rstrip("/") if url else None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("trading_url", "data_url", "stream_url"):
            url = getattr(self, name)
            if url is not None and not self._may_carry_keys(url):
                raise ValueError(f"{name}={url}: keys travel encrypted except on this machine; use https or wss")
        if self.requests_for_orders >= self.requests_per_minute:
            raise ValueError(
                f"requests_for_orders={self.requests_for_orders} leaves nothing to read of"
                f" requests_per_minute={self.requests_per_minute}; lower it"
            )
        if self.connect_timeout + self.read_timeout > self.total_timeout:
            raise ValueError(
                f"total_timeout={self.total_timeout} is below connect_timeout + read_timeout ="
                f" {self.connect_timeout + self.read_timeout}; raise it"
            )
        return self

    def _may_carry_keys(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme in ENCRYPTED:
            return bool(parts.hostname)
        return parts.scheme in PLAIN and bool(parts.hostname) and (self.allow_plaintext or is_loopback(parts.hostname))


def is_loopback(host: str | None) -> bool:
    """Say whether a host name is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
