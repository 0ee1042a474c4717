"""`tape demo`: the main job, for a person and for a script."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

if TYPE_CHECKING:
    from infra.demo.demo import Outcome, Wishes
    from infra.embedded.progress import Progress

SomeSessions = Annotated[
    int | None, typer.Option(min=1, help="Consecutive real sessions to trade; 20 in the default scenario.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


def demo(
    sessions: SomeSessions = None,
    scenario: Annotated[
        str,
        typer.Option(
            metavar="default|netting|books",
            help="netting: two strategies with opposite wishes in one symbol; books: the same, each with its own book.",
        ),
    ] = "default",
    as_json: Json = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave services and workers running; tape down ends them.")
    ] = False,
    kills: Annotated[int, typer.Option(min=0, help="kill -9 this many random workers on the way.")] = 0,
    seed: Annotated[int, typer.Option(help="Which workers are killed, and when.")] = 1,
) -> None:
    """Trade real sessions with several strategies in one account, then explain, replay and reconcile all of it.

    Exit code 0 only if every decision replays identically, the log has no gap, the books balance and equal the broker.
    """
    from infra.demo.demo import Wishes
    from infra.demo.scenarios import ScenarioName
    from infra.embedded.folders import default_home

    if scenario not in set(ScenarioName):
        raise typer.BadParameter(f"expected one of {', '.join(ScenarioName)}, was {scenario}", param_hint="--scenario")
    wishes = Wishes(default_home(), sessions, kills, seed, keep, ScenarioName(scenario))
    outcome = run_demo(wishes, quiet=as_json)
    if as_json:
        print(json.dumps(outcome.as_json()))
    else:
        from infra.demo.report import show

        show(outcome)
    sys.exit(0 if outcome.holds else 1)


def run_demo(wishes: "Wishes", quiet: bool) -> "Outcome":
    """Run a demo with its progress on stderr."""
    from infra.demo.demo import Demo

    with _Progress(quiet) as progress:
        return Demo(wishes, progress.say, progress.session).run()


class _Progress:
    """A line per step and a bar over the sessions, on stderr; silent with --json unless it is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet and not sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        from infra.cli.stack import ProgressReport

        self._report = ProgressReport()
        return self

    def __exit__(self, *_: object) -> None:
        self._report.close()
        self._close_bar()

    def say(self, progress: "Progress") -> None:
        """Show a step."""
        self._close_bar()
        if not self._quiet:
            self._report(progress)

    def session(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._quiet:
            return
        self._report.close()
        if self._bar is None:
            self._bar = _session_bar()
            self._task = self._bar.add_task("trading sessions", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _session_bar() -> Any:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    return progress.Progress(*columns, console=Console(stderr=True))
