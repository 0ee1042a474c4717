"""UNKNOWN orders: read again and again, every read said, until they are found or have ended; a restart forgets none."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from agents.broker import facts
from agents.broker.memory import AccountMemory
from agents.broker.ports import Reply
from agents.broker.unknown import LONGEST_WAIT_S, UNKNOWN_FOR
from agents.declaration import Fact
from schemas.account import AccountSnapshot, SnapshotStatus
from schemas.identity import derived
from schemas.order import ReportRequest
from tests.agents.broker.fake import SILENT, refusal
from tests.agents.broker.test_watch import ENVELOPE, NAME, Post, _word
from tests.agents.gateway.words import ACCOUNT
from tests.made import snapshot_content


@pytest.fixture
def post() -> Post:
    """An order whose submission met silence, and of which the gateway says that it is UNKNOWN."""
    made = Post()
    made.sends(SILENT)
    made.watch.stands(NAME, is_unknown=True)
    return made


def reads(post: Post, after_s: float) -> list[str]:
    """What is said when some seconds have passed."""
    post.said.clear()
    post.at_s += after_s
    post.watch.read_unknown()
    return [_word(fact.record) for fact in post.said]


def restarted(post: Post, published: Sequence[Fact]) -> Post:
    """The next owner of the account, that knows only what was published."""
    heir = Post(brokerage=post.brokerage)
    heir.at = post.at
    heir.memory = AccountMemory(ACCOUNT)
    for fact in published:
        heir.memory.note_fact(fact)
    heir.begins()
    return heir


def answered(post: Post, reply: Reply) -> Fact:
    """The answer to the submission, as it is published."""
    asking = facts.Asking(post.at, post.at, derived("submitting"))
    return facts.answer(post.memory.subject(NAME), ReportRequest.SUBMIT, reply, asking, 1)


def test_it_is_read_after_one_two_and_four_seconds_and_so_on_up_to_a_minute(post: Post) -> None:
    for wait_s in (1, 2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S):
        assert reads(post, wait_s - 0.25) == []
        assert reads(post, 0.25) == ["order 404"]


def test_every_read_is_said_with_an_identity_of_its_own(post: Post) -> None:
    ids = set()
    for _ in range(3):
        post.at += timedelta(seconds=60)
        assert reads(post, 60) == ["order 404"]
        ids.add(post.said[0].envelope.event_id)
    assert len(ids) == 3


def test_an_order_that_is_found_is_said_with_its_executions_until_the_gateway_has_heard_it(post: Post) -> None:
    order = post.brokerage.submit_late(NAME)
    post.brokerage.fill(NAME, order.new.order_qty)
    assert reads(post, 60) == ["fills to 10", "order filled"]
    assert reads(post, 60) == ["fills to 10", "order filled"]
    post.watch.stands(NAME, is_unknown=False)
    assert reads(post, 1000) == []


@pytest.mark.parametrize(("trouble", "word"), [(SILENT, "silence"), (refusal(500, 50010000, "no"), "order 500")])
def test_a_read_that_fails_is_said_and_tried_again(post: Post, trouble: Reply, word: str) -> None:
    post.brokerage.trouble("order", trouble)
    assert reads(post, 60) == [word]
    assert reads(post, 60) == ["order 404"]


def test_an_order_that_has_ended_is_not_read(post: Post) -> None:
    post.watch.stands(NAME, is_unknown=False)
    assert reads(post, 1000) == []


def test_what_the_gateway_calls_unknown_is_read_without_end_because_capital_waits_for_it(post: Post) -> None:
    post.at += UNKNOWN_FOR + timedelta(seconds=1)
    assert reads(post, 60) == ["order 404"]


def test_what_only_this_process_takes_for_unknown_is_read_for_a_week_and_then_once_more(post: Post) -> None:
    heir = restarted(post, [answered(post, SILENT)])
    assert reads(heir, 0) == reads(heir, 60) == ["order 404"]
    heir.at += UNKNOWN_FOR + timedelta(seconds=1)
    assert reads(heir, 60) == ["order 404"]
    assert reads(heir, 1000) == []


def test_an_order_executed_while_nobody_was_there_for_weeks_is_read_by_the_next_owner(post: Post) -> None:
    order = post.brokerage.submit_late(NAME)
    post.brokerage.fill(NAME, order.new.order_qty)
    silence = answered(post, SILENT)
    post.at += 3 * UNKNOWN_FOR
    assert reads(restarted(post, [silence]), 0) == ["fills to 10", "order filled"]


@pytest.mark.parametrize(("trouble", "word"), [(SILENT, "silence"), (refusal(500, 50010000, "no"), "order 500")])
def test_an_old_order_is_read_until_the_broker_has_answered(post: Post, trouble: Reply, word: str) -> None:
    silence = answered(post, SILENT)
    post.at += 3 * UNKNOWN_FOR
    heir = restarted(post, [silence])
    heir.brokerage.trouble("order", trouble)
    assert reads(heir, 0) == [word]
    assert reads(heir, 60) == ["order 404"]
    assert reads(heir, 1000) == []


def test_an_old_order_that_is_called_unknown_while_it_is_read_is_read_on(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = answered(post, SILENT)
    post.at += 3 * UNKNOWN_FOR
    heir = restarted(post, [silence])
    read = heir.brokerage.order_by_client_id

    def told_meanwhile(name: str) -> Reply:
        heir.watch.stands(name, is_unknown=True)
        return read(name)

    monkeypatch.setattr(heir.brokerage, "order_by_client_id", told_meanwhile)
    assert reads(heir, 0) == reads(heir, 60) == ["order 404"]


# --- after a restart


@pytest.mark.parametrize("reply", [SILENT, refusal(500, 50010000, "no"), Reply(200, "{", None)])
def test_an_order_without_an_answer_is_read_at_once_by_the_next_owner(post: Post, reply: Reply) -> None:
    heir = restarted(post, [answered(post, reply)])
    assert reads(heir, 0) == ["order 404"]
    assert reads(heir, 1.9) == []
    assert reads(heir, 0.1) == ["order 404"]


def test_an_order_that_was_not_found_is_read_by_the_next_owner(post: Post) -> None:
    assert reads(post, 60) == ["order 404"]
    assert reads(restarted(post, post.said), 0) == ["order 404"]


def test_an_order_that_the_next_owner_finds_is_said_once_unless_it_is_told_that_it_is_unknown(post: Post) -> None:
    post.brokerage.submit_late(NAME)
    heir = restarted(post, [answered(post, SILENT)])
    assert reads(heir, 0) == ["no fills", "order new"]
    assert reads(heir, 1000) == []
    heir.watch.stands(NAME, is_unknown=True)
    assert reads(heir, 60) == ["no fills", "order new"]


def test_an_order_that_was_answered_found_or_refused_is_not_read_by_the_next_owner(post: Post) -> None:
    post.brokerage.submit_late(NAME)
    found = answered(post, post.brokerage.order_by_client_id(NAME))
    assert reads(restarted(post, [answered(post, SILENT), found]), 1000) == []
    assert reads(restarted(post, [answered(post, refusal(403, 40310000, "buying power"))]), 1000) == []


def test_an_order_of_before_a_snapshot_has_ended(post: Post) -> None:
    snapshot = AccountSnapshot(
        account_id=ACCOUNT, run_id=derived("run"), status=SnapshotStatus.READ, detail="", content=snapshot_content()
    )
    assert reads(restarted(post, [answered(post, SILENT), Fact(snapshot, ENVELOPE)]), 1000) == []
