"""Paper or live: flag, keys, addresses and the account that the broker shows must agree, or nothing is started.

Paper is what happens when nobody says anything. Real money needs two things said on purpose, the flag and the account
in `TAPE_LIVE_TRADING`, and the broker's own word that the keys open that very account.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.broker.ports import UNAUTHORIZED, Brokerage, Reply
from infra.errors import TapeError
from infra.settings import Settings

log = logging.getLogger(__name__)

LIVE_HOST, PAPER_HOST = "api.alpaca.markets", "paper-api.alpaca.markets"
ALPACA = {LIVE_HOST: "live", PAPER_HOST: "paper"}
KEY_PREFIX = {"live": "AK", "paper": "PK"}

#: Between two tries to learn which account it is; an answer that never comes keeps a worker from starting, not more.
TRY_AGAIN_S = (1.0, 2.0, 5.0, 10.0)

FORBIDDEN = 403


@dataclass(frozen=True)
class Account:
    """An account as the broker names it: `number` is what people see, `id` what the API uses."""

    number: str
    id: str

    @property
    def names(self) -> tuple[str, ...]:
        """Whatever it may be called by."""
        return tuple(name for name in (self.number, self.id) if name)


def environment_of(settings: Settings) -> str:
    """Return 'live' or 'paper', as the flag says."""
    return "live" if settings.brokerage_live else "paper"


def host_of(settings: Settings) -> str:
    """Return host and port of the trading API."""
    default = LIVE_HOST if settings.brokerage_live else PAPER_HOST
    return (urlsplit(settings.brokerage_url).netloc or default) if settings.brokerage_url else default


def lock_name_of(settings: Settings, account: Account) -> str:
    """Return what the account's locks are called: the same however the address of the trading API is spelled."""
    parts = urlsplit(settings.brokerage_url or f"https://{host_of(settings)}")
    usual = 443 if parts.scheme == "https" else 80
    host = _name(parts.netloc)
    return f"{host if parts.port in (None, usual) else f'{host}:{parts.port}'} {account.names[0]}"


def is_alpaca(settings: Settings) -> bool:
    """Tell Alpaca itself from a simulator."""
    return _is_alpacas(host_of(settings))


def check_environment(settings: Settings) -> None:
    """Compare flag, variable, addresses and keys, asking nobody; raises TapeError for the first that differ."""
    environment = environment_of(settings)
    named = settings.live_trading
    if settings.brokerage_live and not named:
        raise _refused(
            "live trading was asked for, but TAPE_LIVE_TRADING does not name the account",
            "TAPE_BROKERAGE_LIVE (or --live), TAPE_LIVE_TRADING",
            "export TAPE_LIVE_TRADING=<the live account's number>, or start without --live",
        )
    if named and not settings.brokerage_live:
        raise _refused(
            f"TAPE_LIVE_TRADING={named} names a live account, but live trading was not asked for",
            "TAPE_BROKERAGE_LIVE (or --live), TAPE_LIVE_TRADING",
            "unset TAPE_LIVE_TRADING to trade on paper, or start with --live",
        )
    if named and settings.brokerage_account and named != settings.brokerage_account:
        raise _refused(
            f"TAPE_LIVE_TRADING={named} and TAPE_BROKERAGE_ACCOUNT={settings.brokerage_account} differ",
            "TAPE_LIVE_TRADING, TAPE_BROKERAGE_ACCOUNT",
            "correct one of them",
        )
    _check_addresses(settings, environment)
    _check_key(settings, environment)


def _check_addresses(settings: Settings, environment: str) -> None:
    trading, stream = host_of(settings), urlsplit(settings.brokerage_stream_url or "").netloc
    for variable, host in (("TAPE_BROKERAGE_URL", trading), ("TAPE_BROKERAGE_STREAM_URL", stream)):
        kind = ALPACA.get(_name(host), "unknown")
        if _is_alpacas(host) and kind != environment:
            raise _refused(
                f"{variable} is Alpaca's {kind} address {host}, but {environment} trading was asked for",
                f"{variable}, TAPE_BROKERAGE_LIVE (or --live)",
                f"unset {variable}: the flag alone chooses Alpaca's addresses",
            )
    if is_alpaca(settings):
        if stream and not _is_alpacas(stream):
            raise _refused(
                f"orders would go to {trading}, and trade updates would come from {stream}",
                "TAPE_BROKERAGE_URL, TAPE_BROKERAGE_STREAM_URL",
                "set both, or neither",
            )
        data = urlsplit(settings.brokerage_data_url or "").netloc
        if data and not _is_alpacas(data):
            raise _refused(
                f"orders would go to {trading}, and quotes would come from {data}",
                "TAPE_BROKERAGE_URL, TAPE_BROKERAGE_DATA_URL",
                "unset TAPE_BROKERAGE_DATA_URL, or export TAPE_BROKERAGE_DATA_URL=https://data.alpaca.markets",
            )
    elif not stream or _is_alpacas(stream) or not settings.brokerage_data_url:
        raise _refused(
            f"orders would go to {trading}, but trade updates or quotes would come from Alpaca",
            "TAPE_BROKERAGE_URL, TAPE_BROKERAGE_STREAM_URL, TAPE_BROKERAGE_DATA_URL",
            "set all three, or none",
        )


def _check_key(settings: Settings, environment: str) -> None:
    key_id = settings.brokerage_key_id
    if key_id is None:
        return
    expected, found = KEY_PREFIX[environment], key_id.get_secret_value()[:2]
    is_live_key_on_paper = environment == "paper" and found == KEY_PREFIX["live"]
    if is_live_key_on_paper or (is_alpaca(settings) and found != expected):
        raise _refused(
            f"{environment} keys of Alpaca start with {expected}, the one given starts with {found}",
            "TAPE_BROKERAGE_KEY_ID, TAPE_BROKERAGE_LIVE (or --live)",
            f"set the key pair of the {environment} account",
        )


def identified(brokerage: Brokerage, pause: Callable[[float], object] | None = None) -> Account:
    """Return whose keys these are, as the broker says; waits, without end, for a broker that does not answer.

    Raises TapeError when the broker refuses the keys, or names no account.
    """
    wait = pause or threading.Event().wait
    tries = 0
    while True:
        reply = brokerage.account()
        if reply.http_status == 200:
            return account_of(reply)
        problem = reply.problem
        if reply.http_status in (UNAUTHORIZED, FORBIDDEN):
            raise _refused(
                f"the broker refuses the keys: {problem}",
                f"{brokerage!r}; TAPE_BROKERAGE_KEY_ID, TAPE_BROKERAGE_SECRET_KEY",
                "set a key pair of this environment; keys of paper and live accounts differ",
            )
        log.warning("which account the keys open cannot be read yet, nothing is traded before: %s", problem)
        wait(TRY_AGAIN_S[min(tries, len(TRY_AGAIN_S) - 1)])
        tries += 1


def account_of(reply: Reply) -> Account:
    """Return the account that an answer of the broker names; raises TapeError when it names none."""
    try:
        said = json.loads(reply.body, parse_float=str) if reply.http_status == 200 else None
    except ValueError:
        said = None
    fields = said if isinstance(said, dict) else {}
    account = Account(str(fields.get("account_number") or ""), str(fields.get("id") or ""))
    if not account.names:
        raise _refused(f"the broker names no account: {reply.problem}", "GET /v2/account", "check TAPE_BROKERAGE_URL")
    return account


def check_account(settings: Settings, account: Account) -> None:
    """Compare the account that was named with the one the keys open; raises TapeError when they differ."""
    for variable, named in (
        ("TAPE_LIVE_TRADING", settings.live_trading),
        ("TAPE_BROKERAGE_ACCOUNT", settings.brokerage_account),
    ):
        if named and named not in account.names:
            raise _refused(
                f"{variable}={named}, but the keys open account {' = '.join(account.names)}",
                f"{variable}, TAPE_BROKERAGE_KEY_ID at {host_of(settings)}",
                f"set {variable}={account.names[0]} if that is the account to trade, else the keys of {named}",
            )
    if not (settings.live_trading or settings.brokerage_account):
        _check_name(settings, account)


def _check_name(settings: Settings, account: Account) -> None:
    """Compare what the log calls the account with what the broker does: under another name it had no halts, no limits.

    Whoever wants another name in the log says so, by naming the broker's in TAPE_BROKERAGE_ACCOUNT.
    """
    for named in settings.account_ids[:1]:
        if named not in account.names:
            raise _refused(
                f"TAPE_ACCOUNT_IDS={named}, but the keys open account {' = '.join(account.names)}",
                f"TAPE_ACCOUNT_IDS, TAPE_BROKERAGE_KEY_ID at {host_of(settings)}",
                f"set TAPE_ACCOUNT_IDS={account.names[0]}; or, if the log has always called it {named},"
                f" TAPE_BROKERAGE_ACCOUNT={account.names[0]}",
            )


def _name(host: str) -> str:
    """Return a host without port, in the one spelling that names are compared in."""
    return (urlsplit(f"//{host}").hostname or "").rstrip(".")


def _is_alpacas(host: str) -> bool:
    return f".{_name(host)}".endswith(".alpaca.markets")


def _refused(what: str, where: str, next_command: str) -> TapeError:
    return TapeError(f"not started: {what}", where=where, next_command=next_command)
