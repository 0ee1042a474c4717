"""The embedded stack: Kafka, registry and PostgreSQL of one home folder, started and stopped as one.

`up` is idempotent and safe for two starters at once. It leaves the services running in the background, for the next
command to find through the state file; `down` ends them, and nothing else.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from infra.embedded import postgres
from infra.embedded.endpoints import Endpoints, endpoints_of
from infra.embedded.folders import Folders, default_cache
from infra.embedded.kafka import Kafka
from infra.embedded.ports import is_free
from infra.embedded.postgres import Postgres
from infra.embedded.processes import POLL_SECONDS, is_alive, log_tail, rss_bytes, stop
from infra.embedded.progress import OnProgress, Progress, silent
from infra.embedded.registry import Registry
from infra.embedded.service import Service, choose_ports, identity_of
from infra.embedded.state import SERVICES, ServiceName, ServiceState, StackState, load_state, save_state
from infra.embedded.supplies import Supplies
from infra.errors import TapeError

LOCK_TIMEOUT_SECONDS = 300
START_TRIES = 3
# Started in parallel, each from left to right; stopped in parallel, each from right to left.
CHAINS: tuple[tuple[ServiceName, ...], ...] = (("kafka", "registry"), ("postgres",))


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now. `rss_bytes` is its resident memory."""

    name: ServiceName
    is_running: bool
    is_ready: bool
    pid: int | None
    ports: dict[str, int]
    rss_bytes: int
    log: Path


class Stack:
    """The embedded services of one home folder."""

    def __init__(self, home: Path, cache: Path | None = None, supplies: Supplies | None = None) -> None:
        self.folders = Folders(home.absolute(), (cache or default_cache()).absolute())
        self.supplies = supplies or Supplies(self.folders.cache)
        self._state = StackState()
        self._guard = threading.Lock()
        self._given_up = threading.Event()

    @property
    def home(self) -> Path:
        """Return the folder with the data, logs and state file of this stack."""
        return self.folders.home

    @property
    def endpoints(self) -> Endpoints:
        """Return the addresses of the services that were started, from the state file."""
        return endpoints_of(load_state(self.home))

    @property
    def bootstrap_servers(self) -> str:
        """Return Kafka's address; raises TapeError when Kafka was never started."""
        return self._started(self.endpoints.bootstrap_servers, "kafka")

    @property
    def registry_url(self) -> str:
        """Return the registry's address for Confluent's clients; raises TapeError when it was never started."""
        return self._started(self.endpoints.registry_url, "registry")

    @property
    def database_url(self) -> str:
        """Return PostgreSQL's URL; raises TapeError when it was never started."""
        return self._started(self.endpoints.database_url, "postgres")

    def _started(self, endpoint: str | None, name: ServiceName) -> str:
        if endpoint is None:
            raise TapeError(f"{name} was never started", where=str(self.home), next_command="tape up")
        return endpoint

    def up(self, services: Collection[ServiceName] = SERVICES, on_progress: OnProgress = silent) -> Endpoints:
        """Start what does not run yet and wait until all of it answers; the registry brings Kafka with it.

        Idempotent. A second starter waits for the first and finds everything done. Ports of the last start are taken
        again where they are free. Raises TapeError with the end of the log of a service that does not start.
        """
        wanted: set[ServiceName] = {*services}
        if "registry" in wanted:
            wanted.add("kafka")
        self._given_up.clear()
        with self._lock(on_progress):
            self._state = load_state(self.home)
            self._fetch_supplies(wanted, on_progress)
            with ThreadPoolExecutor(len(CHAINS)) as pool:
                started = [pool.submit(self._ensure_chain, chain, wanted, on_progress) for chain in CHAINS]
                try:
                    wait(started, return_when=FIRST_EXCEPTION)
                except KeyboardInterrupt:
                    # What was started runs on and is remembered; only the waiting ends.
                    self._given_up.set()
                    raise
            for chain in started:
                chain.result()
            return endpoints_of(self._state)

    def down(
        self, services: Collection[ServiceName] = SERVICES, timeout_seconds: float | None = None
    ) -> tuple[ServiceName, ...]:
        """End our services and return the names of those that ran. Idempotent; ports and data stay for next time.

        A service that has not ended after the timeout, by default one that suits it, is killed.
        """
        if not self.home.exists():
            return ()
        with self._lock(silent):
            self._state = load_state(self.home)
            with ThreadPoolExecutor(len(CHAINS)) as pool:
                stopped = list(pool.map(lambda chain: self._stop_chain(chain, services, timeout_seconds), CHAINS))
            return tuple(name for chain in stopped for name in chain)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return every service as it is now, asked over its own protocol."""
        state = load_state(self.home)
        return tuple(self._status_of(name, state.service(name)) for name in SERVICES)

    def destroy(self) -> None:
        """Stop everything and delete all data, logs and ports of this home folder. There is no way back."""
        self.down()
        folder = load_state(self.home).service("postgres").facts.get("folder")
        if folder is not None:
            postgres.delete(Path(folder))
        shutil.rmtree(self.home, ignore_errors=True)

    @cached_property
    def kafka(self) -> Kafka:
        """Return the broker of this stack, which also knows how to run Kafka's own tools."""
        return Kafka(self.folders, self.supplies)

    @cached_property
    def services(self) -> dict[ServiceName, Service]:
        """Return the three services by name."""
        return {
            "kafka": self.kafka,
            "registry": Registry(self.folders, self.supplies),
            "postgres": Postgres(self.folders),
        }

    @contextmanager
    def _lock(self, on_progress: OnProgress) -> Iterator[None]:
        """Let one starter or stopper at a time work on this home folder."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home / "stack.lock")
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                on_progress(Progress("waiting for another tape that starts or stops this stack"))
                lock.acquire(timeout=LOCK_TIMEOUT_SECONDS)
        except Timeout as error:
            raise TapeError(
                f"another tape has been starting or stopping this stack for {LOCK_TIMEOUT_SECONDS} s",
                where=str(self.home / "stack.lock"),
                next_command="tape status",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _remember(self, name: ServiceName, service: ServiceState) -> None:
        with self._guard:
            self._state = self._state.with_service(name, service)
            save_state(self.home, self._state)

    def _fetch_supplies(self, wanted: Collection[ServiceName], on_progress: OnProgress) -> None:
        to_start = {name for name in wanted if not is_alive(identity_of(self._state.service(name)))}
        if uses := to_start - {"postgres"}:
            self.supplies.fetch(set(uses), on_progress)

    def _ensure_chain(
        self, chain: tuple[ServiceName, ...], wanted: Collection[ServiceName], on_progress: OnProgress
    ) -> None:
        for name in chain:
            if name in wanted and not self._given_up.is_set():
                self._ensure(self.services[name], on_progress)

    def _ensure(self, service: Service, on_progress: OnProgress) -> None:
        """Make one service answer: keep the running one if it fits, else start it, on other ports if it must."""
        state = self._state.service(service.name)
        identity = identity_of(state)
        if identity is not None and is_alive(identity):
            if service.fits(state, self._state) and self._wait_until_ready(service, state):
                return
            if self._given_up.is_set():
                return
            stop(identity, service.stop_signal, service.stop_timeout_seconds)
        for _ in range(START_TRIES):
            state = self._start(service, on_progress)
            if self._wait_until_ready(service, state):
                on_progress(Progress(f"{service.name}: ready"))
                return
            # Between the choice of a port and its use another program may have taken it: then, only, try others.
            if is_alive(identity_of(state)) or all(is_free(port) for port in state.ports.values()):
                break
        if not self._given_up.is_set():
            raise self._start_error(service, state)

    def _start(self, service: Service, on_progress: OnProgress) -> ServiceState:
        before = self._state.service(service.name)
        others = {port for name, s in self._state.services.items() if name != service.name for port in s.ports.values()}
        state = replace(before, ports=choose_ports(service, before.ports, others), pid=None, birth=None)
        state = service.start(state, self._state, on_progress)
        self._remember(service.name, state)
        return state

    def _wait_until_ready(self, service: Service, state: ServiceState) -> bool:
        """Wait for the service to answer; False when its process ended or the time is up."""
        identity = identity_of(state)
        deadline = time.monotonic() + service.ready_timeout_seconds
        while is_alive(identity) and time.monotonic() < deadline and not self._given_up.wait(POLL_SECONDS):
            if service.is_ready(state):
                return True
        return False

    def _start_error(self, service: Service, state: ServiceState) -> TapeError:
        identity = identity_of(state)
        log = self.folders.log_of(service.name)
        if identity is not None and is_alive(identity):
            stop(identity, service.stop_signal, service.stop_timeout_seconds)
            what = f"{service.name} did not answer within {service.ready_timeout_seconds:.0f} s"
        else:
            what = f"{service.name} ended while it started"
        return TapeError(
            f"{what}; the end of its log:\n{log_tail(log)}",
            where=f"{log}, ports {state.ports}",
            next_command="tape doctor",
        )

    def _stop_chain(
        self, chain: tuple[ServiceName, ...], services: Collection[ServiceName], timeout_seconds: float | None
    ) -> list[ServiceName]:
        stopped: list[ServiceName] = []
        for name in reversed(chain):
            state = self._state.service(name)
            identity = identity_of(state)
            if name not in services or identity is None:
                continue
            if is_alive(identity):
                service = self.services[name]
                stop(identity, service.stop_signal, timeout_seconds or service.stop_timeout_seconds)
                stopped.append(name)
            self._remember(name, replace(state, pid=None, birth=None))
        return stopped

    def _status_of(self, name: ServiceName, state: ServiceState) -> ServiceStatus:
        identity = identity_of(state)
        if identity is None or not is_alive(identity):
            return ServiceStatus(name, False, False, None, state.ports, 0, self.folders.log_of(name))
        is_ready = self.services[name].is_ready(state)
        return ServiceStatus(
            name, True, is_ready, identity.pid, state.ports, rss_bytes(identity), self.folders.log_of(name)
        )
