"""`tape limits`, `halt`, `resume`, `halts`: what a person asks reaches a running gateway, and its word comes back."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from click.testing import CliRunner, Result

from infra.cli import asking, halts
from infra.cli.halt_request import halt_meant, latest
from infra.cli.main import COMMANDS, load
from infra.clock import seconds
from infra.embedded.folders import CHECKOUT
from infra.embedded.testing import shared_stack
from infra.errors import TapeError
from infra.gate_limits import require_limits
from infra.kafka import admin
from infra.kafka.log import read_all
from infra.kafka.publish import Publisher, from_outside
from infra.settings import Settings
from schemas.gate import HaltScope, HaltStatus, OrderLimits, OrderLimitsRequest, TradingHalt, TradingHaltRequest
from schemas.identity import derived
from schemas.order import ExecType, Fill, OrderEvent, OrderIntent, OrdStatus
from schemas.record import Record
from schemas.resolution import OrderResolutionRequest
from schemas.run import Run
from tests.agents.gateway.words import checked, intent, silent
from tests.infra.postgres.stories import blank
from tests.made import ACCOUNT, AS_OF, run_terms, strategy
from topics.codec import Event, decode
from topics.wire import Incoming

LIMITS = f'account_id = "{ACCOUNT}"\norders_per_minute_max = 60\norder_notional_max = 25000\n'
LATER = "2099-01-01T00:00:00+00:00"
PATIENCE_S = 60


@dataclass
class Floor:
    """A Kafka with every topic, the environment that names it, and where processes write."""

    environment: dict[str, str]
    folder: Path

    def tape(self, *words: str, **environment: str) -> Result:
        """Run a command."""
        (row,) = (each for each in COMMANDS if each.name == words[0])
        return CliRunner(env={**self.environment, "COLUMNS": "200", **environment}).invoke(load(row), [*words[1:]])

    def said(self, *words: str) -> Any:
        """Run a command that has to succeed and return what it prints as JSON."""
        done = self.tape(*words, "--json")
        assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
        return json.loads(done.stdout)

    def limits(self, text: str = LIMITS) -> str:
        """Write a file of limits."""
        path = self.folder / "limits.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def records(self, kind: type[Record]) -> list[Record]:
        """Return what the log holds of a kind."""
        return [decode(each).record for each in read_all(self.environment["TAPE_BOOTSTRAP_SERVERS"], [kind.topic])]

    def decoded(self, kind: type[Record]) -> list[Event]:
        """Return what the log holds of a kind, with envelopes."""
        return [decode(each) for each in read_all(self.environment["TAPE_BOOTSTRAP_SERVERS"], [kind.topic])]

    def events(self, client_order_id: str) -> list[OrderEvent]:
        """Return what became of an order so far."""
        said = self.records(OrderEvent)
        return [each for each in said if isinstance(each, OrderEvent) and each.client_order_id == client_order_id]

    def publish(self, record: Record) -> None:
        """Say something in place of the agent that would, as part of its run."""
        run_id = record.order.run_id if isinstance(record, OrderIntent) else intent().order.run_id
        publisher = Publisher(self.environment["TAPE_BOOTSTRAP_SERVERS"], 1, "test")
        publisher.publish(record, derived("said", secrets.token_hex(16)), AS_OF, run_id)
        publisher.flush()

    def settings(self) -> Settings:
        return Settings(
            bootstrap_servers=self.environment["TAPE_BOOTSTRAP_SERVERS"], account_ids=(ACCOUNT,), home=self.folder
        )

    def gateway(self) -> "subprocess.Popen[bytes]":
        """Start the gateway."""
        with (self.folder / "gateway.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "infra.worker", "gateway"], env=self.environment, stdout=log, stderr=log
            )


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Lend a Kafka of this module's own."""
    folder = tmp_path_factory.mktemp("gate")
    with shared_stack(folder, {"kafka"}) as stack:
        admin.apply(stack.bootstrap_servers, 1)
        environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "TAPE_HOME": str(folder),
            "TAPE_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
            "TAPE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "TAPE_PARTITIONS": "1",
            "TAPE_CLOCK": "system",
            "TAPE_ACCOUNT_IDS": ACCOUNT,
        }
        yield Floor(environment, folder)


@pytest.fixture(scope="module")
def open_floor(floor: Floor) -> Iterator[Floor]:
    """The floor with limits that were asked for before the gateway started, and the gateway."""
    before = asking.ANSWER_TIMEOUT_S
    asking.ANSWER_TIMEOUT_S = 0.5
    waiting = floor.tape("limits", "set", floor.limits())
    asking.ANSWER_TIMEOUT_S = before
    assert isinstance(waiting.exception, TapeError)
    assert "counts as soon as the gateway runs" in str(waiting.exception)
    gateway = floor.gateway()
    while not floor.records(OrderLimits):
        assert gateway.poll() is None, (floor.folder / "gateway.log").read_text(encoding="utf-8")
    yield floor
    gateway.terminate()
    gateway.wait(PATIENCE_S)


# --- limits


def test_without_limits_no_gateway_starts_for_the_account(floor: Floor) -> None:
    assert floor.records(OrderLimitsRequest) == []
    gateway = floor.gateway()
    assert gateway.wait(PATIENCE_S) == 1
    told = (floor.folder / "gateway.log").read_text(encoding="utf-8")
    assert f"no limits were ever set for account {ACCOUNT}" in told
    assert "next:  tape limits set FILE.toml" in told
    none = floor.tape("limits", "show")
    assert (none.exit_code, none.stdout) == (2, "")
    assert "no limits are set, so no order is let pass" in none.stderr


def test_an_account_whose_limits_were_asked_for_may_have_a_gateway(open_floor: Floor) -> None:
    settings = open_floor.settings()
    require_limits(settings)
    require_limits(settings.model_copy(update={"account_ids": ()}))
    with pytest.raises(TapeError, match="for account OTHER, and"):
        require_limits(settings.model_copy(update={"account_ids": (ACCOUNT, "OTHER")}))


def test_limits_are_set_shown_and_replaced(open_floor: Floor) -> None:
    first = open_floor.said("limits", "set", open_floor.limits())
    assert open_floor.said("limits", "show") == [first]
    assert first["limits"]["orders_per_minute_max"] == 60

    text = open_floor.tape("limits", "set", open_floor.limits(LIMITS.replace("60", "50")), "--by", "maria").stdout
    assert f"account {ACCOUNT}, set by maria" in text
    assert [" ".join(line.split()) for line in text.splitlines()[1:4]] == [
        "limit of value",
        "order_notional_max the account 25,000.00",
        "quote_age_max_s the account 60",
    ]
    again = open_floor.said("limits", "set", open_floor.limits())
    assert open_floor.said("limits", "show") == [again]
    assert again["limits"] == first["limits"]
    assert again["request_id"] != first["request_id"]


def test_a_file_without_a_limit_never_reaches_the_log(open_floor: Floor) -> None:
    asked = len(open_floor.records(OrderLimitsRequest))
    refused = open_floor.tape("limits", "set", open_floor.limits(f'account_id = "{ACCOUNT}"'))
    assert isinstance(refused.exception, TapeError)
    assert len(open_floor.records(OrderLimitsRequest)) == asked


# --- halts


def test_a_halt_is_in_force_until_it_is_resumed(open_floor: Floor) -> None:
    text = open_floor.tape("halt", "--symbol", "ibm", "--reason", "earnings", "--by", "maria").stdout
    assert text.startswith("IN_FORCE SYMBOL IBM: earnings (OPERATOR, by maria)\n")
    (halt,) = open_floor.said("halts")["halts"]
    assert (halt["scope"], halt["name"], halt["is_in_force"]) == ("SYMBOL", "IBM", True)

    ended = open_floor.said("resume", halt["halt_id"][:8], "--reason", "over")
    assert (ended["status"], ended["halt_id"], ended["reason"]) == ("ENDED", halt["halt_id"], "over")
    assert open_floor.said("halts")["halts"] == []
    assert [each["halt_id"] for each in open_floor.said("halts", "--all")["halts"]].count(halt["halt_id"]) == 1

    again = open_floor.tape("resume", halt["halt_id"])
    assert isinstance(again.exception, TapeError)
    assert "is not in force" in str(again.exception)


def test_a_halt_says_what_still_passes_what_is_canceled_and_when_it_ends(open_floor: Floor) -> None:
    words = ("--strategy", "trend", "--reduce-only", "--cancel", "--until", LATER, "--reason", "too hot")
    halt = open_floor.said("halt", *words)
    assert (halt["scope"], halt["name"], halt["is_reducing_allowed"]) == ("STRATEGY", "trend", True)
    assert halt["until"] == LATER.replace("+00:00", "Z")
    asked = open_floor.records(TradingHaltRequest)[-1]
    assert isinstance(asked, TradingHaltRequest)
    assert asked.is_canceling

    table = open_floor.tape("halts").stdout
    assert "STRATEGY trend" in table
    assert "reducing orders" in table
    open_floor.said("resume", halt["halt_id"])


def test_the_same_wish_said_twice_is_two_halts(open_floor: Floor) -> None:
    first, second = (open_floor.said("halt", "--reason", "stop") for _ in range(2))
    assert first["halt_id"] != second["halt_id"]
    open_floor.said("resume", first["halt_id"])
    assert [each["halt_id"] for each in open_floor.said("halts")["halts"]] == [second["halt_id"]]
    open_floor.said("resume", second["halt_id"])


def test_halts_are_shown_without_postgresql_and_with_the_halt_of_this_machine(open_floor: Floor) -> None:
    (open_floor.folder / "halt").write_text("by hand", encoding="utf-8")
    try:
        done = open_floor.tape("halts")
        found = open_floor.said("halts")
    finally:
        (open_floor.folder / "halt").unlink()
    assert done.exit_code == 0
    assert "no halt is in force" in done.stdout
    assert "this machine is halted" in done.stdout
    assert "which orders are under way is not known: PostgreSQL does not answer" in done.stderr
    assert (found["halt_file"], found["orders_under_way"]) == ("by hand", None)


def test_which_account_is_meant_has_to_be_said_where_there_are_several(open_floor: Floor) -> None:
    unclear = open_floor.tape("halt", "--reason", "stop", TAPE_ACCOUNT_IDS="A,B")
    assert isinstance(unclear.exception, TapeError)
    assert "which account is meant? A, B" in str(unclear.exception)
    only = open_floor.tape("halt", "--reason", "stop", "--json", TAPE_ACCOUNT_IDS="")
    assert json.loads(only.stdout)["account_id"] == ACCOUNT
    open_floor.said("resume", json.loads(only.stdout)["halt_id"])


def test_a_halt_that_would_be_over_is_refused(open_floor: Floor) -> None:
    unknown = open_floor.tape("halt", "--account", "NOSUCH")
    assert isinstance(unknown.exception, TapeError)
    assert f"nothing on this log trades account NOSUCH: there are {ACCOUNT}" in str(unknown.exception)
    late = open_floor.tape("halt", "--reason", "stop", "--until", "2012-06-01T16:00:00+00:00")
    assert isinstance(late.exception, TapeError)
    assert "--until: expected a time after" in str(late.exception)


@pytest.mark.parametrize(
    "words",
    [
        ("halt", "--reason", "x", "--symbol", "IBM", "--strategy", "core"),
        ("halt", "--reason", "x", "--until", "soon"),
        ("halt", "--reason", "x", "--until", "2099-01-01T00:00:00"),
        ("halt", "--hard", "--symbol", "IBM"),
        ("resume",),
        ("resume", "0", "--hard"),
    ],
)
def test_wrong_usage_ends_with_two_and_reaches_nobody(floor: Floor, words: tuple[str, ...]) -> None:
    assert floor.tape(*words).exit_code == 2


@pytest.mark.parametrize("words", [("halt", "--reason", "x"), ("halts",), ("resume", "0"), ("limits", "show")])
def test_a_kafka_that_does_not_answer_is_a_sentence(
    floor: Floor, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "CONTACT_TIMEOUT_S", 0.5)
    done = floor.tape(*words, TAPE_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert isinstance(done.exception, TapeError)
    assert "Kafka does not answer" in str(done.exception)
    assert ("tape halt --hard" in str(done.exception)) is (words[0] == "halt")


@pytest.mark.parametrize(("status", "is_hinted"), [("UNKNOWN", True), ("NEW", False)])
def test_an_unknown_order_names_the_command_that_ends_it(
    status: str, is_hinted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"client_order_id": "one", "account_id": ACCOUNT, "symbol": "IBM", "side": "BUY", "ord_status": status}
    numbers = {"order_qty": Decimal(1), "cum_qty": Decimal(0), "attempt": 1, "valid_until": AS_OF}

    halts._print_orders([{**row, **numbers}])

    assert ("tape resolve --help" in capsys.readouterr().out) is is_hinted


# --- names that nobody knows


def test_a_halt_that_stops_nobody_says_so_and_is_in_force(open_floor: Floor) -> None:
    trades = run_terms(strategies=(strategy("trend", symbols=("IBM",)),))
    open_floor.publish(blank(Run, account_id=ACCOUNT, run_id=derived("run"), terms=trades))

    for words, said in (
        (("--symbol", "GME"), f"warning: no strategy trades GME in account {ACCOUNT}; known are IBM"),
        (("--strategy", "tend"), f"warning: no run of account {ACCOUNT} has a strategy tend; known are trend"),
        (("--symbol", "IBM"), ""),
        (("--strategy", "trend"), ""),
    ):
        done = open_floor.tape("halt", "--reason", "stop", "--json", *words)
        halt = json.loads(done.stdout)
        open_floor.said("resume", halt["halt_id"])
        assert (halt["status"], done.stderr.strip()) == ("IN_FORCE", said)


def test_limits_of_an_account_that_no_worker_serves_say_so_and_count(open_floor: Floor) -> None:
    done = open_floor.tape("limits", "set", open_floor.limits(LIMITS.replace(ACCOUNT, "DEMO-11")))
    assert done.stderr == f"warning: no worker serves account DEMO-11; known are {ACCOUNT}\n"
    assert "account DEMO-11, set by operator" in done.stdout
    assert open_floor.tape("limits", "set", open_floor.limits()).stderr == ""


# --- an order that the broker leaves open


@pytest.fixture
def unknown(open_floor: Floor) -> OrderEvent:
    """An order that was sent and never answered."""
    name = f"net-AAPL-{secrets.token_hex(4)}"
    identity = derived("order", name)
    asked = intent(intent_id=identity, plan_id=identity)
    open_floor.publish(asked.model_copy(update={"client_order_id": name}))
    open_floor.publish(checked(name=name))
    open_floor.publish(silent().model_copy(update={"client_order_id": name}))
    until = seconds() + PATIENCE_S
    while not (found := open_floor.events(name)) or found[-1].exec_type is not ExecType.QUERYING:
        assert seconds() < until, found
    assert found[-1].ord_status is OrdStatus.UNKNOWN
    return found[-1]


def test_an_order_is_resolved_by_a_word_and_its_end_belongs_to_its_run(open_floor: Floor, unknown: OrderEvent) -> None:
    name = unknown.client_order_id
    words = ("--as", "not-ours", "--because", "the desk says so", "--by", "ann", "--manual", "sell 10 MSFT 31.20")
    text = open_floor.tape("resolve", name, *words).stdout
    assert text == (
        f"NOT_OURS {name}: the desk says so (by ann)\n"
        f"  order     BUY 10 AAPL, account {ACCOUNT}\n"
        "  executed  0, 0 were booked\n"
        "  manual    SELL 10 MSFT at 31.2\n"
        "  next:  tape halts\n"
    )
    end = open_floor.events(name)[-1]
    assert (end.exec_type, end.ord_status) == (ExecType.RESTATED, OrdStatus.REJECTED)
    assert end.reason == "NOT_OURS by ann: the desk says so"
    (fill,) = [
        each for each in open_floor.records(Fill) if isinstance(each, Fill) and each.client_order_id == f"{name}/1"
    ]
    assert (fill.order.book, fill.order.symbol, f"{fill.last_qty:.0f}") == ("manual", "MSFT", "10")
    of_run = [each.envelope.correlation_id for each in open_floor.decoded(OrderEvent) if each.record in (end, unknown)]
    assert of_run == [unknown.order.run_id] * 2


def test_what_cannot_be_is_refused_with_the_reason(open_floor: Floor, unknown: OrderEvent) -> None:
    name = unknown.client_order_id
    refused = open_floor.tape("resolve", name, "--as", "filled", "--because", "so they say")
    assert isinstance(refused.exception, TapeError)
    assert "at which average price?" in str(refused.exception)
    nobody = open_floor.tape("resolve", "nobody", "--as", "filled", "--because", "x")
    assert isinstance(nobody.exception, TapeError)
    assert "no order is called nobody" in str(nobody.exception)

    done = open_floor.said("resolve", name, "--as", "filled", "--at", "560.5", "--because", "so they say")
    assert (done["status"], done["cum_qty"]) == ("ACCEPTED", "10.000000000")
    again = open_floor.tape("resolve", name, "--as", "filled", "--because", "once more")
    assert isinstance(again.exception, TapeError)
    assert "has ended FILLED" in str(again.exception)


@pytest.mark.parametrize(
    "words",
    [
        ("--as", "lost", "--because", "x"),
        ("--as", "filled"),
        ("--as", "filled", "--because", " "),
        ("--as", "filled", "--because", "x", "--at", "free"),
        ("--as", "filled", "--because", "x", "--at", "0"),
        ("--as", "filled", "--because", "x", "--at", "1.0000001"),
        ("--as", "filled", "--because", "x", "--executed", "-1"),
        ("--as", "filled", "--because", "x", "--executed", "nan"),
        ("--as", "filled", "--because", "x", "--manual", "SELL 10 MSFT"),
        ("--as", "filled", "--because", "x", "--manual", "GIVE 10 MSFT 31.20"),
        ("--as", "filled", "--because", "x", "--manual", "SELL 0 MSFT 31.20"),
    ],
)
def test_a_resolution_that_cannot_be_read_reaches_nobody(floor: Floor, words: tuple[str, ...]) -> None:
    before = len(floor.records(OrderResolutionRequest))
    assert floor.tape("resolve", "any", *words).exit_code == 2
    assert len(floor.records(OrderResolutionRequest)) == before


# --- the last word on each halt


def halt_said(number: int, status: HaltStatus) -> tuple[TradingHalt, Incoming]:
    halt = blank(
        TradingHalt,
        account_id=ACCOUNT,
        halt_id=uuid5(derived("halts"), str(number)),
        status=status,
        scope=HaltScope.ACCOUNT,
    )
    out = from_outside(halt, derived("said", number, status), AS_OF, None, 1, "test")
    return halt, Incoming(out.topic, out.partition, 0, 0, out.key, out.value, out.headers)


def test_the_last_word_on_a_halt_counts_and_a_refused_request_is_none() -> None:
    said = [halt_said(1, HaltStatus.IN_FORCE), halt_said(2, HaltStatus.IN_FORCE), halt_said(1, HaltStatus.ENDED)]
    refused = halt_said(2, HaltStatus.REFUSED)
    unreadable = Incoming(refused[1].topic, 0, 0, 0, b"", b"\0", ())
    found = latest([each for _, each in [*said, refused]] + [unreadable])
    assert found == [said[2][0], said[1][0]]


def test_a_halt_is_meant_by_digits_that_begin_one_id_only() -> None:
    halts = [halt_said(number, HaltStatus.IN_FORCE)[0] for number in range(20)]
    assert halt_meant(halts, str(halts[3].halt_id).upper()) == halts[3]
    for digits in ("", "x", next(d for d in "0123456789abcdef" if sum(str(h.halt_id)[0] == d for h in halts) > 1)):
        with pytest.raises(TapeError, match="expected one halt whose id begins with"):
            halt_meant(halts, digits)
