"""The folder's README shows the topics as they are."""

from pathlib import Path

import pytest

import topics
from topics.registry import TOPICS
from topics.table import BEGIN, END, markdown, spliced

README = Path(topics.__file__).parent / "README.md"


def test_every_topic_has_one_row_that_says_what_it_is() -> None:
    head, rule, *rows = markdown().splitlines()

    assert head.count("|") == rule.count("|") == 8
    assert [row.split("`")[1] for row in rows] == [topic.name for topic in TOPICS]
    assert all(row.count("|") == 8 for row in rows)
    assert not [row for row in rows if "|  |" in row]


def test_a_compacted_topic_says_so() -> None:
    [row] = [row for row in markdown().splitlines() if row.startswith("| `plans.v1` |")]

    assert row == (
        "| `plans.v1` | plan_id | account_id | compact | planner | executor, projector "
        "| What will be sent and what will not, for one run; written once. |"
    )


def test_only_what_is_between_the_markers_is_replaced() -> None:
    document = f"# Title\n\n{BEGIN}\nan old table\n{END}\n\nthe rest\n"

    assert spliced(document) == f"# Title\n\n{BEGIN}\n{markdown()}\n{END}\n\nthe rest\n"
    assert spliced(spliced(document)) == spliced(document)


@pytest.mark.parametrize("document", ["", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_document_without_the_markers_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="topics:begin"):
        spliced(document)


def test_the_readme_shows_the_topics_as_they_are() -> None:
    said = README.read_text(encoding="utf-8")

    assert said == spliced(said), "topics/README.md is not as topics/registry.py: run tape topics table --write"
