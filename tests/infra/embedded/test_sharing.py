"""One stack lent to several processes of a test session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.embedded.folders import CHECKOUT
from infra.embedded.processes import is_alive
from infra.embedded.service import identity_of
from infra.embedded.stack import Stack
from infra.embedded.state import ServiceState, load_state
from infra.embedded.testing import shared_stack

USER = """
import sys
from pathlib import Path
from infra.embedded.testing import shared_stack
with shared_stack(Path(sys.argv[1]), {"postgres"}) as stack:
    print(stack.database_url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the book of users apart from the one of the session that runs this test."""
    monkeypatch.setenv("TAPE_CACHE", str(tmp_path / "cache"))


def user(tmp_root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", USER, str(tmp_root)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def postgres_of(tmp_root: Path) -> ServiceState:
    return load_state(tmp_root / "tape-home").service("postgres")


def test_all_users_get_the_same_stack_and_the_last_one_deletes_it(tmp_path: Path) -> None:
    with user(tmp_path) as first, user(tmp_path) as second:
        assert first.stdout is not None
        assert second.stdout is not None
        assert first.stdout.readline() == second.stdout.readline() != ""
        server = identity_of(postgres_of(tmp_path))

        first.communicate("done\n")
        assert is_alive(server)
        second.communicate("done\n")
        assert not is_alive(server)
    assert not (tmp_path / "tape-home").exists()


def test_what_a_killed_session_left_running_is_deleted_by_the_next(tmp_path: Path) -> None:
    killed, following = tmp_path / "killed", tmp_path / "following"
    with user(killed) as session:
        assert session.stdout is not None
        assert session.stdout.readline() != ""
        server = identity_of(postgres_of(killed))
        session.kill()
    assert is_alive(server)

    with shared_stack(following, {"postgres"}) as stack:
        assert isinstance(stack, Stack)
        assert not is_alive(server)
        assert not (killed / "tape-home").exists()
