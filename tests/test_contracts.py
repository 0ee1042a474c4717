"""Who may import whom: the contracts of pyproject.toml hold, and each of them notices when it is broken."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARROW = "One arrow: infra -> agents -> topics -> schemas"
DECIDERS = "Deciders are pure, and speak of records only"
SCHEMAS = "Schemas are pure"
AGENTS = "Agents meet in topics, never in imports"

CLEAN = {
    "schemas/__init__.py": "",
    "schemas/plan.py": "from uuid import UUID\n",
    "topics/__init__.py": "import schemas.plan\n",
    "agents/__init__.py": "",
    "agents/declaration.py": "import topics\nimport agents.decider\n",
    "agents/decider.py": "import schemas.plan\n",
    "agents/planner/__init__.py": "",
    "agents/planner/decider.py": "from agents.decider import schemas\nimport agents.planner.sizing\n",
    "agents/planner/sizing.py": "from decimal import Decimal\n",
    "agents/planner/agent.py": "import agents.declaration\nimport agents.planner.decider\n",
    "agents/broker/__init__.py": "",
    "agents/broker/agent.py": "import agents.declaration\nimport asyncio\n",
    "infra/__init__.py": "import agents.planner.agent\nimport faust\n",
    "infra/clock.py": "import time\n",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with our contracts on the packages in a folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def broken_contracts(folder: Path) -> list[str]:
    output = lint(folder).stdout
    assert "Contracts: " in output, output
    return re.findall(r"^(.*) BROKEN", output, re.MULTILINE)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source, encoding="utf-8")


@pytest.mark.gate
def test_the_contracts_hold() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.gate
def test_a_clean_tree_keeps_every_contract(tmp_path: Path) -> None:
    write(tmp_path, CLEAN)

    assert broken_contracts(tmp_path) == []


@pytest.mark.gate
@pytest.mark.parametrize(
    ("file", "planted", "contract"),
    [
        ("schemas/plan.py", "import topics", ARROW),
        ("topics/__init__.py", "import agents.decider", ARROW),
        ("agents/planner/agent.py", "import infra.clock", ARROW),
        ("agents/planner/decider.py", "import topics", DECIDERS),
        ("agents/planner/decider.py", "import random", DECIDERS),
        ("agents/planner/sizing.py", "from time import time", DECIDERS),
        ("agents/planner/sizing.py", "import confluent_kafka", DECIDERS),
        ("schemas/plan.py", "import os", SCHEMAS),
        ("agents/broker/agent.py", "import agents.planner.sizing", AGENTS),
    ],
)
def test_a_planted_import_breaks_its_contract(tmp_path: Path, file: str, planted: str, contract: str) -> None:
    write(tmp_path, {**CLEAN, file: f"{CLEAN[file]}{planted}\n"})

    assert contract in broken_contracts(tmp_path)
