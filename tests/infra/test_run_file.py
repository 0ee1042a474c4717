"""A run in a file: what is said counts, what is left out has its usual value, what is wrong is named."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.errors import TapeError
from infra.run_file import LIMITS, RULES, load
from schemas.run import ConflictRule, Mode, Parameter

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)

WRITTEN = """
account_id = "PAPER-1"
deadline_s = 30

[limits]
trade_value_min = 25.50

[rules]
conflict_rule = "FLAG"

[[strategies]]
strategy_id = "core"
kind = "fixed-weights"
mode = "BOOK"
allocation = 0.4
symbols = ["IBM"]

[strategies.parameters]
IBM = 0.25
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_said_counts_and_what_is_left_out_is_as_usual(tmp_path: Path) -> None:
    asked = load(written(tmp_path, WRITTEN)).request(NOON, (), "daily", "operator")

    assert asked.limits == LIMITS.model_copy(update={"trade_value_min": Decimal("25.50")})
    assert asked.rules == RULES.model_copy(update={"conflict_rule": ConflictRule.FLAG})
    assert (asked.deadline_at, asked.valid_until) == (NOON + timedelta(seconds=30), NOON + timedelta(minutes=15))
    (core,) = asked.strategies
    assert (core.mode, core.allocation, core.priority) == (Mode.BOOK, Decimal("0.4"), 1)
    assert core.parameters == (Parameter(name="IBM", value="0.25"),)


def test_the_same_name_and_instant_is_the_same_run(tmp_path: Path) -> None:
    said = load(written(tmp_path, WRITTEN))

    assert said.request(NOON, (), "daily", "a").run_id == said.request(NOON, (), "daily", "b").run_id
    assert said.request(NOON, (), "daily", "a").run_id != said.request(NOON, (), "late", "a").run_id


def test_an_account_alone_is_a_run_of_no_strategies(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'account_id = "PAPER-1"')).request(NOON, (), "daily", "x").strategies == ()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('account_id = "A"\nlimit = 1', "limit"),
        ('account_id = "A"\n[limits]\ntrade_value_mim = 1', "limits.trade_value_mim"),
        ('account_id = "A"\n[rules]\nsync_rule = "SOME"', "rules.sync_rule"),
        ('account_id = "A"\n[[strategies]]\nstrategy_id = "a"', "strategies.0.kind"),
        ("account_id = ", "cannot be read"),
        ("", "account_id"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(tmp_path: Path, wrong: str, named: str) -> None:
    with pytest.raises(TapeError) as refused:
        load(written(tmp_path, wrong))

    assert named in str(refused.value)
    assert "run.toml" in str(refused.value)


def test_a_number_in_the_file_is_exact(tmp_path: Path) -> None:
    said = load(written(tmp_path, WRITTEN.replace("25.50", "0.1")))

    assert said.limits.trade_value_min == Decimal("0.1")
