"""Apache Kafka as one KRaft node: broker and controller in one process, everything kept for ever.

Class-path mode only: Kafka's jars share packages, which Java's module path refuses.
"""

from __future__ import annotations

import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.embedded.endpoints import bootstrap_servers_of
from infra.embedded.folders import Folders
from infra.embedded.ports import HOST, answers
from infra.embedded.processes import spawn
from infra.embedded.progress import OnProgress, Progress
from infra.embedded.state import ServiceName, ServiceState, StackState
from infra.embedded.supplies import Supplies
from infra.errors import TapeError

JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
)
LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
FORMAT_TIMEOUT_SECONDS = 60
METADATA_TIMEOUT_SECONDS = 2.0
INT_MAX = 2_147_483_647

# Kafka moves these between minor versions: this is the one place that knows them (4.3.1).
BROKER_CLASS = "kafka.Kafka"
STORAGE_TOOL_CLASS = "kafka.tools.StorageTool"
TOOL_CLASSES = {
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "dump-log": "org.apache.kafka.tools.DumpLogSegments",
}

# Paths are relative to the working folder of the process: a properties file is Latin-1 and its log.dirs is a list
# with commas, so an absolute path could break both.
_FIXED_PROPERTIES: dict[str, str | int] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One node: every internal topic has one replica; one partition, since the default 50 cost start time and files.
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # A topic exists because our table of topics says so, never because someone misspelled it.
    "auto.create.topics.enable": "false",
    # The log is the memory: nothing in it may expire, positions and fencing epochs neither.
    "log.retention.ms": -1,
    "log.retention.bytes": -1,
    "offsets.retention.minutes": INT_MAX,
    "transactional.id.expiration.ms": INT_MAX,
    # 3 s by default, paid on every first join of a group.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # A killed broker is let in again only when its former life has timed out, after 9 s by default.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # The default of 128 MiB does not fit into the small heap.
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    "log.cleaner.threads": 1,
    "num.network.threads": 1,
    "num.io.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
}


def _properties(ports: dict[str, int], log_dirs: str) -> str:
    broker, controller = f"{HOST}:{ports['broker']}", f"{HOST}:{ports['controller']}"
    listeners: dict[str, str | int] = {
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.quorum.voters": f"1@{controller}",
        "log.dirs": log_dirs,
    }
    return "".join(f"{key}={value}\n" for key, value in {**_FIXED_PROPERTIES, **listeners}.items())


def _new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True)
class Kafka:
    """The broker of one stack."""

    folders: Folders
    supplies: Supplies

    name: ServiceName = "kafka"
    port_names: tuple[str, ...] = ("broker", "controller")
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 30.0
    ready_timeout_seconds: float = 60.0

    @property
    def folder(self) -> Path:
        """Return the working folder of the broker."""
        return self.folders.home / "kafka"

    def command(self, main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that runs one of Kafka's own classes."""
        java = self.supplies.java_choice.java.executable
        classpath = ":".join(str(jar) for jar in self.supplies.classpath)
        return [str(java), *JVM_OPTIONS, *LOG_OPTIONS, *options, "-cp", classpath, main_class, *arguments]

    def start(self, state: ServiceState, _stack: StackState, on_progress: OnProgress) -> ServiceState:
        """Format the data folder on the first start, then start the broker."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "data").exists():
            on_progress(Progress("kafka: formatting the log folder"))
            self._format(state.ports)
        (self.folder / "server.properties").write_text(_properties(state.ports, "data"))
        on_progress(Progress("kafka: starting"))
        process = spawn(
            self.command(BROKER_CLASS, "server.properties", options=self.supplies.startup_options(self.name)),
            log=self.folders.log_of(self.name),
            cwd=self.folder,
        )
        return replace(state, pid=process.pid, birth=process.birth, facts=self.supplies.java_choice.java.facts)

    def _format(self, ports: dict[str, int]) -> None:
        """Format into another folder and rename it: an interrupted format leaves nothing that looks formatted."""
        (self.folder / "format.properties").write_text(_properties(ports, "data.new"))
        done = subprocess.run(
            self.command(
                STORAGE_TOOL_CLASS,
                "format",
                "--ignore-formatted",
                f"--cluster-id={_new_cluster_id()}",  # one in 64 ids begins with a dash, and looks like an option
                "--config",
                "format.properties",
            ),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise TapeError(
                f"Kafka's storage tool ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-800:]}",
                where=str(self.folder),
                next_command="tape doctor",
            )
        (self.folder / "format.properties").unlink()
        (self.folder / "data.new").rename(self.folder / "data")

    def is_ready(self, state: ServiceState) -> bool:
        """Tell whether the broker answers a metadata request with itself in it."""
        if not answers(state.ports["broker"]):
            return False
        admin = AdminClient({"bootstrap.servers": bootstrap_servers_of(state), "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=METADATA_TIMEOUT_SECONDS).brokers)
        except KafkaException:
            return False

    def fits(self, _state: ServiceState, _stack: StackState) -> bool:
        """A running broker always fits: nothing about it is chosen per start."""
        return True
