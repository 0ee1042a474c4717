"""Bytes nobody could read, kept unchanged."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from schemas.record import Record


class Unreadable(StrEnum):
    """Why a record could not be read, in the order the checks are made."""

    NO_VALUE = "NO_VALUE"
    BAD_FRAME = "BAD_FRAME"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    WRONG_TOPIC = "WRONG_TOPIC"
    BAD_HASH = "BAD_HASH"
    BAD_BODY = "BAD_BODY"
    TRAILING_BYTES = "TRAILING_BYTES"
    INVALID_VALUE = "INVALID_VALUE"
    BEYOND_THE_VIEW = "BEYOND_THE_VIEW"


class DeadLetter(Record):
    """A record that could not be read: its raw bytes, its place, and why."""

    topic: ClassVar[str] = "dead-letters.v1"

    origin_topic: str = Field(description="Topic it was read from.")
    origin_partition: int = Field(description="Partition it was read from.", ge=0)
    origin_offset: int = Field(description="Its offset.", ge=0)
    agent: str = Field(description="The agent that could not read it.")
    unreadable: Unreadable = Field(description="Which check it failed.")
    error: str = Field(description="The two values that disagree, for a person.")
    raw_key: bytes | None = Field(description="Its key, unchanged.")
    raw_value: bytes | None = Field(description="Its value, unchanged.")
    raw_headers: bytes = Field(description="Its headers as one length-prefixed block, unchanged.")
