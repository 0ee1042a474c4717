"""`tape replay`: decide again what the log says was decided, and show every difference."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from agents.declaration import Agent
    from infra.replay.scope import Scope
    from infra.replay.verdict import Verdict
    from infra.replay.whole import OnProgress

SHOWN_MAX = 20
"""Differences printed for a person; one changed line of code can show in hundreds of fields."""


def replay(
    correlation_id: Annotated[str | None, typer.Argument(help="The run, its first digits, or any name in it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Replay the whole log, silent inputs included.")] = False,
    since: Annotated[str | None, typer.Option(help="With --all: from 10m ago, 2013-02-01T09:30 (UTC), ... on.")] = None,
    until: Annotated[str | None, typer.Option(help="With --all: only before then.")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="With --all: only this agent; may be repeated.")] = None,
    strategy: Annotated[str | None, typer.Option(help="With --all: only what names this strategy as owner.")] = None,
    other_code: Annotated[
        Path | None,
        typer.Option("--with", metavar="PATH", help="What if: decide with the agents/ and schemas/ of this folder."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What if: another limit or rule of the run; may be repeated."),
    ] = None,
    rewind: Annotated[
        bool, typer.Option("--rewind", help="Through real workers, set back to the run in a shadow group.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes to judge a long log with; all cores.")
    ] = None,
    from_zero: Annotated[
        bool, typer.Option("--from-zero", help="Of one run: fold the whole log for it, and read no snapshot.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge recorded causes again with today's code and compare byte for byte.

    With --with or --set: judge them with other code or other limits, and show decision by decision what would have
    changed. Exit code: 0 identical, 1 different, 2 nothing found, 3 the log itself is damaged.
    """
    from infra.cli.exits import UsageError, read_as_usage
    from infra.replay.scope import Scope

    if rewind and (correlation_id is None or other_code or settings):
        raise UsageError("--rewind asks about one run, as it was", next_command="tape replay CORRELATION_ID --rewind")
    if (correlation_id is None) is not every:
        raise UsageError("expected a correlation id or --all, was neither or both", next_command="tape replay --all")
    if correlation_id is None:
        if other_code or settings:
            raise UsageError("--with and --set ask about one run", next_command="tape replay CORRELATION_ID --set ...")
        with read_as_usage():
            scope, agents = _scope(since, until, strategy), _agents(agent or ())
        _replay(scope, agents, jobs, as_json)
    elif since or until or agent or strategy:
        raise UsageError(
            "--since, --until, --agent and --strategy narrow --all; a correlation id is one run",
            next_command=f"tape replay {correlation_id}",
        )
    elif rewind:
        _rewound(correlation_id, from_zero, as_json)
    elif other_code or settings:
        _what_if(correlation_id, other_code, settings or [], as_json)
    elif from_zero:
        _replay(Scope(correlation_id), _agents(()), jobs, as_json)
    else:
        _replay_one(correlation_id, as_json)


def _scope(since: str | None, until: str | None, strategy: str | None) -> "Scope":
    from infra.replay.scope import Scope
    from infra.sql.times import instant_ms

    since_ms, until_ms = (None if text is None else instant_ms(text) for text in (since, until))
    return Scope(None, since_ms, until_ms, strategy)


def _agents(names: "Sequence[str]") -> "Sequence[Agent]":
    from infra.worker import deciding, declared

    return [declared(name) for name in names] or deciding()


def _replay(scope: "Scope", agents: "Sequence[Agent]", jobs: int | None, as_json: bool) -> None:
    from infra.cli.asking import settings_of_kafka
    from infra.clock import seconds
    from infra.replay.sharing import cores
    from infra.replay.whole import replay_log

    servers = settings_of_kafka().bootstrap_servers
    started = seconds()
    with shown_progress() as on_progress:
        verdict = replay_log(servers, agents, scope, on_progress, jobs=jobs or cores())
    _say(verdict, seconds() - started, as_json)


def _replay_one(name: str, as_json: bool) -> None:
    """Judge one run from the nearest snapshots; whatever is not plainly identical then is judged from zero."""
    from infra.cli.asking import settings_of_kafka
    from infra.clock import seconds
    from infra.replay.find import find
    from infra.replay.scope import Scope
    from infra.replay.single import replay_run
    from infra.replay.verdict import Verdict
    from infra.replay.whole import replay_log
    from infra.worker import deciding

    settings = settings_of_kafka()
    started = seconds()
    found = find(settings.bootstrap_servers, settings.database_url, name)
    verdict = Verdict()
    if found is not None:
        judged = replay_run(settings.bootstrap_servers, deciding(), found)
        verdict = judged.verdict
        if not judged.is_final:
            with shown_progress() as on_progress:
                scope = Scope(found.correlation_id)
                verdict = replay_log(settings.bootstrap_servers, deciding(), scope, on_progress)
    _say(verdict, seconds() - started, as_json)


def _say(verdict: "Verdict", took_s: float, as_json: bool) -> None:
    """Print a verdict and end with its exit code."""
    if as_json:
        print(json.dumps({**verdict.as_json(), "seconds": round(took_s, 3)}, indent=2))
    else:
        show(verdict)
    sys.exit(verdict.exit_code)


def _rewound(name: str, from_zero: bool, as_json: bool) -> None:
    from infra.cli.asking import settings_of_kafka
    from infra.clock import seconds
    from infra.replay.find import find
    from infra.replay.shadow import shadowed
    from infra.replay.verdict import Verdict
    from infra.worker import deciding

    settings = settings_of_kafka()
    started = seconds()
    found = find(settings.bootstrap_servers, settings.database_url, name)
    verdict = Verdict()
    if found is not None:
        verdict = shadowed(settings.bootstrap_servers, deciding(), found, from_zero=from_zero)
    _say(verdict, seconds() - started, as_json)


def _what_if(name: str, path: "Path | None", texts: "Sequence[str]", as_json: bool) -> None:
    from infra.cli.asking import settings_of_kafka
    from infra.cli.exits import read_as_usage
    from infra.replay.find import find
    from infra.replay.scope import Scope
    from infra.replay.whatif import NOT_A_SIMULATION, changed_by, decided_elsewhere, decisions_changed, settings_of
    from infra.replay.whole import replay_log
    from infra.worker import deciding

    with read_as_usage():
        wanted = settings_of(texts)
    settings = settings_of_kafka()
    meant = find(settings.bootstrap_servers, settings.database_url, name)
    correlation_id = name if meant is None else meant.correlation_id
    if path is not None:
        found = decided_elsewhere(path, correlation_id, texts, settings)
    else:
        scope, changed = Scope(correlation_id), changed_by(wanted)
        found = replay_log(settings.bootstrap_servers, deciding(), scope, changed=changed).as_json()
    names = [text.partition("=")[0] for text in texts]
    if found["exit_code"] == 1 and not decisions_changed(found, names):
        found["exit_code"] = 0  # decisions that only carry the settings on are as they were
    said = {"with": None if path is None else str(path), "set": list(texts), "note": NOT_A_SIMULATION}
    if as_json:
        print(json.dumps({**found, "what_if": said}, indent=2))
    else:
        show_changes(found, names)
    sys.exit(found["exit_code"])


def show_changes(found: "Mapping[str, Any]", names: "Sequence[str]") -> None:
    """Print what would have changed, decision by decision; `found` is what --json prints, `names` what was set."""
    from rich.console import Console

    from infra.replay.whatif import NOT_A_SIMULATION, decisions_changed

    console = Console(soft_wrap=True, highlight=False)
    changes = decisions_changed(found, names)
    for decision, differences in changes.items():
        console.print(decision, style="bold", markup=False)
        for each in differences[:SHOWN_MAX]:
            was, now = _plain(each["recorded"]), _plain(each["decided_again"])
            console.print(f"  {each['field']}: was {was}, would be {now}", markup=False)
        if len(differences) > SHOWN_MAX:
            console.print(f"  {len(differences) - SHOWN_MAX} more, all of them with --json")
    for each in found["damages"]:
        console.print(f"damaged: {each['agent']} partition {each['partition']}: {each['what']} ({each['where']})")
    total = found["decisions"]["total"]
    if not total and not found["damages"]:
        console.print("nothing found: no decision in the log belongs to it")
        return
    console.print(f"{len(changes)} of {total} decisions would have been different")
    console.print(NOT_A_SIMULATION)


def _plain(text: str) -> str:
    """Return a number without the zeros that its scale adds; any other text as it is."""
    from decimal import Decimal, InvalidOperation

    try:
        return format(Decimal(text).normalize(), "f")
    except InvalidOperation:
        return text


@contextmanager
def shown_progress() -> "Iterator[OnProgress]":
    """Draw a bar on stderr while the log is gone through; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # no thread of its own: processes are forked while it is shown
    settings: dict[str, Any] = {"transient": True, "auto_refresh": False, "disable": not console.is_terminal}
    with Progress(*columns, console=console, **settings) as progress:
        task = progress.add_task("replay", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total, refresh=True)


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
