"""`tape tail`: from anywhere in a topic, decoded, filtered, in kcat's spellings."""

import json
import signal
import subprocess
import sys
from decimal import Decimal

import pytest

from infra.embedded.folders import CHECKOUT
from schemas.order import OrderIntent
from schemas.portfolio import Portfolio
from schemas.run import DeadlinePassed
from tests.infra.postgres.stories import example
from tests.infra.sql.bus import PARTITIONS, Bus, Done, interruptible, tape

COUNT = 9
TOPIC = "portfolios"


@pytest.fixture(scope="module")
def bus(command_bus: Bus) -> Bus:
    """Lend a bus with portfolios named a0 to a8 and one record that cannot be read."""
    for number in range(COUNT):
        portfolio = example(Portfolio, text=f"a{number}")
        command_bus.say(portfolio, partition=number % PARTITIONS, key=b"key %d" % number)
    command_bus.raw(Portfolio.topic, 0, b"poison", b"no frame")
    command_bus.flush()
    return command_bus


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli", "tail", *arguments]


def run(bus: Bus, *arguments: str) -> Done:
    return tape(bus, "tail", *arguments)


def shown(bus: Bus, *arguments: str) -> list[str]:
    done = run(bus, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.decode().splitlines()


def test_to_its_end_a_topic_is_shown_from_its_beginning_decoded(bus: Bus) -> None:
    rows = [json.loads(line) for line in shown(bus, TOPIC, "-e")]
    assert len(rows) == COUNT + 1
    readable = {row["payload"]["account_id"] for row in rows if row["payload"] is not None}
    assert readable == {f"a{number}" for number in range(COUNT)}
    [poison] = [row for row in rows if row["payload"] is None]
    assert (poison["key"], poison["error"].partition(":")[0]) == ("poison", "BAD_FRAME")


def test_the_format_is_kcats(bus: Bus) -> None:
    lines = shown(bus, "portfolios.v1", "-e", "-p", "1", "-f", r"%t %p %o %k %K %%\x21\t%h\n")
    assert [line.partition("\t")[0] for line in lines] == [
        f"portfolios.v1 1 {offset} key {1 + 3 * offset} 5 %!" for offset in range(3)
    ]
    assert "event_type=Portfolio" in lines[0]
    [payload] = shown(bus, TOPIC, "-e", "-c", "1", "-p", "1", "-f", r"%s\n")
    assert json.loads(payload)["account_id"] == "a1"


def test_a_format_shows_fields_of_the_payload_by_name(bus: Bus) -> None:
    example_of = json.loads(shown(bus, TOPIC, "-e", "-c", "1", "-p", "1", "-f", r"%s\n")[0])
    lines = shown(bus, TOPIC, "-e", "-p", "1", "-f", r"%o %{account_id} %{content.terms.rules.sync_rule}\n")
    rule = example_of["content"]["terms"]["rules"]["sync_rule"]
    assert lines == [f"{offset} a{1 + 3 * offset} {rule}" for offset in range(3)]
    poison = shown(bus, TOPIC, "-e", "-p", "0", "-f", r"%k:%{account_id}\n")
    assert poison[-1] == "poison:"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-p", "2", "-o", "1"], ["1", "2"]),
        (["-p", "2", "-o", "-1"], ["2"]),
        (["-p", "2", "-o", "beginning"], ["0", "1", "2"]),
        (["-p", "2", "-o", "end"], []),
        (["-p", "2", "-o", "@2013-02-01T09:30"], ["0", "1", "2"]),
        (["-p", "2", "-o", "s@1359711000000", "-c", "2"], ["0", "1"]),
        (["-p", "2", "--since", "1h"], ["0", "1", "2"]),
        (["-p", "2", "--since", "0s"], []),
        (["-p", "2", "-o", "beginning", "-o", "e@2013-02-01T09:30"], []),
        (["-p", "2", "--until", "2013-02-01"], []),
        (["-p", "2", "--until", "0s"], ["0", "1", "2"]),
    ],
)
def test_it_begins_and_ends_where_it_is_told(bus: Bus, arguments: list[str], expected: list[str]) -> None:
    assert shown(bus, TOPIC, "-e", "-f", r"%o\n", *arguments) == expected


def test_the_last_are_records_whatever_else_has_taken_offsets(bus: Bus) -> None:
    for number in range(5):
        bus.say(example(DeadlinePassed), partition=0, key=b"%d" % number)
        bus.aborted(DeadlinePassed.topic, 0, number)
    bus.flush()
    assert shown(bus, "deadlines", "-e", "-o", "-2", "-p", "0", "-f", r"%k\n") == ["3", "4"]
    assert shown(bus, "deadlines", "-e", "-o", "-9", "-p", "0", "-c", "1", "-f", r"%k\n") == ["0"]


def test_for_a_person_all_fields_are_laid_out(bus: Bus) -> None:
    lines = shown(bus, TOPIC, "-e", "-v", "-p", "1", "-c", "1")
    assert (len(lines) > 5, '  "account_id": "a1",' in lines) == (True, True)


def test_an_sql_condition_chooses_the_records(bus: Bus) -> None:
    lines = shown(bus, TOPIC, "-e", "--where", "account_id in ('a3', 'a4') or _error is not null", "-f", r"%k\n")
    assert sorted(lines) == ["key 3", "key 4", "poison"]
    headers = run(bus, TOPIC, "-e", "--where", "_headers['account_id'] = 'a5'", "-f", r"%k\n")
    assert headers.stdout == b"key 5\n"
    assert (
        "portfolios: 1 records cannot be read, so what the condition says of their fields is not known"
        in headers.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["portfolio"], 1, "did you mean portfolios"),
        ([TOPIC, "--where", "no_such_column = 1"], 1, "no_such_column"),
        ([TOPIC, "--where", "true); SELECT (1"], 1, "one query"),
        ([TOPIC, "--where", "account_id in (select symbol from bars)"], 1, "one topic"),
        ([TOPIC, "-o", "middle"], 1, "middle"),
        ([TOPIC, "-o", "@noon"], 1, "noon"),
        ([TOPIC, "-f", "%z"], 1, "%z"),
        ([TOPIC, "-e", "-f", "%{content.symbol}"], 1, "portfolios.v1 has no field symbol"),
        ([TOPIC, "-p", "7"], 1, "partitions 0, 1, 2"),
        ([TOPIC, "-J", "-f", "%s"], 2, "-J"),
        ([TOPIC, "-J", "-v"], 2, "-v"),
    ],
)
def test_what_cannot_be_shown_says_why(bus: Bus, arguments: list[str], code: int, said: str) -> None:
    done = run(bus, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert "Traceback" not in done.stderr


def test_live_it_shows_what_is_committed_and_ends_by_interrupt(bus: Bus) -> None:
    live = command("order-intents", "--since", "1h", "-f", r"%k %s\n", "--where", '"order".order_qty > 1')
    environment = {**bus.environment(), "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        live,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,  # noqa: PLW1509 - one call, no locks
    ) as tailing:
        assert tailing.stdout is not None
        bus.aborted(OrderIntent.topic, 0, 3)
        intent = example(OrderIntent)
        for number, quantity in enumerate(("0.5", "2", "3")):
            order = intent.order.model_copy(update={"order_qty": Decimal(quantity)})
            bus.say(intent.model_copy(update={"order": order}), partition=0, key=b"%d" % number)
        bus.flush()
        lines = [tailing.stdout.readline() for _ in range(2)]
        tailing.send_signal(signal.SIGINT)
        assert tailing.wait(20) == 0
    assert [line.partition(" ")[0] for line in lines] == ["1", "2"]
    assert json.loads(lines[0].partition(" ")[2])["order"]["order_qty"].startswith("2")
