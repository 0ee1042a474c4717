"""`tape bench --sql`: one question over many records, by either decoder, and by the console consumer and a line filter.

The question counts and sums, so every record is read and decoded and none is printed. Beside it what the two decoders
take alone, without Kafka and DuckDB.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from infra.bench.generated import Template, produce, records
from infra.clock import seconds
from infra.embedded.kafka import TOOL_CLASSES
from infra.embedded.progress import Progress
from infra.embedded.stack import Stack
from infra.kafka.admin import apply
from infra.kafka.log import high_watermarks, read
from infra.sql.arrow import stream
from infra.sql.batch import decoded
from infra.sql.catalog import named
from infra.sql.engine import Shape
from infra.sql.loading import Decoder
from infra.sql.rows import Rows
from infra.sql.session import Session, Wishes
from topics.registry import BY_NAME

QUESTIONS = {
    "order-events.v1": "select exec_type, count(*) n, sum(cum_qty) shares from order_events group by 1",
    "plans.v1": "select status, count(*) n, sum(line_count) lines from plans group by 1",
}
VARIANTS = 500
ALONE = 20_000
_SYMBOLS = ("IBM", "AAPL", "MSFT", "BRK.B")
#: What a person without an Avro decoder pipes the console consumer into: count lines by one header.
_FILTER = """
import collections, re, sys
found = collections.Counter(match[1] for line in sys.stdin if (match := re.search(r"event_type:([^,\\t]*)", line)))
print(dict(found))
"""


class Asking:
    """One measurement: `count` order events, and a hundredth as many plans."""

    def __init__(self, home: Path, count: int, say: Callable[[Progress], None]) -> None:
        self._stack = Stack(home)
        self._counts = {"order-events.v1": count, "plans.v1": max(1, count // 100)}
        self._say = say

    def run(self) -> dict[str, Any]:
        """Return records per second by topic and way, and ratios to the reference decoder of the same run."""
        self._stack.destroy()
        self._stack.up({"kafka"}, self._say)
        try:
            apply(self._stack.bootstrap_servers, 1)
            return {topic: self._of(topic, count) for topic, count in self._counts.items()}
        finally:
            self._stack.destroy()

    def _of(self, topic: str, count: int) -> dict[str, Any]:
        self._say(Progress(f"writing {count} records to {topic}"))
        produce(self._stack.bootstrap_servers, records(_templates(topic), 0, count))
        self._say(Progress(f"asking {topic}"))
        answers = {decoder: self._asked(topic, decoder) for decoder in (Decoder.FASTAVRO, Decoder.BATCH)}
        if len({answer for _, answer in answers.values()}) != 1:
            raise RuntimeError(f"the decoders disagree: {answers}")
        rates = {f"sql_{decoder}": round(count / taken) for decoder, (taken, _) in answers.items()}
        rates |= self._consumed(topic, count) | self._alone(topic)
        rates |= {name: round(count / taken) for name, taken in self._by_lines(topic, count).items()}
        return {
            "records": count,
            "records_per_second": rates,
            "batch_over_fastavro": round(rates["sql_batch"] / rates["sql_fastavro"], 2),
            "batch_over_fastavro_decoding_alone": round(rates["alone_batch"] / rates["alone_fastavro"], 2),
        }

    def _asked(self, topic: str, decoder: Decoder) -> tuple[float, bytes]:
        wishes = Wishes(self._stack.bootstrap_servers, records_max=None, decoder=decoder)
        chunks: list[bytes] = []
        with Session(wishes) as session:
            session.run("select 1", Shape("jsonl"), lambda _chunk: None)  # the process is up before the clock runs
            started = seconds()
            session.run(QUESTIONS[topic], Shape("jsonl"), chunks.append)
            return seconds() - started, b"".join(sorted(b"".join(chunks).splitlines()))

    def _consumed(self, topic: str, count: int) -> dict[str, int]:
        """Only reading, as the question's reader does: what no decoder can be faster than."""
        where = (topic, 0)
        started = seconds()
        found = sum(1 for _ in read(self._stack.bootstrap_servers, {where: 0}, self._ends(topic)))
        if found != count:
            raise RuntimeError(f"expected {count} records of {topic}, read {found}")
        return {"only_consumed": round(count / (seconds() - started))}

    def _ends(self, topic: str) -> dict[tuple[str, int], int]:
        return high_watermarks(self._stack.bootstrap_servers, [(topic, 0)])

    def _alone(self, topic: str) -> dict[str, int]:
        """Decoding alone, to what goes to DuckDB: rows of JSON, columns of Arrow."""
        ends = {where: min(end, ALONE) for where, end in self._ends(topic).items()}
        some = list(read(self._stack.bootstrap_servers, {(topic, 0): 0}, ends))
        rows = Rows(named(topic))
        started = seconds()
        for record in some:
            rows.row(record)
        one_by_one, started = seconds() - started, seconds()
        found = decoded(topic, [record.value or b"" for record in some])
        if found is None or not found.is_read.all():
            raise RuntimeError(f"expected {len(some)} records that can be decoded together, were fewer")
        stream(found.fields.fields, len(some))
        return {
            "alone_fastavro": round(len(some) / one_by_one),
            "alone_batch": round(len(some) / (seconds() - started)),
        }

    def _by_lines(self, topic: str, count: int) -> dict[str, float]:
        """The question as far as tools without our schemas go: how many of each event type, by a header."""
        servers = self._stack.bootstrap_servers
        if (kcat := shutil.which("kcat") or shutil.which("kafkacat")) and (jq := shutil.which("jq")):
            # Debian's kcat reads no Avro, so this counts by a header as well
            reading = [kcat, "-C", "-b", servers, "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%h\\n"]
            counting = [jq, "-R", "-n", 'reduce (inputs | capture("event_type=(?<t>[^,]*)").t) as $t ({}; .[$t] += 1)']
            return {"kcat_and_jq_counting_a_header": _piped(reading, counting)}
        consumer = self._stack.kafka.command(
            TOOL_CLASSES["console-consumer"],
            *("--bootstrap-server", servers, "--topic", topic, "--from-beginning", "--max-messages", str(count)),
            *("--formatter-property", "print.headers=true", "--formatter-property", "print.value=false"),
        )
        counting = [sys.executable, "-c", _FILTER]
        return {"console_consumer_and_a_line_filter_counting_a_header": _piped(consumer, counting)}


def _piped(reading: list[str], counting: list[str]) -> float:
    started = seconds()
    with subprocess.Popen(reading, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ) as reader:
        subprocess.run(counting, stdin=reader.stdout, stdout=subprocess.DEVNULL, check=True)
    return seconds() - started


def _templates(topic: str) -> tuple[Template, ...]:
    """Return different records of a topic: other orders, symbols and quantities; a plan of fifty lines."""
    return tuple(islice((Template.of(BY_NAME[topic], _change(number)) for number in cycle(range(VARIANTS))), VARIANTS))


def _change(number: int) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        for name in ("cum_qty", "leaves_qty"):
            if name in fields:
                fields[name] = Decimal(number)
        if "client_order_id" in fields:
            fields["client_order_id"] = f"{fields['client_order_id']}-{number}"
        if "lines" in fields:
            line = fields["lines"][0]
            fields["lines"] = [{**line, "symbol": f"{_SYMBOLS[number % 4]}{each}"} for each in range(number % 50)]
            fields["line_count"] = len(fields["lines"])

    return change
