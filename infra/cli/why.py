"""`tape why SYMBOL`: was it traded, and if not, why not; what was wanted by whom, and what became of it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import Json, console, instant, migrated, percent, plain, print_json, print_table
from infra.errors import TapeError

if TYPE_CHECKING:
    from uuid import UUID

    from infra.postgres.connection import Connection

EXIT_NO_RUN = 2


def why(
    symbol: Annotated[str, typer.Argument(help="The symbol; upper case or not.")],
    run: Annotated[str | None, typer.Option(help="In this run; the first digits of its id will do.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only what this strategy has a part in.")] = None,
    on: Annotated[
        str | None, typer.Option(metavar="DATE", help="In all runs of this day (UTC), as 2012-06-01.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a symbol was or was not traded in the last run, with rule, threshold and amounts.

    What nobody wanted is an answer too. Exit code 2 when there is no such run.
    """
    from infra.postgres.text import storable_text
    from infra.postgres.why import why as asked

    with migrated() as connection:
        found = asked(
            connection,
            storable_text(symbol.upper()),
            run_ids=None if run is None else _only(connection, run),
            on=None if on is None else _day(on),
            strategy=None if strategy is None else storable_text(strategy),
        )
    for each in found:
        each["answer"] = list(answer(each))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found:
        raise typer.Exit(EXIT_NO_RUN)


def answer(run: dict[str, Any]) -> list[str]:
    """Return the answer in sentences, the most telling first."""
    from infra.cli.lines import explained, sentences

    if run["status"] == "REFUSED":
        return [f"The run was refused: {run['refusal']}. {run['detail']}".strip()]
    plan, said = run["plan"], []
    if plan is None:
        return [*_stopped(run), *_open_conflict(run)]
    if plan["status"] != "READY":
        said.append(f"The whole plan is blocked. {explained(plan['rule'] or 'PLAN_INVALID', None)}. {plan['detail']}")
    if run["lines"]:
        for line in run["lines"]:
            said += sentences(line)
    else:
        said.append(_nobody(run))
    return [*said, *_open_conflict(run)]


def _stopped(run: dict[str, Any]) -> list[str]:
    """Return how far a run without a plan has come."""
    portfolio, books, snapshot, execution = (run[name] for name in ("portfolio", "books", "snapshot", "execution"))
    if portfolio is None:
        waiting = ", ".join(wish["strategy_id"] for wish in run["wishes"] if wish["signal"] is None)
        return [f"There is no plan yet: the run waits ({run['sync_rule']}) for the signals of {waiting or 'nobody'}."]
    if portfolio["status"] == "QUORUM_MISSED":
        missed = f"failed: {_names(portfolio['failed'])}; missing: {_names(portfolio['missing'])}"
        return [f"Nothing was traded: the quorum of {run['quorum']} was missed ({missed})."]
    if execution is not None and execution["status"] in ("ABANDONED", "SUPERSEDED"):
        return [f"The run ended {execution['status']} before it had a plan: {execution['detail']}"]
    if snapshot is not None and snapshot["status"] == "FAILED":
        return [f"There is no plan: the account could not be read. {snapshot['detail']}"]
    if books is not None:
        return [f"There is no plan yet: the books are {books['status']}. {books['detail']}".strip()]
    how_far = "not taken up by the executor" if execution is None else f"{execution['status']} {execution['detail']}"
    return [f"There is no plan yet: the run is {how_far}".strip() + "."]


def _nobody(run: dict[str, Any]) -> str:
    scope = run["plan"]["scope"]
    if scope is not None and run["symbol"] not in scope:
        return f"This run judges only {', '.join(scope)}; all else is kept as it is."
    silent = [wish["strategy_id"] for wish in run["wishes"] if wish["is_silent"]]
    aside = f" Not heard: {', '.join(silent)}." if silent else ""
    return f"Nothing wanted it: the plan has no line of {run['symbol']}, so nobody named it and nobody held it.{aside}"


def _open_conflict(run: dict[str, Any]) -> list[str]:
    conflict = run["conflict"]
    if conflict is None or not conflict["is_open"]:
        return []
    accepted = [each for each in run["decisions"] if each["status"] == "ACCEPTED"]
    if accepted:
        last = accepted[-1]
        follow = "" if last["follow_up_run_id"] is None else f", traded by run {last['follow_up_run_id']}"
        return [
            f"{last['decided_by']} decided the conflict: {last['choice']} {last['strategy_id'] or ''}".strip()
            + follow
            + "."
        ]
    return [f"The conflict is open: tape decide {run['run_id']} {run['symbol']} --take STRATEGY | --sum | --hold"]


def _print(found: list[dict[str, Any]]) -> None:
    from infra.cli.lines import print_lines, print_orders

    if not found:
        print("no such run: tape ledger pnl --by run lists those that have traded")
    for run in found:
        decided = "" if run["decided_by"] is None else f", decided by {run['decided_by']}"
        print(f"{run['symbol']} in run {run['run_id']}{decided}")
        print(f"  as of {instant(run['as_of'])}, account {run['account_id']}")
        for sentence in run["answer"]:
            console().print(f"  {sentence}", markup=False)
        _print_wishes(run)
        if run["lines"]:
            print()
            print_lines(run["lines"])
        if any(line["orders"] for line in run["lines"]):
            print()
            print_orders(run["lines"])
        held = ", ".join(f"{each['owner']} {plain(each['quantity'])}" for each in run["held"])
        print(f"\nheld now: {held or 'by nobody'}\n")


def _print_wishes(run: dict[str, Any]) -> None:
    if not run["wishes"]:
        return
    rows = [
        [
            wish["strategy_id"],
            wish["mode"],
            percent(wish["allocation"]),
            _wanted(wish),
            percent(wish["counted_weight"]),
            _became(wish),
        ]
        for wish in run["wishes"]
    ]
    print()
    print_table(
        ("strategy", "mode", "allocation", "wants", "counts_as", "said"), rows, ("allocation", "wants", "counts_as")
    )
    if conflict := run["conflict"]:
        wishes = ", ".join(f"{each['strategy_id']} {percent(each['weight'])}" for each in conflict["wishes"])
        print(f"conflict, rule {conflict['rule']}: {wishes}")


def _wanted(wish: dict[str, Any]) -> str:
    if wish["target_weight"] is not None:
        return percent(wish["target_weight"])
    return "-" if wish["signal"] != "READY" or wish["skipped"] else "0%"


def _became(wish: dict[str, Any]) -> str:
    said = [wish["signal"] or "nothing yet"]
    if wish["failure"]:
        said.append(f"{wish['failure']} {wish['detail']}".strip())
    if wish["skipped"]:
        said.append(f"left it out, {wish['skipped']}")
    said += [each for each in wish["receipts"] or [] if each not in ("ACCEPTED", "DUPLICATE")]
    if wish["is_silent"] or wish["is_kept"]:
        said.append("keeps what it holds")
    return "; ".join(said)


def _only(connection: Connection, text: str) -> list[UUID]:
    from infra.postgres.plans import run_ids

    found = run_ids(connection, text)
    if len(found) > 1:
        several = ", ".join(str(each) for each in found[:5])
        raise TapeError(f"{text} begins the ids of {len(found)} runs: {several}")
    return found


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise TapeError(f"--on: expected a day as 2012-06-01, was {text}") from error


def _names(strategies: list[str]) -> str:
    return ", ".join(strategies) or "nobody"
