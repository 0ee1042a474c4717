"""I9: the same identity never stands for two things.

What the broker said, heard again after a crash, is the same report: its words are compared, not when they were heard. A
silence has no words of the broker's: how our own client put it is not compared.
"""

import hashlib
from uuid import UUID

from infra.replay.seen import Seen
from infra.verify.claim import Claim
from schemas.order import BrokerReport, ReportKind
from schemas.record import Record
from schemas.snapshot import AgentSnapshot
from topics.registry import TOPICS


class OneIdOneRecord(Claim):
    """Records with one event id, in one topic, have the same bytes."""

    name = "I9 one id, one record"
    says = "an event id never stands for two different records"
    of = tuple(topic.record for topic in TOPICS if topic.record is not AgentSnapshot)

    def __init__(self) -> None:
        super().__init__()
        self._digests: dict[tuple[str, UUID], bytes] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Compare the record with the one that had this id before."""
        self.checked += 1
        key = (seen.record.topic, seen.event.envelope.event_id)
        said = _words(record) if isinstance(record, BrokerReport) else seen.record.value or b""
        digest = hashlib.sha256(said).digest()
        if self._digests.setdefault(key, digest) != digest:
            self.broken(f"event id {key[1]} stands for two different records", seen.record.place)


def _words(report: BrokerReport) -> bytes:
    ours = {"received_at", "error"} if report.kind is ReportKind.SILENCE else {"received_at"}
    return report.model_dump_json(exclude=ours).encode()


CLAIMS = (OneIdOneRecord,)
