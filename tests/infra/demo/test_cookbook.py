"""The README's page of a demo and its ten questions, on a demo of the same length that goes on running."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import pytest

from infra.embedded.endpoints import endpoints_of
from infra.embedded.state import load_state
from tests.infra.demo.commands import between, tape, typed

MEASURED = ("replay --all", "date_diff")
"""Questions whose numbers differ from run to run: what stands around the numbers is compared."""


@dataclass(frozen=True)
class Kept:
    """A demo as the README's, still running, and the page it printed."""

    home: Path
    page: str

    @property
    def servers(self) -> str:
        return str(endpoints_of(load_state(self.home)).bootstrap_servers)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    home = tmp_path_factory.mktemp("cookbook")
    done = tape(home, "demo", "--keep")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    yield Kept(home, done.stdout)
    tape(home, "reset", "--yes")


@dataclass(frozen=True)
class Question:
    """A question of the README: what is asked, the line that is typed, and what is shown."""

    asked: str
    line: str
    shown: list[str]


def questions() -> list[Question]:
    found: list[Question] = []
    for line in between("cookbook").splitlines():
        if line.startswith("# "):
            found.append(Question(line[2:], "", []))
        elif line.startswith("$ "):
            found[-1] = Question(found[-1].asked, line[2:], [])
        elif line.strip():
            found[-1].shown.append(line)
    return found


def plain(line: str, *, is_measured: bool = False) -> str:
    """Return a line without the spaces of its columns; a measured one without its numbers, and a rule's length."""
    text = " ".join(re.sub("─+", "─", line).split())
    return re.sub(r"[0-9]+", "0", text) if is_measured else text


def pieces(shown: list[str]) -> list[list[str]]:
    """Return what is shown in one piece, from gap to gap."""
    return [list(lines) for is_gap, lines in groupby(shown, lambda line: line == "...") if not is_gap]


def without(shown: list[str], said: list[str]) -> list[str]:
    """Return the first piece that is not said where it should be: one after the other, whole, from end to end."""
    at = 0
    for number, piece in enumerate(pieces(shown)):
        starts = [here for here in range(at, len(said)) if said[here : here + len(piece)] == piece]
        if not starts or (number == 0 and shown[0] != "..." and starts[0] != 0):
            return piece
        at = starts[0] + len(piece)
    return [] if shown and shown[-1] == "..." else said[at:]


def test_there_are_ten_questions_each_with_a_command() -> None:
    assert len(questions()) == 10
    assert all(each.line.startswith("./tape ") for each in questions())


@pytest.mark.parametrize("question", questions(), ids=lambda each: each.asked)
def test_a_question_is_answered_as_the_readme_shows_it(kept: Kept, question: Question, tmp_path: Path) -> None:
    is_measured = any(word in question.line for word in MEASURED)
    terminal = typed(kept.home, question.line, tmp_path)
    said = [plain(line, is_measured=is_measured) for line in terminal.splitlines() if line.strip()]
    shown = [plain(line, is_measured=is_measured) for line in question.shown]

    assert without(shown, said) == [], terminal
    if "parquet" in question.line:
        counted = duckdb.sql(f"SELECT count(*), sum(last_qty * last_px) > 0 FROM '{tmp_path / 'fills.parquet'}'")
        assert counted.fetchall() == [(40, True)]
    if "replay --all" in question.line:
        decided = re.search(r"(\d+)/(\d+) decisions identical", terminal)
        assert decided is not None
        assert decided[1] == decided[2]


def numbered(page: str) -> dict[str, list[str]]:
    """Return the page's sections by their number; what was measured is no part of it."""
    found: dict[str, list[str]] = {"": []}
    section = ""
    for line in page.splitlines():
        if heading := re.match(r"(\d)\. ", line):
            section = heading[1]
            found[section] = []
        elif re.match(r"set-up |\d+ decisions a second", line):
            continue
        if line.strip():
            found[section].append(plain(line))
    return found


def branch(line: str) -> str:
    """Return what a line of the tree says, without where it hangs, its offset and its time, and what was cut off it."""
    text = re.sub(r"^[ │├└─]+", "", line.partition("…")[0])
    return re.sub(r"\.v1/0/\d+|\+\d+ ms", "", text)


def test_the_readmes_page_is_what_the_demo_prints(kept: Kept) -> None:
    shown, said = numbered(between("demo")), numbered(kept.page)

    assert shown["1"] == said["1"]
    tree = [branch(line) for line in said["2"]]
    assert [line for line in shown["2"] if not any(each.startswith(branch(line)) for each in tree)] == []
    assert shown["5"][:-1] == [line for line in said["5"] if line in shown["5"]]
    assert said["6"][-1] == shown["5"][-1] == "everything holds"
    for section in ("3", "4"):
        assert len(shown[section]) == 3
        assert {plain(line, is_measured=True) for line in shown[section]} <= {
            plain(line, is_measured=True) for line in said[section]
        }


def test_every_claim_holds_over_the_log_and_beside_the_broker(kept: Kept) -> None:
    done = tape(kept.home, "verify", "--json")
    found = json.loads(done.stdout)

    assert (done.returncode, found["holds"], found["accounts_at_broker"]) == (0, True, 1), done.stdout[-3000:]
    assert [each["claim"] for each in found["claims"] if each["findings"]] == []
    beside = [each for each in found["claims"] if "broker" in each["claim"]]
    assert len(beside) == 3
    assert all(each["checked"] for each in beside)
    assert found["replay"]["decisions"]["identical"] == found["replay"]["decisions"]["total"] > 0


def test_kafkas_own_consumer_shows_ids_and_types_in_headers_and_text_in_keys(kept: Kept) -> None:
    plan = json.loads(tape(kept.home, "plan", "show", "3b93a652", "--json").stdout)
    shown = tape(
        kept.home,
        *("kafka", "console-consumer", "--", "--topic", "plans.v1", "--from-beginning", "--max-messages", "20"),
        *("--isolation-level", "read_committed", "--formatter-property", "print.headers=true"),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.value=false"),
    )

    assert_headers_and_key(shown.stdout, plan["plan"]["plan_id"])


def test_kcat_shows_them_too(kept: Kept) -> None:
    kcat = shutil.which("kcat") or shutil.which("kafkacat")
    if kcat is None:
        pytest.skip("neither kcat nor kafkacat is installed")
    plan = json.loads(tape(kept.home, "plan", "show", "3b93a652", "--json").stdout)
    command = [kcat, "-C", "-b", kept.servers, "-t", "plans.v1", "-o", "beginning", "-e", "-q", "-f", "%h\t%k\n"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert_headers_and_key(shown.stdout.replace("=", ":"), plan["plan"]["plan_id"])


def assert_headers_and_key(shown: str, plan_id: str) -> None:
    """Hold that of twenty plans each line has its headers and its key, and the README's run has the plan it should."""
    lines = [line.split("\t") for line in shown.splitlines() if "\t" in line]
    plans = [(dict(each.split(":", 1) for each in headers.split(",") if ":" in each), key) for headers, key in lines]
    assert len(plans) == 20
    assert {headers["event_type"] for headers, _ in plans} == {"Plan"}
    assert all(re.fullmatch(r"[0-9a-f-]{36}", headers["event_id"]) for headers, _ in plans)
    runs = {headers["correlation_id"]: key for headers, key in plans}
    assert runs["3b93a652-19c6-5298-a738-4aedfc174c48"] == plan_id
