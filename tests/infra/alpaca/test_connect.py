"""From settings to the account: one process per account, and the flag that asks for real money."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from infra.embedded.folders import CHECKOUT
from infra.simulator.client import SimulatorControl
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls

TRADE = """
import sys
from infra.alpaca.connect import connected
from infra.errors import TapeError
from infra.settings import Settings
try:
    held = connected(Settings.said())
except TapeError as error:
    sys.exit(str(error))
print("trading", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(simulator: SimulatorUrls, tmp_path: Path) -> dict[str, str]:
    SimulatorControl(simulator.url).reset()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(CHECKOUT),
        "TAPE_HOME": str(tmp_path / "home"),
        "TAPE_BROKERAGE_URL": simulator.url,
        "TAPE_BROKERAGE_DATA_URL": simulator.url,
        "TAPE_BROKERAGE_STREAM_URL": simulator.stream_url,
        "TAPE_BROKERAGE_KEY_ID": KEY_ID,
        "TAPE_BROKERAGE_SECRET_KEY": SECRET_KEY,
    }


class Trader:
    """A process that has an account to itself, or was refused."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRADE], env=dict(environment), stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        assert self.process.stdout is not None
        self.is_trading = self.process.stdout.readline() == "trading\n"

    def refusal(self) -> str:
        assert not self.is_trading
        return self.process.communicate()[1]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def trader(environment: dict[str, str]) -> Iterator[Callable[..., Trader]]:
    made: list[Trader] = []

    def started(**more: str) -> Trader:
        made.append(Trader({**environment, **more}))
        return made[-1]

    yield started
    for each in made:
        each.kill()
        each.process.communicate()


def test_an_account_is_traded_by_one_process_until_it_dies(trader: Callable[..., Trader]) -> None:
    first = trader()
    assert first.is_trading

    assert f"SIM000001 is traded by process {first.process.pid} already" in trader().refusal()
    first.kill()
    assert trader().is_trading


def test_another_account_number_of_the_same_broker_is_another_lock(
    trader: Callable[..., Trader], simulator: SimulatorUrls
) -> None:
    assert trader().is_trading

    SimulatorControl(simulator.url).reset(account_number="SIM000002")

    assert trader().is_trading


def test_two_homes_share_a_lock_where_they_are_told_the_same_folder(
    trader: Callable[..., Trader], tmp_path: Path
) -> None:
    locks = str(tmp_path / "locks")
    assert trader(TAPE_LOCKS=locks, TAPE_HOME=str(tmp_path / "one")).is_trading

    assert "is traded by process" in trader(TAPE_LOCKS=locks, TAPE_HOME=str(tmp_path / "two")).refusal()


def test_a_database_that_is_away_keeps_nobody_from_trading(trader: Callable[..., Trader]) -> None:
    assert trader(TAPE_DATABASE_URL="postgresql://tape:x@127.0.0.1:1/tape").is_trading


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--live"], "live trading was asked for, but TAPE_LIVE_TRADING does not name the account"),
        ([], "names a live account, but live trading was not asked for"),
    ],
)
def test_the_flag_and_the_variable_are_compared_before_any_worker_starts(
    environment: dict[str, str], arguments: list[str], refusal: str
) -> None:
    nowhere = {"TAPE_BOOTSTRAP_SERVERS": "127.0.0.1:1", "TAPE_DATABASE_URL": "postgresql://127.0.0.1:1/tape"}
    more = {} if arguments else {"TAPE_LIVE_TRADING": "SIM000001"}
    Path(environment["TAPE_HOME"]).mkdir()

    done = subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", "worker", "broker", "projector", *arguments],
        env={**environment, **nowhere, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert refusal in done.stderr
    assert "agents running" not in done.stderr
