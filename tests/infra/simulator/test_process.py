"""The simulator as a process: how it starts, stops, and refuses to start."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.simulator.client import SimulatorControl, SimulatorRefusedError
from infra.simulator.events import Hold, Opened
from infra.simulator.journal import Journal
from infra.simulator.process import ROOT, SimulatorNotReadyError, SimulatorProcess
from infra.simulator.settings import KEY_ID, SECRET_KEY, START_OF_TIME, SimulatorSettings, SimulatorUrls

COMMAND = [sys.executable, "-c", "import typer; from infra.cli.simulator import run; typer.run(run)"]


def call(urls: SimulatorUrls, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Send a request with the simulator's keys; return status and body."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(urls.url + path, data=data, method=method)
    request.add_header("APCA-API-KEY-ID", KEY_ID)
    request.add_header("APCA-API-SECRET-KEY", SECRET_KEY)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_command_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--state", str(tmp_path), "--cash", "1234.56", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        urls = SimulatorUrls(**json.loads(child.stdout.readline()))
        status, account = call(urls, "GET", "/v2/account")
        child.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
        assert child.wait(10) == 0

    assert (urls.key_id, urls.secret_key) == (KEY_ID, SECRET_KEY)
    assert urls.url.startswith("http://127.0.0.1:")
    assert (status, json.loads(account)["cash"]) == (200, "1234.56")
    assert rest == ""


def test_the_command_says_the_same_to_people(tmp_path: Path) -> None:
    with subprocess.Popen([*COMMAND, "--state", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        rows = dict(child.stdout.readline().split() for _ in range(6))
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0

    assert rows.pop("simulator") == "is"
    urls = SimulatorUrls(**rows)
    assert urls == SimulatorUrls.at("127.0.0.1", int(urls.url.rpartition(":")[2]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "somewhere"], "No such option"),
        (["--cash", "much"], "expected an amount in dollars, was much"),
        (["--cash", "-1"], "expected an amount of 0 or more, was -1"),
        (["--recording", "/nowhere/at/all"], "does not exist"),
    ],
)
def test_the_command_refuses_what_it_does_not_understand(tmp_path: Path, arguments: list[str], says: str) -> None:
    command = [*COMMAND, "--state", str(tmp_path), *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert says in " ".join(ended.stderr.replace("│", " ").split())


def test_a_seed_of_the_command_is_a_term_of_the_account(tmp_path: Path) -> None:
    command = [*COMMAND, "--state", str(tmp_path), "--seed", "another", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
    journal = Journal(tmp_path)
    opened = next(iter(journal))
    journal.close()

    assert isinstance(opened, Opened)
    assert opened.terms.seed == "another"


def test_a_killed_one_comes_back_with_the_same_account_on_the_same_port(tmp_path: Path) -> None:
    process = SimulatorProcess(tmp_path)
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.set_quote("AAPL", "100", "101")
    control.place_order("buy", "AAPL", "10", "by-hand")
    before = [call(urls, "GET", path) for path in ("/v2/account", "/v2/positions", "/v2/orders?status=all")]

    process.kill()

    assert process.start() == urls
    assert [call(urls, "GET", path) for path in ("/v2/account", "/v2/positions", "/v2/orders?status=all")] == before
    process.stop()


def test_a_second_one_on_the_same_journal_is_refused_with_the_reason(tmp_path: Path) -> None:
    process = SimulatorProcess(tmp_path)
    process.start()

    with pytest.raises(SimulatorNotReadyError, match="stop the simulator that runs there"):
        SimulatorProcess(tmp_path).start()
    process.stop()


def test_a_port_that_is_taken_is_refused_with_the_reason(urls: SimulatorUrls, tmp_path: Path) -> None:
    port = int(urls.url.rpartition(":")[2])

    with pytest.raises(SimulatorNotReadyError, match="choose another --port"):
        SimulatorProcess(tmp_path, port=port).start()


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    settings = SimulatorSettings(state=tmp_path, ends_with_stdin=True)
    command = [sys.executable, "-m", "infra.simulator", settings.model_dump_json()]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline()
            child.stdin.close()
            assert child.wait(10) == 0
        finally:
            child.kill()


def test_a_stop_lets_go_of_requests_that_hang(tmp_path: Path) -> None:
    process = SimulatorProcess(tmp_path)
    urls = process.start()
    SimulatorControl(urls.url).add_fault("timeout_before", "GET /v2/account")
    hanging = subprocess.Popen(
        [sys.executable, "-c", f"import urllib.request as u; u.urlopen({urls.url + '/v2/account'!r})"],
        stderr=subprocess.DEVNULL,
    )
    while SimulatorControl(urls.url).faults():
        pass

    process.stop()

    assert hanging.wait(10) != 0


def test_orders_are_counted_with_their_refused_repetitions(urls: SimulatorUrls, control: SimulatorControl) -> None:
    order = {"client_order_id": "a", "symbol": "AAPL", "side": "buy", "qty": "1"}
    order |= {"type": "market", "time_in_force": "day"}
    for body in (order, order, {**order, "client_order_id": "b", "qty": "0"}):
        call(urls, "POST", "/v2/orders", body)

    assert [(row.client_order_id, row.posts, row.order is not None) for row in control.orders()] == [
        ("a", 2, True),
        ("b", 1, False),
    ]


@pytest.mark.usefixtures("control")
def test_a_number_in_a_request_is_taken_digit_by_digit(urls: SimulatorUrls) -> None:
    order = (
        b'{"symbol":"TINY","side":"buy","qty":0.123456789,"type":"limit","limit_price":0.0001,"time_in_force":"day"}'
    )

    status, text = call(urls, "POST", "/v2/orders", order)

    taken = json.loads(text)
    assert (status, taken["qty"], taken["limit_price"]) == (200, "0.123456789", "0.0001")
    assert len(taken["client_order_id"]) == 36


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_order_is_refused(urls: SimulatorUrls, body: bytes) -> None:
    status, text = call(urls, "POST", "/v2/orders", body)

    assert (status, json.loads(text)) == (422, {"code": 40010001, "message": "request body format is invalid"})


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/nothing", 404),
        ("/v2/orders?status=lost", 422),
        ("/v2/orders?limit=0", 422),
        ("/v2/orders?after=yesterday", 422),
        ("/v2/orders?after_order_id=ghost", 404),
        ("/v2/account/activities?page_size=101", 422),
        ("/v2/account/activities?page_token=ghost", 422),
        ("/v2/stocks/quotes/latest", 400),
    ],
)
def test_a_bad_question_gets_an_error_in_json(urls: SimulatorUrls, path: str, status: int) -> None:
    found, text = call(urls, "GET", path)

    assert found == status
    assert json.loads(text)["message"]


def test_control_requests_are_checked(control: SimulatorControl) -> None:
    with pytest.raises(SimulatorRefusedError, match="422"):
        control.set_quote("AAPL", "-1", "1")
    with pytest.raises(SimulatorRefusedError, match="cannot go back"):
        control.set_clock(START_OF_TIME - timedelta(days=1))
    with pytest.raises(SimulatorRefusedError, match="Extra inputs"):
        control.reset(colour="red")


def test_the_clock_and_the_quotes_are_what_they_were_set_to(urls: SimulatorUrls, control: SimulatorControl) -> None:
    later = START_OF_TIME + timedelta(minutes=5)

    assert control.set_clock(later) == later
    assert control.set_quote("AAPL", Decimal("1.5"), Decimal("1.75")) == later + timedelta(microseconds=1)
    assert control.hold("AAPL", Hold.NONE) > later
    _, text = call(urls, "GET", "/v2/stocks/quotes/latest?symbols=AAPL")

    quote = json.loads(text)["quotes"]["AAPL"]
    assert (quote["bp"], quote["ap"], quote["t"]) == (1.5, 1.75, "2026-01-02T15:05:00.000001Z")


def test_faults_are_used_up_one_request_at_a_time(urls: SimulatorUrls, control: SimulatorControl) -> None:
    control.add_fault("http_500", "GET /v2/account", times=2)

    statuses = [call(urls, "GET", path)[0] for path in ["/v2/positions", *["/v2/account"] * 3]]

    assert statuses == [200, 500, 500, 200]
    assert control.faults() == []
