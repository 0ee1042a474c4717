"""Troubles of requests: what the client sees, and what the simulator really did."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.simulator.client import SimulatorControl
from infra.simulator.faults import FaultKind, FaultProfile
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import SimulatorUrls
from tests.infra.simulator.http import Seen, ask, new_order, read_by_id

IMPATIENT_S = 0.3
LONG_S = 600


def submit(urls: SimulatorUrls, client_order_id: str = "a", patience_s: float = 10) -> Seen:
    return ask(urls, "POST", "/v2/orders", new_order(client_order_id), patience_s)


def taken(control: SimulatorControl) -> list[str]:
    return [row.client_order_id for row in control.orders() if row.order is not None]


@pytest.mark.parametrize(
    ("kind", "seen", "is_done"),
    [
        ("timeout_before", ("silence", None), False),
        ("reset_before", ("reset", None), False),
        ("http_429", ("answer", 429), False),
        ("http_500", ("answer", 500), False),
        ("http_503", ("answer", 503), False),
        ("http_504", ("answer", 504), False),
        ("timeout_after_accept", ("silence", None), True),
        ("reset_after_accept", ("reset", None), True),
        ("http_429_after_accept", ("answer", 429), True),
        ("http_500_after_accept", ("answer", 500), True),
        ("http_503_after_accept", ("answer", 503), True),
        ("http_504_after_accept", ("answer", 504), True),
        ("half_body", ("cut", None), True),
        ("slow_answer", ("answer", 200), True),
    ],
)
def test_what_is_seen_does_not_say_what_was_done(
    urls: SimulatorUrls, control: SimulatorControl, kind: str, seen: tuple[str, int | None], is_done: bool
) -> None:
    control.add_fault(kind, "POST /v2/orders", seconds=0.01)

    found = submit(urls, patience_s=IMPATIENT_S if seen[0] == "silence" else 10)

    assert (found.outcome, found.status) == seen
    assert taken(control) == (["a"] if is_done else [])
    assert control.struck() == {FaultKind(kind): 1}
    assert submit(urls).status == (422 if is_done else 200)


def test_an_answer_that_is_no_json_comes_whole(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("broken_json", "POST /v2/orders")

    found = submit(urls)

    assert (found.outcome, found.status, taken(control)) == ("answer", 200, ["a"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(found.text)


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("kind", ["half_body", "broken_json"])
def test_even_an_answer_without_a_body_can_be_spoiled(
    urls: SimulatorUrls, control: SimulatorControl, kind: str
) -> None:
    control.hold("AAPL")
    order_id = submit(urls).json["id"]
    control.add_fault(kind, "DELETE /v2/orders/*")

    found = ask(urls, "DELETE", f"/v2/orders/{order_id}")

    assert (found.outcome, found.text) in [("cut", ""), ("answer", "{,")]
    assert read_by_id(urls, "a").json["status"] == "canceled"


@pytest.mark.parametrize("kind", ["http_503", "http_504", "http_503_after_accept", "http_504_after_accept"])
def test_a_gateway_answers_in_html(urls: SimulatorUrls, control: SimulatorControl, kind: str) -> None:
    control.add_fault(kind, "GET /v2/account")

    assert ask(urls, "GET", "/v2/account").text.startswith("<html>")


def test_too_many_requests_say_when_the_next_is_welcome(urls: SimulatorUrls, control: SimulatorControl) -> None:
    before = ask(urls, "GET", "/v2/account")
    control.add_fault("http_429", "GET /v2/account", seconds=30)

    refused = ask(urls, "GET", "/v2/account")

    assert refused.json == {"code": 42910000, "message": "rate limit exceeded"}
    assert (refused.header("X-RateLimit-Remaining"), before.header("X-RateLimit-Limit")) == ("0", "1000000")
    assert int(refused.header("X-RateLimit-Reset")) > 1_700_000_000


def test_a_limit_of_requests_is_counted_down_and_then_refuses(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.reset(requests_per_minute=3)

    answers = [ask(urls, "GET", "/v2/positions") for _ in range(9)]

    # A minute of real time may begin in between, once; so nine requests are refused at least three times.
    first = answers[0]
    assert (first.status, first.header("X-RateLimit-Limit"), first.header("X-RateLimit-Remaining")) == (200, "3", "2")
    assert [each.status for each in answers[1:3]] == [200, 200]
    refused = [each for each in answers if each.status == 429]
    assert len(refused) >= 3
    assert refused[0].json["code"] == 42910000
    assert int(refused[0].header("X-RateLimit-Reset")) % 60 == 0
    control.reset()


def test_an_order_can_stay_unseen_for_a_count_of_reads(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("invisible", "POST /v2/orders", reads=3)
    order = submit(urls).json

    by_client_id = read_by_id(urls, "a").status
    by_id = ask(urls, "GET", f"/v2/orders/{order['id']}").status
    listed = json.loads(ask(urls, "GET", "/v2/orders?status=all").text)
    again = submit(urls)

    assert (by_client_id, by_id, listed, again.status) == (404, 404, [], 422)
    assert read_by_id(urls, "a").status == 200
    assert taken(control) == ["a"]


def test_an_order_unseen_by_one_is_the_only_one_unseen(urls: SimulatorUrls, control: SimulatorControl) -> None:
    submit(urls, "seen")
    control.add_fault("invisible", "POST /v2/orders", seconds=LONG_S)
    submit(urls, "unseen")

    listed = json.loads(ask(urls, "GET", "/v2/orders?status=all").text)

    assert [order["client_order_id"] for order in listed] == ["seen"]
    assert read_by_id(urls, "unseen").status == 404
    control.clear_faults()
    assert read_by_id(urls, "unseen").status == 200


def test_an_id_can_be_taken_without_an_order(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("ghost_id", "POST /v2/orders")

    answers = [submit(urls), submit(urls)]

    assert [(each.status, each.json["message"]) for each in answers] == [(422, "client_order_id must be unique")] * 2
    assert read_by_id(urls, "a").status == 404
    assert submit(urls, "b").status == 200
    assert taken(control) == ["b"]


def test_an_order_can_arrive_after_a_read_said_that_there_is_none(
    urls: SimulatorUrls, control: SimulatorControl
) -> None:
    control.add_fault("delay", "POST /v2/orders", reads=2)

    lost = submit(urls, patience_s=IMPATIENT_S)
    reads = [read_by_id(urls, "a").status for _ in range(2)]
    while not taken(control):
        pass

    assert (lost.outcome, reads) == ("silence", [404, 404])
    assert read_by_id(urls, "a").status == 200


def test_a_delayed_request_is_done_although_the_client_has_left(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("delay", "POST /v2/orders", seconds=0.2)

    assert submit(urls, patience_s=0.1).outcome == "silence"
    while not taken(control):
        pass


@pytest.mark.parametrize("late", [{"reads": 1}, {"seconds": 600.0}])
def test_what_is_late_arrives_before_the_clock_is_moved(
    urls: SimulatorUrls, control: SimulatorControl, late: dict[str, float]
) -> None:
    today = control.set_quotes()
    control.add_fault("delay", "POST /v2/orders", **late)
    assert submit(urls, patience_s=IMPATIENT_S).outcome == "silence"

    control.set_clock(today + timedelta(days=1))

    [found] = control.orders()
    assert found.order is not None
    assert str(found.order["submitted_at"])[:10] == str(today.date())
    assert control.counts() == (1, 1)


def test_a_client_that_waits_for_a_delayed_request_gets_its_answer(
    urls: SimulatorUrls, control: SimulatorControl
) -> None:
    control.add_fault("delay", "POST /v2/orders", reads=1)
    answers: list[Seen] = []
    waiting = threading.Thread(target=lambda: answers.append(submit(urls)))
    waiting.start()
    while not control.struck():
        pass

    assert read_by_id(urls, "a").status == 404
    waiting.join(10)
    assert [each.status for each in answers] == [200]


def test_a_reset_forgets_what_was_still_to_arrive(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("delay", "POST /v2/orders", reads=1)
    assert submit(urls, patience_s=IMPATIENT_S).outcome == "silence"

    control.reset()

    assert read_by_id(urls, "a").status == 404
    assert (taken(control), control.struck()) == ([], {})


def test_the_same_seed_lets_the_same_requests_suffer(urls: SimulatorUrls, control: SimulatorControl) -> None:
    kinds = [FaultKind.HTTP_500, FaultKind.HTTP_504_AFTER_ACCEPT, FaultKind.HTTP_429]

    def run(seed: str) -> list[int | None]:
        control.reset(partial_rate=0)
        control.storm("0.4", seed, "POST /v2/orders", kinds)
        return [submit(urls, f"order-{n}").status for n in range(40)]

    first, again, other = run("one"), run("one"), run("two")

    assert first == again != other
    struck = control.struck()
    assert sum(struck.values()) == sum(status != 200 for status in other)
    assert set(struck) == set(kinds)
    assert len(taken(control)) == 40 - struck[FaultKind.HTTP_500] - struck[FaultKind.HTTP_429]


def test_a_repetition_draws_anew_so_that_every_order_gets_through(
    urls: SimulatorUrls, control: SimulatorControl
) -> None:
    control.storm(Decimal("0.5"), "storm", "POST /v2/orders", [FaultKind.HTTP_500, FaultKind.HTTP_500_AFTER_ACCEPT])

    for name in (f"order-{n}" for n in range(20)):
        while submit(urls, name).status not in (200, 422):
            pass

    assert sorted(taken(control)) == sorted(f"order-{n}" for n in range(20))
    control.stand_faults()
    assert submit(urls, "calm").status == 200


def test_the_admin_is_never_struck(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.storm("1", kinds=[FaultKind.HTTP_500])

    assert ask(urls, "GET", "/v2/account").status == 500
    assert control.struck() == {FaultKind.HTTP_500: 1}


def test_a_storm_outlives_a_killed_simulator(tmp_path: Path) -> None:
    process = SimulatorProcess(tmp_path)
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.reset()
    control.add_fault("ghost_id", "POST /v2/orders")
    submit(urls, "ghost")
    control.add_fault("http_503", "GET /v2/positions", times=3)
    control.storm("0.5", "storm", "GET /v2/account", [FaultKind.HTTP_500])

    def statuses(count: int) -> list[int | None]:
        return [ask(urls, "GET", "/v2/account").status for _ in range(count)]

    whole = [
        FaultProfile(rate=Decimal("0.5"), seed="storm").drawn("GET /v2/account", "GET /v2/account", n)
        for n in range(20)
    ]
    seen = [*statuses(10), ask(urls, "GET", "/v2/positions").status]
    before = control.struck()
    process.kill()
    urls = process.start()
    after = control.struck()
    seen += [ask(urls, "GET", "/v2/positions").status, *statuses(10)]

    assert seen[:10] + seen[12:] == [200 if fault is None else 500 for fault in whole]
    assert (seen[10], seen[11], before) == (503, 503, after)
    assert [fault.times for fault in control.faults()] == [1]
    assert submit(urls, "ghost").status == 422
    process.stop()
