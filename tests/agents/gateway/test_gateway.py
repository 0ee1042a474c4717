"""The gateway: what passes the gate, where an order stands, and which fills follow from the broker's words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.gateway import decider as gateway
from agents.gateway.agent import AGENT
from agents.gateway.rules import CANCELS_MAX
from agents.gateway.sending import ATTEMPTS_MAX
from agents.testing import Story, given
from schemas.order import (
    BrokerReport,
    ExecType,
    Fill,
    IntentAction,
    OrderEvent,
    OrdStatus,
    ReportKind,
    ReportRequest,
    Side,
    Venue,
)
from tests.agents.gateway.beginnings import accepted, submitted, unknown, words
from tests.agents.gateway.words import (
    AS_OF,
    BROKER_ID,
    NAME,
    VALID_UNTIL,
    answered,
    cancel_answered,
    checked,
    duplicate,
    fills,
    intent,
    kept_back,
    limited,
    not_found,
    read,
    refused,
    report,
    silent,
    traded,
    update,
)

CANCEL = intent(IntentAction.CANCEL)
NEXT_DAY = VALID_UNTIL + timedelta(days=1)
INTENT_AT = AS_OF


def fills_of(story: Story) -> list[tuple[Any, ...]]:
    return [(each.cum_qty, each.last_qty, each.leaves_qty) for each in story.said if isinstance(each, Fill)]


def last_event(story: Story) -> Any:
    return [each for each in story.said if isinstance(each, OrderEvent)][-1]


def after(story: Story, *reports: BrokerReport) -> Story:
    for each in reports:
        story = story.when(each)
    return story


def test_the_agent_decides_with_this_decider() -> None:
    assert AGENT.name == "gateway"
    assert AGENT.decider is gateway


# --- the gate


def test_an_order_that_passes_the_gate_is_handed_to_the_broker() -> None:
    story = submitted()

    assert words(story) == ["SUBMITTING/PENDING_NEW"]
    assert (last_event(story).attempt, last_event(story).leaves_qty) == (1, 10)


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("EXPIRED_INTENT", {"valid_until": INTENT_AT}),
        ("WRONG_VENUE", {"venue": Venue.INTERNAL}),
        ("RESERVED_SYMBOL", {"symbol": "USD"}),
        ("WRONG_BOOK", {"book": "core"}),
        ("BAD_CONTRIBUTIONS", {"book": "core", "parts": (("core", Side.BUY, "9"),)}),
        ("BAD_CONTRIBUTIONS", {"parts": (("core", Side.BUY, "9"),)}),
        ("BAD_CONTRIBUTIONS", {"parts": (("core", Side.BUY, "10"), ("trend", Side.SELL, "1"))}),
    ],
)
def test_an_order_that_does_not_pass_is_refused_with_the_check_that_failed(reason: str, changed: Any) -> None:
    story = given(gateway, limited()).when(intent(**changed), at=INTENT_AT)

    assert words(story) == ["REFUSED/REJECTED"]
    assert last_event(story).refusal == reason
    assert last_event(story).reason
    assert (last_event(story).attempt, last_event(story).leaves_qty) == (0, 0)


def test_an_order_of_a_strategys_own_book_passes_with_its_wish_alone() -> None:
    story = given(gateway, limited()).when(intent(book="core", parts=(("core", Side.BUY, "10"),)), at=INTENT_AT)

    assert words(story) == ["CHECKING/PENDING_NEW"]


def test_one_order_of_several_for_a_line_passes_with_the_wishes_of_the_whole_line() -> None:
    story = given(gateway, limited()).when(intent(qty="4", parts=(("core", Side.BUY, "10"),)), at=INTENT_AT)

    assert words(story) == ["CHECKING/PENDING_NEW"]


def test_the_same_intent_again_says_nothing_whatever_became_of_it() -> None:
    submitted().when(intent(), at=INTENT_AT).then()
    refused_once = given(gateway, limited()).when(intent(symbol="USD"), at=INTENT_AT)
    refused_once.when(intent(symbol="USD"), at=INTENT_AT).then()


def test_two_intents_under_one_client_order_id_stop_the_process() -> None:
    with pytest.raises(ValueError, match="is taken by intent"):
        submitted().when(intent(intent_id=intent(IntentAction.CROSS).order.intent_id))


def test_a_cross_is_filled_at_its_reference_price_in_one_decision() -> None:
    story = given(gateway, limited()).when(intent(IntentAction.CROSS, qty="3"), at=INTENT_AT)

    assert words(story) == ["TRADE/FILLED"]
    fill: Any = next(each for each in story.said if isinstance(each, Fill))
    assert (fill.last_qty, fill.last_px, fill.cum_qty, fill.leaves_qty) == (3, Decimal("560.5"), 3, 0)
    assert (fill.broker_order_id, fill.exec_id, fill.transact_time) == (None, None, INTENT_AT)
    story.when(intent(IntentAction.CROSS, qty="3"), at=INTENT_AT).then()


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("EXPIRED_INTENT", {"valid_until": INTENT_AT}),
        ("WRONG_VENUE", {"venue": Venue.BROKER}),
        ("NO_PRICE", {"reference_price": Decimal(0)}),
        ("WRONG_BOOK", {"book": "core"}),
        ("BAD_CONTRIBUTIONS", {"parts": (("core", Side.BUY, "10"), ("trend", Side.SELL, "9"))}),
    ],
)
def test_a_cross_passes_the_gate_too(reason: str, changed: Any) -> None:
    story = given(gateway, limited()).when(intent(IntentAction.CROSS, **changed), at=INTENT_AT)

    assert words(story) == ["REFUSED/REJECTED"]
    assert last_event(story).refusal == reason


# --- answers


def test_an_accepted_order_is_new_and_known_by_the_brokers_id() -> None:
    assert words(accepted()) == ["ACCEPTED/NEW"]
    assert last_event(accepted()).broker_order_id == BROKER_ID


def test_only_the_first_word_of_acceptance_counts() -> None:
    story = submitted().when(update("new"))
    assert words(story) == ["ACCEPTED/NEW"]
    story.when(answered()).then()
    story.when(update("accepted")).then()
    story.when(read()).then()


def test_nothing_is_booked_from_an_answer() -> None:
    story = submitted().when(answered(body={"id": BROKER_ID, "status": "filled", "filled_qty": "10"}))

    assert words(story) == ["ACCEPTED/NEW"]
    assert fills_of(story) == []


def test_an_order_the_broker_rejects_in_its_answer_is_rejected() -> None:
    story = submitted().when(answered(body={"id": BROKER_ID, "status": "rejected", "filled_qty": "0"}))
    assert words(story) == ["REJECTED/REJECTED"]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, 40310000, "insufficient buying power"),
        (422, 42210000, 'asset "XYZ" not found'),
        (422, 40010001, "qty must be > 0"),
        (401, 0, "unauthorized."),
    ],
)
def test_a_refusal_ends_the_order_in_the_brokers_words(status: int, code: int, message: str) -> None:
    story = submitted().when(refused(status, code, message))

    assert words(story) == ["REJECTED/REJECTED"]
    assert message in last_event(story).reason
    story.when(refused(status, code, message)).then()


def test_opposite_orders_of_two_books_that_meet_at_the_broker_end_rejected_and_are_never_sent_again() -> None:
    sell = intent(book="trend", parts=(("trend", Side.SELL, "10"),), side=Side.SELL)
    wash_trade = answered(
        403,
        {
            "code": 40310000,
            "existing_order_id": "f1a2c3d4-0000-4000-8000-000000000001",
            "message": "potential wash trade detected. use complex orders",
            "reject_reason": "opposite side market/stop order exists",
        },
    )
    story = given(gateway, limited()).when(sell, at=INTENT_AT).when(checked()).when(wash_trade)

    assert words(story) == ["REJECTED/REJECTED"]
    assert last_event(story).reason == "HTTP 403: potential wash trade detected. use complex orders"
    for later in (wash_trade, not_found(), not_found(at=NEXT_DAY), silent(), kept_back()):
        story.when(later).then()
    story.when(sell, at=INTENT_AT).then()


@pytest.mark.parametrize("message", ["client_order_id must be unique", "client order id must be unique"])
@pytest.mark.parametrize("code", [40010001, 42210000])
def test_a_duplicate_means_that_the_order_exists(code: int, message: str) -> None:
    story = submitted().when(refused(422, code, message))

    assert words(story) == ["QUERYING/UNKNOWN"]
    assert words(story.when(read())) == ["ACCEPTED/NEW"]


@pytest.mark.parametrize(
    "lost",
    [
        silent(),
        answered(504, {"message": "gateway timeout"}),
        answered(500),
        answered(408),
        report(ReportKind.ANSWER, ReportRequest.SUBMIT, '{"id": "61e6', http_status=200),
        report(ReportKind.ANSWER, ReportRequest.SUBMIT, "<html>", http_status=502),
    ],
)
def test_without_an_answer_the_order_is_unknown_and_asked_for(lost: BrokerReport) -> None:
    story = submitted().when(lost)

    assert words(story) == ["UNKNOWN/UNKNOWN", "QUERYING/UNKNOWN"]
    assert last_event(story).leaves_qty == 10
    story.when(lost).then()


def test_an_unknown_order_that_is_found_is_adopted() -> None:
    assert words(unknown().when(read())) == ["ACCEPTED/NEW"]


def test_an_unknown_order_that_is_not_found_is_sent_again_under_the_same_id() -> None:
    story = unknown().when(not_found())

    assert words(story) == ["SUBMITTING/PENDING_NEW"]
    assert (last_event(story).client_order_id, last_event(story).attempt) == (NAME, 2)
    story.when(not_found()).then()
    assert words(story.when(answered(attempt=2))) == ["ACCEPTED/NEW"]


def test_attempts_are_bounded_and_then_the_order_stays_unknown() -> None:
    story = unknown()
    for attempt in range(2, ATTEMPTS_MAX + 1):
        story = after(story, not_found(), silent(attempt=attempt))
    assert last_event(story).attempt == ATTEMPTS_MAX

    story.when(not_found()).then()
    assert words(story.when(read())) == ["ACCEPTED/NEW"]


def test_an_expired_order_is_not_sent_again_and_ends_only_after_its_session() -> None:
    assert words(unknown().when(not_found(at=VALID_UNTIL))) == []
    for still_open in (datetime(2012, 6, 1, 23, 59, tzinfo=UTC), datetime(2012, 6, 2, 0, 30, tzinfo=UTC)):
        assert words(unknown().when(not_found(at=still_open))) == []

    story = unknown().when(not_found(at=datetime(2012, 6, 2, 9, 0, tzinfo=UTC)))
    assert words(story) == ["EXPIRED/EXPIRED"]
    assert "NOT_FOUND" in last_event(story).reason


def test_a_read_before_the_answer_that_does_not_find_the_order_says_nothing() -> None:
    submitted().when(not_found()).then()


def test_an_accepted_order_that_is_not_found_for_once_stays_what_it_is() -> None:
    accepted().when(not_found(at=NEXT_DAY)).then()


def test_a_refusal_of_a_later_attempt_does_not_prove_that_an_earlier_one_never_arrived() -> None:
    story = after(unknown(), not_found(), refused(403, 40310000, "insufficient buying power", attempt=2))

    assert words(story) == ["UNKNOWN/UNKNOWN", "QUERYING/UNKNOWN"]


def test_an_answer_to_an_earlier_attempt_says_nothing_unless_it_has_the_order() -> None:
    story = unknown().when(not_found())
    story.when(refused(403, 40310000, "insufficient buying power", attempt=1)).then()
    story.when(silent(attempt=1)).then()
    assert words(story.when(answered(attempt=1))) == ["ACCEPTED/NEW"]


def test_an_order_kept_back_has_expired_but_only_if_it_was_never_sent() -> None:
    story = submitted().when(kept_back())
    assert words(story) == ["EXPIRED/EXPIRED"]
    assert last_event(story).reason.startswith("NOT_SENT EXPIRED")

    assert words(after(unknown(), not_found(), kept_back(attempt=2))) == ["UNKNOWN/UNKNOWN"]


# --- executions


def test_an_execution_is_booked_once_wherever_it_is_heard_of() -> None:
    story = accepted().when(traded("4", "4"))

    assert words(story) == ["TRADE/PARTIALLY_FILLED"]
    assert fills_of(story) == [(4, 4, 6)]
    story.when(traded("4", "4")).then()
    story.when(fills(("4", "4"))).then()


def test_the_last_execution_ends_the_order() -> None:
    story = after(accepted(), traded("4", "4"), traded("10", "6"))

    assert words(story) == ["TRADE/FILLED"]
    assert fills_of(story) == [(10, 6, 0)]
    story.when(read("filled", "10")).then()


def test_a_fill_has_one_identity_whichever_way_it_came() -> None:
    streamed = [each for each in accepted().when(traded("4", "4")).said if isinstance(each, Fill)]
    polled = [each for each in accepted().when(fills(("4", "4"))).said if isinstance(each, Fill)]

    assert streamed[0].fill_id == polled[0].fill_id
    assert (streamed[0].exec_id, polled[0].exec_id) == ("execution-4", None)
    assert streamed[0].transact_time == datetime(2012, 6, 1, 15, 56, 0, 123456, tzinfo=UTC)


def test_an_execution_may_come_before_the_answer() -> None:
    story = submitted().when(traded("4", "4"))

    assert words(story) == ["TRADE/PARTIALLY_FILLED"]
    story.when(answered()).then()


def test_a_hole_in_what_is_heard_is_asked_about_and_what_is_read_fills_it() -> None:
    story = accepted().when(traded("10", "6"))
    assert words(story) == ["QUERYING/NEW"]
    assert fills_of(story) == []

    story = story.when(fills(("4", "4"), ("10", "6")))
    assert words(story) == ["TRADE/PARTIALLY_FILLED", "TRADE/FILLED"]
    assert fills_of(story) == [(4, 4, 6), (10, 6, 0)]


def test_a_hole_in_what_is_read_is_waited_out() -> None:
    accepted().when(fills(("10", "6"))).then()
    accepted().when(read("canceled", "4")).then()
    accepted().when(read("filled", "10")).then()


def test_what_is_read_out_of_order_is_booked_in_cumulative_order() -> None:
    story = accepted().when(fills(("10", "3"), ("4", "4"), ("7", "3")))
    assert fills_of(story) == [(4, 4, 6), (7, 3, 3), (10, 3, 0)]


def test_executions_of_other_orders_are_passed_over() -> None:
    accepted().when(fills(("4", "4"), order_id="another")).then()


@pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
def test_an_end_is_believed_when_all_executions_before_it_are_booked(status: str) -> None:
    story = after(accepted(), traded("4", "4")).when(update(status, status, "4"))

    assert words(story) == [f"{status.upper()}/{status.upper()}"]
    assert (last_event(story).cum_qty, last_event(story).leaves_qty) == (4, 0)
    story.when(update(status, status, "4")).then()


def test_an_end_with_missing_executions_is_asked_about_first() -> None:
    story = accepted().when(update("canceled", "canceled", "4"))
    assert words(story) == ["QUERYING/NEW"]

    story = story.when(fills(("4", "4")))
    assert words(story) == ["TRADE/PARTIALLY_FILLED"]
    assert words(story.when(read("canceled", "4"))) == ["CANCELED/CANCELED"]


def test_an_end_with_missing_executions_makes_an_unconfirmed_order_known() -> None:
    assert words(submitted().when(update("canceled", "canceled", "4"))) == ["ACCEPTED/NEW", "QUERYING/NEW"]
    assert words(unknown().when(read("canceled", "4"))) == ["ACCEPTED/NEW"]


def test_an_execution_after_the_end_is_booked_and_the_end_stays() -> None:
    story = after(accepted(), update("canceled", "canceled")).when(traded("4", "4"))

    assert words(story) == ["TRADE/CANCELED"]
    assert fills_of(story) == [(4, 4, 6)]
    assert last_event(story).leaves_qty == 0


# --- cancellations


def test_an_open_order_is_canceled_once() -> None:
    story = accepted().when(CANCEL)

    assert words(story) == ["CANCELING/PENDING_CANCEL"]
    assert last_event(story).broker_order_id == BROKER_ID
    story.when(CANCEL).then()
    story.when(cancel_answered(204)).then()
    assert words(story.when(update("canceled", "canceled"))) == ["CANCELED/CANCELED"]


def test_there_is_nothing_to_cancel_of_an_unknown_name_or_an_ended_order() -> None:
    given(gateway).when(CANCEL).then()
    accepted().when(update("canceled", "canceled")).when(CANCEL).then()


def test_an_order_may_be_filled_while_it_is_being_canceled() -> None:
    story = accepted().when(CANCEL).when(traded("4", "4"))
    assert words(story) == ["TRADE/PENDING_CANCEL"]
    assert words(story.when(traded("10", "6"))) == ["TRADE/FILLED"]


@pytest.mark.parametrize("status", [404, 422, 429, 500, None])
def test_a_cancellation_that_failed_is_asked_about(status: int | None) -> None:
    story = accepted().when(CANCEL).when(cancel_answered(status))

    assert words(story) == ["QUERYING/PENDING_CANCEL"]
    assert words(story.when(read("canceled"))) == ["CANCELED/CANCELED"]


def test_a_lost_cancellation_is_repeated_when_a_read_finds_the_order_open_but_not_for_ever() -> None:
    story = accepted().when(CANCEL)
    for _ in range(CANCELS_MAX - 1):
        story = story.when(cancel_answered(500)).when(read("new"))
        assert words(story) == ["CANCELING/PENDING_CANCEL"]
    story.when(read("new")).then()
    accepted().when(CANCEL).when(read("pending_cancel")).then()
    accepted().when(CANCEL).when(update("new")).then()


def test_an_order_canceled_before_the_broker_answered_is_canceled_when_it_is_found() -> None:
    story = submitted().when(CANCEL)
    assert words(story) == ["CANCELING/PENDING_CANCEL"]
    assert words(story.when(answered())) == ["ACCEPTED/PENDING_CANCEL"]
    assert words(story.when(refused(403, 40310000, "no"))) == ["REJECTED/REJECTED"]

    lost = story.when(silent())
    assert words(lost) == ["UNKNOWN/UNKNOWN", "QUERYING/UNKNOWN"]
    assert words(lost.when(read())) == ["ACCEPTED/PENDING_CANCEL", "CANCELING/PENDING_CANCEL"]


def test_an_unknown_order_that_is_canceled_is_not_sent_again() -> None:
    story = unknown().when(CANCEL)

    assert words(story) == ["CANCELING/UNKNOWN"]
    story.when(not_found()).then()
    assert words(story.when(not_found(at=NEXT_DAY))) == ["EXPIRED/EXPIRED"]


# --- what cannot be, and what cannot be read


@pytest.mark.parametrize(
    "impossible",
    [
        traded("12", "12"),
        fills(("12", "12")),
        fills(("4", "4"), ("6", "5")),
        update("canceled", "canceled", "12"),
        read("filled", "0"),
    ],
)
def test_what_cannot_be_true_is_not_booked_and_makes_the_order_unknown(impossible: BrokerReport) -> None:
    story = accepted().when(impossible)

    assert words(story)[-1] == "UNKNOWN/UNKNOWN"
    assert last_event(story).reason.startswith("CONTRADICTION")
    story.when(impossible).then()


@pytest.mark.parametrize("name", ["trade_bust", "trade_correct", "order_cancel_rejected", "never_heard_of"])
def test_an_event_without_a_word_here_is_asked_about(name: str) -> None:
    assert words(accepted().when(update(name))) == ["QUERYING/NEW"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"data": {"event": "fill"}}',
        '{"data": {"event": "fill", "order": {"id": "1", "status": "new", "filled_qty": "NaN"}}}',
        '{"data": {"event": "new", "order": {"id": "\\ud800", "status": "new", "filled_qty": "0"}}}',
        "[" * 100_000,
    ],
)
def test_a_message_that_cannot_be_read_is_asked_about(body: str) -> None:
    heard = report(ReportKind.STREAM, ReportRequest.NOTHING, body, attempt=0)
    assert words(accepted().when(heard)) == ["QUERYING/NEW"]


def test_an_execution_whose_price_does_not_fit_is_not_rounded() -> None:
    assert words(accepted().when(traded("4", "4", price="560.1234567"))) == ["QUERYING/NEW"]


def test_executions_that_cannot_be_read_make_the_order_unknown() -> None:
    unreadable = report(ReportKind.READ, ReportRequest.FILLS, '[{"cum_qty": "4"}]', http_status=200)
    story = accepted().when(unreadable)

    assert words(story) == ["UNKNOWN/UNKNOWN"]
    story.when(unreadable).then()
    assert words(story.when(read("new"))) == ["ACCEPTED/NEW"]


@pytest.mark.parametrize(
    "empty",
    [
        silent(ReportRequest.ORDER),
        silent(ReportRequest.FILLS),
        report(ReportKind.READ, ReportRequest.ORDER, "oops", http_status=500),
        report(ReportKind.READ, ReportRequest.ORDER, "oops", http_status=200),
        report(ReportKind.READ, ReportRequest.FILLS, "oops", http_status=500),
    ],
)
def test_a_read_without_content_says_nothing(empty: BrokerReport) -> None:
    unknown().when(empty).then()


def test_reports_about_orders_that_are_not_ours_say_nothing() -> None:
    foreign = report(ReportKind.STREAM, ReportRequest.NOTHING, traded("4", "4").body, name="by-hand")
    accepted().when(foreign).then()
    accepted().when(traded("4", "4").model_copy(update={"account_id": "DEMO-2"})).then()


def test_shares_cannot_disappear_from_the_log() -> None:
    story = accepted().when(traded("4", "4"))
    gone = last_event(story).model_copy(update={"cum_qty": Decimal(3)})

    with pytest.raises(ValueError, match="cum_qty 3, it was 4"):
        given(gateway, last_event(story), gone)


def test_exec_types_are_said_in_the_fields_own_words() -> None:
    assert {each.exec_type for each in submitted().said if isinstance(each, OrderEvent)} == {ExecType.SUBMITTING}
    assert last_event(submitted()).ord_status is OrdStatus.PENDING_NEW


def test_a_duplicate_answer_to_a_later_attempt_is_adopted_by_a_read() -> None:
    story = after(unknown(), not_found(), duplicate(attempt=2))

    assert words(story) == ["QUERYING/UNKNOWN"]
    assert words(story.when(read())) == ["ACCEPTED/NEW"]
