"""The addresses of the embedded services, as the state file has them. Cheap to read: no client library is imported."""

from __future__ import annotations

from dataclasses import dataclass

from infra.embedded.ports import HOST
from infra.embedded.state import ServiceState, StackState

CCOMPAT_PATH = "/apis/ccompat/v7"
DATABASE = "tradetape"
ROLE = "tape"


@dataclass(frozen=True)
class Endpoints:
    """Where the services are, whether or not they run now; None for one that was never started."""

    bootstrap_servers: str | None
    registry_url: str | None
    database_url: str | None


def bootstrap_servers_of(kafka: ServiceState) -> str:
    """Return the address that Kafka's clients connect to."""
    return f"{HOST}:{kafka.ports['broker']}"


def registry_url_of(registry: ServiceState) -> str:
    """Return the address that Confluent's registry clients are given."""
    return f"http://{HOST}:{registry.ports['http']}{CCOMPAT_PATH}"


def database_url_of(postgres: ServiceState) -> str:
    """Return the URL that PostgreSQL's clients connect with, password included."""
    return f"postgresql://{ROLE}:{postgres.facts['password']}@{HOST}:{postgres.ports['sql']}/{DATABASE}"


def endpoints_of(state: StackState) -> Endpoints:
    """Return all addresses that a state file holds."""
    kafka, registry, postgres = state.service("kafka"), state.service("registry"), state.service("postgres")
    return Endpoints(
        bootstrap_servers=bootstrap_servers_of(kafka) if kafka.ports else None,
        registry_url=registry_url_of(registry) if registry.ports else None,
        database_url=database_url_of(postgres) if "password" in postgres.facts else None,
    )
