"""`tape ledger ...` as a person and as a script see it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.ledger import app
from infra.errors import TapeError
from infra.postgres.connection import Connection
from infra.postgres.projection import Projection
from schemas.account import AccountSnapshot
from tests import made
from tests.infra.postgres import afternoon
from tests.infra.postgres.databases import tell
from tests.infra.postgres.stories import ACCOUNT, Log, deposit, example, trade
from topics.wire import Incoming

FIXTURES = (tell,)
"""What some of these stories are told with; pytest finds fixtures by their names in the module."""


@pytest.fixture
def log(projection: Projection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Return a projected log, and let the commands find its database."""
    log = Log()
    for record in (
        deposit("1000"),
        trade("momentum", "AAPL", "3", "10.5", 1),
        trade("rsi", "[bold]", "0.000000001", "1", 2),
        example(AccountSnapshot, account_id=ACCOUNT),
    ):
        log.say(record)
    projection.positions(log.ends)
    projection.apply(log.read)
    monkeypatch.setenv("TAPE_DATABASE_URL", database_url)
    monkeypatch.setenv("TAPE_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    def read_all(_servers: str, _topics: list[str]) -> Iterator[Incoming]:
        return iter(log.incoming())

    monkeypatch.setattr("infra.kafka.log.read_all", read_all)
    return log


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    if isinstance(result.exception, TapeError):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("log")
def test_positions_are_exact_for_scripts_and_plain_for_people() -> None:
    code, text = _run("positions", "--json")
    held = {(row["owner"], row["symbol"]): row["quantity"] for row in json.loads(text)}
    assert (code, held) == (0, {("momentum", "AAPL"): "3", ("rsi", "[bold]"): "0.000000001"})

    code, text = _run("positions", "--strategy", "rsi")
    assert code == 0
    assert "[bold]" in text
    assert "momentum" not in text


@pytest.mark.usefixtures("log")
def test_pnl_has_a_row_per_owner_and_one_for_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # whatever the terminal the tests run in is wide
    code, text = _run("pnl", "--json")
    rows = {row["owner"]: row for row in json.loads(text)}
    assert code == 0
    assert rows["momentum"]["cash_flow"] == "-31.5"
    assert rows["momentum"]["pnl"] == "-29.999997"
    assert rows["rsi"]["pnl"] is None
    assert rows["rsi"]["unmarked_symbols"] == ["[bold]"]
    assert (rows[None]["cash_flow"], rows[None]["pnl"]) == ("-31.500000001", None)
    assert "unmarked symbols" in _run("pnl")[1]


@pytest.mark.usefixtures("log")
def test_pnl_by_symbol_run_and_plan_have_the_same_total_as_by_strategy() -> None:
    rows = json.loads(_run("pnl", "--by", "symbol", "--strategy", "momentum", "--json")[1])
    assert [(row["symbol"], row["pnl"], row["is_total"]) for row in rows] == [
        ("AAPL", "-29.999997", False),
        (None, "-29.999997", True),
    ]
    for by in ("strategy", "run", "plan"):
        *_, total = json.loads(_run("pnl", "--by", by, "--strategy", "momentum", "--json")[1])
        assert (total["is_total"], total["pnl"]) == (True, "-29.999997")
        assert "total" in _run("pnl", "--by", by)[1]


@pytest.mark.usefixtures("log")
def test_people_see_dollars_in_cents_and_scripts_every_digit() -> None:
    assert json.loads(_run("cash", "--strategy", "rsi", "--json")[1])[0]["cash"] == "-0.000000001"
    text = _run("pnl", "--strategy", "momentum")[1]
    assert "-30.00" in text
    assert "-29.999997" not in text
    assert "-0.00" not in _run("cash")[1]


@pytest.mark.usefixtures("log")
def test_what_nobody_is_called_is_said_with_exit_code_2() -> None:
    for command in ("pnl", "cash", "lots", "positions"):
        for option in ("--strategy", "--account"):
            result = CliRunner().invoke(app, [command, option, "nobody"])
            assert (result.exit_code, result.stdout) == (2, "")
            assert "nobody" in result.stderr
    assert _run("pnl", "--strategy", "nobody", "--json") == (2, "[]\n")


def test_the_cash_of_all_owners_is_the_account_s_with_deposits_and_transfers(tell: Any) -> None:
    tell(afternoon.whole())
    found = {row["owner"]: row for row in json.loads(_run("cash", "--json")[1])}
    assert (found["system"]["deposits"], found["system"]["transfers"], found["system"]["other"]) == (
        *("100000", "-20000"),
        "-0.02",
    )
    assert (found["mean"]["transfers"], found["mean"]["trades"], found["mean"]["cash"]) == ("20000", "50", "20050")
    total = found.pop(None)
    for column in ("deposits", "transfers", "trades", "other", "cash"):
        assert sum(Decimal(row[column]) for row in found.values()) == Decimal(total[column])
    assert Decimal(total["cash"]) == sum(Decimal(total[name]) for name in ("deposits", "transfers", "trades", "other"))
    assert (total["deposits"], total["transfers"]) == ("100000", "0")
    assert max(map(len, _run("cash")[1].splitlines())) <= 120


def test_an_account_is_asked_for_by_name(tell: Any) -> None:
    tell([*afternoon.whole(), deposit("7", account="paper-2")])
    assert {row["account_id"] for row in json.loads(_run("cash", "--json")[1])} == {made.ACCOUNT, "paper-2"}
    [row, total] = json.loads(_run("cash", "--account", "paper-2", "--json")[1])
    assert (row["owner"], row["cash"], total["cash"]) == ("system", "7", "7")
    for command in (["pnl"], ["pnl", "--by", "run"], ["lots"], ["positions"]):
        everybody, own, other = (
            json.loads(_run(*command, *account, "--json")[1])
            for account in ((), ("--account", made.ACCOUNT), ("--account", "paper-2"))
        )
        assert {row["account_id"] for row in own} == {made.ACCOUNT}
        assert [*own, *other] == everybody


@pytest.mark.usefixtures("log")
def test_lots_show_what_is_held_at_what_price() -> None:
    [lot] = json.loads(_run("lots", "--symbol", "AAPL", "--json")[1])
    assert (lot["owner"], lot["quantity"], lot["price"], lot["unrealised"]) == ("momentum", "3", "10.5", "-29.999997")
    assert json.loads(_run("lots", "--strategy", "nobody", "--json")[1]) == []
    assert "last mid" in _run("lots")[1]


@pytest.mark.usefixtures("log")
def test_rebuild_says_identical_and_exits_with_0() -> None:
    code, text = _run("rebuild", "--verify")
    assert code == 0
    assert "4 records projected again, 0 not yet live" in text

    found = json.loads(_run("rebuild", "--json")[1])
    assert found["identical"] is True
    assert found["tables"]["ledger_postings"]["live"] == found["tables"]["ledger_postings"]["rebuilt"]


@pytest.mark.usefixtures("log")
def test_rebuild_shows_what_differs_and_verify_exits_with_1(connection: Connection) -> None:
    connection.execute("UPDATE ledger_postings SET owner = 'thief' WHERE owner = 'rsi' AND commodity <> 'USD'")

    code, text = _run("rebuild", "--verify")
    assert code == 1
    assert "DIFFERENT: ledger_postings" in text
    assert "thief" in text

    code, text = _run("rebuild", "--json")
    different = json.loads(text)["tables"]["ledger_postings"]
    assert code == 0
    assert different["only_live"][0]["amount"] == "0.000000001000000"


def test_migrate_brings_an_empty_database_up_to_date_once(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPE_DATABASE_URL", empty_database_url)
    with pytest.raises(TapeError, match="tape ledger migrate"):
        _run("positions")

    assert "pending 0001_log.sql" in _run("migrate", "--dry-run")[1]
    assert "applied 0001_log.sql" in _run("migrate")[1]
    assert _run("migrate")[1] == "nothing to do\n"
    assert _run("positions", "--json") == (0, "[]\n")


def test_postgresql_that_does_not_answer_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_DATABASE_URL", "postgresql://tape@127.0.0.1:1/tape")

    with pytest.raises(TapeError, match="PostgreSQL does not answer"):
        _run("positions")
