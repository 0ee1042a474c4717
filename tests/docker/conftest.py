"""The containers of docker-compose.yml under a project of their own; skipped where there is no Docker."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = "test"
PORTS = ("KAFKA_PORT", "REGISTRY_PORT", "POSTGRES_PORT", "SIMULATOR_PORT")


@dataclass(frozen=True)
class Containers:
    """Where the containers answer."""

    bootstrap_servers: str
    registry_url: str
    database_url: str


def missing_docker() -> str:
    """Return why containers cannot be started here; empty when they can."""
    if shutil.which("docker") is None:
        return "needs Docker: there is no docker command"
    for command, lacks in (("version", "no daemon answers"), ("compose version", "it has no compose plugin")):
        done = subprocess.run(["docker", *command.split()], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            return f"needs Docker: {lacks} ({done.stderr.strip()[:100]})"
    return ""


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    """Start Kafka, registry and PostgreSQL; they and their volumes are deleted afterwards, nobody else's are."""
    if reason := missing_docker():
        pytest.skip(reason)
    from testcontainers.compose import DockerCompose

    ports = {name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    # Another project name: taking ours down must never touch the volumes of a stack that somebody uses.
    project = {"COMPOSE_PROJECT_NAME": f"tradetape-test-{uuid4().hex[:8]}", "POSTGRES_PASSWORD": PASSWORD}
    services = DockerCompose(ROOT, services=["kafka", "registry", "postgres"], wait=True)
    with patch.dict(os.environ, {**ports, **project}), services:
        yield Containers(
            bootstrap_servers=f"127.0.0.1:{ports['KAFKA_PORT']}",
            registry_url=f"http://127.0.0.1:{ports['REGISTRY_PORT']}/apis/ccompat/v7",
            database_url=f"postgresql://tape:{PASSWORD}@127.0.0.1:{ports['POSTGRES_PORT']}/tradetape",
        )


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in bound]
