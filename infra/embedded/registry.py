"""Apicurio Registry, with its schemas in Kafka: what was registered survives because the log does.

Clients speak Confluent's protocol to it, at `/apis/ccompat/v7`.
"""

from __future__ import annotations

import http.client
import os
import signal
from dataclasses import dataclass, replace

from infra.embedded.endpoints import CCOMPAT_PATH, bootstrap_servers_of
from infra.embedded.folders import Folders
from infra.embedded.ports import HOST
from infra.embedded.processes import spawn
from infra.embedded.progress import OnProgress, Progress
from infra.embedded.state import ServiceName, ServiceState, StackState
from infra.embedded.supplies import Supplies

JVM_OPTIONS = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
READY_TIMEOUT_SECONDS = 2.0


def _environment(ports: dict[str, int], bootstrap_servers: str) -> dict[str, str]:
    return {
        **os.environ,
        "QUARKUS_HTTP_HOST": HOST,
        "QUARKUS_HTTP_PORT": str(ports["http"]),
        # Health and metrics; unasked it listens on every interface, and on port 9000 whoever has that already.
        "QUARKUS_MANAGEMENT_HOST": HOST,
        "QUARKUS_MANAGEMENT_PORT": str(ports["management"]),
        "QUARKUS_LOG_LEVEL": "WARN",
        "APICURIO_LOG_LEVEL": "WARN",
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        "APICURIO_STORAGE_KIND": "kafkasql",
        "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": bootstrap_servers,
        # 24 s to ready without it.
        "APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT": "100",
    }


@dataclass(frozen=True)
class Registry:
    """The schema registry of one stack."""

    folders: Folders
    supplies: Supplies

    name: ServiceName = "registry"
    port_names: tuple[str, ...] = ("http", "management")
    stop_signal: signal.Signals = signal.SIGTERM
    # All that it knows is in Kafka, so killing it loses nothing; without its Kafka it would take 20 s to give up.
    stop_timeout_seconds: float = 3.0
    ready_timeout_seconds: float = 90.0

    def start(self, state: ServiceState, stack: StackState, on_progress: OnProgress) -> ServiceState:
        """Start the registry on the stack's Kafka, which must answer already."""
        program = next(self.supplies.registry_folder.rglob("quarkus-run.jar"))
        java = self.supplies.java_choice.java.executable
        on_progress(Progress("registry: starting"))
        bootstrap_servers = bootstrap_servers_of(stack.service("kafka"))
        process = spawn(
            [java, *JVM_OPTIONS, *self.supplies.startup_options(self.name), "-jar", program],
            log=self.folders.log_of(self.name),
            environment=_environment(state.ports, bootstrap_servers),
            cwd=self.folders.home,
        )
        facts = {**self.supplies.java_choice.java.facts, "bootstrap_servers": bootstrap_servers}
        return replace(state, pid=process.pid, birth=process.birth, facts=facts)

    def is_ready(self, state: ServiceState) -> bool:
        """Tell whether the registry lists its subjects."""
        connection = http.client.HTTPConnection(HOST, state.ports["http"], timeout=READY_TIMEOUT_SECONDS)
        try:
            connection.request("GET", f"{CCOMPAT_PATH}/subjects")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def fits(self, state: ServiceState, stack: StackState) -> bool:
        """Tell whether it was started on the Kafka of now; Kafka may have had to take another port."""
        return state.facts.get("bootstrap_servers") == bootstrap_servers_of(stack.service("kafka"))
