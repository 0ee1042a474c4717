"""What the three embedded services have in common, so that the stack can start, wait for and stop any of them."""

from __future__ import annotations

import signal
from typing import Protocol

from infra.embedded.ports import choose
from infra.embedded.processes import ProcessIdentity
from infra.embedded.progress import OnProgress
from infra.embedded.state import ServiceName, ServiceState, StackState


class Service(Protocol):
    """One service: knows its files, its command line and when it is ready; keeps no state of its own."""

    @property
    def name(self) -> ServiceName:
        """Return its name in the state file."""
        ...

    @property
    def port_names(self) -> tuple[str, ...]:
        """Return the names of the ports it listens on."""
        ...

    @property
    def stop_signal(self) -> signal.Signals:
        """Return the signal that ends it in good order."""
        ...

    @property
    def stop_timeout_seconds(self) -> float:
        """Return how long it may take to end before it is killed."""
        ...

    @property
    def ready_timeout_seconds(self) -> float:
        """Return how long a start may take on a slow machine."""
        ...

    def start(self, state: ServiceState, stack: StackState, on_progress: OnProgress, /) -> ServiceState:
        """Prepare the data folder where needed and start the process on the ports of `state`. Does not wait."""
        ...

    def is_ready(self, state: ServiceState) -> bool:
        """Tell whether the service answers its own protocol now. Never raises for a service that does not."""
        ...

    def fits(self, state: ServiceState, stack: StackState, /) -> bool:
        """Tell whether a running process was started with what is wanted now; if not it is started anew."""
        ...


def identity_of(state: ServiceState) -> ProcessIdentity | None:
    """Return the remembered process of a service, None when none was started."""
    if state.pid is None or state.birth is None:
        return None
    return ProcessIdentity(state.pid, state.birth)


def choose_ports(service: Service, remembered: dict[str, int], avoid: set[int]) -> dict[str, int]:
    """Return a free port per name, the remembered ones where they are still free."""
    ports: dict[str, int] = {}
    for name in service.port_names:
        ports[name] = choose(remembered.get(name), avoid | set(ports.values()))
    return ports
