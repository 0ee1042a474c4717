"""`tape why SYMBOL`: was it traded, and if not, why not; what was wanted by whom, and what became of it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import Json, instant, named, percent, plain, print_json, print_table, print_text, tables_or_log

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
    account: Annotated[str | None, typer.Option(help="In this account; else in the one that asked last.")] = None,
    as_json: Json = False,
) -> None:
    """Say why a symbol was or was not traded in the last run, with rule, threshold and amounts.

    The last run is the last one on the log. What nobody wanted is an answer too. Where PostgreSQL is away, the log is
    read instead, which takes longer. Exit code 2 when there is no such run.
    """
    from infra.postgres.text import storable_text
    from infra.postgres.why import why as asked

    named(symbol, "a symbol")
    with tables_or_log() as connection:
        found = asked(
            connection,
            storable_text(symbol.strip().upper()),
            run_ids=None if run is None else _only(connection, named(run, "the first digits of a run's id")),
            on=None if on is None else _day(on),
            strategy=None if strategy is None else storable_text(strategy),
            account=None if account is None else storable_text(account),
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
    from infra.cli.sentences import conflict_sentences, explained, sentences, stopped

    plan, said = run["plan"], []
    if run["status"] == "REFUSED":
        return [stopped(run)]
    if plan is None:
        said.append(stopped(run))
    elif plan["status"] != "READY":
        said.append(f"The whole plan is blocked. {explained(plan['rule'] or 'PLAN_INVALID', None)}. {plan['detail']}")
    for line in run["lines"]:
        said += sentences(line)
    if plan is not None and not run["lines"]:
        said.append(_nobody(run))
    return said if run["conflict"] is None else [*said, *conflict_sentences(run["run_id"], run["conflict"])]


def _nobody(run: dict[str, Any]) -> str:
    symbol, strategy, scope = run["symbol"], run["strategy"], run["plan"]["scope"]
    if scope is not None and symbol not in scope:
        return f"This run judges only {', '.join(scope)}; all else is kept as it is."
    if strategy is not None and not run["wishes"]:
        return f"{strategy} is no strategy of this run, and has no part in a line of {symbol}."
    if strategy is not None:
        return f"{strategy} has no part in it: it neither named {symbol} nor held it."
    silent = [wish["strategy_id"] for wish in run["wishes"] if wish["is_silent"]]
    aside = f" Not heard: {', '.join(silent)}." if silent else ""
    return f"Nothing wanted it: the plan has no line of {symbol}, so nobody named it and nobody held it.{aside}"


def _print(found: list[dict[str, Any]]) -> None:
    from infra.cli.lines import print_lines, print_orders

    if not found:
        print("no such run: tape ledger pnl --by run lists those that have traded")
    for run in found:
        decided = "" if run["decided_by"] is None else f", decided by {run['decided_by']}"
        print(f"{run['symbol']} in run {run['run_id']}{decided}")
        print(f"  as of {instant(run['as_of'])}, account {run['account_id']}")
        for sentence in run["answer"]:
            print_text(sentence, 2)
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
    from infra.cli.exits import UsageError
    from infra.postgres.plans import run_ids

    found = run_ids(connection, text)
    if len(found) > 1:
        several = ", ".join(str(each) for each in found[:5])
        raise UsageError(f"{text} begins the ids of {len(found)} runs: {several}")
    return found


def _day(text: str) -> date:
    from infra.cli.exits import UsageError

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--on: expected a day as 2012-06-01, was {text}") from error
