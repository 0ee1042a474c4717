"""Setting the limits of an account at the gate, as somebody does before the first run: without them nothing is sent."""

from datetime import datetime

from infra.demo.configuration import ACCOUNT
from infra.kafka.publish import Publisher
from schemas.gate import GateLimits, OrderLimitsRequest
from schemas.identity import derived


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
