"""Asking the gateway, and waiting for its word: how limits are set, and halts begin and end."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypeVar

from infra.errors import TapeError

if TYPE_CHECKING:
    from uuid import UUID

    from infra.settings import Settings
    from schemas.gate import OrderLimitsRequest, TradingHaltRequest
    from schemas.record import Record
    from schemas.resolution import OrderResolutionRequest

    Answer = TypeVar("Answer", bound=Record)
    Request = OrderLimitsRequest | TradingHaltRequest | OrderResolutionRequest

ANSWER_TIMEOUT_S = 30.0
CONTACT_TIMEOUT_S = 5.0


def settings_of_kafka(next_command: str = "tape status") -> Settings:
    """Return the settings; TapeError within seconds when Kafka does not answer there."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from infra.settings import Settings

    settings = Settings.load(needs={"bootstrap_servers"})
    try:
        AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0}).list_topics(
            timeout=CONTACT_TIMEOUT_S
        )
    except KafkaException as error:
        raise TapeError(
            f"Kafka does not answer within {CONTACT_TIMEOUT_S:.0f} s",
            where=settings.bootstrap_servers,
            next_command=next_command,
        ) from error
    return settings


def fresh_name() -> str:
    """Return a name that no request has had, at whatever moment others ask: a halt must never be taken for another."""
    return secrets.token_hex(16)


def answer_to(
    settings: Settings,
    request: Request,
    kind: type[Answer],
    next_command: str,
    correlation_id: UUID | None = None,
) -> Answer:
    """Publish a request and return what the gateway says to it; TapeError when nothing is heard of it in time.

    It begins a chain of its own unless it belongs to the run of `correlation_id`.
    """
    from infra.kafka.answers import Answers
    from infra.kafka.publish import Publisher
    from schemas.identity import derived

    identity = derived("request-to-the-gateway", request.topic, request.request_id)
    answers = Answers(settings.bootstrap_servers, kind)
    publisher = Publisher(settings.bootstrap_servers, settings.partitions, "cli")
    publisher.publish(request, identity, request.requested_at, correlation_id)
    publisher.flush()
    answer = answers.to(identity, ANSWER_TIMEOUT_S)
    if answer is None:
        raise TapeError(
            f"the gateway has not answered within {ANSWER_TIMEOUT_S:.0f} s; the request stays on the log, and counts"
            " as soon as the gateway runs",
            where=f"{request.topic}, request {request.request_id}",
            next_command=next_command,
        )
    return answer


def account_meant(settings: Settings, account: str | None) -> str:
    """Return the account that was named, or the only one there is; TapeError when that says nothing."""
    from infra.gate_limits import current

    if account is not None:
        return account
    known = settings.account_ids or tuple(sorted(current(settings.bootstrap_servers)))
    if len(known) == 1:
        return known[0]
    raise TapeError(
        f"which account is meant? {', '.join(known) or 'none is known'}", next_command="say it with --account"
    )
