"""`tape kafka ...`: Kafka's own console tools on the bundled Java, and the lock of what is downloaded.

The tools get their arguments unchanged; only `--bootstrap-server` is added where a tool needs it and it is absent.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from infra.embedded.folders import default_home
from infra.embedded.progress import Progress
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.embedded.kafka import Kafka

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)

# Everything after the tool's name is the tool's, its --help included.
PASS_THROUGH = {"ignore_unknown_options": True, "help_option_names": []}
BOOTSTRAP_OPTIONS = ("--bootstrap-server", "--bootstrap-controller")

Arguments = Annotated[list[str] | None, typer.Argument(metavar="-- ARGS", help="Handed to the tool as they are.")]


def _kafka() -> Kafka:
    from infra.embedded.stack import Stack  # noqa: PLC0415 - brings Kafka's client library

    return Stack(default_home()).kafka


def with_bootstrap_server(arguments: list[str]) -> list[str]:
    """Return the arguments with the address of our Kafka in front, unless they already name one or ask for help."""
    names_one = any(argument.partition("=")[0] in (*BOOTSTRAP_OPTIONS, "--help", "--version") for argument in arguments)
    if names_one:
        return arguments
    return ["--bootstrap-server", Settings.load(needs={"bootstrap_servers"}).bootstrap_servers, *arguments]


def _run(tool: str, arguments: list[str]) -> None:
    """Become the tool: it gets the terminal, its signals, and its exit code is ours."""
    from infra.embedded.kafka import TOOL_CLASSES  # noqa: PLC0415

    command = _kafka().command(TOOL_CLASSES[tool], *arguments)
    sys.stdout.flush()
    os.execv(command[0], command)


@app.command("console-consumer", context_settings=PASS_THROUGH)
def console_consumer(arguments: Arguments = None) -> None:
    """Print the records of a topic.

    Example: tape kafka console-consumer -- --topic runs.v1 --from-beginning --formatter-property print.headers=true
    """
    _run("console-consumer", with_bootstrap_server(arguments or []))


@app.command("topics", context_settings=PASS_THROUGH)
def topics(arguments: Arguments = None) -> None:
    """List and describe topics.

    Example: tape kafka topics -- --list
    """
    _run("topics", with_bootstrap_server(arguments or []))


@app.command("offsets", context_settings=PASS_THROUGH)
def offsets(arguments: Arguments = None) -> None:
    """Print the offsets of topics.

    Example: tape kafka offsets -- --topic plans.v1 --time latest
    """
    _run("offsets", with_bootstrap_server(arguments or []))


@app.command("groups", context_settings=PASS_THROUGH)
def groups(arguments: Arguments = None) -> None:
    """List and describe consumer groups and their lag.

    Example: tape kafka groups -- --all-groups --describe
    """
    _run("groups", with_bootstrap_server(arguments or []))


@app.command("dump-log", context_settings=PASS_THROUGH)
def dump_log(arguments: Arguments = None) -> None:
    """Print the segment files of a log.

    Example: tape kafka dump-log -- --files .tape/kafka/data/plans.v1-0/00000000000000000000.log
    """
    _run("dump-log", arguments or [])


@app.command("relock")
def relock() -> None:
    """Rewrite the lock of downloads.

    Resolves the versions named in infra/embedded/relock.py anew; read the difference before committing it.
    """
    from infra.embedded.artifacts import LOCK_PATH  # noqa: PLC0415
    from infra.embedded.relock import relock as write_lock  # noqa: PLC0415

    rows = write_lock(on_progress=_tell)
    print(f"{len(rows)} artifacts, {sum(row.size for row in rows)} bytes in {LOCK_PATH}")


def _tell(progress: Progress) -> None:
    print(progress.what, file=sys.stderr, flush=True)
