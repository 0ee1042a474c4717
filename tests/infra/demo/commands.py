"""The commands of the README, and what it shows between its markers."""

import errno
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tape(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAPE_HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "infra.cli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", timeout=280, check=False
    )


def typed(home: Path, line: str, folder: Path, columns: int = 150) -> str:
    """Return what a terminal shows of a line typed into a shell in `folder`, where `./tape` is this checkout's."""
    program = f'tape() {{ {shlex.quote(sys.executable)} -m infra.cli "$@"; }}; {line.replace("./tape ", "tape ")}'
    environment = {**os.environ, "TAPE_HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        with subprocess.Popen(
            ["bash", "-c", program],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        ):
            os.close(theirs)
            return _COLOURS.sub("", _read(ours).decode(errors="replace").replace("\r\n", "\n"))
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    """Return everything that is written to a terminal until nobody has it open."""
    said = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # what Linux says once the last writer is gone
                raise
            return said
        if not more:
            return said
        said += more


def between(marker: str) -> str:
    """What the README shows between two markers, without the fences."""
    text = README.partition(f"<!-- {marker}:begin -->")[2].partition(f"<!-- {marker}:end -->")[0]
    return "\n".join(line for line in text.splitlines() if not line.startswith("```"))
