"""`tape verify`: every invariant, over the whole log and beside the broker."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.replay.verdict import Verdict
    from infra.settings import Settings
    from infra.verify.broker import AtBroker
    from infra.verify.service import Found, OnProgress

SHOWN_MAX = 5
"""Findings printed for a person per claim."""

EXIT_NOT_COMPARED = 3


@dataclass(frozen=True)
class Done:
    """What was found in how many records; `not_compared` says why the broker was asked and not compared."""

    found: "list[Found]"
    records: int
    is_at_broker: bool
    not_compared: str


def verify(
    log_only: Annotated[bool, typer.Option("--log-only", help="Do not ask the broker.")] = False,
    no_replay: Annotated[bool, typer.Option("--no-replay", help="Do not judge the decisions again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every invariant over the whole log: who wanted, what was sent, what was booked, and what the broker has.

    Decisions are judged again too, as by `tape replay --all`. The broker is compared only while nothing is on its way
    between it and the log: no order under way, every execution booked.

    Exit code: 0 all hold; 1 one does not; 3 those of the log hold, and the broker could not be compared.
    """
    from infra.cli.asking import settings_of_kafka
    from infra.cli.replay import shown_progress

    settings = settings_of_kafka()
    verdict = None if no_replay else _replayed(settings.bootstrap_servers)
    with shown_progress() as on_progress:
        done = _verified(settings, None if log_only else _account_read(settings), on_progress)
    holds = not any(each.findings for each in done.found) and (verdict is None or verdict.exit_code in (0, 2))
    if as_json:
        print(json.dumps(_document(done, verdict, holds), indent=2))
    else:
        _show(done, verdict)
    sys.exit(1 if not holds else EXIT_NOT_COMPARED if done.not_compared else 0)


def _replayed(bootstrap_servers: str) -> "Verdict":
    from infra.cli.replay import shown_progress
    from infra.replay.scope import Scope
    from infra.replay.sharing import cores
    from infra.replay.whole import replay_log
    from infra.worker import deciding

    with shown_progress() as on_progress:
        return replay_log(bootstrap_servers, deciding(), Scope(), on_progress, jobs=cores())


def _account_read(settings: "Settings") -> "Callable[[], AtBroker] | None":
    """Return how the broker is asked about the account; None where no keys are at hand, or it is not said which.

    Raises TapeError when flag, keys, addresses and accounts do not agree, as wherever the broker is spoken to.
    """
    from infra.alpaca.brokerage import AlpacaBrokerage
    from infra.alpaca.connect import alpaca_settings
    from infra.alpaca.safeguards import account_of, check_account, check_environment
    from infra.verify.service import at_broker

    if settings.brokerage_key_id is None or len(settings.account_ids) != 1:
        return None
    check_environment(settings)
    keys = alpaca_settings(settings)

    def read() -> "AtBroker":
        brokerage = AlpacaBrokerage(keys)
        try:
            check_account(settings, account_of(brokerage.account()))
            return at_broker(settings.account_ids[0], brokerage)
        finally:
            brokerage.close()

    return read


def _verified(settings: "Settings", read: "Callable[[], AtBroker] | None", on_progress: "OnProgress") -> Done:
    """Go over the log, and compare with the broker what it says before and after, if that is the same."""
    from infra.verify.broker import BesideBroker
    from infra.verify.service import claims, found, verified
    from infra.verify.under_way import UnderWay

    servers = settings.bootstrap_servers
    if read is None:
        checked = claims()
        records = verified(servers, checked, on_progress)
        return Done(found(checked), records, is_at_broker=False, not_compared="")
    before = read()
    under_way, checked = UnderWay(before.account_id), claims([before])
    records = verified(servers, [*checked, under_way], on_progress)
    why_not = under_way.why_not(before, read())
    shown = [each for each in checked if not (why_not and isinstance(each, BesideBroker))]
    return Done(found(shown), records, not why_not, why_not)


def _document(done: Done, verdict: "Verdict | None", holds: bool) -> dict[str, Any]:
    return {
        "holds": holds,
        "records": done.records,
        "accounts_at_broker": int(done.is_at_broker),
        "not_compared": done.not_compared or None,
        "claims": [
            {"claim": each.claim, "says": each.says, "checked": each.checked, "findings": list(each.findings)}
            for each in done.found
        ],
        "replay": None if verdict is None else verdict.as_json(),
    }


def _show(done: Done, verdict: "Verdict | None") -> None:
    from infra.cli.tables import print_table

    rows = [[each.claim, str(each.checked), str(len(each.findings)), each.says] for each in done.found]
    print_table(("claim", "checked", "broken", "says"), rows, numbers=("checked", "broken"))
    for each in done.found:
        for text in each.findings[:SHOWN_MAX]:
            print(text)
        if len(each.findings) > SHOWN_MAX:
            print(f"{each.claim}: {len(each.findings) - SHOWN_MAX} more, all of them with --json")
    broken = sum(1 for each in done.found if each.findings)
    print(f"{len(done.found) - broken}/{len(done.found)} claims hold over {done.records} records", end="")
    print("" if done.is_at_broker else f"; {_why_not(done)}")
    if verdict is not None:
        print(f"{verdict.identical}/{verdict.decisions} decisions identical, {len(verdict.damages)} damages")
        if verdict.exit_code not in (0, 2):
            print("this log does not hold: tape replay --all names every difference and damage")


def _why_not(done: Done) -> str:
    return f"{done.not_compared}; the broker was not compared" if done.not_compared else "the broker was not asked"
