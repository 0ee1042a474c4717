"""The containers are the same set as the embedded one: switching is settings only."""

import json
import subprocess
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from infra.kafka import admin
from infra.postgres.migrate import migrate
from infra.registry import client
from topics.registry import TOPICS

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]
PARTITIONS = 6


class Containers(Protocol):
    """Where the containers answer."""

    bootstrap_servers: str
    registry_url: str
    database_url: str


def test_the_topics_are_made_and_verified_in_the_container(containers: Containers) -> None:
    admin.apply(containers.bootstrap_servers, PARTITIONS)

    admin.verify(containers.bootstrap_servers, PARTITIONS, replication_factor=1)
    assert admin.apply(containers.bootstrap_servers, PARTITIONS) == []


def test_the_schemas_get_the_ids_of_the_lock_in_the_container(containers: Containers) -> None:
    client.register(containers.registry_url)

    client.verify(containers.registry_url)


def test_the_tables_are_made_in_the_container(containers: Containers) -> None:
    migrate(containers.database_url)

    assert migrate(containers.database_url) == ()
    with psycopg.connect(containers.database_url) as connection:
        assert connection.info.server_version // 10_000 == 18


def test_the_image_of_the_agents_runs_tape(containers: Containers) -> None:
    build = ["docker", "build", "--quiet", "--file", "infra/Dockerfile", "."]
    image = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    run = ["docker", "run", "--rm", image, "tape", "topics", "list", "--json"]
    listed = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)

    assert [row["topic"] for row in listed] == [topic.name for topic in TOPICS]
