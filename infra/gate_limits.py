"""What is on the log of an account's limits at the gate, and that no gateway starts for an account without any."""

from collections.abc import Iterator

from infra.errors import TapeError
from infra.kafka.log import read_all
from infra.settings import Settings
from schemas.gate import OrderLimits, OrderLimitsRequest
from topics.codec import UndecodableError, decode


def current(bootstrap_servers: str) -> dict[str, OrderLimits]:
    """Return the limits that are in force, by account: the last the gateway has said."""
    said = _records(bootstrap_servers, OrderLimits.topic)
    return {record.account_id: record for record in said if isinstance(record, OrderLimits)}


def require_limits(settings: Settings) -> None:
    """Raise TapeError when an account of the settings has no limits on the log, and none were asked for.

    What was asked for counts: the gateway takes it in once it runs.
    """
    if not settings.account_ids:
        return
    servers = settings.bootstrap_servers
    missing = set(settings.account_ids) - set(current(servers))
    if missing:
        asked = _records(servers, OrderLimitsRequest.topic)
        missing -= {record.account_id for record in asked if isinstance(record, OrderLimitsRequest)}
    if missing:
        raise TapeError(
            f"not started: no limits were ever set for account {', '.join(sorted(missing))}, and without them the"
            " gateway lets no order pass",
            where=f"{OrderLimits.topic}; TAPE_ACCOUNT_IDS",
            next_command="tape limits set FILE.toml; tape limits set --help shows one",
        )


def _records(bootstrap_servers: str, topic: str) -> Iterator[object]:
    for incoming in read_all(bootstrap_servers, [topic]):
        try:
            yield decode(incoming).record
        except UndecodableError:
            continue
