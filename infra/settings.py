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
    registry_url: str = Field(default="", description="Schema registry, as Confluent's clients are given it.")
    database_url: str = Field(default="", repr=False, description="PostgreSQL, as libpq takes it.")
    partitions: int = Field(default=1, ge=1, description="Partitions of every topic; frozen once topics are made.")

    brokerage_url: str | None = Field(default=None, description="Alpaca's trading API or the simulator's.")
    brokerage_stream_url: str | None = Field(default=None, description="Alpaca's trade updates or the simulator's.")
    brokerage_data_url: str | None = Field(default=None, description="Alpaca's market data API or the simulator's.")
    brokerage_key_id: SecretStr | None = None
    brokerage_secret_key: SecretStr | None = None
    brokerage_allow_plaintext: bool = Field(default=False, description="Keys over http to another host, as in compose.")
    clock: Literal["system", "broker"] = Field(default="system", description="broker: as a simulator states it.")
    account_ids: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="With commas between them.")

    instance_id: str | None = Field(default=None, description="Static group member: back within a second of a crash.")
    session_timeout_ms: int = Field(default=6_000, gt=0, description="A silent member leaves its group after this.")
    heartbeat_interval_ms: int = Field(default=1_500, gt=0, description="At most a third of the session timeout.")
    transaction_timeout_ms: int = Field(default=15_000, gt=0, description="Kafka aborts an open transaction after it.")
    delivery_timeout_ms: int = Field(default=10_000, gt=0, description="Sending a record fails after this.")

    home: Path = Field(default_factory=default_home, description="Data folder of the embedded stack.")
    cache: Path = Field(default_factory=default_cache, description="Downloads, shared by all stacks of the user.")

    @field_validator("account_ids", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @classmethod
    def load(cls, needs: Collection[EndpointName] = ENDPOINTS) -> Self:
        """Return the settings: environment first, then the embedded stack's state file.

        `needs` are the addresses that must be known; whether anything answers there is not asked. Raises TapeError
        that names what is missing or wrong, never the value of a secret.
        """
        try:
            settings = cls()
        except ValidationError as error:
            raise _invalid(error) from error
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


def _invalid(error: ValidationError) -> TapeError:
    reasons = [f"{PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
    return TapeError(
        f"{len(reasons)} setting(s) cannot be used: {'; '.join(reasons)}",
        where="environment",
        next_command="correct or unset the variable, then run the command again",
    )
