"""`tape runs`: how far every run has come, and which ones do not come further."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import Json, instant, print_json, print_table, tables_or_log

if TYPE_CHECKING:
    from datetime import datetime

    from infra.postgres.connection import Connection

EXIT_STUCK = 1
COLUMNS = ("run", "account", "as_of", "stage", "started", "reduced", "ended", "progress")


def runs(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    last: Annotated[int, typer.Option(min=0, help="So many of the last runs; those under way are always shown.")] = 20,
    stuck_after: Annotated[
        float, typer.Option(metavar="MINUTES", min=0, help="A run is stuck when it came no further for longer.")
    ] = 10,
    as_json: Json = False,
) -> None:
    """Show where every run stands: since when, whether its reducing orders are done, and how it ended.

    Stages in order: REQUESTED (signals are waited for), FORMED, CLEARING and CLEARED (older orders are taken back, the
    account is read), ACCEPTED (crosses and reducing orders), REDUCED (increasing orders), FINISHED. SUPERSEDED,
    ABANDONED and QUORUM_MISSED are ends, too. Times are those of the records; those after the start, and of the last
    progress, are counted from it. Exit code 1 when a run is stuck.
    """
    from infra.clock import system_clock
    from infra.postgres.runs import run_standings

    with tables_or_log() as connection:
        found = run_standings(connection, system_clock(), timedelta(minutes=stuck_after), account, last)
        stuck = [run for run in found if run["is_stuck"]]
        for run in stuck:
            run["why"] = _why(connection, run)
    if as_json:
        print_json(found)
    elif found:
        print_table(COLUMNS, [_row(run) for run in found])
    else:
        print("no run was ever asked for")
    for run in stuck:
        since = "" if run["progress_at"] is None else f" since {instant(run['progress_at'])}"
        print(f"tape: run {run['run_id']} is stuck, {run['stage']}{since}: {run['why']}", file=sys.stderr)
        print(f"  next:  tape trace {run['run_id']}", file=sys.stderr)
    if stuck:
        raise typer.Exit(EXIT_STUCK)


def _row(run: dict[str, Any]) -> list[str]:
    stage = f"{run['stage']}, stuck" if run["is_stuck"] else run["stage"]
    started = run["started_at"]
    later = (_after(started, run[name]) for name in ("reduced_at", "ended_at", "progress_at"))
    return [str(run["run_id"])[:8], run["account_id"], instant(run["as_of"]), stage, instant(started), *later]


def _after(started: datetime | None, at: datetime | None) -> str:
    """Return how long after the start something was; '-' where it was not yet."""
    if started is None or at is None:
        return "-"
    seconds = (at - started).total_seconds()
    return f"+{seconds:.1f} s" if seconds < 100 else f"+{seconds / 60:.0f} min"


def _why(connection: Connection, run: dict[str, Any]) -> str:
    """Return what a stuck run waits for."""
    from infra.cli.sentences import stopped
    from infra.postgres.why import how_far

    if run["orders"]:
        return ", ".join(f"order {each['client_order_id']} is {each['ord_status']}" for each in run["orders"])
    known = next((each for each in how_far(connection, run["run_id"]) if each["status"] != "REFUSED"), None)
    if known is not None and known["plan"] is None:
        return stopped(known)
    return run["detail"] or "there is a plan, and no order of it is under way"
