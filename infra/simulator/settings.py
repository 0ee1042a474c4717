"""What a simulator is started with, and where it is found."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

#: The only key pair the simulator accepts. Fixed and worthless, so that a real key sent here by mistake is refused.
KEY_ID = "SIMULATOR"
SECRET_KEY = "simulator"

#: A Friday morning in a regular session: the clock of a new account until it is set, so that two runs repeat.
START_OF_TIME = datetime(2026, 1, 2, 15, 0, tzinfo=UTC)


class Terms(BaseModel):
    """How one simulated account behaves; kept in its journal, so a restart goes on under the same terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_number: str = Field(default="SIM000001", min_length=1)
    cash: Decimal = Field(default=Decimal(100_000), ge=0, allow_inf_nan=False)
    now: AwareDatetime = START_OF_TIME
    multiplier: int = Field(default=1, ge=1, le=2, description="1 is a cash account; 2 lends, and may be short.")
    partial_rate: Decimal = Field(default=Decimal("0.25"), ge=0, le=1, description="Share of orders filled in chunks.")
    reserve_rate: Decimal = Field(default=Decimal(1), gt=0, description="A market buy reserves quantity * ask * this.")
    venue_hours: bool = Field(default=False, description="Orders are executed only while their session is open.")
    seed: str = Field(default="", description="Another seed picks other orders to be filled in chunks.")
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="More requests than this in one minute of real time get 429; null = no limit."
    )
    stream_symbols_max: int | None = Field(
        default=None, ge=0, description="More trades and quotes than this in the data stream get error 405."
    )


class SimulatorSettings(BaseModel):
    """Where a simulator listens and keeps its journal; `terms` are for an account that does not exist there yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path = Field(description="Folder of the journal.")
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port.")
    recording: Path | None = Field(default=None, description="Folder of a recorded market; see recordings.py.")
    terms: Terms = Terms()
    ends_with_stdin: bool = Field(default=False, description="Stop at the end of standard input, as a child.")


@dataclass(frozen=True)
class SimulatorUrls:
    """Where a running simulator is found; each is what alpaca-py calls url_override."""

    url: str
    stream_url: str
    data_stream_url: str
    key_id: str = KEY_ID
    secret_key: str = SECRET_KEY

    @staticmethod
    def at(host: str, port: int) -> "SimulatorUrls":
        """Return the addresses of a simulator on one host and port."""
        return SimulatorUrls(
            url=f"http://{host}:{port}",
            stream_url=f"ws://{host}:{port}/stream",
            data_stream_url=f"ws://{host}:{port}/v2/iex",
        )
