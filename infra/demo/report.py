"""The demo's closing page, for a person: what happened, a run traced and replayed, books against broker, what next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from infra.cli.replay import show as show_verdict
from infra.cli.trace import show as show_trace
from infra.demo.scenarios import SHARED, ScenarioName
from infra.demo.story import tell
from infra.replay.trace import tree
from schemas.ledger import CASH, SYSTEM
from schemas.quantities import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from infra.demo.demo import Outcome


def show(outcome: "Outcome") -> None:
    """Print the page."""
    console = Console(soft_wrap=True, highlight=False)
    _what_happened(console, outcome)
    if outcome.scenario.name is ScenarioName.DEFAULT:
        _one_run(console, outcome)
    else:
        _heading(console, 2, f"Two strategies in {SHARED}, one account")
        tell(console, outcome.scenario, outcome.runs, outcome.reckoning)
        _again(console, outcome)
    _whole_log(console, outcome)
    _books(console, outcome)
    _next(console, outcome)


def _heading(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}. {text}[/bold]")


def _what_happened(console: Console, outcome: "Outcome") -> None:
    found = outcome.as_json()
    _heading(console, 1, "What happened")
    console.print(
        f"{found['runs']} runs, {found['signals']} signals, {found['plans']} plans, {found['orders']} orders, "
        f"{found['crosses']} internal crosses, {found['fills']} fills, {found['ledger']['entries']} ledger entries"
    )
    lines = Table("plan lines ended as", "count", box=None, pad_edge=False)
    for name, count in found["plan_lines"].items():
        lines.add_row(name, str(count))
    console.print(lines)
    pnl = outcome.reckoning.strategy_pnl()
    table = Table("P&L of", box=None, pad_edge=False)
    table.add_column("dollars", justify="right")
    for owner, value in pnl.items():
        table.add_row(owner, _money(value))
    table.add_row("sum of the above", _money(sum(pnl.values(), start=next(iter(pnl.values())) * 0)))
    table.add_row("the broker's account", _money(outcome.reckoning.account_pnl()))
    table.add_row("difference", found["pnl"]["difference"])
    console.print(table)


def _one_run(console: Console, outcome: "Outcome") -> None:
    run = str(outcome.example)
    history = outcome.reckoning.history
    roots = tree(list(history.correlated(run)))
    _heading(console, 2, f"One run, from the request to the ledger: {run}")
    symbol = _traded_symbol(outcome)
    console.print(f"(what concerns {symbol}; all of it: tape trace {run})", style="dim")
    show_trace(roots, symbol)
    _again(console, outcome)


def _again(console: Console, outcome: "Outcome") -> None:
    what = "The same run" if outcome.scenario.name is ScenarioName.DEFAULT else f"Run {outcome.example}"
    _heading(console, 3, f"{what}, decided again from the log")
    show_verdict(outcome.example_verdict)


def _whole_log(console: Console, outcome: "Outcome") -> None:
    verdict = outcome.verdict
    _heading(console, 4, "The whole log, decided again")
    show_verdict(verdict)
    speed = verdict.decisions / max(outcome.seconds["replay"], 1e-9)
    console.print(f"{speed:.0f} decisions a second")


def _books(console: Console, outcome: "Outcome") -> None:
    reckoning = outcome.reckoning
    _heading(console, 5, "Books against broker")
    owners = sorted(reckoning.books)
    table = Table("", *owners, "books", "broker", "difference", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    symbols = sorted(
        {s for book in reckoning.books.values() for s in book if s != CASH} | set(reckoning.broker.positions)
    )
    zero = reckoning.broker.cash * 0
    for item in (*symbols, CASH):
        owned = [reckoning.books[owner].get(item, zero) for owner in owners]
        held = reckoning.broker.cash if item == CASH else reckoning.broker.positions.get(item, zero)
        total = sum(owned, zero)
        table.add_row(item, *map(plain, owned), plain(total), plain(held), plain(total - held))
    console.print(table)
    same = "identical" if outcome.rebuild_identical else "DIFFERENT"
    console.print(f"PostgreSQL rebuilt from offset 0: {same}; ledger hash {outcome.ledger_hash[:16]}")


def _next(console: Console, outcome: "Outcome") -> None:
    _heading(console, 6, "Try next")
    prefix = "" if outcome.wishes.keep else "./tape up && "
    properties = "--formatter-property print.headers=true --formatter-property print.key=true"
    commands: Sequence[str] = (
        f"{prefix}./tape trace {outcome.example}",
        "./tape replay --all",
        f"./tape kafka console-consumer -- --topic plans.v1 --from-beginning --max-messages 1 {properties}",
    )
    for command in commands:
        console.print(f"  {command}", markup=False)
    if outcome.wishes.keep:
        console.print("services and workers are running; ./tape down ends them")
    seconds = outcome.seconds
    console.print(
        f"\nset-up {seconds['set-up']:.1f} s, infrastructure {seconds['infrastructure']:.1f} s, "
        f"{outcome.scenario.sessions} sessions {seconds['run']:.1f} s, replay {seconds['replay']:.1f} s",
        style="dim",
    )
    console.print("[bold green]everything holds[/]" if outcome.holds else "[bold red]something does not hold[/]")


def _traded_symbol(outcome: "Outcome") -> str:
    from schemas.order import Fill

    filled = [fill.order.symbol for fill in outcome.reckoning.records(Fill) if fill.order.run_id == outcome.example]
    return filled[0] if filled else SYSTEM


def _money(value: "Decimal") -> str:
    return f"{value:,.2f}"
