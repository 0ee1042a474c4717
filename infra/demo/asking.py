"""What is asked of the system as somebody asks it: limits before the first run, without which nothing is sent; runs."""

from datetime import datetime

from infra.demo.configuration import ACCOUNT
from infra.kafka.publish import Publisher
from schemas.gate import GateLimits, OrderLimitsRequest
from schemas.identity import derived
from schemas.run import RunRequest


def set_limits(publisher: Publisher, limits: GateLimits, at: datetime, account_id: str = ACCOUNT) -> None:
    """Publish the request for limits and wait until the broker has it; the same limits at one time are one request.

    The gateway reads it whenever it starts; a run that is asked for afterwards takes longer to come to the gate.
    """
    request_id = str(derived("order-limits", account_id, at, limits.model_dump_json()))
    asked = OrderLimitsRequest(
        account_id=account_id, request_id=request_id, requested_by="demo", requested_at=at, limits=limits
    )
    publisher.publish(asked, derived("order-limits-request", account_id, request_id), at)
    publisher.flush()


def ask_for(publisher: Publisher, run: RunRequest) -> None:
    """Publish the request for a run and wait until Kafka has it; one that was asked for before is the same request."""
    identity = derived("run-request", run.run_id, run.request_id)
    publisher.publish(run, identity, run.as_of, correlation_id=run.run_id)
    publisher.flush()
