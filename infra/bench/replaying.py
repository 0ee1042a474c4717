"""How fast a log is judged again, beside a consumer that only reads and decodes it, in as many processes.

Each measurement is a process of its own (`python -m infra.bench.replaying read|replay SERVERS JOBS`), for replay forks
before anything has a thread. Both ways are taken in turn, and of each the fastest round counts. Processor time is said
beside the seconds: on a machine with other work it is the steadier of the two.
"""

import json
import multiprocessing
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from infra.clock import seconds
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.replay.history import decision_path
from infra.replay.scope import Scope
from infra.replay.whole import replay_log
from infra.worker import deciding
from topics.codec import UndecodableError, decode
from topics.wire import Partition

ROUNDS = 3


def measure(bootstrap_servers: str, jobs: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Return records and decisions per second, and replay's share of the consumer's speed, with so many processes."""
    taken: dict[str, list[dict[str, float]]] = {"read": [], "replay": []}
    for _ in range(rounds):
        for way, found in taken.items():
            found.append(_in_a_process(way, bootstrap_servers, jobs))
    best = {
        (way, what): min(each[what] for each in found) for way, found in taken.items() for what in ("seconds", "cpu_s")
    }
    records, decisions = taken["read"][0]["count"], taken["replay"][0]["count"]
    return {
        "records": records,
        "decisions": decisions,
        "consuming_and_decoding_s": round(best["read", "seconds"], 3),
        "replay_s": round(best["replay", "seconds"], 3),
        "records_consumed_and_decoded_per_second": round(records / best["read", "seconds"]),
        "decisions_per_second": round(decisions / best["replay", "seconds"]),
        "share_of_the_speed_of_only_consuming_and_decoding": round(
            best["read", "seconds"] / best["replay", "seconds"], 2
        ),
        "share_in_processor_time": round(best["read", "cpu_s"] / best["replay", "cpu_s"], 2),
    }


def compared(one: Mapping[str, float], all_cores: Mapping[str, float]) -> float:
    """Return the speed of a replay in all processes over that of a consumer as people write one: in one process."""
    return round(one["consuming_and_decoding_s"] / all_cores["replay_s"], 2)


def _in_a_process(way: str, bootstrap_servers: str, jobs: int) -> dict[str, float]:
    command = [sys.executable, "-P", "-m", "infra.bench.replaying", way, bootstrap_servers, str(jobs)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _read(bootstrap_servers: str, jobs: int) -> int:
    """Consume and decode every record in so many processes, each with partitions of its own; return how many."""
    if jobs == 1:
        return _read_share(bootstrap_servers, 1, 0)
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs) as pool:
        return sum(pool.starmap(_read_share, [(bootstrap_servers, jobs, number) for number in range(jobs)], 1))


def _read_share(bootstrap_servers: str, jobs: int, number: int) -> int:
    ends = high_watermarks(bootstrap_servers, partitions_of(bootstrap_servers, decision_path()))
    groups: list[list[Partition]] = [[] for _ in range(jobs)]
    for where in sorted(ends, key=lambda each: (-ends[each], each)):
        min(groups, key=lambda group: sum(ends[each] for each in group)).append(where)
    ours = {where: ends[where] for where in groups[number] if ends[where]}
    count = 0
    for record in read(bootstrap_servers, dict.fromkeys(ours, 0), ours):
        count += 1
        try:
            decode(record)
        except UndecodableError:
            continue  # read it was
    return count


def _replay(bootstrap_servers: str, jobs: int) -> int:
    verdict = replay_log(bootstrap_servers, deciding(), Scope(), jobs=jobs)
    if verdict.exit_code:
        raise RuntimeError(f"expected an identical replay, was exit code {verdict.exit_code}")
    return verdict.decisions


def _main(way: str, bootstrap_servers: str, jobs: int) -> dict[str, Any]:
    deciding()  # what is imported is imported before the clock runs, for both ways
    started, before = seconds(), _processor_seconds()
    count = {"read": _read, "replay": _replay}[way](bootstrap_servers, jobs)
    return {"count": count, "seconds": seconds() - started, "cpu_s": _processor_seconds() - before}


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201 - how a process answers
