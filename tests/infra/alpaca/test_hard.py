"""`tape halt --hard` and `tape resume --hard` with nothing running but a broker."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.broker.ports import NewOrder
from infra import halt_file
from infra.alpaca import AlpacaBrokerage
from infra.alpaca.hard import hard_halt
from infra.cli.main import app
from infra.embedded.folders import CHECKOUT
from infra.errors import TapeError
from infra.settings import Settings
from infra.simulator.client import SimulatorControl
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls
from tests.infra.alpaca.script import Scripted, ScriptedBroker, scripted_broker

ACCOUNT = '{"id":"904837e3","account_number":"PA9000001","cash":"1"}'
OPEN = '[{"id":"1","symbol":"AAPL","side":"buy","qty":"10","filled_qty":"3","status":"pending_cancel"}]'

Tape = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    """A broker that does what it is asked."""
    with scripted_broker() as broker:
        broker.answer("PATCH /v2/account/configurations", Scripted(200, '{"suspend_trade":true}'))
        broker.answer("DELETE /v2/orders", Scripted(207, '[{"id":"1","status":200}]'))
        broker.answer("GET /v2/orders", Scripted(200, OPEN), Scripted(200, "[]"))
        broker.answer("GET /v2/positions", Scripted(200, '[{"symbol":"AAPL","qty":"3"},{"symbol":"TLT","qty":"-1.5"}]'))
        broker.answer("GET /v2/account", Scripted(200, ACCOUNT))
        yield broker


@pytest.fixture
def tape(broker: ScriptedBroker, tmp_path: Path) -> Tape:
    """Run a command that is told of a broker and of nothing else."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        told = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(CHECKOUT),
            "TAPE_HOME": str(tmp_path / "home"),
            "TAPE_BROKERAGE_URL": broker.url,
            "TAPE_BROKERAGE_DATA_URL": broker.url,
            "TAPE_BROKERAGE_STREAM_URL": broker.url.replace("http", "ws"),
            "TAPE_BROKERAGE_KEY_ID": "K",
            "TAPE_BROKERAGE_SECRET_KEY": "s",
        }
        return subprocess.run(
            [sys.executable, "-P", "-m", "infra.cli", *arguments],
            env={**told, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_hard_halt_suspends_cancels_and_shows_what_is_left(
    tape: Tape, broker: ScriptedBroker, tmp_path: Path
) -> None:
    done = tape("halt", "--hard", "--reason", "fat finger")

    file = tmp_path / "home" / "halt"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"done    halt file             {file}: fat finger",
        "done    suspend_trade=true    the broker refuses new orders",
        "done    cancel all orders     1 asked for",
        "done    open orders           0",
        "done    positions             2, left as they are",
        "        AAPL 3",
        "        TLT -1.5",
        f"done    account               PA9000001 at {broker.url.removeprefix('http://')}",
    ]
    assert file.read_text() == "fat finger\n"
    assert broker.requests() == [
        "PATCH /v2/account/configurations",
        "DELETE /v2/orders",
        *["GET /v2/orders"] * 2,
        "GET /v2/positions",
        "GET /v2/account",
    ]
    assert broker.asked[0].said == {"suspend_trade": True}


def halt(broker: ScriptedBroker, home: Path, **more: object) -> dict[str, tuple[bool, str]]:
    """Halt without waiting; return what became of each step."""
    said = {
        "home": home,
        "halt_file": home / "halt",
        "brokerage_url": broker.url,
        "brokerage_key_id": "K",
        "brokerage_secret_key": "s",
        **more,
    }
    steps = hard_halt(Settings.model_validate(said), "why", pause=lambda _: None)
    return {step.what: (step.is_done, step.detail) for step in steps}


@pytest.mark.parametrize(
    "trouble", [Scripted(None), Scripted(500, "<html>"), Scripted(504, ""), Scripted(200, "<html>")], ids=str
)
def test_what_is_not_answered_is_asked_again(broker: ScriptedBroker, tmp_path: Path, trouble: Scripted) -> None:
    for request, answers in list(broker.answers.items()):
        broker.answer(request, trouble, *answers)

    done = halt(broker, tmp_path)

    assert all(is_done for is_done, _ in done.values()), done


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ("PATCH /v2/account/configurations", "suspend_trade=true"),
        ("DELETE /v2/orders", "cancel all orders"),
        ("GET /v2/orders", "open orders"),
        ("GET /v2/positions", "positions"),
        ("GET /v2/account", "account"),
    ],
)
def test_a_step_that_fails_is_named_and_the_others_are_done(
    broker: ScriptedBroker, tmp_path: Path, request_: str, what: str
) -> None:
    broker.answer(request_, Scripted(403, '{"message":"forbidden."}'))

    done = halt(broker, tmp_path)

    assert done[what] == (False, 'HTTP 403 {"message":"forbidden."}')
    assert [each for each, (is_done, _) in done.items() if not is_done] == [what]
    assert len(done) == 6


def test_a_broker_that_says_yes_and_does_not_do_it_is_not_believed(broker: ScriptedBroker, tmp_path: Path) -> None:
    broker.answer("PATCH /v2/account/configurations", Scripted(200, '{"suspend_trade":false}'))
    broker.answer("GET /v2/orders", Scripted(200, OPEN))
    now = iter(range(10_000))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.alpaca.hard.seconds", lambda: float(next(now)))
        done = halt(broker, tmp_path)

    assert done["suspend_trade=true"] == (False, 'HTTP 200 {"suspend_trade":false}')
    assert done["open orders"] == (False, "1")


def test_what_failed_is_on_stderr_and_in_the_exit_code(tape: Tape, broker: ScriptedBroker) -> None:
    broker.answer("DELETE /v2/orders", Scripted(401, '{"message":"unauthorized."}'))

    done = tape("halt", "--hard")

    assert done.returncode == 1
    assert 'FAILED  cancel all orders     HTTP 401 {"message":"unauthorized."}' in done.stdout
    assert done.stderr.splitlines()[0] == "tape: failed: cancel all orders"
    assert "next:  tape halt --hard again" in done.stderr


def test_without_keys_the_file_halts_and_the_rest_is_a_sentence(tape: Tape, tmp_path: Path) -> None:
    done = tape("halt", "--hard", TAPE_BROKERAGE_KEY_ID="")

    assert done.returncode == 1
    assert "no key pair" in done.stderr
    assert (tmp_path / "home" / "halt").exists()


def test_a_file_that_cannot_be_written_does_not_keep_from_halting(broker: ScriptedBroker, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = halt(broker, tmp_path, halt_file=tmp_path / "file" / "halt")

    assert [each for each, (is_done, _) in done.items() if not is_done] == ["halt file"]


def test_a_live_key_halts_the_live_account_although_nobody_said_live(
    broker: ScriptedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def brokerage(settings: Settings) -> None:
        asked.append(settings.brokerage_live)
        raise TapeError("far enough")

    monkeypatch.setattr("infra.alpaca.hard._brokerage", brokerage)
    for key in ("AK1", "PK1"):
        with pytest.raises(TapeError, match="far enough"):
            halt(broker, tmp_path, brokerage_key_id=key)

    assert asked == [True, False]


def test_another_account_is_halted_and_told(broker: ScriptedBroker, tmp_path: Path) -> None:
    done = halt(broker, tmp_path, brokerage_account="PA9000002")

    assert [each for each, (is_done, _) in done.items() if not is_done] == ["account"]
    assert "PA9000002, but the keys open account PA9000001" in done["account"][1]


def test_a_hard_resume_ends_both_and_says_what_it_ended(tape: Tape, broker: ScriptedBroker, tmp_path: Path) -> None:
    tape("halt", "--hard", "--reason", "fat finger")
    broker.asked.clear()
    broker.answer("PATCH /v2/account/configurations", Scripted(200, '{"suspend_trade":false}'))

    done = tape("resume", "--hard")

    file = tmp_path / "home" / "halt"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"done    account               PA9000001 at {broker.url.removeprefix('http://')}",
        "done    suspend_trade=false   the broker takes orders again",
        f"done    halt file             {file} removed, it said: fat finger",
    ]
    assert json.loads(broker.asked[1].body) == {"suspend_trade": False}
    assert not file.exists()


def test_a_resume_that_the_broker_refuses_leaves_the_file(tape: Tape, broker: ScriptedBroker, tmp_path: Path) -> None:
    tape("halt", "--hard")
    broker.answer("PATCH /v2/account/configurations", Scripted(422, '{"message":"no"}'))

    done = tape("resume", "--hard")

    assert done.returncode == 1
    assert 'FAILED  suspend_trade=false   HTTP 422 {"message":"no"}' in done.stdout
    assert (tmp_path / "home" / "halt").exists()


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"TAPE_BROKERAGE_ACCOUNT": "PA9000002"}, "but the keys open account PA9000001"),
        ({"TAPE_BROKERAGE_LIVE": "true"}, "TAPE_LIVE_TRADING does not name the account"),
        ({"TAPE_BROKERAGE_KEY_ID": "AK1"}, "paper keys of Alpaca start with PK"),
    ],
)
def test_a_resume_is_refused_where_a_start_would_be(
    tape: Tape, broker: ScriptedBroker, more: dict[str, str], refusal: str
) -> None:
    done = tape("resume", "--hard", **more)

    assert done.returncode == 1
    assert refusal in done.stderr
    assert "PATCH /v2/account/configurations" not in broker.requests()


def test_the_simulator_is_halted_and_resumed(
    tape: Tape, simulator: SimulatorUrls, connect: Callable[..., AlpacaBrokerage], control: SimulatorControl
) -> None:
    def submitted(client_order_id: str) -> int | None:
        order = NewOrder(client_order_id, "AAPL", "BUY", Decimal(1), "LIMIT", Decimal(50), "DAY")
        return connect().submit(order).http_status

    there = {
        "TAPE_BROKERAGE_URL": simulator.url,
        "TAPE_BROKERAGE_DATA_URL": simulator.url,
        "TAPE_BROKERAGE_STREAM_URL": simulator.stream_url,
        "TAPE_BROKERAGE_KEY_ID": KEY_ID,
        "TAPE_BROKERAGE_SECRET_KEY": SECRET_KEY,
    }
    control.place_order("buy", "AAPL", "2")
    assert submitted("open") == 200

    halted = tape("halt", "--hard", **there)
    refused = submitted("while halted")
    resumed = tape("resume", "--hard", **there)

    assert (halted.returncode, halted.stderr) == (0, "")
    assert "done    cancel all orders     1 asked for" in halted.stdout
    assert "        AAPL 2\n" in halted.stdout
    assert json.loads(connect().order_by_client_id("open").body)["status"] == "canceled"
    assert refused == 403
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert submitted("after") == 200


def test_settings_that_cannot_be_read_still_leave_the_halt_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAPE_HOME", str(tmp_path))
    monkeypatch.setenv("TAPE_PARTITIONS", "many")

    done = CliRunner().invoke(app, ["halt", "--hard", "--reason", "smoke"])

    assert isinstance(done.exception, TapeError)
    assert halt_file.halted(tmp_path / "halt") == "smoke"
