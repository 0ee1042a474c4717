"""`tape plan ...` as a person and as a script see it: one page that explains everything, and sums that are exact."""

import json
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.lines import RULES
from infra.cli.plan import app
from infra.errors import TapeError
from schemas.plan import PlanStatus, Rule
from tests.infra.postgres import afternoon
from tests.infra.postgres.databases import database_url, migrated_url, projection, server_url, tell

PLAN, RUN = str(afternoon.PLAN), str(afternoon.RUN)


FIXTURES = (database_url, migrated_url, projection, server_url, tell)
"""What these stories are told with; pytest finds fixtures by their names in the module."""


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def _line(document: dict[str, Any], symbol: str) -> dict[str, Any]:
    [line] = [each for each in document["lines"] if each["symbol"] == symbol]
    return dict(line)


def test_a_plan_is_found_by_its_id_its_run_and_the_first_digits_of_either(tell: Any) -> None:
    tell(afternoon.whole())
    found = {_run("show", text, "--json") for text in (PLAN, RUN, PLAN[:8], RUN[:8].upper())}
    assert len(found) == 1
    assert json.loads(found.pop())["plan"]["plan_id"] == PLAN


def test_the_page_says_who_wanted_what_and_what_went_where(tell: Any) -> None:
    tell(afternoon.whole())
    line = _line(json.loads(_run("show", PLAN, "--json")), "AAPL")
    parts = {part["strategy_id"]: part for part in line["contributions"]}

    assert (line["quantity"], line["cum_qty"], line["cross_quantity"]) == ("20", "12", "40")
    assert {owner: (part["wanted"], part["got_crossed"], part["got_filled"]) for owner, part in parts.items()} == {
        "core": ("60", "40", "12"),
        "trend": ("-40", "-40", "0"),
    }
    assert [order["client_order_id"] for order in line["orders"]] == ["net-AAPL-20120601T155500-000000012"]


def test_the_page_names_every_rule_that_acted_with_its_numbers(tell: Any) -> None:
    tell(afternoon.whole())
    text = " ".join(_run("show", PLAN).split())
    for expected in (
        "READY, execution FINISHED",
        "POSITION_WEIGHT_MAX trend KO 1,500.00 1,875.00 1,500.00 SCALED",
        "within WEIGHT_TOTAL_MAX",
        "SUPPRESSED: MIN_TRADE_VALUE 50.00; intended 1 for 31.50",
        "HELD: CONFLICT_FLAGGED",
        "FILLED: CAPITAL 4,201.50; intended 100",
        "PARTLY_FILLED; canceled at the close",
        "POSITION_WEIGHT_MAX 1,500.00 allows +40",
    ):
        assert expected in text, expected


def test_the_page_fits_in_120_columns(tell: Any) -> None:
    tell(afternoon.whole())
    for command in ("show", "pnl"):
        assert max(map(len, _run(command, PLAN).splitlines())) <= 120


def test_a_blocked_plan_says_so_first(tell: Any) -> None:
    said = {"status": PlanStatus.BLOCKED, "rule": Rule.BOOKS_DIFFER, "detail": "USD 1 here, 2 there", "lines": ()}
    tell([*afternoon.asked(), *afternoon.planned(**said)])
    text = _run("show", PLAN)
    assert "BLOCKED, BOOKS_DIFFER, not executed yet" in text.splitlines()[0]
    assert "USD 1 here, 2 there" in text.splitlines()[1]


def test_pnl_of_a_plan_is_what_it_closed_and_what_it_opened_and_the_parts_sum_to_the_total(tell: Any) -> None:
    tell(afternoon.whole())
    found = json.loads(_run("pnl", PLAN, "--json"))

    assert {(row["owner"], row["symbol"]): (row["realised"], row["unrealised"]) for row in found["rows"]} == {
        ("core", "AAPL"): ("0", "-0.6"),
        ("core", "SPY"): ("0", "-1.5"),
        ("mean", "XOM"): ("50", "0"),
        ("trend", "AAPL"): ("202", "0"),
        ("trend", "KO"): ("0", "-0.8"),
    }
    for parts in (found["rows"], found["strategies"]):
        assert sum(Decimal(row["pnl"]) for row in parts) == Decimal(found["total"]["pnl"]) == Decimal("249.1")
    assert found["passed_on"] == []


def test_lots_that_others_closed_are_named_with_the_gain_that_is_theirs(tell: Any) -> None:
    earlier = {"plan_id": afternoon.EARLIER, "run_id": afternoon.MORNING}
    tell([*afternoon.whole(), *afternoon.planned(**earlier)])
    found = json.loads(_run("pnl", str(afternoon.EARLIER), "--json"))
    closed = {(row["owner"], row["symbol"]): (row["quantity"], row["realised"]) for row in found["passed_on"]}
    assert closed == {("trend", "AAPL"): ("40", "202"), ("mean", "XOM"): ("10", "50")}
    assert found["total"]["pnl"] == "-20"
    assert "40 AAPL of trend that this plan opened were closed by others" in _run("pnl", str(afternoon.EARLIER))


def test_a_plan_that_is_not_there_is_said_plainly(tell: Any) -> None:
    tell(afternoon.asked())
    with pytest.raises(TapeError, match="no plan and no run has an id that begins with abc"):
        _run("show", "abc")
    with pytest.raises(TapeError, match="has no plan"):
        _run("show", RUN)
    with pytest.raises(TapeError, match="no plan and no run"):
        _run("show", "%")


def test_digits_that_begin_several_plans_are_refused_with_their_ids(tell: Any) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    tell([*afternoon.planned(), *afternoon.planned(plan_id=other)])
    with pytest.raises(TapeError, match=f"begins the ids of 2 plans: {other}"):
        _run("show", "")


def test_every_rule_is_explained() -> None:
    assert set(RULES) == {rule.value for rule in Rule}
