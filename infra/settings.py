"""The settings of every process: from the environment, else from the embedded stack that `tape up` started.

Docker compose and a cluster of one's own are reached by setting `TAPE_BOOTSTRAP_SERVERS`, `TAPE_REGISTRY_URL` and
`TAPE_DATABASE_URL`; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.background import BACKGROUND_FILE, Background
from infra.embedded.endpoints import endpoints_of
from infra.embedded.folders import default_cache, default_home
from infra.embedded.state import load_state, state_path
from infra.errors import TapeError

EndpointName = Literal["bootstrap_servers", "registry_url", "database_url"]
ENDPOINTS: tuple[EndpointName, ...] = ("bootstrap_servers", "registry_url", "database_url")
PREFIX = "TAPE_"


class Settings(BaseSettings):
    """What a process is told: each field is the environment variable `TAPE_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True, env_ignore_empty=True)

    bootstrap_servers: str = Field(default="", description="Kafka: host:port, several with commas.")
    registry_url: str = Field(
        default="", repr=False, description="Schema registry, as Confluent's clients are given it."
    )
    database_url: str = Field(default="", repr=False, description="PostgreSQL, as libpq takes it.")
    partitions: int = Field(default=1, ge=1, description="Partitions of every topic; frozen once topics are made.")

    brokerage_url: str | None = Field(default=None, description="Alpaca's trading API or the simulator's.")
    brokerage_stream_url: str | None = Field(default=None, description="Alpaca's trade updates or the simulator's.")
    brokerage_data_url: str | None = Field(default=None, description="Alpaca's market data API or the simulator's.")
    brokerage_key_id: SecretStr | None = None
    brokerage_secret_key: SecretStr | None = None
    brokerage_account: str | None = Field(default=None, description="Account number or id that the keys must open.")
    brokerage_live: bool = Field(default=False, description="Real money; needs TAPE_LIVE_TRADING too.")
    live_trading: str | None = Field(default=None, description="The account number or id of the live account.")
    brokerage_requests_per_minute: int | None = Field(
        default=None, gt=0, description="None: 200 at Alpaca, and what a simulator says."
    )
    brokerage_timeout_s: float | None = Field(
        default=None, gt=0, description="Longest time of one request to the broker; None: 10 s."
    )
    brokerage_retry_wait_s: float = Field(
        default=0.5, ge=0, description="Wait before an order is sent again; twice as long each time."
    )
    brokerage_allow_plaintext: bool = Field(default=False, description="Keys over http to another host, as in compose.")
    clock: Literal["system", "broker"] = Field(default="system", description="broker: as a simulator states it.")
    account_ids: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="With commas between them.")

    instance_id: str | None = Field(default=None, description="Static group member: back within a second of a crash.")
    session_timeout_ms: int = Field(default=6_000, gt=0, description="A silent member leaves its group after this.")
    heartbeat_interval_ms: int = Field(default=1_500, gt=0, description="At most a third of the session timeout.")
    transaction_timeout_ms: int = Field(default=15_000, gt=0, description="Kafka aborts an open transaction after it.")
    delivery_timeout_ms: int = Field(default=10_000, gt=0, description="Sending a record fails after this.")
    recovery: Literal["snapshot", "from-zero"] = Field(
        default="snapshot", description="from-zero: agents fold all their events, whatever snapshots there are."
    )
    snapshot_every: int = Field(default=2_000, ge=0, description="Decisions between an agent's snapshots; 0: none.")

    crashes_max: int = Field(
        default=30, ge=0, description="A worker that ends more often in an hour ends all: trading halts."
    )

    home: Path = Field(default_factory=default_home, description="Data folder of the embedded stack.")
    cache: Path = Field(default_factory=default_cache, description="Downloads, shared by all stacks of the user.")
    halt_file: Path = Field(
        default_factory=lambda: default_home() / "halt", description="While this file exists, no order is sent."
    )
    locks: Path | None = Field(default=None, description="Folder of the locks of accounts; None: the user's own.")

    @field_validator("account_ids", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("brokerage_url", "brokerage_stream_url", "brokerage_data_url")
    @classmethod
    def _without_keys(cls, url: str | None) -> str | None:
        """Refuse keys in an address: addresses are printed."""
        if url and "@" in url:
            raise ValueError("keys belong into TAPE_BROKERAGE_KEY_ID and TAPE_BROKERAGE_SECRET_KEY")
        return url

    @field_validator("database_url")
    @classmethod
    def _understood(cls, url: str) -> str:
        """Refuse what libpq would quote, password included, in the error it makes of it."""
        if not url:
            return url
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict

        try:
            host = str(conninfo_to_dict(url).get("host", ""))
        except Error:
            host = "@@"
        if "@" in host[1:]:  # the first one may be that of an abstract socket
            raise ValueError("libpq does not understand it; in a password write @ : / % as %40 %3A %2F %25")
        return url

    @classmethod
    def said(cls) -> Self:
        """Return what the environment says and nothing else; raises TapeError that names what cannot be used."""
        try:
            return cls()
        except ValidationError as error:
            raise _invalid(error) from error

    @classmethod
    def at_hand(cls) -> Self:
        """Return what the environment says, and how to reach the simulator of a kept demo; no service is needed."""
        settings = cls.said()
        if settings.brokerage_url is None and settings.brokerage_key_id is None:
            settings = settings.model_copy(update=_simulated(settings.home))
        return settings

    @classmethod
    def load(cls, needs: Collection[EndpointName] = ENDPOINTS) -> Self:
        """Return the settings: environment first, then the embedded stack's state file.

        `needs` are the addresses that must be known; whether anything answers there is not asked. Raises TapeError
        that names what is missing or wrong, never the value of a secret.
        """
        settings = cls.at_hand()
        embedded = endpoints_of(load_state(settings.home))
        found = {name: getattr(embedded, name) for name in ENDPOINTS if not getattr(settings, name)}
        settings = settings.model_copy(update={name: address for name, address in found.items() if address is not None})
        missing = [name for name in ENDPOINTS if name in needs and not getattr(settings, name)]
        if missing:
            raise TapeError(
                f"no address for {', '.join(missing)}: neither set in the environment nor started here",
                where=f"{', '.join(PREFIX + name.upper() for name in missing)}; {state_path(settings.home)}",
                next_command="tape up",
            )
        return settings


def _simulated(home: Path) -> dict[str, object]:
    """Return how to reach the simulator that a kept demo has left running; nothing where none runs."""
    if not (home / BACKGROUND_FILE).exists():
        return {}
    background = Background(home)
    if "simulator" not in background.running():
        return {}
    facts = background.facts("simulator")
    try:
        said = Settings.model_validate(facts)
    except ValidationError:
        return {}  # noted by another version
    return {name: getattr(said, name) for name in facts}


def _invalid(error: ValidationError) -> TapeError:
    reasons = [f"{PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
    return TapeError(
        f"{len(reasons)} setting(s) cannot be used: {'; '.join(reasons)}",
        where="environment",
        next_command="correct or unset the variable, then run the command again",
    )
