"""`tape verify`: every invariant, over the whole log and beside the broker."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from infra.replay.verdict import Verdict
    from infra.verify.broker import AtBroker
    from infra.verify.service import Found

SHOWN_MAX = 5
"""Findings printed for a person per claim."""


def verify(
    log_only: Annotated[bool, typer.Option("--log-only", help="Do not ask the broker.")] = False,
    no_replay: Annotated[bool, typer.Option("--no-replay", help="Do not judge the decisions again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every invariant over the whole log: who wanted, what was sent, what was booked, and what the broker has.

    Decisions are judged again too, as by `tape replay --all`. Exit code: 0 all hold, 1 one does not.
    """
    from infra.cli.asking import settings_of_kafka
    from infra.cli.replay import shown_progress
    from infra.verify.service import claims, found, verified

    settings = settings_of_kafka()
    verdict = None if no_replay else _replayed(settings.bootstrap_servers)
    beside = [] if log_only else _at_broker(settings)
    checked = claims(beside)
    with shown_progress() as on_progress:
        records = verified(settings.bootstrap_servers, checked, on_progress)
    results = found(checked)
    holds = not any(each.findings for each in results) and (verdict is None or verdict.exit_code in (0, 2))
    if as_json:
        print(json.dumps(_document(results, verdict, records, len(beside), holds), indent=2))
    else:
        _show(results, verdict, records, len(beside))
    sys.exit(0 if holds else 1)


def _replayed(bootstrap_servers: str) -> "Verdict":
    from infra.cli.replay import shown_progress
    from infra.replay.scope import Scope
    from infra.replay.sharing import cores
    from infra.replay.whole import replay_log
    from infra.worker import deciding

    with shown_progress() as on_progress:
        return replay_log(bootstrap_servers, deciding(), Scope(), on_progress, jobs=cores())


def _at_broker(settings: Any) -> "list[AtBroker]":
    """Ask the broker about the account, where keys are at hand."""
    from infra.alpaca.brokerage import AlpacaBrokerage
    from infra.alpaca.connect import alpaca_settings
    from infra.verify.service import at_broker

    if settings.brokerage_key_id is None or len(settings.account_ids) != 1:
        return []
    brokerage = AlpacaBrokerage(alpaca_settings(settings))
    try:
        return [at_broker(settings.account_ids[0], brokerage)]
    finally:
        brokerage.close()


def _document(
    results: "list[Found]", verdict: "Verdict | None", records: int, accounts: int, holds: bool
) -> dict[str, Any]:
    return {
        "holds": holds,
        "records": records,
        "accounts_at_broker": accounts,
        "claims": [
            {"claim": each.claim, "says": each.says, "checked": each.checked, "findings": list(each.findings)}
            for each in results
        ],
        "replay": None if verdict is None else verdict.as_json(),
    }


def _show(results: "list[Found]", verdict: "Verdict | None", records: int, accounts: int) -> None:
    from infra.cli.tables import print_table

    rows = [[each.claim, str(each.checked), str(len(each.findings)), each.says] for each in results]
    print_table(("claim", "checked", "broken", "says"), rows, numbers=("checked", "broken"))
    for each in results:
        for text in each.findings[:SHOWN_MAX]:
            print(text)
        if len(each.findings) > SHOWN_MAX:
            print(f"{each.claim}: {len(each.findings) - SHOWN_MAX} more, all of them with --json")
    broken = sum(1 for each in results if each.findings)
    print(f"{len(results) - broken}/{len(results)} claims hold over {records} records", end="")
    print("; the broker was not asked" if not accounts else "")
    if verdict is not None:
        print(f"{verdict.identical}/{verdict.decisions} decisions identical, {len(verdict.damages)} damages")
        if verdict.exit_code not in (0, 2):
            print("this log does not hold: tape replay --all names every difference and damage")
