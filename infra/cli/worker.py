"""`tape worker`: one agent in this process, or several under a supervisor."""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zlib import crc32

import typer

if TYPE_CHECKING:
    from infra.settings import Settings


def worker(
    names: Annotated[list[str] | None, typer.Argument(help="Agents to run, such as planner executor.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Run every agent, each in a process of its own.")] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when the starting process ends.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Trade real money, in the account of TAPE_LIVE_TRADING.")
    ] = False,
    from_zero: Annotated[
        bool, typer.Option("--from-zero", help="Fold all events of each agent; read no snapshot of its state.")
    ] = False,
) -> None:
    """Run agents until Ctrl-C: one in this process, several each in a process of its own, restarted when they end."""
    from infra.errors import TapeError
    from infra.settings import Settings
    from infra.worker import AGENTS, NEEDS, declared, main

    if live:
        os.environ["TAPE_BROKERAGE_LIVE"] = "true"
    if from_zero:
        os.environ["TAPE_RECOVERY"] = "from-zero"
    wanted = list(AGENTS) if every else list(names or ())
    if not wanted:
        raise TapeError(f"no agent was named; there are {', '.join(AGENTS)}", next_command="tape worker --all")
    for name in wanted:
        declared(name)
    if len(wanted) == 1:
        main(wanted[0])
    _supervise(wanted, Settings.load(needs=NEEDS), with_parent)


def pids_file(home: Path) -> Path:
    """Return where a supervisor notes the process id of each of its workers."""
    return home / "workers.json"


def _supervise(names: list[str], settings: "Settings", with_parent: bool) -> None:
    from filelock import FileLock, Timeout

    from infra.errors import TapeError
    from infra.runtime.preloaded import launch, preload
    from infra.runtime.supervisor import Supervisor, python_worker
    from infra.worker import main

    home = settings.home

    def note(pids: Mapping[str, int]) -> None:
        temporary = pids_file(home).with_suffix(".tmp")
        temporary.write_text(json.dumps(pids), encoding="utf-8")
        temporary.replace(pids_file(home))

    lock = FileLock(home / "workers.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TapeError(
            "another supervisor runs the workers of this home; two would take the partitions from each other for ever",
            where=str(pids_file(home)),
            next_command="tape status, tape down",
        ) from error
    # A static member of its group: started again after a crash, it gets its partitions back at once instead of after
    # the session timeout. One supervisor per home folder, so the folder names the instance.
    environment = {**os.environ, "TAPE_INSTANCE_ID": f"{socket.gethostname()}-{crc32(str(home).encode()):08x}"}
    preload()
    if "broker" in names:  # said here, where a person reads it, and not by a worker that is started again and again
        import_module("infra.alpaca.safeguards").check_environment(settings)
    supervisor = Supervisor(
        names, python_worker, home / "logs", environment, note, partial(launch, main), settings.crashes_max
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    print(f"{len(names)} agents running, logs in {home / 'logs'}; Ctrl-C stops them", file=sys.stderr)
    parent = os.getppid()
    supervisor.run(until=lambda: with_parent and os.getppid() != parent)
