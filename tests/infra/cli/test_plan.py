"""`tape plan ...` as a person and as a script see it: one page that explains everything, and sums that are exact."""

import json
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.plan import app
from infra.cli.sentences import RULES
from infra.errors import TapeError
from schemas.plan import ConstraintEffect, ConstraintResult, PlanStatus, Rule
from schemas.portfolio import KeptSymbol, Portfolio, PortfolioStatus
from schemas.run import Run, RunStatus
from tests.infra.postgres import afternoon
from tests.infra.postgres.databases import database_url, migrated_url, projection, server_url, tell
from tests.infra.postgres.stories import blank
from tests.made import ACCOUNT, portfolio_content

PLAN, RUN = str(afternoon.PLAN), str(afternoon.RUN)


FIXTURES = (database_url, migrated_url, projection, server_url, tell)
"""What these stories are told with; pytest finds fixtures by their names in the module."""


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code
    return result.stdout


def _words(*arguments: str) -> str:
    return " ".join(_run(*arguments).split())


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
    text = _words("show", PLAN)
    for expected in (
        "READY, execution FINISHED",
        "POSITION_WEIGHT_MAX trend KO 1,500.00 1,875.00 1,500.00 SCALED",
        "Limits: 4, 3 bind",
        "WEIGHT_TOTAL_MAX net all 100,000.00 22,000.00 12,000.00 WITHIN",
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
    with pytest.raises(TapeError, match=r"has no plan\. There is no plan yet: the run waits"):
        _run("show", RUN)
    with pytest.raises(TapeError, match="no plan and no run"):
        _run("show", "%")


def test_a_run_that_never_gets_a_plan_is_said_to_be_one_and_why(tell: Any) -> None:
    missed = blank(
        Portfolio,
        account_id=ACCOUNT,
        run_id=afternoon.RUN,
        status=PortfolioStatus.QUORUM_MISSED,
        failed=("macro",),
        content=portfolio_content(afternoon.TERMS),
    )
    tell([*afternoon.asked(), missed])
    with pytest.raises(TapeError, match=r"was missed \(failed: macro; missing: nobody\). So it never gets a plan."):
        _run("show", RUN)


def test_a_refused_run_never_gets_a_plan(tell: Any) -> None:
    tell(afternoon.refused())
    with pytest.raises(TapeError, match=r"refused: RUN_ID_MISMATCH\. expected another id\. So it never gets a plan\."):
        _run("show", RUN)


def test_a_plan_without_a_name_is_wrong_usage(tell: Any) -> None:
    tell(afternoon.whole())
    for command in ("show", "pnl"):
        _run(command, "", code=2)


def test_the_page_names_who_was_not_heard_what_was_let_pass_and_what_is_kept(tell: Any) -> None:
    [run, *said] = afternoon.asked()
    [portfolio] = afternoon.wanted()
    assert isinstance(run, Run)
    assert isinstance(portfolio, Portfolio)
    kept = (KeptSymbol(strategy_id="core", symbol="KO"), KeptSymbol(strategy_id="core", symbol="XOM"))
    content = portfolio.content.model_copy(update={"silent_strategies": ("macro", "night"), "kept": kept})
    formed = portfolio.model_copy(update={"missing": ("night",), "content": content})
    warned = run.model_copy(update={"status": RunStatus.REQUESTED, "warnings": ("MSFT: core, trend",)})
    tell([warned, *said, formed, *afternoon.planned(), *afternoon.traded()])

    text = _words("show", PLAN)
    for expected in (
        "warning MSFT: core, trend",
        "failed macro NO_BARS needs 20 bars, found 3, keeps what it holds",
        "missing night, keeps what it holds",
        "kept core could not judge KO, XOM, keeps what it holds of it",
    ):
        assert expected in text, text
    document = json.loads(_run("show", PLAN, "--json"))
    assert document["warnings"] == ["MSFT: core, trend"]
    assert [each["strategy_id"] for each in document["silent"]] == ["macro", "night"]


def test_an_open_conflict_is_on_the_page_with_the_command_that_decides_it(tell: Any) -> None:
    tell(afternoon.whole())
    text = _words("show", PLAN)
    assert "MSFT, rule FLAG: core 5%, trend -2% of equity" in text
    assert f"tape decide {RUN} MSFT --by NAME --take STRATEGY (or --sum, or --hold)" in text


def test_a_decided_conflict_is_on_the_page_with_the_run_that_trades_it(tell: Any) -> None:
    tell([*afternoon.whole(), *afternoon.decided()])
    text = _words("show", PLAN)
    assert f"Ada decided the conflict: TAKE core, traded by run {afternoon.FOLLOW_UP}." in text
    assert "tape decide" not in text


def _limit(rule: Rule, used: str, effect: ConstraintEffect) -> ConstraintResult:
    return ConstraintResult(
        rule=rule,
        scope="net",
        symbol=None,
        limit=Decimal("100000.005"),
        wanted=Decimal(130_000),
        used=Decimal(used),
        effect=effect,
    )


def test_each_limit_is_on_the_page_once_and_one_that_was_exceeded_before_says_so(tell: Any) -> None:
    limits = (
        _limit(Rule.CAPITAL, "99000", ConstraintEffect.WITHIN),
        _limit(Rule.WEIGHT_TOTAL_MAX, "120000", ConstraintEffect.BLOCKED),
    )
    tell([*afternoon.asked(), *afternoon.planned(constraints=limits)])
    text = _words("show", PLAN).partition("Lines:")[0]
    assert "Limits: 2, 1 bind, 1 above already" in text
    assert "CAPITAL net all 100,000.00 130,000.00 99,000.00 WITHIN" in text
    assert "120,000.00 BLOCKED; above it already: only increases are stopped" in text
    assert text.count("WEIGHT_TOTAL_MAX") == 1
    assert json.loads(_run("show", PLAN, "--json"))["constraints"][0]["limit"] == "100000.005"


def test_the_page_says_what_a_weight_is_a_fraction_of(tell: Any) -> None:
    tell(afternoon.whole())
    assert "weight: of the account's equity; in the book of mean: of that book's own capital" in _run("show", PLAN)


def test_digits_that_begin_several_plans_are_refused_with_their_ids(tell: Any) -> None:
    other = f"{PLAN[:8]}-0000-4000-8000-000000000000"
    tell([*afternoon.planned(), *afternoon.planned(plan_id=other)])
    with pytest.raises(TapeError, match=f"begins the ids of 2 plans: {other}"):
        _run("show", PLAN[:8])


def test_every_rule_is_explained() -> None:
    assert set(RULES) == {rule.value for rule in Rule}


def test_a_run_that_trades_a_decision_and_has_no_plan_says_how_far_it_is(tell: Any) -> None:
    tell([*afternoon.whole(), *afternoon.decided()])
    with pytest.raises(TapeError, match="There is no plan yet: the run is not taken up by the executor"):
        _run("show", str(afternoon.FOLLOW_UP))
