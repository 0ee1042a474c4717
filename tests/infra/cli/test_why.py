"""`tape why SYMBOL`: one command answers why something was or was not traded."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.main import Command, load
from infra.errors import TapeError
from schemas.account import AccountSnapshot, InstrumentState, InstrumentStatus, SnapshotStatus
from schemas.execution import Execution, ExecutionStatus, Outcome
from schemas.ledger import Books, BooksContent, BooksStatus, StrategyBook
from schemas.plan import Action, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.portfolio import ConflictChoice, ConflictDecision, Portfolio, PortfolioStatus
from schemas.record import Record
from schemas.run import Run, RunStatus
from tests.infra.postgres import afternoon
from tests.infra.postgres.afternoon import ended, line, part
from tests.infra.postgres.databases import database_url, migrated_url, projection, server_url, tell
from tests.infra.postgres.stories import blank
from tests.made import ACCOUNT, AS_OF, portfolio_content, run_terms, snapshot_content

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
        "suppressed": (
            "IBM",
            "MIN_TRADE_VALUE 50.00: it is worth less than the smallest trade: 1 share for 31.50 dollars.",
        ),
        "held": ("MSFT", "CONFLICT_FLAGGED: strategies disagree, and a person has to decide"),
        "still open": ("MSFT", f"tape decide {afternoon.RUN} MSFT --by NAME --take STRATEGY (or --sum, or --hold)"),
        "reduced": (
            "SPY",
            "CAPITAL 4,201.50: there is no more money for it; of 100 shares for 14,000.00 dollars it lets 30",
        ),
        "own limit": ("KO", "trend wanted +50, its own limit lets +40 pass. POSITION_WEIGHT_MAX 1,500.00"),
        "cross deferred": (
            "TSLA",
            "Opposite wishes of 5 were not crossed. QUOTE_LOCKED: its bid and its offer were equal",
        ),
        "partly filled": ("AAPL", "it ended PARTLY_FILLED: bought 12 of 20 ordered (canceled at the close)"),
        "crossed": ("AAPL", "40 were crossed inside the account at 100.05"),
        "blocked in a book": (
            "GE",
            "mean: holds 0 and wants 50, so it is to buy 50; it ended BLOCKED without an order",
        ),
        "all of it traded": ("XOM", "it ended FILLED: sold 10 of 10 ordered"),
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
    tell([*afternoon.whole(), *afternoon.refused()])
    answer = _answer("IBM")
    assert "The run was refused: RUN_ID_MISMATCH. expected another id. So it never gets a plan." in answer
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


def _content(**said: Any) -> BooksContent:
    snapshot = snapshot_content(portfolio_content(afternoon.TERMS), **said)
    book = blank(StrategyBook, strategy_id="mean", traded_value=Decimal("300.125"))
    return BooksContent(snapshot=snapshot, strategies=(book,))


def _story(*lines: PlanLine, content: BooksContent | None = None, **said: Any) -> list[Record]:
    """Return the afternoon with other lines in its plan; `said` is how they ended, where they have."""
    found = content or _content()
    return [
        *afternoon.asked(),
        *afternoon.wanted(),
        blank(AccountSnapshot, account_id=ACCOUNT, run_id=afternoon.RUN, content=found.snapshot),
        blank(Books, account_id=ACCOUNT, run_id=afternoon.RUN, status=BooksStatus.READY, content=found),
        afternoon.planned(lines=lines)[-1],
        *(ended(each, **said) for each in lines),
    ]


CUT_BUY = line(
    "IBM",
    part("core", "100", "144.924", "31.5", allowed=Decimal(0), rule=Rule.POSITION_WEIGHT_MAX, threshold=Decimal(3150)),
    part("trend", "102", "100", "31.5", ordered=Decimal(-2)),
    order="-2",
    action=Action.SELL,
    intended_quantity=Decimal(2),
    intended_value=Decimal(63),
)
CUT_TOO_SMALL = line(
    "IBM",
    part("core", "0", "3", "31.5", allowed=Decimal(1), rule=Rule.POSITION_WEIGHT_MAX, threshold=Decimal("31.5")),
    status=LineStatus.SUPPRESSED,
    rule=Rule.MIN_TRADE_VALUE,
    threshold=Decimal(50),
)
CUT_TWICE = line(
    "IBM",
    part("core", "0", "9", "31.5", allowed=Decimal(6), rule=Rule.POSITION_WEIGHT_MAX, threshold=Decimal(189)),
    order="2",
    rule=Rule.CAPITAL,
    threshold=Decimal(63),
)
TRADED_BEFORE = line(
    "IBM",
    part("core", "0", "9", "31.5"),
    status=LineStatus.BLOCKED,
    rule=Rule.TRADE_VALUE_MAX,
    threshold=Decimal(300),
)
TRADED_BY_ITSELF = line(
    "IBM",
    part("mean", "0", "9", "31.5", allowed=Decimal(0), rule=Rule.TRADE_VALUE_MAX, threshold=Decimal(300)),
    book="mean",
    status=LineStatus.BLOCKED,
    rule=Rule.TRADE_VALUE_MAX,
    threshold=Decimal(300),
)
UNPRICED: dict[str, Any] = {
    "price": None,
    "status": LineStatus.BLOCKED,
    "intended_quantity": Decimal(0),
    "intended_value": Decimal(0),
}
NO_PRICE = line("IBM", part("core", "0", "0", "0", weight=Decimal("0.06")), rule=Rule.NO_PRICE, **UNPRICED)
NO_PRICE_IN_A_BOOK = line(
    "IBM", part("mean", "4", "4", "0"), book="mean", rule=Rule.NO_PRICE, current_quantity=Decimal(4), **UNPRICED
)
UNKNOWN = line("IBM", part("core", "0", "0", "0", weight=Decimal("0.06")), rule=Rule.NOT_TRADABLE, **UNPRICED)
KEPT = line(
    "IBM",
    part("macro", "5", "5", "31.5"),
    part("yesterday", "2", "2", "31.5"),
    status=LineStatus.HELD,
    rule=Rule.KEPT,
)
CROSSED = line(
    "IBM",
    part("core", "0", "40", "31.5", crossed=Decimal(40)),
    part("trend", "41", "0", "31.5", crossed=Decimal(-40)),
    cross_quantity=Decimal(40),
    status=LineStatus.SUPPRESSED,
    rule=Rule.MIN_TRADE_VALUE,
    threshold=Decimal(50),
)
BOUGHT = line("IBM", part("core", "0", "100", "31.5", ordered=Decimal(100)), order="100")
STOPPED_QUOTE = _content(
    instruments=(InstrumentState(symbol="IBM", status=InstrumentStatus.NOT_TRADABLE, detail="asset not found (404)"),)
)

TOLD: dict[str, tuple[list[Record], tuple[str, ...]]] = {
    "the order is a sale although the wishes together were a buy": (
        _story(CUT_BUY),
        (
            "net: holds 202 and wants 244.924, so it is to buy 42.924, but a strategy's own limit cut the wish:",
            "the wish: it is to sell 2; it ended FILLED: sold 2 of 2 ordered.",
            "core wanted +44.924, its own limit lets 0 pass. POSITION_WEIGHT_MAX 3,150.00",
        ),
    ),
    "what was left is too small": (
        _story(CUT_TOO_SMALL),
        (
            "the smallest trade: 1 share for 31.50 dollars (3 for 94.50 before its strategies' own limits).",
            "so it is to buy 3, but a strategy's own limit cut the wish: it is to buy 1; it ended SUPPRESSED",
        ),
    ),
    "the account cut what a strategy's limit had left": (
        _story(CUT_TWICE),
        ("of 6 shares for 189.00 dollars (9 for 283.50 before its strategies' own limits) it lets 2 pass.",),
    ),
    "the account has traded that day": (
        _story(TRADED_BEFORE),
        (
            "TRADE_VALUE_MAX 300.00: no more may be traded in a day, and 300.12 dollars had been traded before this",
            "before this plan; of 9 shares for 283.50 dollars it lets nothing pass: nothing tradable fits.",
        ),
    ),
    "the strategy has traded that day": (
        _story(TRADED_BY_ITSELF),
        (
            "mean wanted +9, its own limit lets 0 pass. TRADE_VALUE_MAX 300.00: no more may be traded in a day",
            "in a day, and 300.12 dollars had been traded before this plan.",
        ),
    ),
    "without a price": (
        _story(NO_PRICE),
        (
            "net: holds 0; core wants 6% of equity, which could not be sized without a price; it ended BLOCKED",
            "NO_PRICE: there was no quote with a bid and an offer.",
        ),
    ),
    "without a price in a book": (
        _story(NO_PRICE_IN_A_BOOK),
        ("mean: holds 4; mean wants 0% of its own capital, which could not be sized without a price",),
    ),
    "a symbol the broker does not know": (
        _story(UNKNOWN, content=STOPPED_QUOTE),
        ("NOT_TRADABLE: the broker does not trade it (asset not found (404)).",),
    ),
    "its owners keep it": (
        _story(KEPT),
        (
            "KEPT: its owners keep what they hold: they failed, are missing, or are not in this run.",
            "macro keeps its 5: it failed.",
            "yesterday keeps its 2: it is not in this run.",
        ),
    ),
    "crossed, and the rest too small": (
        _story(CROSSED, cross_quantity=Decimal(40)),
        (
            "it was crossed in part, the rest ended SUPPRESSED without an order.",
            "40 were crossed inside the account at 31.5.",
            "the smallest trade: 1 share for 31.50 dollars.",
        ),
    ),
    "crossed whole": (
        _story(CROSSED, outcome=Outcome.CROSSED, rule=None, threshold=None, cross_quantity=Decimal(40)),
        ("it ended CROSSED: nothing was left to order.",),
    ),
    "superseded before it was sent": (
        _story(
            BOUGHT, outcome=Outcome.SUPERSEDED, order_qty=Decimal(0), cum_qty=Decimal(0), reason="superseded by run 7"
        ),
        ("it ended SUPERSEDED: BUY 100 was not sent (superseded by run 7).",),
    ),
    "superseded when a part was sent": (
        _story(BOUGHT, outcome=Outcome.PARTLY_FILLED, order_qty=Decimal(60), cum_qty=Decimal(60)),
        ("it ended PARTLY_FILLED: bought 60 of 60 ordered, 40 more were not sent.",),
    ),
    "an account that could not be read": (
        [*afternoon.asked(), *afternoon.planned(status=PlanStatus.BLOCKED, rule=Rule.ACCOUNT_UNREADABLE, detail="503")],
        ("The whole plan is blocked. ACCOUNT_UNREADABLE: the account could not be read, so nothing is known",),
    ),
}


@pytest.mark.parametrize(("story", "expected"), TOLD.values(), ids=TOLD.keys())
def test_the_sentences_are_true_of_what_happened(tell: Any, story: list[Record], expected: tuple[str, ...]) -> None:
    tell(story)
    answer = _answer("IBM")
    for each in expected:
        assert each in answer, answer


def test_what_was_not_sent_is_not_shown_as_ordered(tell: Any) -> None:
    tell(_story(BOUGHT, outcome=Outcome.SUPERSEDED, order_qty=Decimal(0), cum_qty=Decimal(0)))
    table = _run("IBM").partition("ordered  filled")[2]
    assert "not sent" in table
    assert table.count("+100") == 2  # what is wanted, by the line and by core


def _asked(name: str, account: str = ACCOUNT, **said: Any) -> Run:
    terms = run_terms(name, **said)
    return blank(Run, account_id=account, run_id=terms.run_id, status=RunStatus.REQUESTED, terms=terms)


def test_the_last_run_is_the_last_on_the_log_whatever_its_time(tell: Any) -> None:
    tell([_asked("tomorrow", as_of=AS_OF + timedelta(days=1)), *afternoon.whole()])
    assert [run["run_id"] for run in _runs("IBM")] == [str(afternoon.RUN)]


def test_other_accounts_are_asked_for_by_name(tell: Any) -> None:
    other = _asked("other", "paper-2")
    tell([other, *afternoon.whole()])
    assert [run["account_id"] for run in _runs("IBM")] == [ACCOUNT]
    assert [run["account_id"] for run in _runs("IBM", "--on", "2012-06-01")] == [ACCOUNT]
    assert [run["run_id"] for run in _runs("IBM", "--account", "paper-2")] == [str(other.run_id)]
    assert [run["account_id"] for run in _runs("IBM", "--run", str(other.run_id))] == ["paper-2"]
    assert _runs_of_nobody("--account", "paper-3") == []


def _runs_of_nobody(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_run("IBM", *arguments, "--json", code=2))
    return found


def test_a_symbol_without_a_letter_is_wrong_usage(tell: Any) -> None:
    tell(afternoon.whole())
    for arguments in (("",), (" ",), ("IBM", "--run", "")):
        _run(*arguments, code=64)


def test_a_strategy_that_is_not_in_the_run_is_said_so(tell: Any) -> None:
    tell(afternoon.whole())
    assert "nobody is no strategy of this run" in _answer("AAPL", "--strategy", "nobody")
    assert "mean has no part in it: it neither named AAPL nor held it." in _answer("AAPL", "--strategy", "mean")


def test_a_decision_that_is_not_judged_yet_is_there_and_nobody_is_asked_again(tell: Any) -> None:
    decision = blank(
        ConflictDecision,
        account_id=ACCOUNT,
        run_id=afternoon.RUN,
        symbol="MSFT",
        choice=ConflictChoice.SUM,
        decided_by="Bob",
    )
    tell([*afternoon.whole(), decision])
    assert "Bob decided SUM; the collector has not judged it yet." in _answer("MSFT")
    assert "tape decide" not in _answer("MSFT")


def test_a_conflict_that_a_newer_run_left_behind_cannot_be_decided_any_more(tell: Any) -> None:
    newer = _asked("newer")
    portfolio = blank(Portfolio, account_id=ACCOUNT, run_id=newer.run_id, content=portfolio_content(newer.terms))
    tell([*afternoon.whole(), newer, portfolio])
    answer = _answer("MSFT", "--run", str(afternoon.RUN))
    assert "Nobody decided the conflict, and a newer run was formed since" in answer
    assert "tape decide" not in answer


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
