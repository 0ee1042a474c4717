"""From a process's settings to its broker account, safeguards and locks included."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from infra.alpaca.brokerage import AlpacaBrokerage
from infra.alpaca.safeguards import check_account, check_environment, host_of, identified, is_alpaca, lock_name_of
from infra.alpaca.settings import AlpacaSettings, is_loopback
from infra.errors import TapeError
from infra.locks import DatabaseLock, FileLock
from infra.settings import Settings

#: Alpaca's own number (1000 for some accounts).
ALPACA_PER_MINUTE = 200
#: A simulator counts nothing unless it says so, and its days pass in seconds.
SIMULATOR_PER_MINUTE = 100_000
#: The share of it that polls leave to orders.
ORDERS_SHARE = 5


@dataclass(frozen=True)
class Connected:
    """A broker account of this process alone."""

    brokerage: AlpacaBrokerage
    file_lock: FileLock
    database_lock: DatabaseLock | None

    def close(self) -> None:
        """Let go of the account; a process that ends does so by itself."""
        self.brokerage.close()
        self.file_lock.release()
        if self.database_lock is not None:
            self.database_lock.release()


def alpaca_settings(settings: Settings) -> AlpacaSettings:
    """Return how to reach the account; raises TapeError without a key pair, or for addresses keys may not go to."""
    key_id, secret_key = settings.brokerage_key_id, settings.brokerage_secret_key
    if key_id is None or secret_key is None:
        raise TapeError(
            "there is no key pair of the broker",
            where="TAPE_BROKERAGE_KEY_ID, TAPE_BROKERAGE_SECRET_KEY",
            next_command="export both",
        )
    per_minute = settings.brokerage_requests_per_minute or (
        ALPACA_PER_MINUTE if is_alpaca(settings) else SIMULATOR_PER_MINUTE
    )
    try:
        return AlpacaSettings(
            key_id=key_id,
            secret_key=secret_key,
            paper=not settings.brokerage_live,
            trading_url=settings.brokerage_url,
            data_url=settings.brokerage_data_url,
            stream_url=settings.brokerage_stream_url,
            allow_plaintext=settings.brokerage_allow_plaintext,
            requests_per_minute=per_minute,
            requests_for_orders=per_minute // ORDERS_SHARE,
            **_timeouts(settings.brokerage_timeout_s),
        )
    except ValidationError as error:
        raise TapeError(
            "; ".join(str(each["msg"]) for each in error.errors(include_input=False)),
            where="TAPE_BROKERAGE_URL, TAPE_BROKERAGE_DATA_URL, TAPE_BROKERAGE_STREAM_URL",
        ) from error


def _timeouts(total: float | None) -> dict[str, Any]:
    """Return the times of one request that lasts at most so long; Alpaca's own defaults for None."""
    if total is None:
        return {}
    return {"connect_timeout": total / 3, "read_timeout": total * 2 / 3, "total_timeout": total}


def connected(settings: Settings) -> Connected:
    """Return the broker account that the settings name, for this process alone.

    Waits for a broker that does not answer: which account the keys open has to be known. Raises TapeError when flag,
    keys, addresses and accounts do not agree, or when another process trades the account.
    """
    check_environment(settings)
    brokerage = AlpacaBrokerage(alpaca_settings(settings))
    account = identified(brokerage)
    check_account(settings, account)
    name = lock_name_of(settings, account)
    file_lock = FileLock(locks_folder(settings), name)
    file_lock.take()
    database_lock = DatabaseLock(settings.database_url, name) if settings.database_url else None
    if database_lock is not None:
        try:
            database_lock.take()
        except TapeError:
            file_lock.release()
            raise
    return Connected(brokerage, file_lock, database_lock)


def locks_folder(settings: Settings) -> Path:
    """Return where the locks of accounts are: shared by all stacks of the user, as a broker's accounts are.

    A simulator on this machine is one stack's own, and so is its lock: it leaves nothing behind elsewhere.
    """
    if settings.locks is not None:
        return settings.locks
    if is_loopback(urlsplit(f"//{host_of(settings)}").hostname):
        return settings.home / "locks"
    from platformdirs import user_state_path

    return user_state_path("tradetape") / "locks"
