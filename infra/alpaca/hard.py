"""The hard halt: straight to the broker, with nothing of ours in between. Neither Kafka nor PostgreSQL is needed.

Every step is tried, whatever became of the one before, and repeated where the broker did not answer: all of them may be
done twice. A halt is never refused for a mismatch of flags and accounts, which is only told; a resume is.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from agents.broker.ports import RATE_LIMITED, Brokerage, Reply
from infra import halt_file
from infra.alpaca.brokerage import AlpacaBrokerage
from infra.alpaca.budget import RequestBudget
from infra.alpaca.connect import SIMULATOR_PER_MINUTE, alpaca_settings
from infra.alpaca.safeguards import KEY_PREFIX, account_of, check_account, check_environment, host_of
from infra.clock import seconds
from infra.errors import TapeError
from infra.settings import Settings

#: How long one step is tried: a refusal for too many requests ends within a minute.
PATIENCE_S = 65.0
TRY_AGAIN_S = 1.0
#: A cancel that was taken takes effect in milliseconds while the market is open; what is open later needs a person.
CANCELED_WITHIN_S = 10.0

Pause = Callable[[float], object]


@dataclass(frozen=True)
class Step:
    """One thing that was done, or not, and what the broker said to it; `rows` are orders or positions."""

    what: str
    is_done: bool
    detail: str
    rows: tuple[str, ...] = ()


def hard_halt(settings: Settings, reason: str, pause: Pause | None = None) -> Iterator[Step]:
    """Yield what was done to halt: the local file, no new orders at the broker, the open ones canceled, what is left.

    Raises TapeError, before anything is done at the broker, only without a key pair.
    """
    settings = _as_the_key_says(settings)
    yield _file_step(lambda: halt_file.halt(settings.halt_file, reason), f"{settings.halt_file}: {reason}")
    with closing(_brokerage(settings)) as brokerage:
        hand = _Hand(brokerage, pause or threading.Event().wait)
        yield hand.suspended(True)
        yield hand.all_canceled()
        yield hand.nothing_open()
        yield hand.positions()
        yield hand.account(settings)


def hard_resume(settings: Settings, pause: Pause | None = None) -> Iterator[Step]:
    """Yield what was done to let the broker take orders again; the local file goes last, and only then.

    Raises TapeError when flag, keys, addresses and accounts do not agree.
    """
    check_environment(settings)
    with closing(_brokerage(settings)) as brokerage:
        hand = _Hand(brokerage, pause or threading.Event().wait)
        yield hand.account(settings, is_strict=True)
        step = hand.suspended(False)
        yield step
    if step.is_done:
        reason = halt_file.halted(settings.halt_file)
        was = "was not there" if reason is None else f"removed, it said: {reason}"
        yield _file_step(lambda: halt_file.resume(settings.halt_file), f"{settings.halt_file} {was}")


def _as_the_key_says(settings: Settings) -> Settings:
    """Choose Alpaca's live address by a live key: in an emergency the flag may have been forgotten."""
    key_id = settings.brokerage_key_id
    is_live = key_id is not None and key_id.get_secret_value().startswith(KEY_PREFIX["live"])
    return settings.model_copy(update={"brokerage_live": True}) if is_live else settings


def _brokerage(settings: Settings) -> AlpacaBrokerage:
    return AlpacaBrokerage(alpaca_settings(settings), RequestBudget(SIMULATOR_PER_MINUTE, kept_for_orders=0))


def _file_step(act: Callable[[], object], detail: str) -> Step:
    try:
        act()
    except OSError as error:
        return Step("halt file", False, f"{detail.partition(': ')[0]}: {error.strerror}")
    return Step("halt file", True, detail)


@dataclass(frozen=True)
class _Hand:
    brokerage: Brokerage
    pause: Pause

    def suspended(self, suspended: bool) -> Step:
        def is_done(reply: Reply) -> bool:
            said = _parsed(reply)
            return reply.http_status == 200 and isinstance(said, dict) and said.get("suspend_trade") is suspended

        reply = self._tried(lambda: self.brokerage.suspend_trade(suspended), is_done)
        meaning = "the broker refuses new orders" if suspended else "the broker takes orders again"
        return Step(f"suspend_trade={str(suspended).lower()}", is_done(reply), _told(reply, is_done(reply), meaning))

    def all_canceled(self) -> Step:
        reply = self._tried(self.brokerage.cancel_all, lambda said: said.http_status in (200, 207))
        is_done, rows = reply.http_status in (200, 207), _rows(reply)
        return Step("cancel all orders", is_done, _told(reply, is_done, f"{len(rows)} asked for"))

    def nothing_open(self) -> Step:
        """Read what is open until nothing is: a cancel that was taken is not yet a cancel."""
        reply = self._tried(
            lambda: self.brokerage.orders("open", None),
            lambda said: said.http_status == 200 and not _rows(said),
            CANCELED_WITHIN_S,
        )
        rows = tuple(_order(row) for row in _rows(reply))
        is_read = reply.http_status == 200
        return Step("open orders", is_read and not rows, _told(reply, is_read, f"{len(rows)}"), rows)

    def positions(self) -> Step:
        reply = self._tried(self.brokerage.positions, lambda said: said.http_status == 200)
        rows = tuple(f"{row.get('symbol')} {row.get('qty')}" for row in _rows(reply))
        is_read = reply.http_status == 200
        return Step("positions", is_read, _told(reply, is_read, f"{len(rows)}, left as they are"), rows)

    def account(self, settings: Settings, is_strict: bool = False) -> Step:
        reply = self._tried(self.brokerage.account, lambda said: said.http_status == 200)
        if reply.http_status != 200 and not is_strict:
            return Step("account", False, reply.problem)
        try:
            account = account_of(reply)
            check_account(settings, account)
        except TapeError as error:
            if is_strict:
                raise
            return Step("account", False, error.what)
        return Step("account", True, f"{account.names[0]} at {host_of(settings)}")

    def _tried(
        self, ask: Callable[[], Reply], is_done: Callable[[Reply], bool], patience_s: float = PATIENCE_S
    ) -> Reply:
        until = seconds() + patience_s
        while True:
            reply = ask()
            status = reply.http_status
            is_final = status is not None and 400 <= status < 500 and status != RATE_LIMITED
            if is_done(reply) or is_final or seconds() + TRY_AGAIN_S > until:
                return reply
            self.pause(TRY_AGAIN_S)


def _told(reply: Reply, is_done: bool, meaning: str) -> str:
    return meaning if is_done else reply.problem


def _parsed(reply: Reply) -> object:
    try:
        return json.loads(reply.body, parse_float=str)
    except ValueError:
        return None


def _rows(reply: Reply) -> list[dict[str, object]]:
    said = _parsed(reply)
    return [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []


def _order(row: dict[str, object]) -> str:
    qty, filled, status = row.get("qty"), row.get("filled_qty"), row.get("status")
    return f"{row.get('symbol')} {row.get('side')} {qty}, {filled} filled, {status}, id {row.get('id')}"
