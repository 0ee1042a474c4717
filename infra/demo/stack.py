"""What the demo runs on: the embedded services, a simulator, and every agent as a worker of its own."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from infra.alpaca.brokerage import AlpacaBrokerage
from infra.alpaca.connect import alpaca_settings
from infra.background import STOP_TIMEOUT_S, Background
from infra.cli.stack import DEMO_MARKER
from infra.cli.worker import pids_file
from infra.demo.configuration import ACCOUNT, CASH
from infra.embedded.processes import ProcessIdentity, is_alive, log_tail, spawn, stop
from infra.embedded.progress import OnProgress, Progress
from infra.embedded.stack import Stack
from infra.embedded.state import state_path
from infra.errors import TapeError
from infra.kafka import admin
from infra.postgres.migrate import migrate
from infra.registry import client as registry
from infra.settings import PREFIX, Settings
from infra.simulator.client import SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import KEY_ID, SECRET_KEY, Terms
from infra.verify.broker import AtBroker
from infra.verify.service import at_broker

MARKER = DEMO_MARKER
"""File in the home folder that says: what lies here is a demo's and nobody went on with it, the next may wipe it."""

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class DemoStack:
    """The running parts; `down` ends them in order."""

    home: Path
    partitions: int = 1

    def __post_init__(self) -> None:
        self.stack = Stack(self.home)
        self.background = Background(self.home)
        self.environment: dict[str, str] = {}

    def check_free(self) -> None:
        """Raise TapeError where the folder holds more than an earlier demo that has ended; nothing is touched."""
        if not state_path(self.home).exists():
            return
        running = [each.name for each in self.stack.status() if each.is_running] + list(self.background.running())
        if running:
            what = f"{', '.join(running)} of this folder are running, and a demo begins by deleting what lies there"
        elif not (self.home / MARKER).exists():
            what = "this folder holds a log that is not just a demo's, and a demo begins by deleting what lies there"
        else:
            return
        raise TapeError(
            what,
            where=str(self.home),
            next_command="tape reset --yes deletes it; TAPE_HOME=somewhere-else tape demo leaves it alone",
        )

    def wipe(self) -> None:
        """Delete an earlier demo, if there is one."""
        if self.home.exists():
            self.stack.destroy()

    def up(self, on_progress: OnProgress) -> None:
        """Start Kafka and PostgreSQL, make topics and tables; workers need no more, `up_registry` brings the rest."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / MARKER).touch()
        self.stack.up({"kafka", "postgres"}, on_progress)
        on_progress(Progress("making topics and tables"))
        admin.apply(self.stack.bootstrap_servers, self.partitions)
        migrate(self.stack.database_url)

    def up_registry(self, on_progress: OnProgress) -> None:
        """Start the schema registry and register every schema; the ids are those of the committed lock."""
        self.stack.up({"registry"}, on_progress)
        registry.register(self.stack.registry_url)

    def start_simulator(
        self, keep: bool, now: datetime, partial_rate: Decimal, cash: Decimal = CASH
    ) -> SimulatorControl:
        """Start the local broker, with its clock at `now`; `partial_rate` of the orders are filled in chunks."""
        terms = Terms(account_number=ACCOUNT, cash=cash, now=now, partial_rate=partial_rate)
        process = SimulatorProcess(self.home / "simulator", terms, detached=keep)
        urls = process.start()
        self.simulator = process
        self.environment |= {
            "TAPE_BROKERAGE_URL": urls.url,
            "TAPE_BROKERAGE_DATA_URL": urls.url,
            "TAPE_BROKERAGE_STREAM_URL": urls.stream_url,
            "TAPE_BROKERAGE_KEY_ID": KEY_ID,
            "TAPE_BROKERAGE_SECRET_KEY": SECRET_KEY,
            "TAPE_ACCOUNT_IDS": ACCOUNT,
            "TAPE_CLOCK": "broker",
        }
        told = {name.removeprefix(PREFIX).lower(): value for name, value in self.environment.items()}
        self._settings = Settings.model_validate(told)
        if process.pid is not None and keep:
            self.background.remember("simulator", _identity(process.pid), told)
        return SimulatorControl(urls.url)

    def at_broker(self) -> AtBroker:
        """Return the account as the simulator states it, asked as anybody would; raises TapeError."""
        brokerage = AlpacaBrokerage(alpaca_settings(self._settings))
        try:
            return at_broker(ACCOUNT, brokerage)
        finally:
            brokerage.close()

    def worker_environment(self) -> dict[str, str]:
        """Return the environment every worker is started with."""
        endpoints = self.stack.endpoints
        return {
            **os.environ,
            **self.environment,
            "PYTHONPATH": str(ROOT),
            "TAPE_HOME": str(self.home),
            "TAPE_PARTITIONS": str(self.partitions),
            "TAPE_BOOTSTRAP_SERVERS": endpoints.bootstrap_servers or "",
            "TAPE_REGISTRY_URL": endpoints.registry_url or "",
            "TAPE_DATABASE_URL": endpoints.database_url or "",
        }

    def start_workers(self, keep: bool) -> None:
        """Start every agent under one supervisor."""
        tied = () if keep else ("--with-parent",)
        command = (sys.executable, "-m", "infra.cli", "worker", "--all", *tied)
        log = self.home / "logs" / "supervisor.log"
        self.supervisor = spawn(command, log=log, environment=self.worker_environment())
        self.background.remember("workers", self.supervisor, {})

    def check(self) -> None:
        """Raise TapeError when the supervisor has given up."""
        if not is_alive(self.supervisor):
            log = self.home / "logs" / "supervisor.log"
            raise TapeError(f"the workers have ended:\n{log_tail(log)}", where=str(log), next_command="tape demo")

    def kill(self, worker: str) -> bool:
        """Kill one worker as a crash would; False when it was just down."""
        try:
            os.kill(self.pids()[worker], signal.SIGKILL)
        except (ProcessLookupError, KeyError):
            return False
        return True

    def pids(self) -> dict[str, int]:
        """Return the process id of each worker now."""
        file = pids_file(self.home)
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}

    def down(self) -> None:
        """End workers, simulator and services; the data stays."""
        if hasattr(self, "supervisor"):
            stop(self.supervisor, signal.SIGTERM, STOP_TIMEOUT_S)
        if hasattr(self, "simulator"):
            self.simulator.stop()
        self.stack.down()


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Wait for a condition; raises TapeError naming it when it does not come true."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TapeError(f"waited {timeout_s:.0f} s in vain: {what}", next_command="tape status")
        time.sleep(0.05)


def _identity(pid: int) -> ProcessIdentity:
    from infra.embedded.processes import birth_of

    return ProcessIdentity(pid, birth_of(pid) or "gone")
