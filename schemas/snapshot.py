"""What an agent remembers of its own events, written down, so that taking over need not fold all of them."""

from typing import ClassVar

from pydantic import Field

from schemas.record import Record, Value


class TopicPosition(Value):
    """A position in one partition of one topic: everything before it is covered."""

    topic: str = Field(description="The topic.")
    partition: int = Field(description="Partition number.", ge=0)
    next_offset: int = Field(description="First offset that is not covered.", ge=0)


class AgentSnapshot(Record):
    """The state of an agent-partition after one of its decisions; may be thrown away, for it follows from the log."""

    topic: ClassVar[str] = "agent-snapshots.v1"

    agent: str = Field(description="The agent.", min_length=1)
    partition_number: int = Field(description="The partition whose state it is.", ge=0)
    slot: int = Field(description="0: the latest one, which the next replaces; else the seq of one that stays.", ge=0)
    chunk: int = Field(description="Which part of the state this is, from 0.", ge=0)
    chunks: int = Field(description="How many parts there are.", gt=0)
    form: str = Field(description="Hash of the code it follows from: that of another form is not read.")
    seq: int = Field(description="The last decision it covers.", gt=0)
    prev: str = Field(description="Hash of that decision: what the next one names as prev.")
    inputs: tuple[TopicPosition, ...] = Field(description="Positions of the inputs after it, sorted.")
    covered: tuple[TopicPosition, ...] = Field(
        description="Positions of the agent's own topics, sorted: no record of a later decision lies before them."
    )
    state_sha256: str = Field(description="Hash of the whole state, all parts joined.")
    state: bytes = Field(description="This part of the state, compressed.")
