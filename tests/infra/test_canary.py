"""Secrets that must show nowhere: each is a word that can only come from where it was put.

Looked at: stdout, stderr, every file under the home folder, and the command line of every process of the machine. Not
looked at: /proc/PID/environ, which only the same user and root can read, and which is how the secrets are handed over.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from infra.embedded.folders import CHECKOUT
from tests.infra.alpaca.script import Scripted, ScriptedBroker, scripted_broker
from tests.infra.sql.bus import PARTITIONS, Bus, running

KEY_ID, SECRET_KEY, PASSWORD = "CANARYKEYID7F3A", "CANARYSECRET91BC", "CANARYPASSWORD55D0"
CANARIES = (KEY_ID, SECRET_KEY, PASSWORD)
ACCOUNT = '{"id":"904837e3","account_number":"PA9000001","cash":"1","equity":"1"}'


class Watched:
    """A process whose every word is kept, and searched."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.text = ""
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self.text += line
                    self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.text, 60), self.text[-3000:]
        assert_unsaid(*command_lines())

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.wait()

    def wait(self) -> int:
        code = self.process.wait(60)
        self._reader.join()
        return code


def command_lines() -> Iterator[str]:
    """Yield what everybody on the machine can read of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue


def assert_unsaid(*texts: str) -> None:
    for canary in CANARIES:
        for text in texts:
            place = text.find(canary)
            assert place < 0, text[max(0, place - 300) : place + 100]


def assert_unwritten(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            assert_unsaid(file.name, file.read_bytes().decode(errors="replace"))


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running(tmp_path_factory.mktemp("canary")) as bus:
        yield bus


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with scripted_broker() as broker:
        broker.answer("GET /v2/account", Scripted(200, ACCOUNT))
        yield broker


@pytest.fixture
def environment(bus: Bus, broker: ScriptedBroker, tmp_path: Path) -> dict[str, str]:
    """What a broker worker is told, each secret a canary; it logs all it can."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(CHECKOUT),
        "TAPE_HOME": str(tmp_path / "home"),
        "TAPE_LOGLEVEL": "DEBUG",
        "TAPE_DEBUG": "1",
        "TAPE_BOOTSTRAP_SERVERS": bus.servers,
        "TAPE_PARTITIONS": str(PARTITIONS),
        "TAPE_DATABASE_URL": f"postgresql://tape:{PASSWORD}@127.0.0.1:1/tape",
        "TAPE_ACCOUNT_IDS": "PA9000001",
        "TAPE_BROKERAGE_URL": broker.url,
        "TAPE_BROKERAGE_DATA_URL": broker.url,
        "TAPE_BROKERAGE_STREAM_URL": broker.url.replace("http", "ws") + "/stream",
        "TAPE_BROKERAGE_KEY_ID": KEY_ID,
        "TAPE_BROKERAGE_SECRET_KEY": SECRET_KEY,
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Return a function that starts a process; afterwards all it said and wrote is searched."""
    made: list[Watched] = []

    def started(*arguments: str, **more: str) -> Watched:
        made.append(Watched(list(arguments), {**environment, **more}))
        return made[-1]

    yield started
    for each in made:
        each.process.kill()
        each.wait()
        assert each.text
        assert_unsaid(each.text)
    assert_unwritten(tmp_path)


Start = Callable[..., Watched]


def test_a_worker_that_runs_and_meets_every_trouble_of_a_stream(start: Start, broker: ScriptedBroker) -> None:
    worker = start("-m", "infra.cli", "worker", "broker")

    worker.wait_for("trade updates lost")  # the scripted broker is no websocket
    worker.wait_for("PostgreSQL is away")  # and there is no database
    worker.end()

    assert "GET /stream" in broker.requests()
    assert "DEBUG" in worker.text


def test_a_worker_whose_keys_are_refused(start: Start, broker: ScriptedBroker) -> None:
    broker.answer("GET /v2/account", Scripted(401, '{"message":"unauthorized."}'))

    worker = start("-m", "infra.cli", "worker", "broker")

    assert worker.wait() != 0
    assert "the broker refuses the keys: HTTP 401" in worker.text


def test_a_worker_whose_broker_does_not_answer(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        worker = start("-m", "infra.cli", "worker", "broker", TAPE_BROKERAGE_URL=url)

        worker.wait_for("cannot be read yet")
        worker.end()

    assert "Timeout" in worker.text


def test_workers_under_a_supervisor(start: Start, environment: Mapping[str, str]) -> None:
    supervisor = start("-m", "infra.cli", "worker", "broker", "projector")

    supervisor.wait_for("2 agents running")
    log = Path(environment["TAPE_HOME"]) / "logs" / "broker.log"
    wait_in_file(log, "trade updates lost")
    assert_unsaid(*command_lines())
    supervisor.end()


def wait_in_file(file: Path, words: str) -> None:
    until = threading.Event()
    for _ in range(600):
        if file.exists() and words in file.read_text(errors="replace"):
            return
        until.wait(0.1)
    raise AssertionError(f"{words!r} not in {file}")


def hidden(text: str) -> str:
    """Return a test's name that is no leak itself."""
    return text.replace(PASSWORD, "PASSWORD").replace(KEY_ID, "KEY").replace(SECRET_KEY, "SECRET")


@pytest.mark.parametrize(
    "more",
    [
        {"TAPE_BROKERAGE_URL": "http://broker.example"},
        {"TAPE_BROKERAGE_URL": "not an address"},
        {"TAPE_BROKERAGE_URL": f"https://{KEY_ID}:{SECRET_KEY}@127.0.0.1:1"},
        {"TAPE_BROKERAGE_ACCOUNT": "PA9000002"},
        {"TAPE_BROKERAGE_LIVE": "true"},
        {"TAPE_BROKERAGE_URL": "", "TAPE_BROKERAGE_STREAM_URL": "", "TAPE_BROKERAGE_DATA_URL": ""},
        {"TAPE_BROKERAGE_URL": "http://127.0.0.1:1", "TAPE_CLOCK": "broker", "TAPE_PARTITIONS": "9"},
        {"TAPE_ACCOUNT_IDS": "one,two"},
        {"TAPE_PARTITIONS": "many"},
        {"TAPE_DATABASE_URL": f"postgresq://u:{PASSWORD}@h/x"},
    ],
    ids=lambda more: hidden(" ".join(more.values())).strip() or "Alpaca",
)
def test_a_worker_that_is_refused(start: Start, more: dict[str, str]) -> None:
    worker = start("-m", "infra.cli", "worker", "broker", **more)

    assert worker.wait() != 0
    assert "next:" in worker.text or "where:" in worker.text


@pytest.mark.parametrize("status", [None, 401, 500])
def test_a_hard_halt_that_fails(start: Start, broker: ScriptedBroker, status: int | None) -> None:
    for request in ("PATCH /v2/account/configurations", "DELETE /v2/orders", "GET /v2/orders", "GET /v2/positions"):
        broker.answer(request, Scripted(status, "<html>"), Scripted(422))

    halt = start("-m", "infra.cli", "halt", "--hard")

    assert halt.wait() == 1
    assert "FAILED" in halt.text


UNHANDLED = """
import logging
logging.basicConfig(level="DEBUG")
from infra.alpaca import AlpacaBrokerage
from infra.alpaca.connect import alpaca_settings
from infra.settings import Settings

settings = Settings.said()
alpaca = alpaca_settings(settings)
brokerage = AlpacaBrokerage(alpaca)
print(settings, repr(settings), alpaca, repr(alpaca), repr(brokerage), vars(alpaca), alpaca.model_dump())
print(settings.model_dump(exclude={"database_url"}), alpaca.model_dump_json())
print(brokerage.account(), brokerage.submit.__self__)
raise RuntimeError(settings, alpaca, brokerage)
"""


def test_an_unhandled_error_with_everything_in_its_hands(start: Start) -> None:
    program = start("-c", UNHANDLED)

    assert program.wait() == 1
    assert "Traceback" in program.text
    assert "RuntimeError" in program.text


WRONG_TYPE = """
from infra.alpaca import AlpacaSettings
from infra.settings import Settings
import os
for model in (AlpacaSettings, Settings):
    for name in ("key_id", "secret_key", "brokerage_key_id", "brokerage_secret_key", "database_url"):
        try:
            model.model_validate({name: [os.environ["TAPE_BROKERAGE_SECRET_KEY"]]})
        except ValueError as error:
            print(error, repr(error))
"""


def test_a_secret_of_the_wrong_type_is_not_quoted(start: Start) -> None:
    program = start("-c", WRONG_TYPE)

    assert program.wait() == 0
    assert program.text.count("validation error") >= 8
