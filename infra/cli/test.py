"""`tape test`: the tests, in this environment, against real Kafka, registry and PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]

SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""Two at a time, each file in one process, in the order of `tests/conftest.py`: the longest first."""


def test(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to pytest, after --.")] = None,
) -> None:
    """Run the tests; `tape test -- -k replay` passes options on to pytest. Exit code is pytest's.

    The storms are left out: `tape test -- -m storm` runs them.
    """
    command = [sys.executable, "-m", "pytest", *SIDE_BY_SIDE, *(arguments or ())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
