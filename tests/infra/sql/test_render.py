"""Results as text: exact, aligned, harmless."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from infra.sql.render import as_csv, as_json, as_jsonl, as_markdown, as_table, distinct, plain

NAMES = ("symbol", "qty", "at")
ROWS = [("AAPL", Decimal("10.500000000"), datetime(2013, 2, 1, 9, 30, tzinfo=UTC)), ("F", Decimal("-0E-9"), None)]


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    assert "".join(as_table(NAMES, ROWS)).splitlines() == [
        "symbol   qty  at",
        "──────  ────  ────────────────────",
        "AAPL    10.5  2013-02-01 09:30:00Z",
        "F         -0  -",
    ]


def test_json_keeps_every_digit() -> None:
    [first, _] = json.loads("".join(as_json(NAMES, ROWS)))
    assert first == {"symbol": "AAPL", "qty": "10.500000000", "at": "2013-02-01T09:30:00Z"}
    assert "".join(as_jsonl(NAMES, ROWS)).count("\n") == 2
    assert json.loads("".join(as_json(NAMES, []))) == []


def test_csv_and_markdown_keep_to_their_lines() -> None:
    rows = [("a,b|c\nd", [1, {"x": Decimal("0.10")}], True)]
    assert "".join(as_csv(NAMES, rows)) == 'symbol,qty,at\n"a,b|c\nd","[1, {""x"": ""0.10""}]",true\n'
    assert "".join(as_markdown(NAMES, rows)).splitlines()[2] == '| a,b\\|c d | [1, {"x": "0.10"}] | true |'


def test_a_value_cannot_steer_the_terminal() -> None:
    text = "".join(as_table(["a"], [("\x1b[2J\x07 wiped\x9b",)]))
    assert not [sign for sign in text if ord(sign) < 32 and sign != "\n"]
    assert "\x9b" not in text


def test_a_long_cell_is_cut_only_where_it_is_asked_for() -> None:
    long = "x" * 200
    assert "x" * 19 + "…" in "".join(as_table(["a"], [(long,)], 20))
    assert long in "".join(as_table(["a"], [(long,)], None))


def test_a_table_longer_than_its_widths_were_taken_from_stays_whole() -> None:
    rows = [(number,) for number in range(2500)]
    assert [line.strip() for line in "".join(as_table(["n"], rows)).splitlines()[2:]] == [str(n) for n in range(2500)]


def test_plain_values_of_every_kind() -> None:
    identity = UUID(int=1)
    assert plain({"a": (1, None, True, 2**63)}) == {"a": [1, None, True, 2**63]}
    assert plain([b"\x00\xff", identity, date(2013, 2, 1), float("nan"), 1.5]) == [
        "00ff",
        str(identity),
        "2013-02-01",
        "nan",
        1.5,
    ]
    assert plain({identity: 1}) == {str(identity): 1}


def test_columns_of_one_name_hide_no_value() -> None:
    assert distinct(["a", "b", "a", "a_1", "a"]) == ["a", "b", "a_1", "a_1_1", "a_2"]
