"""The stack as a whole: one start of all three services, then what may happen to them."""

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.embedded.doctor import examine
from infra.embedded.folders import CHECKOUT
from infra.embedded.processes import wait_until_gone
from infra.embedded.service import identity_of
from infra.embedded.stack import Stack
from infra.embedded.state import ServiceName, load_state

SCHEMA = json.dumps({"type": "record", "name": "Fill", "fields": [{"name": "symbol", "type": "string"}]})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / "home, with space")
    stack.up()
    yield stack
    stack.destroy()


def pid_of(stack: Stack, name: ServiceName) -> int:
    pid = load_state(stack.home).service(name).pid
    assert pid is not None
    return pid


def produce(stack: Stack, topic: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=10)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    producer.produce(topic, value)
    assert producer.flush(10) == 0


def first_value(stack: Stack, topic: str) -> bytes | None:
    settings = {"bootstrap.servers": stack.bootstrap_servers, "group.id": "test", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    try:
        message = consumer.poll(20)
        return None if message is None else message.value()
    finally:
        consumer.close()


def registry(stack: Stack, method: str, path: str, body: object = None) -> tuple[int, object]:
    url = urlsplit(stack.registry_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    with closing(connection):
        connection.request(method, url.path + path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def listening_addresses(pid: int) -> set[str]:
    """Return the local addresses on which a process listens, from the kernel's own table."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we look
            inodes.add(str(link.readlink()))
    listening = "0A"
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == listening and f"socket:[{rest[5]}]" in inodes:
                addresses.add(local.partition(":")[0])
    return addresses


def test_each_service_answers_in_its_own_protocol(stack: Stack) -> None:
    topic = "fills-of-a-first-start"
    produce(stack, topic, b"AAPL")
    assert first_value(stack, topic) == b"AAPL"

    assert registry(stack, "POST", "/subjects/answers/versions", {"schema": SCHEMA})[0] == http.client.OK
    assert registry(stack, "GET", "/subjects/answers/versions")[1] == [1]

    with psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT current_database(), current_setting('server_version_num')::int / 10000")
        assert row.fetchone() == ("tradetape", 18)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_no_service_listens_beyond_this_machine(stack: Stack) -> None:
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    for name in ("kafka", "registry", "postgres"):
        addresses = listening_addresses(pid_of(stack, name))
        assert addresses, name
        assert addresses <= loopback, name


def test_a_topic_that_nobody_made_does_not_appear(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers, "allow.auto.create.topics": True})
    admin.list_topics("misspelled", timeout=10)
    assert "misspelled" not in admin.list_topics(timeout=10).topics


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = load_state(stack.home)
    endpoints = stack.endpoints

    assert stack.up() == endpoints
    assert load_state(stack.home) == before


def test_services_are_out_of_reach_of_the_terminals_ctrl_c(stack: Stack) -> None:
    for name in ("kafka", "registry", "postgres"):
        assert os.getsid(pid_of(stack, name)) == pid_of(stack, name)


def test_the_state_file_with_its_password_is_for_its_owner_alone(stack: Stack) -> None:
    assert stat.S_IMODE((stack.home / "state.json").stat().st_mode) == 0o600


def test_kafkas_own_tools_find_the_broker_by_themselves(stack: Stack) -> None:
    command = [sys.executable, "-P", "-m", "infra.cli", "kafka", "topics", "--", "--list"]
    environment = {**os.environ, "TAPE_HOME": str(stack.home), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "kafkasql-journal" in done.stdout.splitlines()


def test_a_kafka_that_was_killed_comes_back_with_its_records(stack: Stack) -> None:
    topic = "fills-before-a-crash"
    produce(stack, topic, b"before the crash")
    address, registry_pid = stack.bootstrap_servers, pid_of(stack, "registry")
    kafka = identity_of(load_state(stack.home).service("kafka"))
    assert kafka is not None

    os.kill(kafka.pid, signal.SIGKILL)
    assert wait_until_gone(kafka, 10)
    wrong = [finding for finding in examine(stack) if finding.verdict == "wrong"]
    assert [(finding.subject, finding.hint) for finding in wrong] == [("kafka", "tape up")]
    stack.up()

    assert stack.bootstrap_servers == address
    assert pid_of(stack, "kafka") != kafka.pid
    assert pid_of(stack, "registry") == registry_pid
    assert first_value(stack, topic) == b"before the crash"


def test_a_taken_port_moves_kafka_and_the_registry_follows_with_its_schemas(stack: Stack) -> None:
    registry(stack, "POST", "/subjects/follows/versions", {"schema": SCHEMA})
    before = stack.bootstrap_servers
    stack.down({"kafka"})
    with socket.socket() as intruder:
        intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host, _, port = before.partition(":")
        intruder.bind((host, int(port)))
        intruder.listen()
        stack.up()

    assert stack.bootstrap_servers != before
    assert registry(stack, "GET", "/subjects/follows/versions")[1] == [1]
    assert registry(stack, "POST", "/subjects/still-writes/versions", {"schema": SCHEMA})[0] == http.client.OK
