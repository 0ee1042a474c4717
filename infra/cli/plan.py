"""`tape plan show | pnl`: one plan on one page, and what it won or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.tables import (
    Json,
    instant,
    money,
    named,
    percent,
    plain,
    print_json,
    print_table,
    print_text,
    signed,
    tables_or_log,
)
from infra.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from infra.postgres.connection import Connection

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

Wanted = Annotated[str, typer.Argument(metavar="PLAN_ID|RUN_ID", help="The plan or its run; the first digits will do.")]


@app.command()
def show(wanted: Wanted, as_json: Json = False) -> None:
    """Show one plan: its limits, who wanted what, what was crossed, ordered and filled, and why not more.

    `crossed` and `filled` of a strategy are its part; all of a line together are the line's.
    """
    from infra.postgres.plans import plan_document

    with tables_or_log() as connection:
        found = plan_document(connection, _only(connection, wanted))
    if as_json:
        print_json(found)
        return
    _print_header(found["plan"])
    _print_voices(found)
    _print_limits(found["constraints"])
    _print_conflicts(found)
    _print_lines(found["lines"])


@app.command()
def pnl(wanted: Wanted, as_json: Json = False) -> None:
    """Show what a plan won or lost, by strategy and symbol; realised for good, and open at the last known mid.

    A gain belongs to the plan that closed the lot (first in, first out); to the one that opened it while it is open.
    All plans together, and what happened outside plans, are the account's P&L exactly: tape ledger pnl --by plan.
    """
    from infra.postgres.plans import plan_pnl

    with tables_or_log() as connection:
        found = plan_pnl(connection, _only(connection, wanted))
    if as_json:
        print_json(found)
    else:
        _print_pnl(found)


def _only(connection: Connection, wanted: str) -> UUID:
    """Return the one plan that is meant; raises TapeError where there is none, or several."""
    from infra.postgres.plans import plan_ids, run_ids

    found = plan_ids(connection, named(wanted, "the first digits of a plan's or a run's id"))
    if len(found) == 1:
        return found[0]
    if found:
        raise TapeError(f"{wanted} begins the ids of {len(found)} plans: {_listed(found)}")
    runs = run_ids(connection, wanted)
    if len(runs) == 1:
        raise TapeError(_without_plan(connection, runs[0]), next_command=f"tape trace {runs[0]}")
    if runs:
        raise TapeError(f"{wanted} begins the ids of {len(runs)} runs, none with a plan: {_listed(runs)}")
    raise TapeError(f"no plan and no run has an id that begins with {wanted}", next_command="tape ledger pnl --by plan")


def _listed(ids: list[UUID]) -> str:
    return ", ".join(str(each) for each in ids[:5])


def _without_plan(connection: Connection, run_id: UUID) -> str:
    """Return why a run has no plan, and whether it ever will."""
    from infra.cli.sentences import stopped
    from infra.postgres.why import how_far

    found = how_far(connection, run_id)
    asked = [run for run in found if run["status"] != "REFUSED"] or found
    return " ".join([f"run {run_id} has no plan.", *(stopped(run) for run in asked)])


def _print_header(plan: dict[str, Any]) -> None:
    rule = "" if plan["rule"] is None else f", {plan['rule']}"
    execution = "not executed yet" if plan["execution"] is None else f"execution {plan['execution']}"
    print(f"Plan {plan['plan_id']}  {plan['status']}{rule}, {execution}")
    for name, text in _header(plan):
        print_text(f"{name:9} {text}", 2)


def _header(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is to be known of a plan before its lines, each with its name."""
    if plan["detail"]:
        yield "blocked", plan["detail"]
    origin = "" if plan["decided_by"] is None else f", decided by {plan['decided_by']} about run {plan['asked_run_id']}"
    yield "run", f"{plan['run_id']}, account {plan['account_id']}{origin}"
    until = "" if plan["valid_until"] is None else f", orders valid until {instant(plan['valid_until'])}"
    yield "time", f"as of {instant(plan['as_of'])}, account read {instant(plan['taken_at'])}{until}"
    yield "dollars", _named(plan, "equity", "cash", "cash_available")
    yield "planned", _named(plan, "sells_expected", "buys_planned", "trade_value")
    if plan["sync_rule"] is not None:
        rules = ("sync_rule", "conflict_rule", "cash_policy", "drift_rule", "binding")
        said = (f"{name.removesuffix('_rule').replace('_', ' ')} {plan[name]}" for name in rules)
        yield "rules", ", ".join(said)
    if plan["scope"] is not None:
        yield "scope", f"only {', '.join(plan['scope'])}; everything else is kept"


def _named(plan: dict[str, Any], *names: str) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {money(plan[name])}" for name in names)


def _print_voices(found: dict[str, Any]) -> None:
    """Print what was let pass, and who was not heard or could not judge something."""
    for warning in found["warnings"]:
        print_text(f"warning   {warning}", 2)
    for each in found["silent"]:
        why = f" {each['failure']} {each['detail']}".rstrip() if each["is_failed"] and each["failure"] else ""
        how = "failed" if each["is_failed"] else "missing"
        print_text(f"{how:9} {each['strategy_id']}{why}, keeps what it holds", 2)
    for owner in dict.fromkeys(each["strategy_id"] for each in found["kept"]):
        symbols = ", ".join(each["symbol"] for each in found["kept"] if each["strategy_id"] == owner)
        print_text(f"kept      {owner} could not judge {symbols}, keeps what it holds of it", 2)


def _print_conflicts(found: dict[str, Any]) -> None:
    from infra.cli.sentences import conflict_sentences

    if found["conflicts"]:
        print(f"\nConflicts: {len(found['conflicts'])}")
    for each in found["conflicts"]:
        wishes = ", ".join(f"{wish['strategy_id']} {percent(wish['weight'])}" for wish in each["wishes"])
        word = "" if each["decided_by"] is None else f"; the word of {each['decided_by']} counts"
        print_text(f"{each['symbol']}, rule {each['rule']}: {wishes} of equity{word}", 2)
        for sentence in conflict_sentences(found["plan"]["run_id"], each):
            print_text(sentence, 4)


def _print_limits(constraints: list[dict[str, Any]]) -> None:
    from infra.cli.lines import is_above, print_constraints

    binding = [each for each in constraints if each["effect"] != "WITHIN"]
    above = [each for each in constraints if is_above(each)]
    told = f", {len(above)} above already" if above else ""
    print(f"\nLimits: {len(constraints)}, {len(binding)} bind{told}" if constraints else "\nLimits: none was judged")
    if constraints:
        print_constraints(constraints)


def _print_lines(lines: list[dict[str, Any]]) -> None:
    from infra.cli.lines import print_lines, print_orders

    print(f"\nLines: {len(lines)}" + ("" if lines else ", nothing is wanted or held"))
    if lines:
        print_lines(lines)
    if any(line["orders"] for line in lines):
        print("\nOrders")
        print_orders(lines)


def _print_pnl(found: dict[str, Any]) -> None:
    print_text(f"P&L of plan {found['plan_id']}, run {found['run_id']}, as of {instant(found['as_of'])}", 0)
    print()
    columns = ("strategy", "symbol", "traded", "cash", "last_mid", "realised", "open_at_last_mid", "pnl")
    rows = []
    for strategy in found["strategies"]:
        own = [row for row in found["rows"] if row["owner"] == strategy["owner"]]
        for row in own:
            mid = "-" if row["mid"] is None else plain(row["mid"])
            rows.append(
                [row["owner"], row["symbol"] or "-", signed(row["quantity"]), money(row["cash"]), mid, *_won(row)]
            )
        if len(own) > 1:
            rows.append([strategy["owner"], "all", "", money(strategy["cash"]), "", *_won(strategy)])
    rows.append(["total", "all", "", money(found["total"]["cash"]), "", *_won(found["total"])])
    print_table(columns, rows, columns[2:])
    for row in found["passed_on"]:
        print(
            f"{plain(abs(row['quantity']))} {row['symbol']} of {row['owner']} that this plan opened were closed by"
            f" others, to whom the gain of {money(row['realised'])} belongs"
        )


def _won(row: dict[str, Any]) -> list[str]:
    return [money(row[name]) for name in ("realised", "unrealised", "pnl")]
