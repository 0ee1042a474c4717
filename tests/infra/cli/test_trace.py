"""`tape trace`: one tree in four forms, with places and times, of one symbol or all."""

import json

import pytest
import typer

from infra.cli.trace import Format, _check_symbol, show
from infra.replay.pictures import dot, duration, mermaid
from infra.replay.trace import Node
from schemas.execution import LineOutcome
from schemas.identity import derived
from schemas.record import Envelope
from topics.codec import Event
from topics.wire import Incoming


def node(number: int, symbol: str | None = None, after_ms: int | None = None, *children: Node) -> Node:
    headers = {"event_type": "LineOutcome", "event_id": str(derived("event", number))}
    record = Incoming(
        "line-outcomes.v1", 0, number, 1000 + number, b"key", b"", tuple((k, v.encode()) for k, v in headers.items())
    )
    said = LineOutcome.model_construct(symbol=symbol, reason='says "no" <to> #1')
    return Node(record, Event(record.topic, Envelope.model_construct(), said), list(children), after_ms)


TREE = [node(0, None, None, node(1, "AAPL", 12, node(2, "AAPL", 2500)), node(3, "IBM", -4))]


def test_the_tree_says_of_every_record_where_it_lies_and_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    show(TREE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("LineOutcome line-outcomes.v1/0/0 ")
    assert lines[1].startswith("├── LineOutcome line-outcomes.v1/0/1 +12 ms symbol=AAPL")
    assert lines[2].startswith("│   └── LineOutcome line-outcomes.v1/0/2 +2.500 s")
    assert lines[3].startswith("└── LineOutcome line-outcomes.v1/0/3 -4 ms")  # producers' clocks differ


@pytest.mark.parametrize("form", list(Format))
def test_of_one_symbol_every_form_leaves_the_others_out(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    show(TREE, "AAPL", form)
    said = capsys.readouterr().out
    assert "line-outcomes.v1/0/2" in said
    assert "line-outcomes.v1/0/3" not in said


def test_mermaid_has_a_node_for_every_record_and_an_arrow_from_each_cause() -> None:
    lines = mermaid(TREE).splitlines()
    assert lines[0] == "flowchart TD"
    assert [line.split("[")[0].strip() for line in lines if "[" in line] == ["n0", "n1", "n2", "n3"]
    assert [line.strip() for line in lines if "-->" in line] == [
        'n0 -->|"+12 ms"| n1',
        'n1 -->|"+2.500 s"| n2',
        'n0 -->|"-4 ms"| n3',
    ]


def test_mermaid_reads_nothing_in_a_label_as_its_own() -> None:
    label = mermaid([node(0)]).splitlines()[1]
    assert label.count('"') == 2
    assert "says #quot;no#quot; #lt;to#gt; #35;1" in label


def test_dot_is_one_digraph_whose_labels_are_quoted() -> None:
    text = dot(TREE)
    assert text.startswith("digraph trace {")
    assert text.endswith("}")
    assert 'n1 -> n2 [label="+2.500 s"];' in text
    assert 'says \\"no\\" <to> #1' in text


def test_json_carries_the_times_too(capsys: pytest.CaptureFixture[str]) -> None:
    roots = [Node(each.record, None, [], each.after_ms) for each in (TREE[0], TREE[0].children[0])]
    show(roots, None, Format.JSON)
    assert [each["after_ms"] for each in json.loads(capsys.readouterr().out)] == [None, 12]


def test_a_symbol_that_is_not_there_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        _check_symbol(TREE, "APPL")
    assert ended.value.exit_code == 2
    assert "nothing of this run is about APPL; its symbols: AAPL, IBM" in capsys.readouterr().err
    _check_symbol(TREE, "IBM")


def test_a_root_has_no_time_before_it() -> None:
    assert (duration(None), duration(0), duration(-1500)) == ("", "+0 ms", "-1.500 s")
