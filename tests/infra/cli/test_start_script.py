"""The start script, in a small checkout of its own: its lock holds one tiny package, made here."""

import ast
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.embedded.folders import CHECKOUT

# Says where it runs and with what, as the CLI would find it.
PROBE = """
import json, os, sys
import tiny
print(json.dumps({"arguments": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix, "tiny": tiny.VERSION}))
"""


def wheel(folder: Path, version: str) -> Path:
    """Make a wheel of one module by hand."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{info}/RECORD,,"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            record.append(f"{name},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join(record) + "\n")
    return path


class Checkout:
    """A folder with the real start script and a command line that only reports."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.wheels = wheels
        (folder / "infra" / "cli").mkdir(parents=True)
        (folder / "infra" / "__init__.py").touch()
        (folder / "infra" / "cli" / "__init__.py").touch()
        (folder / "infra" / "cli" / "__main__.py").write_text(PROBE)
        shutil.copy(CHECKOUT / "tape", folder / "tape")
        self.lock("1.0")

    def lock(self, version: str, sha256: str = "") -> None:
        file = wheel(self.wheels, version)
        sha256 = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
        (self.folder / "requirements.lock").write_text(f"tiny=={version} --hash=sha256:{sha256}\n")

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.wheels),
        }
        return subprocess.Popen(
            [sys.executable, str(self.folder / "tape"), *arguments],
            cwd=cwd or self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
        with self.start(*arguments, cwd=cwd) as process:
            out, err = process.communicate(timeout=120)
            return process.returncode, out, err


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout in a path with spaces; its environment is made once for the module."""
    folder = tmp_path_factory.mktemp("checkout") / "a checkout with spaces"
    folder.mkdir()
    return Checkout(folder, tmp_path_factory.mktemp("wheels"))


def test_of_two_first_starts_at_once_one_installs_and_both_run(checkout: Checkout) -> None:
    with checkout.start("first") as first, checkout.start("second") as second:
        outcomes = [process.communicate(timeout=120) for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), outcomes
    assert [json.loads(out)["arguments"] for out, _ in outcomes] == [["first"], ["second"]]
    assert sum("making the Python environment" in err for _, err in outcomes) == 1


def test_a_later_start_is_silent_and_hands_over_arguments_and_folder(checkout: Checkout, tmp_path: Path) -> None:
    code, out, err = checkout.run("trace", "--json", "a b", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "arguments": ["trace", "--json", "a b"],
        "cwd": str(tmp_path),
        "prefix": str(checkout.folder / ".venv"),
        "tiny": "1.0",
    }


def test_modules_in_the_folder_one_is_in_do_not_shadow_ours(checkout: Checkout, tmp_path: Path) -> None:
    for name in ("tiny.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')\n")
    assert checkout.run(cwd=tmp_path)[0] == 0


def test_another_lock_is_installed_and_a_package_that_is_not_what_it_says_is_refused(checkout: Checkout) -> None:
    checkout.lock("3.0", sha256="0" * 64)
    code, out, err = checkout.run()
    assert code != 0
    assert out == ""
    assert "run tape again" in err
    assert not (checkout.folder / ".venv" / "tape-stamp").exists()


def test_half_an_environment_is_made_anew(checkout: Checkout) -> None:
    """What the refused package left is what an interruption leaves: marked, without a stamp; take some more away."""
    checkout.lock("2.0")
    venv = checkout.folder / ".venv"
    assert (venv / "tape-unfinished").exists()
    shutil.rmtree(next(venv.glob("lib*/python*/site-packages")))

    code, out, err = checkout.run()
    assert code == 0, err
    assert json.loads(out)["tiny"] == "2.0"
    assert not (venv / "tape-unfinished").exists()


def test_an_environment_that_someone_else_made_is_completed_and_kept(checkout: Checkout) -> None:
    venv = checkout.folder / ".venv"
    (venv / "tape-stamp").unlink()
    (venv / "theirs").touch()

    assert json.loads(checkout.run()[1])["tiny"] == "2.0"
    assert (venv / "theirs").exists()


def test_a_line_of_the_lock_without_a_hash_is_refused(checkout: Checkout) -> None:
    wheel(checkout.wheels, "3.0")
    (checkout.folder / "requirements.lock").write_text("tiny==3.0\n")
    (checkout.folder / ".venv" / "tape-stamp").unlink()
    code, _, err = checkout.run()
    assert code != 0
    assert "hash" in err.lower()


def test_a_python_that_is_too_old_is_told_so_in_a_sentence(tmp_path: Path) -> None:
    script = (CHECKOUT / "tape").read_text().replace("MINIMUM = (3, 11)", "MINIMUM = (99, 0)")
    (tmp_path / "tape").write_text(script)
    done = subprocess.run([sys.executable, str(tmp_path / "tape")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("tape: needs Python 99.0 or newer, this is 3.")
    assert "Traceback" not in done.stderr


def test_the_script_is_written_for_old_pythons_too() -> None:
    tree = ast.parse((CHECKOUT / "tape").read_text(), feature_version=(3, 4))
    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match)
    assert not [node for node in ast.walk(tree) if isinstance(node, modern)]
