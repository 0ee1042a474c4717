"""`tape test`: the tests, in this environment, against real Kafka, registry and PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]


def test(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to pytest, after --.")] = None,
) -> None:
    """Run the tests; `tape test -- -k replay` passes options on to pytest. Exit code is pytest's."""
    command = [sys.executable, "-m", "pytest", *(arguments or ())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
