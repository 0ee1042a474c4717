"""Tables and trees in any width: nothing is lost, no word is broken, nothing is wider than the terminal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.branches import Branch, Word, drawn
from infra.cli.layout import laid_out
from infra.cli.tables import print_table

ORDER = "trend-AAPL-20130227T205900-846164a2"
COLUMNS = ("order", "side", "quantity", "reason")
ROWS = [(ORDER, "SELL", "36", ""), ("net-IBM-20130227T205900-1", "BUY", "1250", "worth less than the smallest trade")]


def table(width: int) -> list[str]:
    head, body = laid_out(COLUMNS, ROWS, ["quantity"], width)
    return [*head, *body]


def test_what_fits_is_a_row_a_line_with_numbers_flush_right() -> None:
    assert table(200) == [
        "order                                side  quantity  reason",
        f"{ORDER}  SELL        36",
        "net-IBM-20130227T205900-1            BUY       1250  worth less than the smallest trade",
    ]


def test_sentences_are_folded_between_words_before_anything_else_gives_way() -> None:
    assert table(80)[2:] == [
        "net-IBM-20130227T205900-1            BUY       1250  worth less than the",
        "                                                     smallest trade",
    ]


def test_what_has_no_room_beside_stands_below_its_row_by_name() -> None:
    assert table(60) == [
        "order                                side  quantity",
        f"{ORDER}  SELL        36",
        "net-IBM-20130227T205900-1            BUY       1250",
        "    reason worth less than the smallest trade",
    ]
    assert table(45)[3:] == [
        "net-IBM-20130227T205900-1            BUY",
        "    quantity 1250, reason worth less than the",
        "    smallest trade",
    ]


def test_an_id_that_is_longer_than_the_terminal_is_wide_stays_whole() -> None:
    _, body = laid_out(["first", "id"], [["a", ORDER * 3]], [], 40)
    assert body == ["a", "    id", f"    {ORDER * 3}"]


WORDS = st.text("abcdef0123456789-", min_size=1, max_size=30)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)


@given(
    st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)),
    st.integers(40, 200),
)
def test_no_word_is_lost_or_broken_in_any_width(rows: list[list[str]], width: int) -> None:
    columns = [f"c{number}" for number in range(len(rows[0]))]
    head, body = laid_out(columns, rows, columns[:1], width)
    words = re.split(r"[ ,]+", " ".join(body))
    for word in " ".join(" ".join(row) for row in rows).split():
        if word.strip(" -"):
            assert word in words
    assert all(len(line) <= width for line in [*head, *body])


def test_a_value_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [["red \x1b[31m\nnext"]])
    assert capsys.readouterr().out.splitlines() == ["name", "red  [31m next"]


def tree(depth: int) -> Branch:
    below = [] if depth == 0 else [tree(depth - 1), Branch([Word("leaf")], [])]
    return Branch([Word("OrderIntent", "bold"), Word("order-intents.v1/0/47"), Word(f"client_order_id={ORDER}")], below)


def text(root: Branch, width: int) -> list[str]:
    return ["".join(word.text for word in line) for line in drawn(root, width)]


def test_a_tree_with_room_has_a_line_for_each_place() -> None:
    said = f"OrderIntent order-intents.v1/0/47 client_order_id={ORDER}"
    assert text(tree(1), 200) == [said, f"├── {said}", "└── leaf"]


def test_words_of_a_branch_go_on_below_it() -> None:
    assert text(tree(1), 60)[2:] == [
        "├── OrderIntent order-intents.v1/0/47",
        f"│   client_order_id={ORDER}",
        "└── leaf",
    ]


@pytest.mark.parametrize("depth", [3, 8, 14])
def test_deep_branches_move_together_rather_than_break_an_id(depth: int) -> None:
    lines = text(tree(depth), 80)
    assert sum(f"client_order_id={ORDER}" in line for line in lines) == depth + 1
    assert max(map(len, lines)) <= 80
