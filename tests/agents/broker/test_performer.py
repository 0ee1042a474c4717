"""The broker's hands: what is sent, what is kept back, and what is reported word for word."""

import json
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.broker import memory
from agents.broker.agent import AGENT
from agents.broker.performer import CHECK_AGE_MAX, WAITS_MAX, BrokerPerformer
from agents.broker.ports import NewOrder, Reply
from agents.decider import Message
from agents.declaration import Fact
from agents.gateway import decider as gateway
from agents.testing import given, remembered, through_the_wire
from schemas.account import AccountActivity, AccountSnapshot, OrderProgress, SnapshotStatus
from schemas.execution import Execution, ExecutionStatus
from schemas.identity import derived
from schemas.order import NOT_SENT, ExecType, OrderEvent, OrdStatus, OrdType, PreTradeCheck, ReportKind, ReportRequest
from schemas.record import Record
from tests.agents.broker.fake import SILENT, FakeBrokerage, refusal, reply
from tests.agents.executor.made import portfolio
from tests.agents.gateway.words import ACCOUNT, AS_OF, NAME, VALID_UNTIL, intent

RUN = intent().order.run_id
PRICE = Decimal("560.5")
CHECK = PreTradeCheck(
    read_at=AS_OF, bid=PRICE, ask=PRICE, quoted_at=AS_OF, position=Decimal(0), worst_price=Decimal(565)
)


@dataclass
class Clock:
    """A clock that stands still."""

    at: datetime = AS_OF

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """A performer on a brokerage in memory, and what it published unasked."""

    brokerage: FakeBrokerage = field(default_factory=lambda: FakeBrokerage(prices={"AAPL": Decimal(10)}))
    clock: Clock = field(default_factory=Clock)
    halt: str | None = None
    unasked: "queue.Queue[Fact]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self.performer = BrokerPerformer(
            {ACCOUNT: self.brokerage},
            self.clock,
            lambda _: 0,
            poll_interval_s=3600,
            retry_wait_s=0,
            halted=lambda: self.halt,
            sync_patience_s=10.0,
        )

    def begins(self, published: Sequence[Fact] = ()) -> None:
        """Take the account over a second ago, and wait for the poll that follows the confirmation of the stream."""
        self.clock.at -= timedelta(seconds=1)
        self.performer.take_over(0, remembered(memory, published), self.unasked.put)
        self.clock.at += timedelta(seconds=1)
        assert self.performer._watches[ACCOUNT].missing() == ""

    def perform(self, record: Record, label: str = "cause") -> list[Any]:
        """Let the performer act and return the records it reports."""
        return [fact.record for fact in self.facts(record, label)]

    def facts(self, record: Record, label: str = "cause") -> Sequence[Fact]:
        """Let the performer act and return the facts it reports, as they come back from the log."""
        found = self.performer.perform(self.message(record, label))
        assert [through_the_wire(fact.record) for fact in found] == [fact.record for fact in found]
        return found

    def message(self, record: Record, label: str, occurred_at: datetime = AS_OF) -> Message:
        """Return a message; usually of after the performer took over, so that nobody can have performed it before."""
        return Message(record, derived("event", label), derived("run", "somebody's"), occurred_at)

    def heard(self, count: int) -> list[Any]:
        """Return the next records published unasked; waits for them."""
        return [self.unasked.get(timeout=10).record for _ in range(count)]


def step(exec_type: ExecType, status: OrdStatus = OrdStatus.PENDING_NEW, **changed: Any) -> OrderEvent:
    """Return what the gateway says of the order."""
    asked = intent()
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "client_order_id": NAME,
        "broker_order_id": None,
        "exec_type": exec_type,
        "ord_status": status,
        "cum_qty": Decimal(0),
        "leaves_qty": Decimal(10),
        "last_qty": None,
        "last_px": None,
        "gross_trade_amt": Decimal(0),
        "attempt": 1,
        "refusal": None,
        "reason": "",
        "check": CHECK if exec_type is ExecType.SUBMITTING else None,
        "transact_time": None,
        "order": asked.order,
    }
    return OrderEvent(**{**fields, **changed})


SUBMITTING = step(ExecType.SUBMITTING)
CANCELING = step(ExecType.CANCELING, OrdStatus.PENDING_CANCEL)
QUERYING = step(ExecType.QUERYING, OrdStatus.UNKNOWN)


def cleared(account_id: str = ACCOUNT) -> Execution:
    return Execution(
        account_id=account_id,
        run_id=portfolio().run_id,
        plan_id=None,
        status=ExecutionStatus.CLEARED,
        detail="",
        portfolio=portfolio(symbols=("AAPL", "XYZ")).content,
        plan=None,
        ended_orders=(OrderProgress(client_order_id="earlier", cum_qty=Decimal(3), gross_trade_amt=Decimal(0)),),
    )


def kinds(said: Sequence[Any]) -> list[tuple[str, str, int | None]]:
    return [(each.kind.value, each.request.value, each.http_status) for each in said]


def resting(desk: Desk) -> None:
    """Let the market leave new orders alone."""
    desk.brokerage.fills_at = lambda _: []


def test_the_agent_performs_and_decides_nothing() -> None:
    assert (AGENT.name, AGENT.performs, AGENT.decider) == ("broker", True, None)


# --- orders


def test_an_order_is_posted_once_and_the_answer_reported_as_received(desk: Desk) -> None:
    resting(desk)
    (fact,) = desk.facts(SUBMITTING)
    report: Any = fact.record

    assert desk.brokerage.book[NAME].new == NewOrder(NAME, "AAPL", "BUY", Decimal(10), "MARKET", None, "DAY")
    assert kinds([report]) == [("ANSWER", "SUBMIT", 200)]
    assert json.loads(report.body)["client_order_id"] == NAME
    assert (report.attempt, report.error, report.received_at) == (1, "", AS_OF)
    assert (fact.envelope.event_id, fact.envelope.causation_id) == (report.report_id, derived("event", "cause"))
    assert fact.envelope.correlation_id == RUN


def test_silence_is_reported_as_silence(desk: Desk) -> None:
    desk.brokerage.trouble("submit", SILENT)
    (report,) = desk.perform(SUBMITTING)

    assert kinds([report]) == [("SILENCE", "SUBMIT", None)]
    assert report.error == SILENT.error


@pytest.mark.parametrize(("status", "code"), [(422, 40010001), (422, 42210000), (400, 40010001), (409, 40910000)])
@pytest.mark.parametrize("message", ["client_order_id must be unique", "client order id must be unique"])
def test_performed_again_after_a_crash_the_order_is_read_however_the_broker_says_duplicate(
    desk: Desk, status: int, code: int, message: str
) -> None:
    resting(desk)
    desk.perform(SUBMITTING)
    desk.brokerage.trouble("submit", refusal(status, code, message))
    said = desk.perform(SUBMITTING)

    assert desk.brokerage.posts == [NAME, NAME]
    assert kinds(said) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]
    story = given(gateway, SUBMITTING)
    for report in said:
        story = story.when(report)
    (event,) = story.said
    assert isinstance(event, OrderEvent)
    assert (event.exec_type, event.ord_status) == (ExecType.ACCEPTED, OrdStatus.NEW)


def test_a_duplicate_of_an_order_that_cannot_be_found_is_reported_as_received(desk: Desk) -> None:
    desk.brokerage.trouble("submit", refusal(422, 40010001, "client_order_id must be unique"))
    (report,) = desk.perform(SUBMITTING)

    assert kinds([report]) == [("ANSWER", "SUBMIT", 422)]
    assert "must be unique" in report.body


def test_the_same_words_to_the_same_question_are_the_same_report(desk: Desk) -> None:
    desk.brokerage.trouble("order", *[refusal(404, 40410000, "order not found")] * 3)
    first, again = desk.perform(QUERYING), desk.perform(QUERYING)
    assert [each.report_id for each in first] == [each.report_id for each in again]
    assert desk.perform(QUERYING, "another")[0].report_id != first[0].report_id


def test_a_refusal_is_reported_when_the_order_does_not_exist(desk: Desk) -> None:
    desk.brokerage.trouble("submit", refusal(403, 40310000, "insufficient buying power"))
    assert kinds(desk.perform(SUBMITTING)) == [("ANSWER", "SUBMIT", 403)]


def test_a_refusal_of_an_order_that_exists_all_the_same_is_no_answer(desk: Desk) -> None:
    desk.perform(SUBMITTING)
    desk.brokerage.trouble("submit", refusal(403, 40310000, "insufficient buying power"))

    assert kinds(desk.perform(SUBMITTING)) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]


@pytest.mark.parametrize("trouble", [SILENT, Reply(200, '{"id": "61e6', None), refusal(500, 50010000, "no")])
def test_a_refusal_of_an_order_that_may_exist_is_silence(desk: Desk, trouble: Reply) -> None:
    desk.brokerage.trouble("submit", refusal(403, 40310000, "insufficient buying power"))
    desk.brokerage.trouble("order", trouble)
    (report,) = desk.perform(SUBMITTING)

    assert kinds([report]) == [("SILENCE", "SUBMIT", None)]
    assert "insufficient buying power" in report.error


@pytest.mark.parametrize("trouble", ["halted", "rate limited"])
def test_an_order_that_a_process_before_may_have_sent_is_not_said_to_be_unsent(desk: Desk, trouble: str) -> None:
    desk.halt = "enough" if trouble == "halted" else None
    desk.brokerage.trouble("submit", Reply(429, "", None))
    before = desk.message(SUBMITTING, "cause", AS_OF - timedelta(seconds=1))
    (report,) = (fact.record for fact in desk.performer.perform(before))
    assert kinds([report]) == [("SILENCE", "SUBMIT", None)]
    assert "whether a process before this one has sent it is not known" in report.error


def test_an_order_that_a_process_before_has_sent_is_read(desk: Desk) -> None:
    resting(desk)
    desk.perform(SUBMITTING)
    desk.halt = "enough"
    before = desk.message(SUBMITTING, "cause", AS_OF - timedelta(seconds=1))
    assert kinds([fact.record for fact in desk.performer.perform(before)])[-1] == ("READ", "ORDER", 200)


def test_an_order_let_pass_on_a_reading_of_long_ago_is_kept_back(desk: Desk) -> None:
    check = CHECK.model_copy(update={"read_at": AS_OF - CHECK_AGE_MAX - timedelta(seconds=1)})
    (report,) = desk.perform(SUBMITTING.model_copy(update={"check": check}))
    assert report.error.startswith("NOT_SENT CHECK_OLD read at ")
    assert desk.brokerage.posts == []


def test_an_order_that_no_request_was_free_for_waits_and_that_is_no_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.broker.performer.WAIT_S", 0.0)
    busy = Reply(429, "", "not sent: no request is free for another 0.8 s")
    desk.brokerage.trouble("submit", busy, busy)
    (report,) = desk.perform(SUBMITTING)
    assert (report.kind, report.attempt, report.http_status) == (ReportKind.ANSWER, 1, 200)
    assert len(desk.brokerage.book) == 1


def test_an_order_that_never_finds_a_free_request_is_kept_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.broker.performer.WAIT_S", 0.0)
    busy = Reply(429, "", "not sent: no request is free for another 0.8 s")
    desk.brokerage.trouble("submit", *(busy,) * WAITS_MAX)
    (report,) = desk.perform(SUBMITTING)
    assert report.http_status is None
    assert report.error == f"NOT_SENT RATE_LIMITED {busy.error}"


def test_an_expired_order_is_not_sent(desk: Desk) -> None:
    desk.clock.at = VALID_UNTIL
    (report,) = desk.perform(SUBMITTING)

    assert desk.brokerage.posts == []
    assert kinds([report]) == [("ANSWER", "SUBMIT", None)]
    assert report.error.startswith(f"{NOT_SENT} EXPIRED")
    (event,) = given(gateway, SUBMITTING).when(report).said
    assert isinstance(event, OrderEvent)
    assert (event.exec_type, event.ord_status) == (ExecType.EXPIRED, OrdStatus.EXPIRED)


def test_an_expired_order_that_was_sent_before_a_crash_is_read_instead(desk: Desk) -> None:
    desk.perform(SUBMITTING)
    desk.clock.at = VALID_UNTIL

    assert kinds(desk.perform(SUBMITTING)) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]
    assert desk.brokerage.posts == [NAME]


def test_an_expired_order_of_which_nothing_can_be_read_is_silence(desk: Desk) -> None:
    desk.clock.at = VALID_UNTIL
    desk.brokerage.trouble("order", refusal(500, 50010000, "internal server error"))
    (report,) = desk.perform(SUBMITTING)

    assert kinds([report]) == [("SILENCE", "SUBMIT", None)]


def test_a_limit_order_is_sent_with_its_limit_and_its_hours(desk: Desk) -> None:
    resting(desk)
    terms = intent(ord_type=OrdType.LIMIT, limit_price=Decimal("561.01"), is_extended_hours=True).order
    desk.perform(SUBMITTING.model_copy(update={"order": terms}))

    sent = desk.brokerage.book[NAME].new
    assert (sent.ord_type, sent.limit_price, sent.extended_hours) == ("LIMIT", Decimal("561.01"), True)


# --- cancels and queries


def test_an_order_is_canceled_by_the_brokers_id(desk: Desk) -> None:
    resting(desk)
    desk.perform(SUBMITTING)
    order = desk.brokerage.book[NAME]
    assert kinds(desk.perform(CANCELING.model_copy(update={"broker_order_id": order.id}))) == [
        ("ANSWER", "CANCEL", 204)
    ]
    assert order.status == "canceled"


def test_an_order_whose_id_is_unknown_is_looked_up_and_canceled(desk: Desk) -> None:
    resting(desk)
    desk.brokerage.trouble("submit", "lost")
    desk.perform(SUBMITTING)
    assert kinds(desk.perform(CANCELING)) == [("ANSWER", "CANCEL", 204)]


def test_an_order_that_cannot_be_looked_up_or_is_over_is_not_canceled(desk: Desk) -> None:
    assert kinds(desk.perform(CANCELING)) == [("READ", "ORDER", 404)]
    desk.perform(SUBMITTING)
    assert kinds(desk.perform(CANCELING)) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]


def test_a_query_reports_the_executions_before_the_order(desk: Desk) -> None:
    desk.brokerage.fills_at = lambda _: [Decimal(4), Decimal(10)]
    desk.perform(SUBMITTING)
    fills, order = desk.perform(QUERYING)

    assert kinds([fills, order]) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]
    assert [row["cum_qty"] for row in json.loads(fills.body)] == ["4", "10"]
    assert json.loads(order.body)["status"] == "filled"


def test_a_query_reports_only_the_orders_own_executions_in_the_words_received(desk: Desk) -> None:
    desk.perform(SUBMITTING)
    order_id = desk.brokerage.book[NAME].id
    own = f'{{ "order_id":"{order_id}","cum_qty":10, "qty" : "10","price":560.10 }}'
    desk.brokerage.trouble("fills", Reply(200, f'[{{"order_id":"other"}} ,\n{own}]', None))

    assert desk.perform(QUERYING)[0].body == f"[{own}]"


def test_a_query_about_nothing_and_one_without_executions_say_so(desk: Desk) -> None:
    assert kinds(desk.perform(QUERYING)) == [("READ", "ORDER", 404)]
    desk.brokerage.trouble("order", SILENT)
    assert kinds(desk.perform(QUERYING)) == [("SILENCE", "ORDER", None)]
    desk.perform(SUBMITTING)
    desk.brokerage.trouble("fills", SILENT, Reply(200, "oops", None))
    assert kinds(desk.perform(QUERYING)) == [("SILENCE", "FILLS", None), ("READ", "ORDER", 200)]
    assert desk.perform(QUERYING)[0].body == "oops"


@pytest.mark.parametrize("exec_type", [ExecType.ACCEPTED, ExecType.TRADE, ExecType.UNKNOWN, ExecType.CANCELED])
def test_other_news_of_orders_asks_for_nothing(desk: Desk, exec_type: ExecType) -> None:
    status = OrdStatus.CANCELED if exec_type is ExecType.CANCELED else OrdStatus.NEW
    assert desk.perform(step(exec_type, status)) == []


# --- the account


def test_a_cleared_run_gets_a_snapshot_of_all_that_is_wanted_or_held(desk: Desk) -> None:
    desk.brokerage.prices |= {"IBM": Decimal("190.25"), "OLD": Decimal(1)}
    desk.brokerage.held |= {"IBM": Decimal("2.5"), "OLD": Decimal(0)}
    (fact,) = desk.facts(cleared())

    snapshot = fact.record
    assert isinstance(snapshot, AccountSnapshot)
    assert snapshot.status is SnapshotStatus.READ
    assert (snapshot.content.cash, snapshot.content.equity) == (Decimal(100_000), Decimal("100475.625"))
    assert [(each.symbol, each.quantity) for each in snapshot.content.positions] == [("IBM", Decimal("2.5"))]
    assert desk.brokerage.asked == ["AAPL", "IBM", "XYZ"]
    assert [each.symbol for each in snapshot.content.quotes] == ["AAPL", "IBM"]
    assert [(each.symbol, each.status.value) for each in snapshot.content.instruments] == [("XYZ", "NOT_TRADABLE")]
    assert snapshot.content.buying_power == Decimal(100_000)
    assert (snapshot.content.initial_margin, snapshot.content.maintenance_margin) == (
        Decimal("237.8125"),
        Decimal("142.6875"),
    )
    assert snapshot.content.ended_orders == cleared().ended_orders
    assert fact.envelope.correlation_id == snapshot.run_id
    assert fact.envelope.occurred_at == snapshot.content.taken_at == AS_OF
    assert desk.facts(cleared())[0].envelope.event_id == fact.envelope.event_id


def test_what_happened_in_the_account_is_reported_before_the_snapshot_that_shows_it(desk: Desk) -> None:
    desk.brokerage.deposit("100000")
    assert [type(each) for each in desk.perform(cleared())] == [AccountActivity, AccountSnapshot]
    assert [type(each) for each in desk.perform(cleared())] == [AccountSnapshot]


@pytest.mark.parametrize("request_name", ["activities", "account", "positions", "quotes"])
@pytest.mark.parametrize("trouble", [SILENT, refusal(500, 50010000, "internal server error"), reply([1])])
def test_reads_are_tried_three_times_and_then_the_snapshot_has_failed(
    desk: Desk, request_name: str, trouble: Reply
) -> None:
    desk.brokerage.trouble(request_name, trouble, trouble)
    assert desk.perform(cleared())[0].status is SnapshotStatus.READ

    desk.brokerage.trouble(request_name, trouble, trouble, trouble)
    (snapshot,) = desk.perform(cleared())
    assert snapshot.status is SnapshotStatus.FAILED
    assert snapshot.detail.startswith(f"{request_name}, 3 tries")
    assert (snapshot.content.cash, snapshot.content.positions, snapshot.content.quotes) == (0, (), ())
    assert snapshot.content.portfolio == cleared().portfolio


@pytest.mark.parametrize(
    ("cash", "equity", "detail"),
    [
        ("0.1234567890123456", "1", "cash: expected at most 15 decimals, was 0.1234567890123456"),
        ("1" + "0" * 23, "1", "cash: expected at most 23 digits before the point, was 1" + "0" * 23),
        ("1", "1" + "0" * 23, "equity: expected at most 23 digits before the point, was 1" + "0" * 23),
        ("1", "1e99", "equity 1E+99 does not fit"),
    ],
)
def test_money_that_does_not_fit_the_schema_fails_the_snapshot_and_the_agent_lives_on(
    desk: Desk, cash: str, equity: str, detail: str
) -> None:
    margins = {"buying_power": "0", "initial_margin": "0", "maintenance_margin": "0"}
    desk.brokerage.trouble("account", *[reply({**margins, "cash": cash, "equity": equity})] * 3)
    (snapshot,) = desk.perform(cleared())

    assert snapshot.status is SnapshotStatus.FAILED
    assert snapshot.detail.startswith(f"account, 3 tries: {detail}")
    assert (snapshot.content.cash, snapshot.content.equity) == (0, 0)
    assert desk.perform(cleared())[0].status is SnapshotStatus.READ


def test_an_account_without_a_brokerage_fails_with_the_reason(desk: Desk) -> None:
    (snapshot,) = desk.perform(cleared("DEMO-2"))
    assert snapshot.status is SnapshotStatus.FAILED
    assert "account DEMO-2 has no brokerage here" in snapshot.detail
    assert kinds(desk.perform(SUBMITTING.model_copy(update={"account_id": "DEMO-2"}))) == [("SILENCE", "SUBMIT", None)]


# --- the stream


def test_what_the_stream_says_is_published_in_the_chain_of_its_order(desk: Desk) -> None:
    desk.perform(SUBMITTING, "submitting")

    new, fill = (desk.unasked.get(timeout=10) for _ in range(2))
    assert [json.loads(each.record.body)["data"]["event"] for each in (new, fill)] == ["new", "fill"]  # type: ignore[attr-defined]
    assert kinds([new.record]) == [(ReportKind.STREAM.value, ReportRequest.NOTHING.value, None)]
    for fact in (new, fill):
        assert fact.envelope.correlation_id == RUN
        assert fact.envelope.causation_id == derived("event", "submitting")
    assert fill.envelope.occurred_at > new.envelope.occurred_at


def test_what_the_stream_says_twice_is_published_once(desk: Desk) -> None:
    resting(desk)
    desk.perform(SUBMITTING)
    desk.heard(1)
    desk.brokerage.fill(NAME, Decimal(4))
    (once,) = desk.heard(1)
    tell = desk.brokerage.on_message
    assert tell is not None
    tell(once.body)
    desk.brokerage.fill(NAME, Decimal(10))

    assert [json.loads(each.body)["data"]["event"] for each in desk.heard(1)] == ["fill"]
    assert desk.unasked.empty()


def test_messages_about_other_orders_and_unreadable_ones_are_published_as_they_are(desk: Desk) -> None:
    tell: Callable[[str], None] | None = desk.brokerage.on_message
    assert tell is not None
    bodies = ["not json", '{"data": {"event": "new", "order": {"client_order_id": "by-hand"}}}']
    for body in bodies:
        tell(body)
    reports = desk.heard(2)
    assert [each.body for each in reports] == bodies
    assert [each.client_order_id for each in reports] == ["", "by-hand"]
    assert [through_the_wire(each) for each in reports] == reports


# --- polls


def test_once_listening_is_confirmed_a_poll_closes_the_gap(desk: Desk) -> None:
    desk.brokerage.is_heard = False
    desk.brokerage.deposit("100000")
    resting(desk)
    desk.perform(SUBMITTING)
    desk.brokerage.fill(NAME, Decimal(10))
    desk.brokerage.listening()

    fills, order, deposit = desk.heard(3)
    assert kinds([fills, order]) == [("READ", "FILLS", 200), ("READ", "ORDER", 200)]
    assert (deposit.activity_type, json.loads(deposit.body)["net_amount"]) == ("CSD", "100000")


def test_a_poll_that_fails_is_followed_by_the_next(desk: Desk) -> None:
    desk.brokerage.deposit("100000")
    poll = desk.performer._watches[ACCOUNT]._poll
    now, failed = poll._now, queue.Queue[None]()

    def broken() -> datetime:
        poll._now = now
        failed.put(None)
        raise OSError("the clock cannot be read")

    poll._now = broken
    desk.brokerage.listening()
    failed.get(timeout=10)

    assert desk.heard(1)[0].activity_type == "CSD"


def test_after_release_nothing_is_published(desk: Desk) -> None:
    tell, gap = desk.brokerage.on_message, desk.brokerage.on_gap
    assert tell is not None
    assert gap is not None
    desk.performer.release(0)
    tell("{}")
    gap("listening")

    assert desk.brokerage.on_message is None
    assert desk.unasked.empty()
    desk.performer.release(0)


def test_only_the_accounts_of_a_partition_are_served() -> None:
    ours, theirs = FakeBrokerage(), FakeBrokerage()
    performer = BrokerPerformer({"a": ours, "b": theirs}, Clock(), lambda account: int(account == "b"))
    performer.take_over(0, memory.initial_state(), lambda _: None)

    assert (ours.on_message is not None, theirs.on_message is not None) == (True, False)
    performer.release(0)


def test_a_new_owner_says_nothing_that_was_published_before(desk: Desk) -> None:
    desk.brokerage.deposit("100000")
    resting(desk)
    published = [*desk.facts(SUBMITTING)]
    desk.brokerage.fill(NAME, Decimal(4))
    desk.brokerage.listening()
    published += [desk.unasked.get(timeout=10) for _ in range(3)]
    desk.performer.release(0)
    published += [desk.unasked.get() for _ in range(desk.unasked.qsize())]

    heir = Desk(brokerage=desk.brokerage)
    heir.begins(published)
    desk.brokerage.deposit("-0.01", "FEE")
    desk.brokerage.listening()
    assert [each.activity_type for each in heir.heard(1)] == ["FEE"]

    desk.brokerage.fill(NAME, Decimal(10))
    fill = heir.unasked.get(timeout=10)
    assert kinds([fill.record]) == [("STREAM", "NOTHING", None)]
    assert fill.envelope.causation_id == derived("event", "cause")
    heir.performer.release(0)
