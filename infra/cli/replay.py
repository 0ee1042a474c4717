"""`tape replay`: decide again what the log says was decided, and show every difference."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from infra.replay.verdict import Verdict

SHOWN_MAX = 20
"""Differences printed for a person; one changed line of code can show in hundreds of fields."""


def replay(
    correlation_id: Annotated[str | None, typer.Argument(help="The run to replay.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Replay the whole log, silent inputs included.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge recorded causes again with today's code and compare byte for byte.

    Exit code: 0 identical, 1 different, 2 nothing found, 3 the log itself is damaged.
    """
    from infra.errors import TapeError
    from infra.replay.service import judged_and_history
    from infra.replay.service import replay as judge_again
    from infra.settings import Settings
    from infra.worker import deciding

    if (correlation_id is None) is not every:
        raise TapeError("expected a correlation id or --all, was neither or both", next_command="tape replay --all")
    servers = Settings.load(needs={"bootstrap_servers"}).bootstrap_servers
    agents = deciding()
    judged, history = judged_and_history(servers, agents)
    verdict = judge_again(history, agents, judged, correlation_id)
    if as_json:
        print(json.dumps(verdict.as_json(), indent=2))
    else:
        show(verdict)
    sys.exit(verdict.exit_code)


def show(verdict: "Verdict") -> None:
    """Print a verdict for a person: a table per agent, every difference, and the count."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    if not verdict.decisions and not verdict.damages:
        console.print("nothing found: no decision in the log belongs to it")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("agent", "decisions", "identical", "silent inputs", "facts", "not judged"):
        table.add_column(name, justify="left" if name == "agent" else "right")
    for name, each in sorted(verdict.agents.items()):
        counts = (each.decisions, each.identical, each.silent, each.facts, each.not_judged)
        table.add_row(name, *(str(count) for count in counts))
    console.print(table)
    _print_some(console, "damaged", verdict.damages)
    _print_some(console, "different", verdict.differences)
    console.print(
        f"{verdict.records} records, {verdict.gaps} gaps, {verdict.hash_mismatches} hash mismatches, "
        f"{verdict.dead_letters} dead letters, {verdict.silent} silent inputs judged again"
    )
    console.print(f"{verdict.identical}/{verdict.decisions} decisions identical")


def _print_some(console: "Console", word: str, found: "Sequence[object]") -> None:
    for each in found[:SHOWN_MAX]:
        console.print(f"{word}: {each}", markup=False)
    if len(found) > SHOWN_MAX:
        console.print(f"{word}: {len(found) - SHOWN_MAX} more, all of them with --json")
