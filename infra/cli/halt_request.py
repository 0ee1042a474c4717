"""Halts through the log: asking the gateway to stop trading or to go on, and what it says.

Everything is judged by the gateway, in order with the orders: what it let pass before a halt is under way, and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from infra.cli.asking import account_meant, answer_to, fresh_name
from infra.cli.tables import instant, plain
from infra.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.settings import Settings
    from schemas.gate import TradingHalt
    from topics.wire import Incoming


@dataclass(frozen=True)
class Wish:
    """What is to be halted, how, and why; at most one of `symbol` and `strategy`, neither means the account."""

    reason: str
    requested_by: str
    symbol: str | None = None
    strategy: str | None = None
    is_reducing_allowed: bool = False
    is_canceling: bool = False
    until: datetime | None = None


def ask_halt(settings: Settings, account: str | None, wish: Wish) -> TradingHalt:
    """Ask for a halt and return the gateway's word; TapeError when nothing is heard, or the halt would be over."""
    from infra.clock import clock_of
    from schemas.gate import HaltAction, HaltScope, TradingHalt, TradingHaltRequest

    account_id, now = account_meant(settings, account), clock_of(settings)()
    _check_known(settings, account_id)
    if wish.until is not None and wish.until <= now:
        raise TapeError(f"--until: expected a time after {instant(now)}, was {instant(wish.until)}")
    scope = HaltScope.SYMBOL if wish.symbol else HaltScope.STRATEGY if wish.strategy else HaltScope.ACCOUNT
    request = TradingHaltRequest(
        account_id=account_id,
        request_id=fresh_name(),
        requested_by=wish.requested_by,
        requested_at=now,
        action=HaltAction.HALT,
        halt_id=None,
        scope=scope,
        name=wish.symbol or wish.strategy or "",
        is_reducing_allowed=wish.is_reducing_allowed,
        is_canceling=wish.is_canceling,
        until=wish.until,
        reason=wish.reason,
    )
    return answer_to(settings, request, TradingHalt, "tape halt --hard stops at the broker what can be stopped there")


def _check_known(settings: Settings, account_id: str) -> None:
    """Refuse to halt an account that nothing here trades: a slip of the pen would look like a halt."""
    from infra.gate_limits import current

    known = {*settings.account_ids, *current(settings.bootstrap_servers)}
    if account_id not in known:
        raise TapeError(
            f"nothing on this log trades account {account_id}: there are {', '.join(sorted(known)) or 'none'}",
            next_command="tape halt --account one-of-these; tape halt --hard stops the account that the keys open",
        )


def ask_resume(settings: Settings, halt: TradingHalt, reason: str, by: str) -> TradingHalt:
    """Ask for the end of a halt and return the gateway's word; TapeError when it is refused, or nothing is heard."""
    from infra.clock import clock_of
    from schemas.gate import HaltAction, HaltStatus, TradingHalt, TradingHaltRequest

    request = TradingHaltRequest(
        account_id=halt.account_id,
        request_id=fresh_name(),
        requested_by=by,
        requested_at=clock_of(settings)(),
        action=HaltAction.RESUME,
        halt_id=halt.halt_id,
        scope=halt.scope,
        name=halt.name,
        is_reducing_allowed=False,
        is_canceling=False,
        until=None,
        reason=reason,
    )
    answer = answer_to(settings, request, TradingHalt, "tape halts")
    if answer.status is HaltStatus.REFUSED:
        raise TapeError(f"refused: {answer.reason}", next_command="tape halts")
    return answer


def said_halts(settings: Settings) -> list[TradingHalt]:
    """Return the latest word on every halt there ever was, oldest halt first."""
    from infra.kafka.log import read_all
    from schemas.gate import TradingHalt

    return latest(read_all(settings.bootstrap_servers, [TradingHalt.topic]))


def latest(said: Iterable[Incoming]) -> list[TradingHalt]:
    """Return the last word on each halt; a request that was refused is no word on a halt."""
    from schemas.gate import HaltStatus, TradingHalt
    from topics.codec import UndecodableError, decode

    found: dict[UUID, TradingHalt] = {}
    for incoming in said:
        try:
            record = decode(incoming).record
        except UndecodableError:
            continue
        if isinstance(record, TradingHalt) and record.status is not HaltStatus.REFUSED:
            found[record.halt_id] = record
    return list(found.values())


def is_in_force(halt: TradingHalt, now: datetime) -> bool:
    """Say whether a halt stops orders now; one with an end ends by itself."""
    from schemas.gate import HaltStatus

    return halt.status is HaltStatus.IN_FORCE and (halt.until is None or now < halt.until)


def halt_meant(halts: Iterable[TradingHalt], digits: str) -> TradingHalt:
    """Return the one halt whose id begins so; TapeError where there is none, or several."""
    found = [each for each in halts if digits and str(each.halt_id).startswith(digits.lower())]
    if len(found) != 1:
        ids = ", ".join(str(each.halt_id) for each in found) or "none"
        raise TapeError(f"expected one halt whose id begins with {digits!r}, was {ids}", next_command="tape halts")
    return found[0]


def scope_of(halt: TradingHalt) -> str:
    """Return what a halt stops, for a person."""
    return f"{halt.scope} {halt.name or halt.account_id}"


def told(halt: TradingHalt) -> str:
    """Return a halt in words, the orders it found under way, and what to do next."""
    lines = [f"{halt.status} {scope_of(halt)}: {halt.reason} ({halt.cause}, by {halt.requested_by})"]
    lines.append(f"  halt      {halt.halt_id}, account {halt.account_id}")
    if halt.status == "IN_FORCE":
        what = "orders that reduce a position pass" if halt.is_reducing_allowed else "no order passes"
        end = "" if halt.until is None else f", until {instant(halt.until)}"
        lines.append(f"  stops     {what}{end}")
    lines += [f"  under way {each.client_order_id}, {plain(each.cum_qty)} executed" for each in halt.open_orders]
    is_in_force = halt.status == "IN_FORCE"
    lines.append(f"  next:  tape resume {str(halt.halt_id)[:8]}" if is_in_force else "  next:  tape halts")
    return "\n".join(lines)
