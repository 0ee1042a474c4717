"""Right before an order is sent: what the gate is shown, what keeps it back here, and what is asked afterwards."""

import json
from decimal import Decimal
from typing import Any

import pytest

from agents.broker.ports import Reply
from schemas.identity import derived
from schemas.order import NOT_SENT, ExecType, OrdStatus
from tests.agents.broker.fake import SILENT, refusal
from tests.agents.broker.test_performer import RUN, SUBMITTING, Desk, cleared, kinds, step
from tests.agents.gateway.words import ACCOUNT, NAME

UNAUTHORIZED = refusal(401, 0, "unauthorized.")
CHECKING = step(ExecType.CHECKING, attempt=0)


def test_while_this_machine_is_halted_nothing_is_sent(desk: Desk) -> None:
    desk.halt = "runaway strategy"
    (report,) = desk.perform(SUBMITTING)

    assert desk.brokerage.posts == []
    assert kinds([report]) == [("ANSWER", "SUBMIT", None)]
    assert report.error == f"{NOT_SENT} HALTED runaway strategy"

    desk.halt = None
    desk.perform(SUBMITTING)
    assert desk.brokerage.posts == [NAME]


def test_the_halt_is_looked_at_for_every_order_and_after_the_wait_before_another_attempt(desk: Desk) -> None:
    desk.brokerage.trouble("submit", SILENT)
    desk.perform(SUBMITTING)
    desk.halt = "meanwhile"
    (report,) = desk.perform(SUBMITTING.model_copy(update={"attempt": 2}))
    assert report.error.startswith(f"{NOT_SENT} HALTED")
    assert desk.brokerage.posts == [NAME]


def test_a_halted_order_that_was_sent_before_a_crash_is_read_instead(desk: Desk) -> None:
    desk.perform(SUBMITTING)
    desk.halt = "runaway strategy"
    assert kinds(desk.perform(SUBMITTING)) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]


def test_while_the_stream_is_lost_nothing_is_sent(desk: Desk) -> None:
    desk.performer._watches[ACCOUNT]._sync._patience_s = 0
    desk.brokerage.lost()
    (report,) = desk.perform(SUBMITTING)

    assert desk.brokerage.posts == []
    assert report.error == f"{NOT_SENT} NOT_IN_SYNC the stream of trade updates is lost: no heartbeat"


def test_after_a_reconnect_the_first_poll_comes_before_the_next_order(desk: Desk) -> None:
    desk.brokerage.lost()
    desk.brokerage.closed_after.clear()
    desk.brokerage.listening()
    desk.perform(SUBMITTING)

    assert len(desk.brokerage.closed_after) == 1
    assert desk.brokerage.posts == [NAME]


def test_an_account_that_is_followed_no_more_sends_nothing(desk: Desk) -> None:
    desk.performer.release(0)
    (report,) = desk.perform(SUBMITTING)
    assert report.error == f"{NOT_SENT} NOT_IN_SYNC this process follows the account no more"
    assert desk.brokerage.posts == []


# --- the check before the gate lets an order pass


def test_a_check_shows_the_market_and_the_account_in_the_chain_of_its_order(desk: Desk) -> None:
    (fact,) = desk.facts(CHECKING)
    report: Any = fact.record

    assert kinds([report]) == [("READ", "CHECK", 200)]
    assert (report.client_order_id, report.attempt, report.error) == (NAME, 0, "")
    assert set(json.loads(report.body)) == {"read_at", "quote", "account", "transfers", "positions", "clock"}
    assert fact.envelope.correlation_id == RUN
    assert fact.envelope.causation_id == derived("event", "cause")
    assert desk.brokerage.posts == []


def test_a_check_asks_for_the_quotes_of_the_last_snapshot_too(desk: Desk) -> None:
    desk.brokerage.prices["IBM"] = Decimal(190)
    desk.brokerage.held["IBM"] = Decimal(1)
    desk.perform(cleared())
    desk.brokerage.unquotable.add("XYZ")  # wanted, but the snapshot has no quote of it
    desk.perform(CHECKING)
    assert desk.brokerage.asked == ["AAPL", "IBM"]


@pytest.mark.parametrize(
    ("trouble", "kind"), [(SILENT, "SILENCE"), (refusal(500, 50010000, "no"), "READ"), (UNAUTHORIZED, "READ")]
)
def test_a_check_that_cannot_be_read_says_how_it_failed(desk: Desk, trouble: Reply, kind: str) -> None:
    desk.brokerage.trouble("account", *[trouble] * 3)
    (report,) = desk.perform(CHECKING)
    assert kinds([report]) == [(kind, "CHECK", trouble.http_status)]
    assert report.error.startswith("account: ")


def test_an_order_that_was_only_checked_is_not_asked_for_by_polls(desk: Desk) -> None:
    desk.perform(CHECKING)
    desk.performer._watches[ACCOUNT].poll()
    assert desk.unasked.empty()


def test_keys_that_are_refused_are_said_of_the_account_too(desk: Desk) -> None:
    desk.brokerage.trouble("submit", UNAUTHORIZED)
    desk.brokerage.trouble("order", UNAUTHORIZED)
    silence, account = desk.perform(SUBMITTING)
    assert kinds([silence, account]) == [("SILENCE", "SUBMIT", None), ("READ", "ACCOUNT", 401)]
    assert (account.client_order_id, account.body) == ("", UNAUTHORIZED.body)


# --- UNKNOWN orders


def test_an_unknown_order_is_read_until_the_gateway_says_where_it_stands(desk: Desk) -> None:
    desk.brokerage.trouble("submit", SILENT)
    desk.perform(SUBMITTING)
    desk.perform(step(ExecType.UNKNOWN, OrdStatus.UNKNOWN))
    (report,) = desk.heard(1)
    assert kinds([report]) == [("READ", "ORDER", 404)]
    desk.perform(step(ExecType.EXPIRED, OrdStatus.EXPIRED))
    assert desk.performer._watches[ACCOUNT]._unknown.rest_s() is None
