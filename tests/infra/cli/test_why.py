"""`tape why SYMBOL`: one command answers why something was or was not traded."""

import json
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.main import Command, load
from infra.errors import TapeError
from schemas.account import AccountSnapshot, SnapshotStatus
from schemas.execution import Execution, ExecutionStatus
from schemas.ledger import Books, BooksContent, BooksStatus
from schemas.plan import Plan, PlanStatus, Rule
from schemas.portfolio import Portfolio, PortfolioStatus
from schemas.record import Record
from schemas.run import Run, RunStatus
from tests.infra.postgres import afternoon
from tests.infra.postgres.databases import database_url, migrated_url, projection, server_url, tell
from tests.infra.postgres.stories import blank
from tests.made import ACCOUNT, portfolio_content, run_terms, snapshot_content

WHY = load(Command("why", "infra.cli.why:why", "Say why."))


FIXTURES = (database_url, migrated_url, projection, server_url, tell)
"""What these stories are told with; pytest finds fixtures by their names in the module."""


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(WHY, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code
    return result.stdout


def _runs(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_run(*arguments, "--json"))
    return found


def _answer(*arguments: str) -> str:
    return "\n".join(sentence for run in _runs(*arguments) for sentence in run["answer"])


@pytest.mark.parametrize(
    ("symbol", "expected"),
    {
        "suppressed": ("IBM", "MIN_TRADE_VALUE 50.00: it is worth less than the smallest trade; of 1 shares for 31.50"),
        "held": ("MSFT", "CONFLICT_FLAGGED: strategies disagree, and a person has to decide"),
        "still open": ("MSFT", "The conflict is open: tape decide"),
        "reduced": (
            "SPY",
            "CAPITAL 4,201.50: there is no more money for it; of 100 shares for 14,000.00 dollars it lets 30",
        ),
        "own limit": ("KO", "trend wanted +50, its own limit lets +40 pass. POSITION_WEIGHT_MAX 1,500.00"),
        "cross deferred": (
            "TSLA",
            "Opposite wishes of 5 were not crossed. QUOTE_LOCKED: its bid and its offer were equal",
        ),
        "partly filled": ("AAPL", "it ended PARTLY_FILLED with 12 of 20 ordered (canceled at the close)"),
        "crossed": ("AAPL", "40 are crossed inside the account at 100.05"),
        "blocked in a book": (
            "GE",
            "mean: holds 0 and wants 50, so it is to buy 50; it ended BLOCKED without an order",
        ),
        "all of it traded": ("XOM", "it ended FILLED with 10 of 10 ordered"),
        "nobody": ("ZZZ", "Nothing wanted it: the plan has no line of ZZZ"),
        "lower case": ("zzz", "Nothing wanted it: the plan has no line of ZZZ"),
    }.values(),
)
def test_the_last_run_answers_with_rule_threshold_and_amounts(tell: Any, symbol: str, expected: str) -> None:
    tell(afternoon.whole())
    assert expected in _answer(symbol)


def test_who_wanted_it_is_there_and_who_was_not_heard(tell: Any) -> None:
    tell(afternoon.whole())
    [run] = _runs("MSFT")
    wishes = {each["strategy_id"]: (each["target_weight"], each["signal"], each["is_silent"]) for each in run["wishes"]}
    assert wishes == {
        "core": ("0.1", "READY", False),
        "macro": (None, "FAILED", True),
        "mean": (None, "READY", False),
        "trend": ("-0.1", "READY", False),
    }
    assert [each["weight"] for each in run["conflict"]["wishes"]] == ["0.05", "-0.02"]
    assert "keeps what it holds" in _run("MSFT")


def test_one_strategy_sees_only_what_it_has_a_part_in(tell: Any) -> None:
    tell(afternoon.whole())
    [run] = _runs("AAPL", "--strategy", "mean")
    assert (run["lines"], [each["strategy_id"] for each in run["wishes"]]) == ([], ["mean"])
    [run] = _runs("AAPL", "--strategy", "trend")
    assert len(run["lines"]) == 1


def test_a_decision_of_a_person_and_the_run_that_trades_it_belong_to_the_answer(tell: Any) -> None:
    tell([*afternoon.whole(), *afternoon.decided()])
    found = {run["run_id"]: run for run in _runs("MSFT")}
    assert list(found) == [str(afternoon.RUN), str(afternoon.FOLLOW_UP)]
    assert (
        f"Ada decided the conflict: TAKE core, traded by run {afternoon.FOLLOW_UP}."
        in found[str(afternoon.RUN)]["answer"]
    )
    follow_up = found[str(afternoon.FOLLOW_UP)]
    assert follow_up["decided_by"] == "Ada"
    assert [each["counted_weight"] for each in follow_up["wishes"]] == ["0.05", None, None, None]
    assert len(_runs("IBM")) == 1


def test_a_run_is_found_by_its_first_digits_and_by_its_day(tell: Any) -> None:
    tell(afternoon.whole())
    by_run, by_day = _runs("IBM", "--run", str(afternoon.RUN)[:8]), _runs("IBM", "--on", "2012-06-01")
    assert by_run == by_day
    assert "no such run" in _run("IBM", "--on", "2012-06-02", code=2)
    assert _run("IBM", "--run", "ffffffff", "--json", code=2) == "[]\n"
    with pytest.raises(TapeError, match="expected a day as 2012-06-01, was yesterday"):
        _run("IBM", "--on", "yesterday")


def test_a_refusal_under_the_id_of_a_real_run_does_not_hide_it(tell: Any) -> None:
    tell([*afternoon.refused(), *afternoon.whole()])
    answer = _answer("IBM")
    assert "The run was refused: RUN_ID_MISMATCH. expected another id" in answer
    assert "MIN_TRADE_VALUE 50.00" in answer


def _portfolio(**said: Any) -> Portfolio:
    content = portfolio_content(afternoon.TERMS)
    return blank(Portfolio, account_id=ACCOUNT, run_id=afternoon.RUN, content=content, **said)


def _books(status: BooksStatus, detail: str) -> Books:
    content = BooksContent(snapshot=snapshot_content(), strategies=())
    return blank(Books, account_id=ACCOUNT, run_id=afternoon.RUN, status=status, detail=detail, content=content)


def _ended(status: ExecutionStatus, detail: str) -> Execution:
    return blank(Execution, account_id=ACCOUNT, run_id=afternoon.RUN, status=status, detail=detail)


def _failed() -> AccountSnapshot:
    return blank(
        AccountSnapshot,
        account_id=ACCOUNT,
        run_id=afternoon.RUN,
        status=SnapshotStatus.FAILED,
        detail="503 twice",
        content=snapshot_content(),
    )


STOPPED: dict[str, tuple[list[Record], str]] = {
    "waits for signals": ([], "the run waits (ALL) for the signals of nobody"),
    "quorum missed": (
        [_portfolio(status=PortfolioStatus.QUORUM_MISSED, failed=("macro",), missing=("mean", "trend"))],
        "the quorum of None was missed (failed: macro; missing: mean, trend)",
    ),
    "abandoned": (
        [_portfolio(), _ended(ExecutionStatus.ABANDONED, "the session is over")],
        "The run ended ABANDONED before it had a plan: the session is over",
    ),
    "no snapshot": ([_portfolio(), _failed()], "the account could not be read. 503 twice"),
    "books differ": (
        [_portfolio(), _books(BooksStatus.BLOCKED, "USD 1 here, 2 there")],
        "BLOCKED. USD 1 here, 2 there",
    ),
    "clearing": (
        [_portfolio(), _ended(ExecutionStatus.CLEARING, "2 orders open")],
        "the run is CLEARING 2 orders open",
    ),
    "plan blocked": (
        afternoon.planned(status=PlanStatus.BLOCKED, rule=Rule.BOOKS_DIFFER, detail="USD 1 here, 2 there"),
        "The whole plan is blocked. BOOKS_DIFFER: the books do not equal the broker's account. USD 1 here, 2 there",
    ),
}


@pytest.mark.parametrize(("story", "expected"), STOPPED.values(), ids=STOPPED.keys())
def test_a_run_that_stopped_says_where(tell: Any, story: list[Record], expected: str) -> None:
    tell([*afternoon.asked(), *story])
    assert expected in _answer("IBM")


def test_without_a_signal_the_run_waits_for_all(tell: Any) -> None:
    tell(afternoon.asked()[:1])
    assert "for the signals of core, macro, mean, trend" in _answer("IBM")


def test_a_run_of_one_symbol_says_that_it_judges_no_other(tell: Any) -> None:
    terms = run_terms("scoped")
    content = portfolio_content(terms, scope=("MSFT",))
    books = BooksContent(snapshot=snapshot_content(content), strategies=())
    plan = blank(Plan, account_id=ACCOUNT, plan_id=afternoon.EARLIER, run_id=terms.run_id, books=books)
    tell([blank(Run, account_id=ACCOUNT, run_id=terms.run_id, status=RunStatus.REQUESTED, terms=terms), plan])
    assert "This run judges only MSFT" in _answer("IBM")


def test_the_answer_fits_in_120_columns(tell: Any) -> None:
    tell(afternoon.whole())
    for symbol in afternoon.MIDS:
        assert max(map(len, _run(symbol).splitlines())) <= 120
    assert Decimal(_runs("IBM")[0]["lines"][0]["intended_value"]) == Decimal("31.5")
