"""`tape up | down | status | doctor | env | reset`: the embedded stack, for a person."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.background import Background
from infra.cli.tables import print_text
from infra.embedded.endpoints import Endpoints, endpoints_of
from infra.embedded.folders import default_cache, default_home
from infra.embedded.progress import Progress
from infra.embedded.state import SERVICES, ServiceName, load_state
from infra.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from infra.embedded.stack import ServiceStatus, Stack

EXIT_NOT_ALL_READY = 3
DEMO_MARKER = "demo"
MEBIBYTE = 1024 * 1024

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


class ProgressReport:
    """Shows progress on stderr: lines of text, and a bar with sizes while something is downloaded."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if progress.total_bytes is not None:
            self._show_bytes(progress.done_bytes or 0, progress.total_bytes)
            return
        self.close()
        print(progress.what, file=sys.stderr, flush=True)

    def _show_bytes(self, done_bytes: int, total_bytes: int) -> None:
        if self._bar is None:
            self._bar = _new_bar()
            self._task = self._bar.add_task("downloading (cached for next time)", total=total_bytes)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, completed=done_bytes)

    def close(self) -> None:
        """End the bar, if there is one. Idempotent."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _new_bar() -> Bar:
    from rich import progress as rich_progress  # noqa: PLC0415 - slow to import, and only a download needs it
    from rich.console import Console  # noqa: PLC0415

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        rich_progress.TransferSpeedColumn(),
        console=Console(stderr=True),
    )


def _stack() -> Stack:
    from infra.embedded.stack import Stack  # noqa: PLC0415 - brings Kafka's client library

    return Stack(default_home())


def _services(only: list[str] | None) -> tuple[ServiceName, ...]:
    unknown = sorted(set(only or ()) - set(SERVICES))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: expected one of {', '.join(SERVICES)}")
    return tuple(name for name in SERVICES if not only or name in only)


Only = Annotated[list[str] | None, typer.Argument(help="kafka, registry, postgres; all of them without.")]


def up(services: Only = None, quiet: Quiet = False) -> None:
    """Start Kafka, the schema registry and PostgreSQL on this machine and leave them running.

    Starts only what does not run yet. The first time it downloads about 200 MB, verified and cached for next time.
    """
    report = ProgressReport()
    (default_home() / DEMO_MARKER).unlink(missing_ok=True)  # somebody goes on with it: no demo may wipe it any more
    try:
        endpoints = _stack().up(_services(services), on_progress=_nothing if quiet else report)
    except KeyboardInterrupt:
        report.close()
        print("tape: stopped waiting; what was started runs on (tape status, tape down)", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        report.close()
    if not quiet:
        _print_endpoints(endpoints)


def _nothing(_: Progress) -> None:
    return


def _print_endpoints(endpoints: Endpoints) -> None:
    rows = {
        "kafka": endpoints.bootstrap_servers,
        "registry": endpoints.registry_url,
        "postgres": _without_password(endpoints.database_url),
    }
    for name, address in rows.items():
        if address is not None:
            print(f"{name:<9} {address}")
    print("\nnext: tape env prints exports, tape status looks, tape down stops them")


def _without_password(url: str | None) -> str | None:
    """Return the URL with its password hidden: a terminal's scrollback is not the place for it."""
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    user, _, place = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}:***@{place}"


def down(services: Only = None, quiet: Quiet = False) -> None:
    """Stop what tape up started on this machine, and nothing else; the data and the ports stay for next time."""
    beside = () if services else Background(default_home()).stop()
    stopped = (*beside, *_stack().down(_services(services)))
    if not quiet:
        print(f"stopped {', '.join(stopped)}" if stopped else "nothing of ours was running")


def status(as_json: Json = False) -> None:
    """Show what runs, on which ports, with how much memory. Exits with 3 when not all of it is ready."""
    rows = _stack().status()
    if as_json:
        print(json.dumps([{**asdict(row), "log": str(row.log)} for row in rows], indent=2))
    else:
        print(f"{'service':<10}{'state':<12}{'pid':<9}{'memory':<9}ports")
        for row in rows:
            state = "ready" if row.is_ready else "not ready" if row.is_running else "stopped"
            memory = f"{row.rss_bytes // MEBIBYTE} MiB" if row.rss_bytes else "-"
            ports = " ".join(f"{name}={port}" for name, port in row.ports.items())
            print(f"{row.name:<10}{state:<12}{row.pid or '-':<9}{memory:<9}{ports or '-'}")
        background = Background(default_home())
        running = background.running()
        for name in background.known():
            pid = running[name].pid if name in running else "-"
            print(f"{name:<10}{'running' if name in running else 'stopped':<12}{pid:<9}")
        _print_agents(rows)
    if not all(row.is_ready for row in rows):
        raise typer.Exit(EXIT_NOT_ALL_READY)


def _print_agents(rows: Sequence[ServiceStatus]) -> None:
    """Print which agents are members of their groups, wherever they run: also in somebody's foreground."""
    if not any(row.name == "kafka" and row.is_ready for row in rows):
        return
    from infra.cli.at_work import members_by_agent  # noqa: PLC0415 - brings Kafka's client library

    servers = endpoints_of(load_state(default_home())).bootstrap_servers or ""
    found = members_by_agent(servers)
    if found is None:
        print("agents    Kafka does not say who is at work")
        return
    working = [f"{name} ({count})" if count > 1 else name for name, count in found.items() if count]
    idle = [name for name, count in found.items() if not count]
    print_text(f"agents    at work: {', '.join(working) or 'none'}; not: {', '.join(idle) or 'none'}", 0)


def doctor(as_json: Json = False) -> None:
    """Check Java, services, ports, disk and versions. Exits with 1 when something is wrong."""
    from infra.embedded.doctor import examine  # noqa: PLC0415 - brings the whole stack

    findings = examine(_stack())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.verdict:<6}{finding.subject:<12}{finding.detail}")
            if finding.hint:
                print(f"{'':<18}next: {finding.hint}")
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


def env(as_json: Json = False) -> None:
    """Print the addresses as shell exports: eval "$(tape env)". The output holds the database password."""
    home = default_home()
    exports = _exports(endpoints_of(load_state(home)))
    if not exports:
        raise TapeError("the embedded stack was never started", where=str(home), next_command="tape up")
    exports["TAPE_HOME"] = str(home)
    if as_json:
        print(json.dumps(exports, indent=2))
    else:
        for name, value in exports.items():
            print(f"export {name}={shlex.quote(value)}")


def _exports(endpoints: Endpoints) -> dict[str, str]:
    names: dict[str, tuple[str | None, ...]] = {
        "BOOTSTRAP_SERVERS": (endpoints.bootstrap_servers, "TAPE_BOOTSTRAP_SERVERS"),
        "SCHEMA_REGISTRY_URL": (endpoints.registry_url, "TAPE_REGISTRY_URL"),
        "DATABASE_URL": (endpoints.database_url, "TAPE_DATABASE_URL"),
    }
    exports: dict[str, Any] = {}
    for name, (address, ours) in names.items():
        if address is not None and ours is not None:
            exports |= {name: address, ours: address}
    return exports


def warm() -> None:
    """Prepare faster starts: half a minute once, for starts that take half as long. Takes about 180 MB of the cache."""
    from infra.embedded.warm import warm as prepare  # noqa: PLC0415 - brings the whole stack

    report = ProgressReport()
    try:
        files = prepare(default_cache(), on_progress=report)
    finally:
        report.close()
    print("\n".join(str(file) for file in files))


def reset(yes: Annotated[bool, typer.Option("--yes", help="Really delete; there is no way back.")] = False) -> None:
    """Stop everything and delete the embedded data: all topics, schemas and tables of this checkout."""
    home = default_home()
    if not yes:
        raise TapeError(
            "this deletes every topic, schema and table of the embedded stack",
            where=str(home),
            next_command="tape reset --yes",
        )
    Background(home).stop()
    _stack().destroy()
    print(f"deleted {home}")
