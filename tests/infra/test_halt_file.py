"""A file that halts: there or not, readable or not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.halt_file import UNSAID, halt, halted, resume
from infra.settings import Settings


def test_without_the_file_nothing_is_halted(tmp_path: Path) -> None:
    assert halted(tmp_path / "halt") is None
    assert halted(tmp_path / "no such folder" / "halt") is None


def test_the_file_says_why(tmp_path: Path) -> None:
    halt(tmp_path / "new" / "halt", "fat finger in AAPL")

    assert halted(tmp_path / "new" / "halt") == "fat finger in AAPL"
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["halt"]


def test_an_empty_file_halts_as_well(tmp_path: Path) -> None:
    (tmp_path / "halt").touch()

    assert halted(tmp_path / "halt") == UNSAID


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x1b[31m\n\xe2\x80\xae")


@pytest.mark.parametrize("made", [_folder, _pipe, _dangling, _loop, _bytes])
def test_whatever_is_there_halts(tmp_path: Path, made: Callable[[Path], None]) -> None:
    made(tmp_path / "halt")

    reason = halted(tmp_path / "halt")
    assert reason
    assert reason.isprintable()


def test_a_path_through_a_file_halts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "counts as halted" in (halted(tmp_path / "file" / "halt") or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_halts(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "secret")
    (tmp_path / "halt").chmod(0)

    assert "counts as halted" in (halted(tmp_path / "halt") or "")


def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "x" * 5000)

    assert halted(tmp_path / "halt") == "x" * 1000


def test_resuming_says_what_it_ended(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "lunch")

    assert resume(tmp_path / "halt") == "lunch"
    assert halted(tmp_path / "halt") is None
    assert resume(tmp_path / "halt") is None


def test_it_lies_in_the_home_folder_unless_another_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPE_HOME", str(tmp_path))
    assert Settings().halt_file == tmp_path / "halt"

    monkeypatch.setenv("TAPE_HALT_FILE", "/run/stop")
    assert Settings().halt_file == Path("/run/stop")
