"""What the gate is shown before an order is sent: the broker's own words, read together, shared for a moment."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.broker.check import CHECK_SHARED_S, CheckReader
from agents.broker.ports import Reply
from tests.agents.broker.fake import QUOTED_AT, SILENT, FakeBrokerage, refusal
from tests.agents.gateway.words import AS_OF

BESIDE = ("AAPL", "IBM")
CUT_SHORT, A_NUMBER = Reply(200, '{"id', None), Reply(200, "3", None)
PARTS = ("clock", "quotes", "account", "transfers", "positions")


@dataclass
class Counting(FakeBrokerage):
    """A brokerage that counts what it is asked."""

    counts: Counter[str] = field(default_factory=Counter)

    def _troubled(self, request: str, done: Any) -> Reply:
        self.counts[request] += 1
        return super()._troubled(request, done)


@dataclass
class Gate:
    """A reader that is asked by hand, with a clock that is set by hand."""

    brokerage: Counting = field(default_factory=lambda: Counting(prices={"AAPL": Decimal(10), "IBM": Decimal(190)}))
    at_s: float = 100.0
    pauses: int = 0

    def __post_init__(self) -> None:
        self.now = AS_OF
        self.reader = CheckReader(self.brokerage, lambda: self.now, lambda: self.at_s, self._pause)

    def _pause(self) -> None:
        self.pauses += 1

    def checks(self, symbol: str = "AAPL", beside: tuple[str, ...] = BESIDE) -> Reply:
        return self.reader.check(symbol, beside)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_a_check_shows_time_quote_account_positions_and_hours_in_the_brokers_words(gate: Gate) -> None:
    gate.brokerage.held["IBM"] = Decimal(3)
    account = '{"equity" : "100000.10", "last_equity":99999.90 }'
    quotes = '{"quotes":{"AAPL":{"bp" : 9.990,"ap":10.01, "t":"2012-06-01T15:55:00Z"},"IBM":{}}}'
    gate.brokerage.trouble("account", Reply(200, f"\n{account}\n", None))
    gate.brokerage.trouble("quotes", Reply(200, quotes, None))
    said = gate.checks()

    assert (said.http_status, said.error) == (200, None)
    assert account in said.body
    assert '"quote":{"bp" : 9.990,"ap":10.01, "t":"2012-06-01T15:55:00Z"}' in said.body
    shown = json.loads(said.body)
    assert list(shown) == ["read_at", "quote", "account", "transfers", "positions", "clock"]
    assert shown["read_at"] == AS_OF.isoformat()
    assert [row["symbol"] for row in shown["positions"]] == ["IBM"]
    assert shown["clock"]["timestamp"] == QUOTED_AT


def test_a_check_shows_the_transfers_of_the_last_days_and_no_other_activity(gate: Gate) -> None:
    gate.brokerage.deposit("500")
    gate.brokerage.charge("1")
    gate.brokerage.activity[0]["date"] = "2012-05-20"
    gate.brokerage.deposit("-70", "CSW")

    shown = json.loads(gate.checks().body)

    assert [(row["activity_type"], row["net_amount"]) for row in shown["transfers"]] == [("CSW", "-70")]


def test_orders_right_after_one_another_share_what_was_read(gate: Gate) -> None:
    first = gate.checks("AAPL")
    gate.at_s += CHECK_SHARED_S
    second = gate.checks("IBM")

    assert gate.brokerage.asked == ["AAPL", "IBM"]
    assert gate.brokerage.counts == dict.fromkeys(PARTS, 1)
    assert json.loads(first.body)["quote"]["bp"] == "10"
    assert json.loads(second.body)["quote"]["bp"] == "190"


def test_what_was_read_more_than_a_moment_ago_is_read_again(gate: Gate) -> None:
    gate.checks()
    gate.at_s += CHECK_SHARED_S + 0.001
    gate.brokerage.prices["AAPL"] = Decimal(11)

    assert json.loads(gate.checks().body)["quote"]["bp"] == "11"
    assert gate.brokerage.counts == dict.fromkeys(PARTS, 2)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(seconds=1.5), timedelta(seconds=-1)])
def test_what_was_read_before_a_simulators_clock_was_set_is_read_again(gate: Gate, jump: timedelta) -> None:
    gate.checks()
    gate.now += jump
    shown = json.loads(gate.checks().body)
    assert shown["read_at"] == (AS_OF + jump).isoformat()
    assert gate.brokerage.counts == dict.fromkeys(PARTS, 2)


def test_a_symbol_nobody_asked_about_is_asked_about(gate: Gate) -> None:
    gate.checks("AAPL", beside=())
    assert json.loads(gate.checks("IBM", beside=("AAPL",)).body)["quote"]["bp"] == "190"
    assert gate.brokerage.asked == ["AAPL", "IBM"]


def test_a_symbol_without_a_quote_has_none(gate: Gate) -> None:
    assert json.loads(gate.checks("XYZ").body)["quote"] is None


def test_a_symbol_that_spoils_the_request_costs_the_others_nothing(gate: Gate) -> None:
    gate.brokerage.unquotable = {"IBM"}
    assert json.loads(gate.checks("AAPL").body)["quote"]["bp"] == "10"
    assert gate.brokerage.asked == ["AAPL"]
    assert json.loads(gate.checks("IBM").body)["quote"] is None
    assert gate.pauses == 0


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (SILENT, None),
        (refusal(500, 50010000, "no"), 500),
        (Reply(200, '{"id', None), None),
        (Reply(200, "3", None), None),
    ],
)
def test_a_part_is_tried_three_times_and_then_the_check_has_failed(
    gate: Gate, part: str, trouble: Reply, status: int | None
) -> None:
    gate.brokerage.trouble(part, trouble, trouble)
    assert gate.checks().http_status == 200
    assert gate.pauses == 2

    gate.at_s += 60
    gate.brokerage.trouble(part, *[trouble] * 3)
    failed = gate.checks()
    assert (failed.http_status, failed.body) == (status, "")
    assert failed.error is not None
    assert failed.error.startswith(f"{part}: ")


def test_a_check_that_failed_is_not_shared(gate: Gate) -> None:
    gate.brokerage.trouble("positions", *[SILENT] * 3)
    assert gate.checks().http_status is None
    assert gate.checks().http_status == 200


@pytest.mark.parametrize("part", PARTS)
def test_keys_that_are_refused_are_not_tried_again(gate: Gate, part: str) -> None:
    gate.brokerage.trouble(part, refusal(401, 0, "unauthorized."))
    assert gate.checks().http_status == 401
    assert gate.brokerage.counts[part] == 1
