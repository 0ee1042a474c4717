"""Halts: who may begin and end them, what they stop, and which the gateway declares by itself."""

from datetime import timedelta
from typing import Any

import pytest

from agents.gateway import decider as gateway
from agents.testing import Story, given
from schemas.gate import HaltCause, HaltScope, HaltStatus, TradingHalt
from schemas.order import BrokerReport, Fill, IntentAction, OrderEvent, Phase, ReportKind, ReportRequest, Side
from tests.agents.gateway.beginnings import accepted, begun, checking, unknown, words
from tests.agents.gateway.words import (
    AS_OF,
    NAME,
    answered,
    checked,
    fills,
    halt_asked,
    intent,
    not_found,
    order_json,
    read,
    refused,
    report,
    resume_asked,
    silent,
    traded,
    update,
)

HOUR = timedelta(hours=1)


def halted(scope: HaltScope = HaltScope.ACCOUNT, name: str = "", **changed: Any) -> Story:
    return begun().when(halt_asked(scope, name, **changed))


def halt_of(story: Story) -> TradingHalt:
    (halt,) = [each for each in story.said if isinstance(each, TradingHalt)]
    return halt


def verdict(story: Story) -> str:
    event = next(each for each in story.said if isinstance(each, OrderEvent))
    return str(event.refusal or event.exec_type)


# --- a person halts


@pytest.mark.parametrize(
    ("scope", "name", "is_stopped"),
    [
        (HaltScope.ACCOUNT, "", True),
        (HaltScope.SYMBOL, "AAPL", True),
        (HaltScope.SYMBOL, "MSFT", False),
        (HaltScope.STRATEGY, "core", True),
        (HaltScope.STRATEGY, "trend", True),
        (HaltScope.STRATEGY, "value", False),
    ],
)
@pytest.mark.parametrize("action", [IntentAction.SUBMIT, IntentAction.CROSS])
def test_a_halt_stops_what_is_in_its_scope(scope: HaltScope, name: str, is_stopped: bool, action: IntentAction) -> None:
    story = halted(scope, name).when(intent(action), at=AS_OF)

    expected = "CHECKING" if action is IntentAction.SUBMIT else "TRADE"
    assert verdict(story) == ("HALTED" if is_stopped else expected)


def test_a_halt_says_who_why_and_which_orders_are_open() -> None:
    story = accepted().when(traded("4", "4")).when(halt_asked(reason="too much noise", requested_by="ada"))

    halt = halt_of(story)
    assert (halt.status, halt.cause, halt.requested_by, halt.reason) == (
        HaltStatus.IN_FORCE,
        HaltCause.OPERATOR,
        "ada",
        "too much noise",
    )
    ((name, cum_qty, amount),) = [
        (each.client_order_id, each.cum_qty, each.gross_trade_amt) for each in halt.open_orders
    ]
    assert (name, cum_qty, amount) == (NAME, 4, 2242)
    assert words(story) == []


def test_asking_twice_is_halting_once() -> None:
    halted().when(halt_asked()).then()


def test_executions_under_a_halt_are_booked() -> None:
    story = accepted().when(halt_asked()).when(traded("10", "10"))

    assert words(story) == ["TRADE/FILLED"]
    assert [each.last_qty for each in story.said if isinstance(each, Fill)] == [10]


def test_a_halt_between_the_two_halves_stops_the_order() -> None:
    story = checking().when(halt_asked())

    assert words(story) == []
    assert halt_of(story).open_orders == ()
    assert verdict(story.when(checked())) == "HALTED"


def test_reducing_orders_pass_a_halt_that_allows_them() -> None:
    story = halted(is_reducing_allowed=True)
    exit_ = intent(side=Side.SELL, parts=(("core", Side.SELL, "10"),), phase=Phase.REDUCING)

    assert verdict(story.when(intent(), at=AS_OF)) == "HALTED"
    asked = story.when(exit_, at=AS_OF)
    assert verdict(asked) == "CHECKING"
    assert verdict(asked.when(checked({"AAPL": "10"}))) == "SUBMITTING"
    assert verdict(asked.when(checked({"AAPL": "9"}))) == "HALTED"
    assert verdict(asked.when(checked())) == "HALTED"
    assert verdict(halted().when(exit_, at=AS_OF)) == "HALTED"
    assert verdict(story.when(intent(IntentAction.CROSS), at=AS_OF)) == "HALTED"


def test_a_halt_may_end_by_itself() -> None:
    story = halted(until=AS_OF + HOUR)

    assert verdict(story.when(intent(), at=AS_OF + HOUR - timedelta(microseconds=1))) == "HALTED"
    asked = story.when(intent(), at=AS_OF + HOUR)
    assert verdict(asked) == "CHECKING"
    assert verdict(asked.when(checked(at=AS_OF))) == "HALTED"
    assert verdict(asked.when(checked(at=AS_OF + HOUR))) == "SUBMITTING"


def test_a_halt_may_cancel_what_is_open_in_its_scope() -> None:
    story = accepted().when(halt_asked(HaltScope.SYMBOL, "AAPL", is_canceling=True))
    assert words(story) == ["CANCELING/PENDING_CANCEL"]
    assert len(halt_of(story).open_orders) == 1

    assert words(checking().when(halt_asked(is_canceling=True))) == ["CANCELED/CANCELED"]
    assert words(unknown().when(halt_asked(is_canceling=True))) == ["CANCELING/UNKNOWN"]
    assert words(accepted().when(halt_asked(HaltScope.SYMBOL, "MSFT", is_canceling=True))) == []


# --- a person lets trading go on


def test_a_halt_is_ended_by_its_id() -> None:
    story = halted(HaltScope.SYMBOL, "AAPL")
    ended = story.when(resume_asked(halt_of(story).halt_id, requested_by="bob", reason="checked"))

    halt = halt_of(ended)
    assert (halt.status, halt.scope, halt.name) == (HaltStatus.ENDED, HaltScope.SYMBOL, "AAPL")
    assert (halt.requested_by, halt.reason, halt.halt_id) == ("bob", "checked", halt_of(story).halt_id)
    assert verdict(ended.when(intent(), at=AS_OF)) == "CHECKING"
    ended.when(resume_asked(halt.halt_id)).then()


def test_of_two_halts_one_is_left() -> None:
    first = halted()
    both = first.when(halt_asked(request_id="another", reason="disk full"))
    ended = both.when(resume_asked(halt_of(first).halt_id))

    refused_all = ended.when(intent(), at=AS_OF)
    assert verdict(refused_all) == "HALTED"
    assert "disk full" in refused_all.said[0].reason  # type: ignore[attr-defined]


def test_a_resume_that_names_no_halt_in_force_is_refused_and_says_which_are() -> None:
    story = halted(HaltScope.STRATEGY, "core")
    halt_id = halt_of(story).halt_id

    for number, named in enumerate((None, limited_id())):
        refused_one = halt_of(story.when(resume_asked(named, request_id=f"try-{number}")))
        assert refused_one.status is HaltStatus.REFUSED
        assert str(halt_id) in refused_one.reason
        assert "STRATEGY core" in refused_one.reason

    ended = story.when(resume_asked(halt_id))
    again = ended.when(resume_asked(halt_id, request_id="again"))
    assert halt_of(again).reason.endswith("in force: none")
    again.when(resume_asked(halt_id, request_id="again")).then()
    over = halted(until=AS_OF + HOUR)
    late = over.when(resume_asked(halt_of(over).halt_id, requested_at=AS_OF + HOUR))
    assert halt_of(late).status is HaltStatus.REFUSED


def limited_id() -> Any:
    """Return an id that names no halt."""
    return intent().order.intent_id


# --- the gateway halts


@pytest.mark.parametrize(
    "unauthorized",
    [
        report(ReportKind.READ, ReportRequest.ACCOUNT, "unauthorized.", http_status=401, name=""),
        report(ReportKind.READ, ReportRequest.CHECK, "", http_status=401, attempt=0),
        refused(401, 40110000, "request is not authorized"),
        report(ReportKind.READ, ReportRequest.ORDER, "unauthorized.", http_status=401),
        report(ReportKind.ANSWER, ReportRequest.CANCEL, "unauthorized.", http_status=401),
    ],
)
def test_keys_that_are_not_accepted_halt_the_account_once(unauthorized: BrokerReport) -> None:
    story = accepted().when(unauthorized)

    halt = halt_of(story)
    assert (halt.cause, halt.scope, halt.name, halt.requested_by) == (
        HaltCause.UNAUTHORIZED,
        HaltScope.ACCOUNT,
        "",
        "gateway",
    )
    another = report(ReportKind.READ, ReportRequest.ACCOUNT, "", http_status=401, name="")
    story.when(another).then()
    ended = story.when(resume_asked(halt.halt_id))
    ended.when(unauthorized)
    assert halt_of(ended.when(another)).halt_id != halt.halt_id
    assert halt_of(given(gateway).when(unauthorized)).account_id == unauthorized.account_id


def test_an_order_refused_because_of_the_keys_is_rejected_and_the_account_halted() -> None:
    story = checking().when(checked()).when(refused(401, 40110000, "request is not authorized"))

    assert words(story) == ["REJECTED/REJECTED"]
    assert halt_of(story).cause is HaltCause.UNAUTHORIZED


def test_an_order_that_stays_unknown_for_too_long_halts_its_symbol_and_is_not_sent_again() -> None:
    in_time, late = AS_OF + timedelta(seconds=300), AS_OF + timedelta(seconds=301)
    assert words(unknown().when(not_found(at=in_time))) == ["SUBMITTING/PENDING_NEW"]

    story = unknown().when(not_found(at=late))
    halt = halt_of(story)
    assert (halt.cause, halt.scope, halt.name) == (HaltCause.UNKNOWN_TOO_OLD, HaltScope.SYMBOL, "AAPL")
    assert [each.client_order_id for each in halt.open_orders] == [NAME]
    assert words(story) == []
    story.when(not_found(at=late)).then()
    assert words(story.when(read())) == ["ACCEPTED/NEW"]

    ended = story.when(resume_asked(halt.halt_id))
    assert words(ended.when(not_found(at=late))) == ["SUBMITTING/PENDING_NEW"]


def test_a_second_attempt_does_not_make_an_unknown_order_younger() -> None:
    story = unknown().when(not_found()).when(silent(attempt=2))

    assert halt_of(story.when(not_found(at=AS_OF + HOUR))).cause is HaltCause.UNKNOWN_TOO_OLD


@pytest.mark.parametrize("is_reducing_allowed", [True, False])
def test_an_unknown_order_is_not_sent_again_under_a_halt(is_reducing_allowed: bool) -> None:
    story = unknown().when(halt_asked(is_reducing_allowed=is_reducing_allowed))

    story.when(not_found()).then()
    assert words(story.when(read())) == ["ACCEPTED/NEW"]
    assert words(unknown().when(halt_asked(HaltScope.SYMBOL, "MSFT")).when(not_found())) == ["SUBMITTING/PENDING_NEW"]


def shown(**changed: Any) -> dict[str, Any]:
    """Return our order as the broker shows it, in full."""
    return {**order_json(), "symbol": "AAPL", "side": "buy", **changed}


@pytest.mark.parametrize("changed", [{"symbol": "MSFT"}, {"side": "sell"}, {"qty": "11"}])
@pytest.mark.parametrize("status", ["new", "canceled"])
def test_an_order_of_our_name_that_is_not_ours_is_not_adopted_and_halts_the_symbol(changed: Any, status: str) -> None:
    body = shown(status=status, **changed)
    story = checking().when(checked()).when(answered(body=body))

    assert words(story) == ["UNKNOWN/UNKNOWN"]
    halt = halt_of(story)
    assert (halt.cause, halt.scope, halt.name) == (HaltCause.CONTRADICTION, HaltScope.SYMBOL, "AAPL")
    assert str(next(iter(changed.values()))) in halt.reason
    assert [each.client_order_id for each in halt.open_orders] == [NAME]
    story.when(answered(body=body)).then()
    assert words(checking().when(checked()).when(answered(body=shown()))) == ["ACCEPTED/NEW"]


@pytest.mark.parametrize(
    "impossible",
    [traded("12", "12"), fills(("12", "12")), fills(("4", "4"), ("6", "5")), update("canceled", "canceled", "12")],
)
def test_what_cannot_be_true_halts_the_symbol_once(impossible: BrokerReport) -> None:
    story = accepted().when(impossible)

    assert halt_of(story).cause is HaltCause.CONTRADICTION
    story.when(impossible).then()


def test_more_executed_than_ordered_is_an_alarm_after_the_end_too() -> None:
    story = accepted().when(update("canceled", "canceled")).when(traded("12", "12"))

    assert words(story) == []
    assert halt_of(story).cause is HaltCause.CONTRADICTION
    assert halt_of(story).open_orders == ()
