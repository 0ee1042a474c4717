"""Our partitions are those of Kafka's own clients."""

from dataclasses import dataclass

import pytest

from topics.partitioning import partition_for, partition_of
from topics.registry import BY_NAME

MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "abc": 479470107,
}
"""Hashes that Kafka's Java clients promise (their UtilsTest)."""


@dataclass(frozen=True)
class Letter:
    origin_partition: int


@dataclass(frozen=True)
class OfAccount:
    account_id: str


@pytest.mark.parametrize(("text", "murmur2"), MURMUR2.items())
def test_a_key_lies_where_the_java_client_puts_it(text: str, murmur2: int) -> None:
    for partitions in (1, 2, 6, 50):
        assert partition_of(text, partitions) == (murmur2 & 0x7FFFFFFF) % partitions


def test_all_records_of_an_account_lie_in_partitions_of_the_same_number() -> None:
    names = [name for name, topic in BY_NAME.items() if topic.partitioned_by == "account_id"]

    assert {partition_for(BY_NAME[name], OfAccount("PA3XYZ"), 6) for name in names} == {partition_of("PA3XYZ", 6)}


def test_a_dead_letter_lies_in_the_partition_it_was_found_in() -> None:
    assert partition_for(BY_NAME["dead-letters.v1"], Letter(4), 6) == 4


def test_no_partitions_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 partition, was 0"):
        partition_of("PA3XYZ", 0)
