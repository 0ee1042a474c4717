"""Limits in a file: what is said counts, what is left out is no limit, what is wrong is named."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from infra.cli.limits import EXAMPLE
from infra.errors import TapeError
from infra.limits_file import NUMBERS, STRATEGY, load
from schemas.gate import DeniedSymbol, GateLimits, SessionRule, StrategyGateLimits

SHORT = 'account_id = "PAPER-1"\norders_per_minute_max = 60\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_said_counts_and_what_is_left_out_is_no_limit(tmp_path: Path) -> None:
    said = load(written(tmp_path, SHORT))

    assert said.account_id == "PAPER-1"
    assert said.limits.orders_per_minute_max == 60
    assert {name for name in NUMBERS if getattr(said.limits, name) is not None} == {"orders_per_minute_max"}
    assert (said.limits.quote_age_max_s, said.limits.unknown_age_max_s) == (60, 300)
    assert (said.limits.session, said.limits.symbols_allowed) == (SessionRule.REGULAR, None)


def test_the_example_of_the_help_sets_every_limit_there_is(tmp_path: Path) -> None:
    limits = load(written(tmp_path, EXAMPLE)).limits

    assert all(getattr(limits, name) not in (None, ()) for name in GateLimits.model_fields)
    assert all(getattr(each, name) is not None for each in limits.strategies for name in STRATEGY)
    assert limits.price_collar == Decimal("0.03")
    assert limits.symbols_denied == (
        DeniedSymbol(symbol="GME", until=datetime(2026, 12, 31, tzinfo=UTC), reason="earnings"),
    )


def test_lists_are_sorted_as_the_record_wants_them(tmp_path: Path) -> None:
    text = f"""{SHORT}
symbols_allowed = ["IBM", "AAPL"]
symbols_denied = [{{ symbol = "XYZ" }}, {{ symbol = "GME", reason = "meme" }}]
strategies = [{{ strategy_id = "trend", gross_value_max = 5 }}, {{ strategy_id = "core" }}]
"""
    limits = load(written(tmp_path, text)).limits

    assert limits.symbols_allowed == ("AAPL", "IBM")
    assert [(each.symbol, each.until, each.reason) for each in limits.symbols_denied] == [
        ("GME", None, "meme"),
        ("XYZ", None, ""),
    ]
    assert limits.strategies == (
        StrategyGateLimits(strategy_id="core", position_value_max=None, gross_value_max=None),
        StrategyGateLimits(strategy_id="trend", position_value_max=None, gross_value_max=Decimal(5)),
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_any_number_is_a_limit(tmp_path: Path, number: str) -> None:
    value = "0.5" if number == "price_collar" else "1"
    assert getattr(load(written(tmp_path, f'account_id = "A"\n{number} = {value}')).limits, number) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", 'quote_age_max_s = 5\nsymbols_allowed = ["IBM"]\n[[strategies]]\nstrategy_id="a"']
)
def test_a_file_that_sets_no_number_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TapeError, match="no limit is set") as refused:
        load(written(tmp_path, f'account_id = "PAPER-1"\n{text}'))
    assert "tape limits set" in str(refused.value.next_command)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("orders_per_minute_max = 60", "account_id: expected the account's name, was None"),
        (f"{SHORT}order_qty_max = -1", "order_qty_max: Input should be greater than or equal to 0"),
        (f"{SHORT}price_collar = 3", "price_collar: Input should be less than 1"),
        (f"{SHORT}order_value_max = 3", "order_value_max: Extra inputs are not permitted, was 3"),
        (f"{SHORT}[[strategies]]\nname = 'core'", "strategies.0.strategy_id: Field required"),
        (f"{SHORT}strategies = 3", "strategies: Input should be a valid tuple"),
        (f"{SHORT}symbols_allowed = ['IBM', 'IBM']", "symbols_allowed: IBM is there more than once"),
        (f"{SHORT}symbols_denied = [{{symbol='A', until=2026-01-01T00:00:00}}]", "should have timezone info"),
        ("account_id = ", "the file of limits cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_what_stands_there(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(TapeError) as refused:
        load(written(tmp_path, text))
    assert named in str(refused.value)
    assert str(tmp_path) in str(refused.value)
