"""`tape replay`: decide again what the log says was decided, and show every difference."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.replay.verdict import Verdict


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

    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("agent", "decisions", "identical", "silent inputs", "facts"):
        table.add_column(name, justify="left" if name == "agent" else "right")
    for name, each in sorted(verdict.agents.items()):
        table.add_row(name, *(str(count) for count in (each.decisions, each.identical, each.silent, each.facts)))
    if verdict.agents:
        console.print(table)
    for damage in verdict.damages:
        console.print(f"damaged: {damage}", markup=False, highlight=False)
    for difference in verdict.differences:
        console.print(f"different: {difference}", markup=False, highlight=False)
    if verdict.dead_letters:
        console.print(f"dead-lettered: {verdict.dead_letters} of {verdict.records} records")
    if not verdict.decisions and not verdict.damages:
        console.print("nothing found: no decision in the log belongs to it")
    else:
        console.print(f"{verdict.identical}/{verdict.decisions} decisions identical")
