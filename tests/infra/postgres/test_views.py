"""Who owns what, what it is worth, and why something was not traded: the views, against sums done by hand."""

from collections import defaultdict
from decimal import Decimal, localcontext
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.postgres.connection import Connection
from infra.postgres.projection import Projection
from schemas.account import AccountSnapshot, SnapshotContent
from schemas.execution import LineOutcome, Outcome
from schemas.identity import derived
from schemas.ledger import EntryKind
from schemas.market import Quote
from schemas.plan import LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.quantities import CONTEXT
from schemas.record import Record
from tests.infra.postgres import afternoon
from tests.infra.postgres.stories import ACCOUNT, Log, deposit, entry, example, trade
from topics.registry import read_by

TOPICS = [(topic.name, 0) for topic in read_by("projector")]
_ACCOUNTS = count()


def _tell(projection: Projection, *records: Record) -> None:
    log = Log()
    for record in records:
        log.say(record)
    projection.positions(TOPICS)
    projection.apply(log.read)


def _snapshot(*quotes: tuple[str, str, str]) -> AccountSnapshot:
    listed = tuple(example(Quote, symbol=symbol, bid=Decimal(bid), ask=Decimal(ask)) for symbol, bid, ask in quotes)
    return example(AccountSnapshot, account_id=ACCOUNT, content=example(SnapshotContent, quotes=listed))


def _pnl(connection: Connection) -> dict[str, Any]:
    rows = connection.execute("SELECT owner, cash_flow, holdings_value, pnl, unmarked_symbols FROM strategy_pnl")
    return {owner: (*values,) for owner, *values in rows}


AMOUNTS = st.integers(-(10**20), 10**20).filter(bool).map(lambda number: Decimal(number).scaleb(-9))
TRADES = st.lists(
    st.tuples(st.sampled_from(["momentum", "rsi"]), st.sampled_from(["AAPL", "MSFT", "BRK.B"]), AMOUNTS), max_size=12
)


@pytest.fixture
def endless(projection: Projection) -> tuple[Projection, Log]:
    """Return a projection with a log that goes on from one Hypothesis example to the next."""
    projection.positions(TOPICS)
    return projection, Log()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trades=TRADES)
def test_positions_and_cash_are_the_fold_of_the_postings(
    endless: tuple[Projection, Log], connection: Connection, trades: list[tuple[str, str, Decimal]]
) -> None:
    projection, log = endless
    account = f"account-{next(_ACCOUNTS)}"
    shares: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    dollars: dict[str, Decimal] = defaultdict(Decimal)
    start = len(log.read)
    with localcontext(CONTEXT):
        for number, (owner, symbol, quantity) in enumerate(trades):
            log.say(trade(owner, symbol, str(quantity), "10.123456", number, account))
            shares[owner, symbol] += quantity
            dollars[owner] -= quantity * Decimal("10.123456")

    projection.apply(log.read[start:])

    positions = connection.execute("SELECT owner, symbol, quantity FROM positions WHERE account_id = %s", [account])
    assert {(owner, symbol): held for owner, symbol, held in positions} == {
        each: held for each, held in shares.items() if held
    }
    cash = connection.execute("SELECT owner, amount FROM cash WHERE account_id = %s", [account]).fetchall()
    assert dict(cash) == dollars


def test_pnl_marks_holdings_at_the_last_mid_and_counts_no_deposit(
    projection: Projection, connection: Connection
) -> None:
    _tell(
        projection,
        deposit("100000"),
        trade("momentum", "AAPL", "10", "100", 1),
        trade("rsi", "AAPL", "-4", "101", 2),
        entry(EntryKind.OTHER_ACTIVITY, (("system", "USD", Decimal("-0.02")),), derived("fee")),
        _snapshot(("AAPL", "90", "92")),
        _snapshot(("AAPL", "109", "111.01")),
    )

    assert _pnl(connection) == {
        "momentum": (Decimal(-1000), Decimal("1100.05"), Decimal("100.05"), []),
        "rsi": (Decimal(404), Decimal("-440.02"), Decimal("-36.02"), []),
        "system": (Decimal("-0.02"), Decimal(0), Decimal("-0.02"), []),
    }


def test_a_snapshot_without_bid_and_offer_does_not_mark(projection: Projection, connection: Connection) -> None:
    _tell(
        projection,
        trade("momentum", "AAPL", "10", "100", 1),
        _snapshot(("AAPL", "109", "111")),
        _snapshot(("AAPL", "0", "500")),
    )

    assert connection.execute("SELECT symbol, mid FROM marks").fetchall() == [("AAPL", 110)]
    assert _pnl(connection)["momentum"] == (-1000, 1100, 100, [])


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [
        ("10.000001", "10.000002", "10.000002"),
        ("10.000002", "10.000003", "10.000002"),
        ("0.000001", "0.000002", "0.000002"),
        ("0.99", "1.02", "1.005"),
    ],
)
def test_a_mark_is_rounded_as_the_agents_round_the_midpoint(
    projection: Projection, connection: Connection, bid: str, ask: str, mid: str
) -> None:
    _tell(projection, _snapshot(("AAPL", bid, ask)))

    assert connection.execute("SELECT mid FROM marks").fetchone() == (Decimal(mid),)


def test_pnl_is_unknown_while_a_holding_never_had_a_quote(projection: Projection, connection: Connection) -> None:
    _tell(
        projection,
        trade("momentum", "AAPL", "10", "100", 1),
        trade("momentum", "MSFT", "1", "30", 2),
        trade("rsi", "MSFT", "1", "30", 3),
        trade("rsi", "MSFT", "-1", "31", 4),
        _snapshot(("AAPL", "109", "111")),
    )

    found = _pnl(connection)
    assert found["momentum"] == (-1030, None, None, ["MSFT"])
    assert found["rsi"] == (1, 0, 1, [])


def _line(symbol: str, status: LineStatus, rule: Rule | None, threshold: str | None = None) -> PlanLine:
    return example(
        PlanLine,
        book="net",
        symbol=symbol,
        cross_deferred_quantity=Decimal(0),
        contributions=(),
        status=status,
        rule=rule,
        threshold=None if threshold is None else Decimal(threshold),
        intended_quantity=Decimal(3),
        intended_value=Decimal("31.5"),
    )


def _ended(symbol: str, outcome: Outcome, traded: str = "0", crossed: str = "0", reason: str = "") -> LineOutcome:
    return example(
        LineOutcome,
        plan_id=derived("plan"),
        book="net",
        symbol=symbol,
        outcome=outcome,
        rule=None,
        threshold=None,
        cum_qty=Decimal(traded),
        cross_quantity=Decimal(crossed),
        reason=reason,
    )


def _why(connection: Connection) -> list[Any]:
    query = "SELECT symbol, outcome, rule, threshold, intended_quantity, intended_value, reason FROM why_not"
    return connection.execute(f"{query} WHERE level = 'LINE' ORDER BY symbol").fetchall()


def test_why_not_lists_what_was_not_traded_in_full_with_rule_threshold_and_amount(
    projection: Projection, connection: Connection
) -> None:
    lines = (
        _line("A", LineStatus.PLANNED, None),
        _line("B", LineStatus.SUPPRESSED, Rule.MIN_TRADE_VALUE, "50"),
        _line("C", LineStatus.PLANNED, None),
        _line("D", LineStatus.PLANNED, Rule.CAPITAL),
        _line("E", LineStatus.PLANNED, None),
        _line("F", LineStatus.PLANNED, None),
        _line("G", LineStatus.HELD, Rule.CONFLICT_FLAGGED),
        _line("H", LineStatus.PLANNED, None),
    )
    _tell(
        projection,
        example(Plan, plan_id=derived("plan"), status=PlanStatus.READY, rule=None, detail="", lines=lines),
        _ended("A", Outcome.FILLED, traded="3"),
        _ended("B", Outcome.SUPPRESSED),
        _ended("C", Outcome.REJECTED, reason="insufficient buying power"),
        _ended("D", Outcome.FILLED, traded="1"),
        _ended("E", Outcome.CROSSED, crossed="3"),
        _ended("G", Outcome.HELD),
        _ended("H", Outcome.PARTLY_FILLED, traded="2"),
    )

    amounts = (Decimal(3), Decimal("31.5"))
    assert _why(connection) == [
        ("B", "SUPPRESSED", "MIN_TRADE_VALUE", Decimal(50), *amounts, ""),
        ("C", "REJECTED", None, None, *amounts, "insufficient buying power"),
        ("D", "FILLED", "CAPITAL", None, *amounts, ""),
        ("G", "HELD", "CONFLICT_FLAGGED", None, *amounts, ""),
        ("H", "PARTLY_FILLED", None, None, *amounts, ""),
    ]


def test_why_not_names_wishes_cut_by_a_strategys_own_limit_and_crosses_that_were_deferred(
    projection: Projection, connection: Connection
) -> None:
    _tell(projection, *afternoon.planned())

    rows = connection.execute(
        "SELECT level, symbol, strategy_id, rule, threshold, intended_quantity, intended_value, allowed_quantity"
        " FROM why_not WHERE level <> 'LINE' ORDER BY level"
    ).fetchall()
    assert rows == [
        ("CROSS", "TSLA", None, "QUOTE_LOCKED", None, 5, 140, 0),
        ("STRATEGY", "KO", "trend", "POSITION_WEIGHT_MAX", 1500, 50, 1875, 40),
    ]


def test_why_not_keeps_two_books_of_one_symbol_apart(projection: Projection, connection: Connection) -> None:
    lines = tuple(_line("A", LineStatus.PLANNED, None).model_copy(update={"book": book}) for book in ("net", "mean"))
    _tell(
        projection,
        example(Plan, plan_id=derived("plan"), status=PlanStatus.READY, rule=None, detail="", lines=lines),
        _ended("A", Outcome.FILLED, traded="3").model_copy(update={"book": "net"}),
        _ended("A", Outcome.REJECTED).model_copy(update={"book": "mean"}),
    )
    found = connection.execute("SELECT book, outcome FROM why_not WHERE level = 'LINE'").fetchall()
    assert found == [("mean", "REJECTED")]


def test_why_not_names_the_rule_that_blocked_a_whole_plan(projection: Projection, connection: Connection) -> None:
    plan = example(
        Plan,
        plan_id=derived("plan"),
        status=PlanStatus.BLOCKED,
        rule=Rule.BOOKS_DIFFER,
        detail="USD: books 1, broker 2",
        lines=(_line("A", LineStatus.PLANNED, None),),
    )
    _tell(projection, plan)

    assert _why(connection) == [
        ("A", None, "BOOKS_DIFFER", None, Decimal(3), Decimal("31.5"), "USD: books 1, broker 2"),
    ]
    blocked = connection.execute("SELECT symbol, rule, reason FROM why_not WHERE level = 'PLAN'").fetchall()
    assert blocked == [(None, "BOOKS_DIFFER", "USD: books 1, broker 2")]


def test_a_run_refused_under_the_id_of_a_real_one_hides_it_nowhere(
    projection: Projection, connection: Connection
) -> None:
    _tell(projection, *afternoon.refused(), *afternoon.asked())

    found = connection.execute('SELECT status FROM runs ORDER BY "offset"').fetchall()
    assert found == [("REFUSED",), ("REQUESTED",)]
    started = connection.execute("SELECT run_id, conflict_rule, trade_value_min FROM runs_started").fetchall()
    assert started == [(afternoon.RUN, "FLAG", 50)]
    assert connection.execute("SELECT count(*) FROM run_strategies").fetchone() == (8,)


def test_a_run_that_trades_a_decision_has_the_terms_of_the_run_that_was_decided(
    projection: Projection, connection: Connection
) -> None:
    _tell(projection, *afternoon.asked(), *afternoon.wanted(), *afternoon.decided())

    query = "SELECT run_id, asked_run_id, symbol, decided_by, conflict_rule FROM runs_started ORDER BY decided_by"
    assert connection.execute(query).fetchall() == [
        (afternoon.FOLLOW_UP, afternoon.RUN, "MSFT", "Ada", "FLAG"),
        (afternoon.RUN, afternoon.RUN, None, None, "FLAG"),
    ]
