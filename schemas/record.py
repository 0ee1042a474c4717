"""What every record has: a frozen model of its business fields, and the envelope: its place in a chain of causes."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:  # not a ValueError, which pydantic would let through
        raise ValueError(f"expected an instant between the years 1 and 9999 in UTC, was {at.isoformat()}") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time, aware, kept in UTC."""


class Value(BaseModel):
    """A frozen part of a record; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=False)


class Record(Value):
    """A record of one topic: its business fields. The envelope travels beside it and in the same Avro body."""

    topic: ClassVar[str]


class AccountRecord(Record):
    """A record of the decision path: it belongs to one account, and its partition follows from that."""

    account_id: str = Field(description="The brokerage account; the record's partition follows from it.", min_length=1)


class Envelope(Value):
    """The four fields that open every Avro body."""

    event_id: UUID = Field(description="Identity of this record, derived from its cause.")
    correlation_id: UUID = Field(description="The run, or the outside event, that started it all.")
    causation_id: UUID = Field(description="event_id of the direct cause; its own event_id where the chain starts.")
    occurred_at: Instant = Field(description="Time of the cause, never of the writing, so that bodies repeat.")
