"""The `tape` command and the table of all its commands.

To add a command: write a function with typer annotations (or a `typer.Typer` with several) in a module of its own
under `infra/cli/`, and add one row to `COMMANDS`: its name, `"module:attribute"`, and one line of help. Nothing
else: the module is imported only when its command runs or is asked for its own help, so `tape --help` stays fast
however heavy a command is. A command reports a failure that a person can put right by raising
`infra.errors.TapeError`; it is printed without a traceback, unless `TAPE_DEBUG=1`.

Exit codes: 0 done; 1 failed, the reason is on stderr; 2 wrong usage; others are in the help of the command. Where 1
or 2 is the answer of a command (`ANSWERING`), what kept it from answering has codes above those (`infra.cli.exits`):
64 wrong usage, 69 something it needs is away or refuses, 70 a bug of ours.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from infra.cli.exits import Answering
from infra.controls import shown
from infra.errors import TapeError


class Command(NamedTuple):
    """One row of the table: `target` is `"module:attribute"`, a function or a `typer.Typer`."""

    name: str
    target: str
    help: str


COMMANDS: tuple[Command, ...] = (
    Command("demo", "infra.cli.demo:demo", "Trade real sessions, then explain, replay and reconcile all of it."),
    Command("test", "infra.cli.test:test", "Run the tests."),
    Command("up", "infra.cli.stack:up", "Start Kafka, the schema registry and PostgreSQL on this machine."),
    Command("down", "infra.cli.stack:down", "Stop what tape up started; the data stays."),
    Command("status", "infra.cli.stack:status", "Show what runs, on which ports, with how much memory."),
    Command("doctor", "infra.cli.stack:doctor", "Check Java, services, ports, disk and versions."),
    Command("env", "infra.cli.stack:env", "Print exports of the addresses, for kcat, psql and others."),
    Command("warm", "infra.cli.stack:warm", "Prepare faster starts of Kafka and the registry, once."),
    Command("reset", "infra.cli.stack:reset", "Stop everything and delete the embedded data."),
    Command("run", "infra.cli.run:run", "Ask for a rebalance, as a TOML file says."),
    Command("decide", "infra.cli.decide:decide", "Decide what counts where strategies of a run disagree."),
    Command("worker", "infra.cli.worker:worker", "Run agents: one here, or several under a supervisor."),
    Command("trace", "infra.cli.trace:trace", "Show which record of a run led to which."),
    Command("replay", "infra.cli.replay:replay", "Decide again what the log says was decided; show every difference."),
    Command("verify", "infra.cli.verify:verify", "Check every invariant over the whole log and beside the broker."),
    Command("rewind", "infra.cli.rewind:rewind", "Set back a stopped agent's positions; nothing is decided twice."),
    Command("sql", "infra.cli.sql:sql", "Ask topics with SQL; without a question, a shell."),
    Command("tail", "infra.cli.tail:tail", "Show the records of a topic as they come, decoded."),
    Command("plan", "infra.cli.plan:app", "Explain a plan on one page, and what it won or lost."),
    Command("why", "infra.cli.why:why", "Say why a symbol was or was not traded."),
    Command("ledger", "infra.cli.ledger:app", "Positions, lots, P&L, and the ledger rebuilt from the log."),
    Command("limits", "infra.cli.limits:app", "Set and show what no order may exceed."),
    Command("runs", "infra.cli.runs:runs", "Show how far every run has come, and which are stuck."),
    Command("halts", "infra.cli.halts:halts", "Show which halts are in force, and which orders are under way."),
    Command("halt", "infra.cli.halt:halt", "Stop trading; --hard does it straight at the broker."),
    Command("resume", "infra.cli.halt:resume", "Trade again after a halt."),
    Command("resolve", "infra.cli.resolve:resolve", "Say what became of an order that the broker leaves open."),
    Command("simulator", "infra.cli.simulator:run", "Run a local Alpaca that can be told what to do."),
    Command("storm", "infra.cli.storm:storm", "Kill workers and lose answers, and see that everything holds."),
    Command("bench", "infra.cli.bench:bench", "Measure latency and throughput beside bare confluent-kafka."),
    Command("kafka", "infra.cli.kafka_tools:app", "Run Kafka's own console tools."),
    Command("topics", "infra.cli.topics:app", "Make, compare, list and explain the topics."),
    Command("schemas", "infra.cli.schemas:app", "Check, lock, register and list the schemas."),
)

ANSWERING = frozenset({"replay", "verify", "trace", "rewind", "why", "runs"})
"""Commands whose exit codes 1 and 2 are their answer; each has one function."""

APP_OPTIONS: dict[str, Any] = {
    # Rich doubles the time to import, and a traceback drawn with the values of locals could show a secret.
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def load(command: Command) -> Any:
    """Import a command's module and return the click command that typer makes of its target."""
    module, _, attribute = command.target.partition(":")
    target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(**{**APP_OPTIONS, "no_args_is_help": False, "add_completion": False})
        single.command(command.name, cls=Answering if command.name in ANSWERING else None)(target)
        target = single
    loaded = typer.main.get_command(target)
    loaded.name = command.name
    return loaded


_ROWS = {command.name: command for command in COMMANDS}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and help, and imports one only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the table."""
        return list(_ROWS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Return a stand-in that carries the help; `resolve_command` imports the real one."""
        row = _ROWS.get(cmd_name)
        return None if row is None else TyperCommand(row.name, help=row.help)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Write every row with its whole help; typer would cut a long one short."""
        with formatter.section("Commands"):
            formatter.write_dl([(row.name, row.help) for row in COMMANDS])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is about to run, imported; an unknown name is a usage error with suggestions."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, None if stand_in is None else load(_ROWS[stand_in.name or ""]), rest


app = typer.Typer(cls=LazyGroup, **APP_OPTIONS)


@app.callback()
def _tape() -> None:
    """Trade several strategies in one account, with every decision on a log that can be replayed."""


def main() -> None:
    """Run `tape` with the arguments of this process; a TapeError becomes text and its exit code."""
    try:
        typer.main.get_command(app)(prog_name="tape")
    except TapeError as error:
        if os.environ.get("TAPE_DEBUG") == "1":
            raise
        print(f"tape: {shown(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
