"""The repository checks itself: decisions are deterministic, files are shallow, everything is explained.

Each rule names its replacement, and is itself tested on a planted violation.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from topics.registry import TOPICS, Topic, written_by
from topics.schema_lock import registered

ROOT = Path(__file__).parents[1]
LINES_MAX = 600
IMPURE_FILES = ("agent.py", "performer.py", "ports.py")
"""Files of an agent's folder that declare or talk; in a folder with a performer the others help it talk."""


# --- determinism: what would make the same log decide differently elsewhere or tomorrow -------------------------------

MARKER = re.compile(r"#\s*dst-ok:\s*(?P<reason>.*)$")
USE_DECIMAL = "no float: it rounds; use Decimal with the scale of schemas.quantities"
TAKE_TIME_FROM_MESSAGE = "no clock: take the time from the message (message.occurred_at, terms.as_of)"
DERIVE_IT = "no randomness: derive the id or the choice (schemas.identity)"
DO_IT_AT_THE_EDGE = "no outside: let an agent with ports do it, and read its record"
SORT_SET = "a set has no order: iterate over sorted(...)"
SORT_MAP = "a map's order is that of hashes: iterate over sorted(...)"
NAME_IT = "no id() or hash(): they differ between processes; use a derived id or hashlib"
SAY_WHY = "dst-ok needs a reason: # dst-ok: why this cannot change a decision"
DROP_IT = "dst-ok allows nothing on this line: remove it"

BANNED_MODULES = {
    "time": TAKE_TIME_FROM_MESSAGE,
    "random": DERIVE_IT,
    "secrets": DERIVE_IT,
    **dict.fromkeys(("os", "socket", "subprocess", "threading", "asyncio", "multiprocessing"), DO_IT_AT_THE_EDGE),
}
BANNED_CALLS = {
    **dict.fromkeys(("now", "utcnow", "today"), TAKE_TIME_FROM_MESSAGE),
    **dict.fromkeys(("uuid1", "uuid4"), DERIVE_IT),
    **dict.fromkeys(("open", "print", "input", "read_text", "read_bytes", "write_text"), DO_IT_AT_THE_EDGE),
    **dict.fromkeys(("id", "hash"), NAME_IT),
    "float": USE_DECIMAL,
}
ANY_ORDER = ("sorted", "set", "frozenset", "dict", "Map", "any", "all", "len", "min", "max", "sum")
"""What takes an iterable and gives the same in any order of it."""
IN_ORDER = (
    "tuple",
    "list",
    "enumerate",
    "zip",
    "map",
    "filter",
    "iter",
    "reversed",
    "join",
    "extend",
    "chain",
    "reduce",
)


@dataclass(frozen=True)
class Finding:
    """One line that breaks a rule, and what to write instead."""

    line: int
    rule: str


def determinism_findings(source: str, *, has_maps: bool = True) -> list[Finding]:
    """Return what makes a module's results depend on more than its arguments; `has_maps`: its maps have no order."""
    marked = {number: found for number, found in enumerate(map(MARKER.search, source.splitlines()), 1) if found}
    broken = sorted({*_broken(ast.parse(source), has_maps)}, key=lambda found: (found.line, found.rule))
    open_findings = [found for found in broken if found.line not in marked]
    unexplained = [Finding(line, SAY_WHY) for line, found in marked.items() if not found["reason"].strip()]
    useless = [Finding(line, DROP_IT) for line in marked if line not in {found.line for found in broken}]
    return [*open_findings, *unexplained, *useless]


def _broken(tree: ast.AST, has_maps: bool) -> Iterator[Finding]:
    harmless, dictionaries = _order_does_not_matter(tree), _plain_dictionaries(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()):
                yield Finding(node.lineno, USE_DECIMAL)
            case ast.Import(names=names):
                yield from (
                    _banned_import(node.lineno, alias.name) for alias in names if _root(alias.name) in BANNED_MODULES
                )
            case ast.ImportFrom(module=str(module)) if _root(module) in BANNED_MODULES:
                yield _banned_import(node.lineno, module)
            case ast.Call(func=called) if _name(called) in BANNED_CALLS:
                yield Finding(node.lineno, BANNED_CALLS[_name(called)])
            case _:
                pass
        for iterated in _iterated(node):
            if iterated not in harmless and _is_set(iterated):
                yield Finding(iterated.lineno, SORT_SET)
            if iterated not in harmless and has_maps and _is_map_view(iterated, dictionaries):
                yield Finding(iterated.lineno, SORT_MAP)


def _banned_import(line: int, module: str) -> Finding:
    return Finding(line, BANNED_MODULES[_root(module)])


def _root(module: str) -> str:
    return module.partition(".")[0]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _iterated(node: ast.AST) -> list[ast.expr]:
    """Return what a node goes through in order."""
    match node:
        case ast.For(iter=iterated) | ast.comprehension(iter=iterated) | ast.Starred(value=iterated):
            return [iterated]
        case ast.Call(func=called, args=arguments) if _name(called) in IN_ORDER:
            return arguments
        case _:
            return []


def _order_does_not_matter(tree: ast.AST) -> set[ast.expr]:
    """Return what is iterated over inside sorted(...) and the like, or to build a set or a dictionary.

    A dictionary has the order it was built in, so what goes through *it* is looked at in its turn.
    """
    found: set[ast.expr] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=called, args=arguments) if _name(called) in ANY_ORDER:
                comprehensions = [each for each in arguments if isinstance(each, ast.GeneratorExp | ast.ListComp)]
                found |= {*arguments, *(part.iter for each in comprehensions for part in each.generators)}
            case ast.SetComp(generators=generators) | ast.DictComp(generators=generators):
                found |= {part.iter for part in generators}
            case ast.Set(elts=elements):
                found |= {each.value for each in elements if isinstance(each, ast.Starred)}
            case _:
                pass
    return found


def _is_set(node: ast.expr) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, right=right, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_set(left) or _is_set(right)
        case _:
            return False


def _is_map_view(node: ast.expr, dictionaries: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="items" | "keys" | "values")):
            return name not in dictionaries
        case ast.Call(func=ast.Attribute(value=ast.Call(func=made_by), attr="items" | "keys" | "values")):
            return _name(made_by) not in dictionaries
        case ast.Call(func=ast.Attribute(attr="items" | "keys" | "values")):
            return True
        case _:
            return False


def _plain_dictionaries(tree: ast.AST) -> set[str]:
    """Return the names of what this module makes or declares as a plain dictionary, which keeps its order."""
    found = {"dict"}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() | ast.DictComp()):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) | ast.arg(arg=name, annotation=kind):
                found |= {name} if _is_dict(kind) else set()
            case ast.FunctionDef(name=name, returns=kind):
                found |= {name} if _is_dict(kind) else set()
            case _:
                pass
    return found


def _is_dict(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Subscript) and _name(annotation.value) == "dict"


def decides(path: Path) -> bool:
    """Tell whether a module must be pure: all but declarations, ports, and the folders of agents that only talk."""
    talks = (path.parent / "performer.py").is_file()
    return path.name not in IMPURE_FILES and (path.name == "decider.py" or not talks)


PURE = sorted(filter(decides, (*(ROOT / "agents").rglob("*.py"), *(ROOT / "schemas").rglob("*.py"))))


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_same_log_decides_the_same_anywhere_at_any_time(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    found = determinism_findings(source, has_maps=path.name == "decider.py" or "immutables" in source)

    assert [f"{path.relative_to(ROOT)}:{each.line}: {each.rule}" for each in found] == []


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("price = 0.1", USE_DECIMAL),
        ("price = float(text)", USE_DECIMAL),
        ("at = datetime.now(UTC)", TAKE_TIME_FROM_MESSAGE),
        ("at = datetime.utcnow()", TAKE_TIME_FROM_MESSAGE),
        ("day = date.today()", TAKE_TIME_FROM_MESSAGE),
        ("import time", TAKE_TIME_FROM_MESSAGE),
        ("from time import monotonic", TAKE_TIME_FROM_MESSAGE),
        ("import random", DERIVE_IT),
        ("from secrets import token_hex", DERIVE_IT),
        ("event_id = uuid4()", DERIVE_IT),
        ("event_id = uuid.uuid4()", DERIVE_IT),
        ("import os.path", DO_IT_AT_THE_EDGE),
        ("from os import environ", DO_IT_AT_THE_EDGE),
        ("open(path)", DO_IT_AT_THE_EDGE),
        ("print(plan)", DO_IT_AT_THE_EDGE),
        ("text = path.read_text()", DO_IT_AT_THE_EDGE),
        ("for symbol in {'A', 'B'}: pass", SORT_SET),
        ("for symbol in set(symbols): pass", SORT_SET),
        ("lines = [line(s) for s in frozenset(symbols)]", SORT_SET),
        ("lines = tuple(set(wanted) | set(held))", SORT_SET),
        ("lines = [*{s for s in symbols}]", SORT_SET),
        ("text = ','.join(set(symbols))", SORT_SET),
        ("for symbol, quantity in state.held.items(): pass", SORT_MAP),
        ("lines = [line(s) for s in state.held.keys()]", SORT_MAP),
        ("orders = tuple(state.orders.values())", SORT_MAP),
        ("lines = [f(k, v) for k, v in state.orders.items()]", SORT_MAP),
        ("orders = [*state.orders.values()]", SORT_MAP),
        ("key = id(plan)", NAME_IT),
        ("key = hash(plan)", NAME_IT),
        ("price = 0.1  # dst-ok:", SAY_WHY),
        ("price = 1  # dst-ok: no reason to be here", DROP_IT),
    ],
)
def test_a_line_that_could_decide_differently_is_found(planted: str, rule: str) -> None:
    source = f"held = 1\n{planted}\n"

    assert Finding(2, rule) in determinism_findings(source)


@pytest.mark.parametrize(
    "line",
    [
        "price = Decimal('0.1')",
        "for symbol in sorted(set(wanted) | set(held)): pass",
        "for symbol, quantity in sorted(state.held.items()): pass",
        "total = sum(quantity for quantity in state.held.values())",
        "is_done = all(order.is_terminal for order in state.orders.values())",
        "symbols = {s for s in state.held.keys()}",
        "orders = {k: v for k, v in state.orders.items()}",
        "lines = tuple(sorted((line for line in state.lines.values()), key=by_symbol))",
        "counts = {}; lines = tuple(counts.values())",
        "counts: dict[str, int] = counted(); lines = tuple(counts.values())",
        "def counted() -> dict[str, int]: ...\nlines = tuple(counted().values())",
        "at = message.occurred_at",
        "number = 0.1  # dst-ok: a timeout in seconds, no decision reads it",
    ],
)
def test_a_line_that_decides_the_same_everywhere_is_let_pass(line: str) -> None:
    assert determinism_findings(f"held = 1\n{line}\n") == []


def test_the_order_of_a_plain_dictionary_is_let_pass_where_there_are_no_maps_of_hashes() -> None:
    assert determinism_findings("for name, field in fields.items(): pass", has_maps=False) == []


# --- texts: what no file may say --------------------------------------------------------------------------------------

# Spelled in parts, so that this file does not say them either.
UNFINISHED = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b")))
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "repo1." + "maven", "repo.maven." + "apache", "npmjs" + ".org")
INDEX_OPTION = re.compile(r"--(?:extra-)?index" + r"-url|--find" + r"-links|/sim" + r"ple/?\b(?=[\s\"'])")
HOME_OF_SOMEBODY = re.compile(r"(?<![\w.}$~])/(?:ho" + r"me|Us" + r"ers|ro" + r"ot|wo" + r"rk)/\w")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".avsc", ".sql", ".lock", ".txt", ".cfg", ".sh", ""}


def text_findings(text: str) -> list[str]:
    """Return what a text says that no file of ours may say."""
    rules: list[tuple[str, Callable[[str], object]]] = [
        ("unfinished: do it, or open an issue", UNFINISHED.search),
        ("a place on one machine: derive it from __file__ or a setting", HOME_OF_SOMEBODY.search),
        ("a place on this machine: derive it from __file__ or a setting", lambda line: str(ROOT) in line),
        ("a package registry: leave the choice to the reader's configuration", _names_a_registry),
    ]
    lines = enumerate(text.splitlines(), start=1)
    return [
        f"{number}: {rule}: {line.strip()[:80]}" for number, line in lines for rule, breaks in rules if breaks(line)
    ]


def _names_a_registry(line: str) -> bool:
    return any(host in line for host in HOSTS) or bool(INDEX_OPTION.search(line))


def our_files() -> list[Path]:
    """Return the files that are, or may be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(ROOT / name for name in listed if name and (ROOT / name).is_file())


FILES = our_files()
TEXTS = [path for path in FILES if path.suffix in TEXT_SUFFIXES]


def test_no_file_is_unfinished_or_knows_a_machine_or_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in TEXTS
        for finding in text_findings(path.read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "# " + "TO" + "DO later",
        "x = 1  # " + "FIX" + "ME",
        "data = '/ho" + "me/ann/data'",
        "cd /wo" + "rk/main",
        f"log = {ROOT}/log",
        "url = https://py" + "pi" + ".org/x",
        "--index" + "-url http://x",
        "repo1." + "maven" + ".org",
    ],
)
def test_a_text_that_no_file_may_say_is_found(planted: str) -> None:
    assert len(text_findings(f"fine\n{planted}\nfine")) >= 1


@pytest.mark.parametrize(
    "line", ["the home/user of", "see https://kafka.apache.org/documentation", "~/.cache/x", "app/home"]
)
def test_a_text_that_a_file_may_say_is_let_pass(line: str) -> None:
    assert text_findings(line) == []


# --- shape: what a reader can rely on ---------------------------------------------------------------------------------


def long_files(files: list[Path]) -> list[str]:
    """Return the files of code and prose that are too long to be read in one go."""
    measured = [path for path in files if path.suffix in (".py", ".md", ".sql", ".yml")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in measured}
    return [
        f"{path.name}: {length} lines, at most {LINES_MAX}: split by idea"
        for path, length in lengths.items()
        if length > LINES_MAX
    ]


def test_files_are_short_enough_to_be_read() -> None:
    assert long_files(FILES) == []


def test_a_file_that_is_too_long_is_found(tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text("x = 1\n" * (LINES_MAX + 1), encoding="utf-8")

    assert long_files([file]) == [f"long.py: {LINES_MAX + 1} lines, at most {LINES_MAX}: split by idea"]


def folders_without_readme(root: Path, files: list[Path]) -> list[str]:
    """Return the top-level folders whose decisions are not explained."""
    inside = {path.relative_to(root).parts[0] for path in files if len(path.relative_to(root).parts) > 1}
    return sorted(name for name in inside if not name.startswith(".") and not (root / name / "README.md").is_file())


def test_every_top_level_folder_has_a_readme() -> None:
    assert folders_without_readme(ROOT, FILES) == []


def test_a_folder_without_a_readme_is_found(tmp_path: Path) -> None:
    files = [tmp_path / "explained" / "README.md", tmp_path / "silent" / "code.py"]
    for file in files:
        file.parent.mkdir()
        file.touch()

    assert folders_without_readme(tmp_path, files) == ["silent"]


def incomplete_agents(agents: Path) -> list[str]:
    """Return the agents' folders that lack a file which every other has."""
    folders = [path for path in sorted(agents.iterdir()) if path.is_dir() and any(path.glob("*.py"))]
    return [f"{folder.name}: expected {missing}" for folder in folders for missing in _missing(folder)]


def _missing(folder: Path) -> Iterator[str]:
    if not (folder / "agent.py").is_file():
        yield "agent.py (its declaration)"
    speaks = [topic for topic in written_by(folder.name) if topic.producer == folder.name]
    if speaks and not any((folder / name).is_file() for name in ("decider.py", "ports.py")):
        yield "decider.py (pure), or ports.py where it only talks outside"


def test_every_agents_folder_has_the_same_files() -> None:
    assert incomplete_agents(ROOT / "agents") == []


def test_an_agents_folder_that_lacks_a_file_is_found(tmp_path: Path) -> None:
    for name in ("planner/decider.py", "gateway/agent.py", "broker/agent.py", "broker/ports.py", "projector/agent.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert incomplete_agents(tmp_path) == [
        "gateway: expected decider.py (pure), or ports.py where it only talks outside",
        "planner: expected agent.py (its declaration)",
    ]


def test_every_agent_of_the_topics_has_its_folder() -> None:
    outsiders = {"market data", "cli", "any agent"}
    named = {agent for topic in TOPICS for agent in (topic.producer, *topic.consumers)} - outsiders

    assert sorted(name for name in named if not (ROOT / "agents" / name / "agent.py").is_file()) == []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_says_what_it_is_and_has_a_schema(topic: Topic) -> None:
    assert (topic.record.__doc__ or "").strip().endswith(".")
    assert topic.name in {each.topic for each in registered()}, "run tape schemas lock"


# --- gates: what the tools say ----------------------------------------------------------------------------------------


def tool(*arguments: str) -> str:
    """Run one of the tools on the whole tree; returns what it found, nothing when all is well."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.gate
def test_ruff_finds_nothing() -> None:
    assert tool("ruff", "check", "--quiet", ".") == ""


@pytest.mark.gate
def test_every_file_is_formatted() -> None:
    assert tool("ruff", "format", "--quiet", "--check", ".") == "", "run ruff format"


@pytest.mark.gate
def test_mypy_finds_nothing() -> None:
    assert tool("mypy") == ""
