"""Free ports on the loopback interface.

Ports come from below the kernel's ephemeral range (32768 and up on Linux), so that no outgoing connection of another
program can sit on a port that a service remembers for its next start.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from infra.errors import TapeError

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 20_000, 31_999
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set the same option: ports whose old connections are in TIME_WAIT count as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, timeout_seconds: float = 0.5) -> bool:
    """Tell whether something accepts connections on this port of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_seconds):
            return True
    except OSError:
        return False


def choose(remembered: int | None = None, avoid: Collection[int] = ()) -> int:
    """Return the remembered port if it is still free, else another free one that is not in `avoid`."""
    if remembered is not None and remembered not in avoid and is_free(remembered):
        return remembered
    for _ in range(ATTEMPTS):
        port = random.randint(FIRST_PORT, LAST_PORT)
        if port not in avoid and is_free(port):
            return port
    raise TapeError(
        f"no free port on {HOST} after {ATTEMPTS} attempts",
        where=f"{HOST}:{FIRST_PORT}-{LAST_PORT}",
        next_command="tape doctor",
    )
