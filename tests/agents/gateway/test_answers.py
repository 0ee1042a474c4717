"""Every answer of the broker in every state of an order: one table, read like a spreadsheet.

A cell says what was said, in one letter each; a dot says nothing. The states are the columns: CHK is being checked,
SENT, AGAIN was sent again after its first attempt was lost, 429 after the first was not looked at, BACK was taken back
before the broker had it, UNK is UNKNOWN, PART is executed in part, FILL to REF have ended.
"""

from collections.abc import Callable

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.decider import Message
from agents.gateway import decider as gateway
from agents.gateway.decider import State
from agents.gateway.orders import Order, Stage
from agents.gateway.reports import Word, heard
from agents.gateway.rules import RULES
from agents.gateway.sending import ATTEMPTS_MAX
from agents.testing import Story
from schemas.gate import TradingHalt
from schemas.identity import derived
from schemas.order import (
    TERMINAL,
    BrokerReport,
    ExecType,
    Fill,
    IntentAction,
    OrderEvent,
    OrdStatus,
    ReportKind,
    ReportRequest,
)
from tests.agents.gateway.beginnings import accepted, checking, submitted, unknown
from tests.agents.gateway.words import (
    ACCOUNT,
    AS_OF,
    NAME,
    VALID_UNTIL,
    answered,
    cancel_answered,
    check_failed,
    checked,
    duplicate,
    fills,
    halt_asked,
    intent,
    kept_back,
    not_found,
    order_json,
    read,
    refused,
    report,
    silent,
    traded,
    update,
)

CANCEL = intent(IntentAction.CANCEL)
HALT = halt_asked(is_canceling=True)
WORDS_MAX = 8


def sent_again() -> Story:
    """The first attempt may have arrived."""
    return unknown().when(not_found())


def throttled() -> Story:
    """The first attempt was not looked at."""
    return submitted().when(refused(429, 42910000, "too many requests"))


STATES: dict[str, Callable[[], Story]] = {
    "CHK": checking,
    "SENT": submitted,
    "AGAIN": sent_again,
    "429": throttled,
    "BACK": lambda: submitted().when(CANCEL),
    "UNK": unknown,
    "UNK-BACK": lambda: unknown().when(CANCEL),
    "NEW": accepted,
    "PART": lambda: accepted().when(traded("4", "4")),
    "CXL-ASKED": lambda: accepted().when(CANCEL),
    "FILL": lambda: accepted().when(traded("10", "10")),
    "CXL": lambda: accepted().when(update("canceled", "canceled")),
    "REJ": lambda: submitted().when(refused(403, 40310000, "no")),
    "EXP": lambda: submitted().when(kept_back()),
    "REF": lambda: checking().when(check_failed()),
}


def order_of(story: Story) -> Order:
    order: Order = story.state.accounts[ACCOUNT].orders[NAME]
    return order


Answer = Callable[[int], BrokerReport]

ANSWERS: dict[str, Answer] = {
    "checked": lambda _: checked(),
    "check failed": lambda _: check_failed(),
    "200 new": lambda attempt: answered(attempt=attempt),
    "200 filled": lambda attempt: answered(body=order_json("filled", "10"), attempt=attempt),
    "200 rejected": lambda attempt: answered(body=order_json("rejected"), attempt=attempt),
    "200 half a body": lambda attempt: report(
        ReportKind.ANSWER, ReportRequest.SUBMIT, '{"id": "61e6', http_status=200, attempt=attempt
    ),
    "200 another form": lambda attempt: answered(body=["new"], attempt=attempt),
    "422 duplicate": duplicate,
    "422 other": lambda attempt: refused(422, 42210000, "asset not found", attempt=attempt),
    "403": lambda attempt: refused(403, 40310000, "insufficient buying power", attempt=attempt),
    "401": lambda attempt: refused(401, 40110000, "not authorized", attempt=attempt),
    "429": lambda attempt: refused(429, 42910000, "too many requests", attempt=attempt),
    "408": lambda attempt: answered(408, attempt=attempt),
    "500": lambda attempt: answered(500, attempt=attempt),
    "504": lambda attempt: answered(504, {"message": "timeout"}, attempt=attempt),
    "silence": lambda attempt: silent(attempt=attempt),
    "not sent": kept_back,
    "not sent, halt": lambda attempt: kept_back(attempt).model_copy(update={"error": "NOT_SENT HALTED by hand"}),
    "not sent, sync": lambda attempt: kept_back(attempt).model_copy(update={"error": "NOT_SENT NOT_IN_SYNC no"}),
    "read 404": lambda attempt: not_found(attempt=attempt),
    "read 500": lambda _: report(ReportKind.READ, ReportRequest.ORDER, "no", http_status=500),
    "read new": lambda _: read("new"),
    "read part": lambda _: read("partially_filled", "4"),
    "read filled": lambda _: read("filled", "10"),
    "read canceled": lambda _: read("canceled"),
    "fills 4": lambda _: fills(("4", "4")),
    "fills 4, 10": lambda _: fills(("4", "4"), ("10", "6")),
    "stream 4": lambda _: traded("4", "4"),
    "stream 10": lambda _: traded("10", "10"),
    "stream 7": lambda _: traded("7", "3"),
    "stream 12": lambda _: traded("12", "2", whole="12"),
    "stream new": lambda _: update("new"),
    "stream canceled": lambda _: update("canceled", "canceled"),
    "stream expired": lambda _: update("expired", "expired"),
    "stream rejected": lambda _: update("rejected", "rejected"),
    "stream replaced": lambda _: update("replaced", "replaced"),
    "stream unheard of": lambda _: update("never_heard_of"),
    "cancel 204": lambda _: cancel_answered(204),
    "cancel 422": lambda _: cancel_answered(422),
    "cancel silence": lambda _: cancel_answered(None),
}

SHORT = {
    ExecType.SUBMITTING: "S",
    ExecType.ACCEPTED: "A",
    ExecType.TRADE: "T",
    ExecType.CANCELED: "C",
    ExecType.REJECTED: "R",
    ExecType.EXPIRED: "E",
    ExecType.UNKNOWN: "U",
    ExecType.QUERYING: "Q",
    ExecType.REFUSED: "F",
    ExecType.CANCELING: "K",
}


def cell(story: Story) -> str:
    """Return what was said, in short."""
    words = [SHORT[each.exec_type] for each in story.said if isinstance(each, OrderEvent)]
    words += ["!" for each in story.said if isinstance(each, TradingHalt)]
    return "".join(words) or "."


TABLE = """
                   CHK SENT AGAIN 429 BACK UNK UNK-BACK NEW PART CXL-ASKED FILL CXL REJ EXP REF
checked            S   .    .     .   .    .   .        .   .    .         .    .   .   .   .
check failed       F   .    .     .   .    .   .        .   .    .         .    .   .   .   .
200 new            A!  A    A     A   A    A   A        .   .    .         .    .   !   !   !
200 filled         A!  A    A     A   A    A   A        .   .    .         .    .   !   !   !
200 rejected       R   R    R     R   R    R   R        R   R    R         .    .   .   .   .
200 half a body    .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
200 another form   .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
422 duplicate      .   Q    Q     Q   Q    .   .        .   .    .         .    .   .   .   .
422 other          .   R    UQ    R   R    .   .        .   .    .         .    .   .   .   .
403                .   R    UQ    R   R    .   .        .   .    .         .    .   .   .   .
401                !   R!   UQ!   R!  R!   !   !        !   !    !         !    !   !   !   !
429                .   S    S     S   C    .   .        .   .    .         .    .   .   .   .
408                .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
500                .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
504                .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
silence            .   UQ   UQ    UQ  UQ   .   .        .   .    .         .    .   .   .   .
not sent           .   E    U     E   E    .   .        .   .    .         .    .   .   .   .
not sent, halt     .   F    U     F   F    .   .        .   .    .         .    .   .   .   .
not sent, sync     .   R    U     R   R    .   .        .   .    .         .    .   .   .   .
read 404           .   .    .     .   .    S   .        .   .    .         .    .   .   .   .
read 500           .   .    .     .   .    .   .        .   .    .         .    .   .   .   .
read new           A!  A    A     A   AK   A   AK       .   .    K         .    .   !   !   !
read part          A!  A    A     A   AK   A   AK       .   .    K         .    .   !   !   !
read filled        A!  A    A     A   A    A   A        .   .    .         .    .   !   !   !
read canceled      C   C    C     C   C    C   C        C   C    C         .    .   .   .   .
fills 4            T!  T    T     T   T    T   T        T   .    T         .    T   T!  T!  T!
fills 4, 10        TT! TT   TT    TT  TT   TT  TT       TT  T    TT        .    TT  TT! TT! TT!
stream 4           T!  T    T     T   T    T   T        T   .    T         .    T   T!  T!  T!
stream 10          T!  T    T     T   T    T   T        T   Q    T         .    T   T!  T!  T!
stream 7           Q!  Q    Q     Q   Q    Q   Q        Q   T    Q         .    Q   Q!  Q!  Q!
stream 12          U!  U!   U!    U!  U!   !   !        U!  U!   U!        !    !   !   !   !
stream new         A!  A    A     A   A    A   A        .   .    .         .    .   !   !   !
stream canceled    C   C    C     C   C    C   C        C   C    C         .    .   .   .   .
stream expired     E   E    E     E   E    E   E        E   E    E         .    .   .   .   .
stream rejected    R   R    R     R   R    R   R        R   R    R         .    .   .   .   .
stream replaced    C   C    C     C   C    C   C        C   C    C         .    .   .   .   .
stream unheard of  Q   Q    Q     Q   Q    Q   Q        Q   Q    Q         .    .   .   .   .
cancel 204         .   .    .     .   .    .   .        .   .    .         .    .   .   .   .
cancel 422         .   Q    Q     Q   Q    Q   Q        Q   Q    Q         .    .   .   .   .
cancel silence     .   Q    Q     Q   Q    Q   Q        Q   Q    Q         .    .   .   .   .
"""


def cells() -> list[tuple[str, str, str]]:
    """Return the table as answer, state and what was said; its columns stand where their heads begin."""
    head, *rows = TABLE.strip("\n").splitlines()
    assert head.split() == list(STATES)
    return [(row[:18].strip(), *each) for row in rows for each in zip(STATES, row[18:].split(), strict=True)]


def test_the_table_has_every_answer_and_every_state() -> None:
    assert [answer for answer, state, _ in cells() if state == "CHK"] == list(ANSWERS)
    assert len(cells()) == len(ANSWERS) * len(STATES)
    assert {stage for story in STATES.values() for stage in [order_of(story()).stage]} == set(Stage)
    words = {heard(each(1)).word for each in ANSWERS.values()} | {Word.BAD_FILLS}
    assert words == set(RULES) == set(Word)


@pytest.mark.parametrize(("answer", "state", "expected"), cells())
def test_every_answer_in_every_state(answer: str, state: str, expected: str) -> None:
    story = STATES[state]()
    before = order_of(story)
    after = story.when(ANSWERS[answer](max(before.attempt, 1)))

    assert cell(after) == expected
    for each in after.said:
        if isinstance(each, OrderEvent):
            is_over = each.ord_status in TERMINAL
            assert each.leaves_qty == (0 if is_over else each.order.order_qty - each.cum_qty)
            assert before.status not in TERMINAL or each.exec_type in (ExecType.TRADE, ExecType.QUERYING)
            assert (each.refusal is not None) is (each.exec_type is ExecType.REFUSED)
            assert (each.check is not None) is (each.exec_type is ExecType.SUBMITTING)
    fills_said = [each for each in after.said if isinstance(each, Fill)]
    assert len(fills_said) == len([each for each in after.said if getattr(each, "exec_type", None) is ExecType.TRADE])


def test_a_duplicate_that_is_not_found_is_read_again_and_not_sent_again() -> None:
    story = submitted().when(duplicate()).when(not_found())

    assert story.said == ()
    assert cell(story.when(read())) == "A"
    assert cell(sent_again().when(duplicate(2)).when(not_found())) == "."


def test_an_order_that_is_throttled_to_the_end_is_rejected_unless_an_attempt_may_have_arrived() -> None:
    story, doubtful = submitted(), sent_again()
    for attempt in range(1, ATTEMPTS_MAX):
        story = story.when(refused(429, 42910000, "too many requests", attempt=attempt))
        assert cell(story) == "S"
    assert cell(story.when(refused(429, 42910000, "too many requests", attempt=ATTEMPTS_MAX))) == "R"
    for attempt in range(2, ATTEMPTS_MAX):
        doubtful = doubtful.when(refused(429, 42910000, "too many requests", attempt=attempt))
    assert cell(doubtful.when(refused(429, 42910000, "too many requests", attempt=ATTEMPTS_MAX))) == "UQ"


def test_an_order_that_is_throttled_ends_as_it_must() -> None:
    late = refused(429, 42910000, "too many requests").model_copy(update={"received_at": VALID_UNTIL})
    assert cell(submitted().when(late)) == "E"
    halted = submitted().when(halt_asked()).when(refused(429, 42910000, "too many requests"))
    assert cell(halted) == "F"


COMMON = (
    "checked",
    "200 new",
    "422 duplicate",
    "403",
    "429",
    "silence",
    "read 404",
    "read new",
    "fills 4, 10",
    "stream 4",
    "stream 10",
    "stream canceled",
)


def test_no_order_of_eight_common_words_breaks_a_law() -> None:
    """All of them in all orders, a cancellation among them: each state is met once, and left once with each word."""
    met, edge = set[State](), {checking().state}
    for _ in range(WORDS_MAX):
        met |= edge
        edge = {after_word(state, word) for state in edge for word in (*COMMON, "taken back")} - met
    assert len(met) > 100


@settings(max_examples=300, deadline=None)
@for_all(st.lists(st.sampled_from([*ANSWERS, "taken back", "halt"]), max_size=WORDS_MAX))
def test_no_eight_words_break_a_law(words: list[str]) -> None:
    state = checking().state
    for word in words:
        state = after_word(state, word)


def after_word(state: State, word: str) -> State:
    """Return the state after a word, all laws checked."""
    order: Order = state.accounts[ACCOUNT].orders[NAME]
    asked = {"taken back": CANCEL, "halt": HALT}
    record = asked[word] if word in asked else ANSWERS[word](max(order.attempt, 1))
    for said in gateway.decide(state, Message(record, derived("word"), derived("run"), AS_OF)):
        before: Order = state.accounts[ACCOUNT].orders[NAME]
        state = gateway.evolve(state, said)
        if isinstance(said, OrderEvent):
            check_laws(before, said)
        elif isinstance(said, Fill):
            assert (said.cum_qty, said.leaves_qty) == (before.cum_qty, before.terms.order_qty - before.cum_qty)
            assert said.cum_qty > order.cum_qty
    return state


def check_laws(before: Order, event: OrderEvent) -> None:
    """Executed shares never disappear and never exceed the order, ends stay, attempts count up."""
    is_over = event.ord_status in TERMINAL
    assert event.leaves_qty == (0 if is_over else event.order.order_qty - event.cum_qty)
    assert before.cum_qty <= event.cum_qty <= event.order.order_qty
    assert (event.cum_qty > before.cum_qty) is (event.exec_type is ExecType.TRADE)
    assert event.cum_qty - before.cum_qty == (event.last_qty or 0)
    if before.status in TERMINAL:
        assert event.exec_type in (ExecType.TRADE, ExecType.QUERYING)
        assert event.ord_status in (before.status, OrdStatus.FILLED)
    if event.exec_type is ExecType.SUBMITTING:
        assert event.attempt == before.attempt + 1 <= ATTEMPTS_MAX
        assert not before.is_said_to_exist
        assert not before.cancels
    else:
        assert event.attempt == before.attempt
