"""Whether a name that a person has given is one the log knows: said plainly, and never held against it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.settings import Settings

NAMED_MAX = 10
"""Known names that are told; more would hide the sentence."""


@dataclass
class Traded:
    """What the runs on the log trade, of one account or of all."""

    accounts: set[str] = field(default_factory=set)
    strategies: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)


def traded(settings: Settings, account_id: str | None = None) -> Traded:
    """Return the accounts, strategies and symbols of every run there was; unreadable ones are passed over."""
    from infra.kafka.log import read_all
    from schemas.run import Run
    from topics.codec import UndecodableError, decode

    found = Traded()
    for incoming in read_all(settings.bootstrap_servers, [Run.topic]):
        try:
            run = decode(incoming).record
        except UndecodableError:
            continue
        if isinstance(run, Run) and account_id in (None, run.account_id):
            found.accounts.add(run.account_id)
            found.strategies.update(each.strategy_id for each in run.terms.strategies)
            found.symbols.update(symbol for each in run.terms.strategies for symbol in each.symbols)
    return found


def warn_of_halt(settings: Settings, account_id: str, symbol: str | None, strategy: str | None) -> None:
    """Say on stderr that a halt stops nobody whom the log knows; it is in force all the same."""
    if symbol is None and strategy is None:
        return
    known = traded(settings, account_id)
    if symbol is not None and symbol not in known.symbols:
        _warn(f"no strategy trades {symbol} in account {account_id}", known.symbols)
    if strategy is not None and strategy not in known.strategies:
        _warn(f"no run of account {account_id} has a strategy {strategy}", known.strategies)


def warn_of_limits(settings: Settings, account_id: str) -> None:
    """Say on stderr that no worker here serves the account whose limits were set; they count all the same."""
    known = set(settings.account_ids) or traded(settings).accounts
    if account_id not in known:
        _warn(f"no worker serves account {account_id}", known)


def _warn(what: str, known: Iterable[str]) -> None:
    names = sorted(known)
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    print(f"warning: {what}; known are {', '.join(names[:NAMED_MAX]) or 'none yet'}{more}", file=sys.stderr)
