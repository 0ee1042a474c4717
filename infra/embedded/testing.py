"""One real stack for a whole test session, shared by all its processes.

In the session's conftest:

    @pytest.fixture(scope="session")
    def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
        base = tmp_path_factory.getbasetemp()
        with shared_stack(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as stack:
            yield stack

Under pytest-xdist every worker gets the same stack: the first starts it, the last deletes it. Tests keep apart by
the names of their topics, subjects and schemas. What a killed session left running is found and deleted by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from infra.embedded.folders import default_cache
from infra.embedded.processes import ProcessIdentity, birth_of, is_alive
from infra.embedded.stack import Stack
from infra.embedded.state import SERVICES, ServiceName

LOCK_TIMEOUT_SECONDS = 300


class _Users:
    """Which processes use which test stack, in one small file per stack beside the downloads."""

    def __init__(self, home: Path) -> None:
        self._folder = default_cache() / "test-stacks"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._folder / f"{hashlib.sha256(str(home).encode()).hexdigest()[:16]}.json"
        self._home = home
        self.lock = _lock_of(home)

    def read(self) -> list[ProcessIdentity]:
        """Return the users that still run."""
        return _living_users(self._file)

    def write(self, users: list[ProcessIdentity]) -> None:
        """Replace the list; without users the file goes."""
        if users:
            document = {"home": str(self._home), "users": [asdict(user) for user in users]}
            temporary = self._file.with_suffix(f".{os.getpid()}.new")
            temporary.write_text(json.dumps(document))
            temporary.replace(self._file)
        else:
            self._file.unlink(missing_ok=True)

    def delete_abandoned(self) -> None:
        """Delete the stacks whose users were all killed."""
        for file in self._folder.glob("*.json"):
            if file == self._file or _living_users(file):
                continue
            home = _home_in(file)
            if home is None or not home.exists():
                file.unlink(missing_ok=True)
                continue
            with _lock_of(home):
                # Meanwhile its session may have gone on.
                if not _living_users(file):
                    Stack(home).destroy()
                    file.unlink(missing_ok=True)


def _lock_of(home: Path) -> FileLock:
    home.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(home.with_name(f"{home.name}.lock"), timeout=LOCK_TIMEOUT_SECONDS)


def _home_in(file: Path) -> Path | None:
    try:
        return Path(json.loads(file.read_text())["home"])
    except FileNotFoundError:
        return None


def _living_users(file: Path) -> list[ProcessIdentity]:
    try:
        document = json.loads(file.read_text())
    except FileNotFoundError:
        return []
    users = [ProcessIdentity(**user) for user in document["users"]]
    return [user for user in users if is_alive(user)]


def _myself() -> ProcessIdentity:
    return ProcessIdentity(os.getpid(), birth_of(os.getpid()) or "")


@contextmanager
def shared_stack(tmp_root: Path, services: Collection[ServiceName] = SERVICES) -> Iterator[Stack]:
    """Lend the running stack of `tmp_root` to this process; it is deleted when its last user leaves.

    `tmp_root` must be the same for all processes that are to share, and of this session only. A process may use it
    once at a time.
    """
    stack = Stack(tmp_root / "tape-home")
    users = _Users(stack.home)
    myself = _myself()
    users.delete_abandoned()
    with users.lock:
        users.write([*users.read(), myself])
        stack.up(services)
    try:
        yield stack
    finally:
        with users.lock:
            remaining = [user for user in users.read() if user != myself]
            if not remaining:
                stack.destroy()
            users.write(remaining)
