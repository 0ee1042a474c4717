"""`tape verify` beside the broker: only of the account that was meant, and only while nothing is under way."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from agents.gateway import decider as gateway
from agents.testing import given
from infra.cli import asking, verify
from infra.cli.main import COMMANDS, load
from infra.errors import TapeError
from infra.settings import Settings
from infra.verify import service
from infra.verify.broker import AtBroker
from infra.verify.claim import Claim
from tests.agents.broker.fake import FakeBrokerage, reply
from tests.agents.gateway.words import ACCOUNT, AS_OF, checked, intent, limited
from tests.infra.postgres.stories import Log

URLS = {
    "brokerage_url": "http://127.0.0.1:1",
    "brokerage_data_url": "http://127.0.0.1:1",
    "brokerage_stream_url": "ws://127.0.0.1:1/stream",
}
NAME = intent().client_order_id


def settings(**said: Any) -> Settings:
    usual = {"account_ids": (ACCOUNT,), "brokerage_key_id": SecretStr("PKTEST"), "brokerage_secret_key": SecretStr("x")}
    return Settings(**{**usual, **URLS, **said})


def at_broker(**said: Any) -> AtBroker:
    usual = {"account_id": ACCOUNT, "orders": [], "fills": [], "positions": {}, "cash": Decimal(0)}
    return AtBroker(**{**usual, **said})


def quiet() -> Log:
    return Log()


def trading() -> Log:
    """A log on which an order was sent, and no more."""
    log, story = Log(), given(gateway, limited()).when(intent(), at=AS_OF)
    log.say(intent())
    for each in (*story.said, *story.when(checked()).said):
        log.say(each)
    return log


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command over a log, with what the broker says before and after."""

    def run(log: Log, *readings: AtBroker, words: tuple[str, ...] = ()) -> Result:
        def over_the_log(_servers: str, claims: list[Claim], _on_progress: object) -> int:
            for incoming in log.incoming():
                service.show(claims, incoming)
            service.finish(claims, log.ends)
            return len(log.incoming())

        said = iter(readings)
        monkeypatch.setattr(asking, "settings_of_kafka", settings)
        monkeypatch.setattr(service, "verified", over_the_log)
        monkeypatch.setattr(verify, "_account_read", lambda _settings: (lambda: next(said)) if readings else None)
        (row,) = (each for each in COMMANDS if each.name == "verify")
        return CliRunner(env={"COLUMNS": "200"}).invoke(load(row), ["--no-replay", *words])

    return run


def test_log_and_broker_that_agree_are_compared(verified: Callable[..., Result]) -> None:
    done = verified(quiet(), at_broker(), at_broker(), words=("--json",))

    found = json.loads(done.stdout)
    assert (done.exit_code, found["accounts_at_broker"], found["not_compared"]) == (0, 1, None)
    assert sum("broker" in each["claim"] for each in found["claims"]) == 3


def test_what_differs_is_broken(verified: Callable[..., Result]) -> None:
    richer = at_broker(cash=Decimal(5))
    done = verified(quiet(), richer, richer)

    assert done.exit_code == 1
    assert "USD: the books have 0, the broker 5" in done.stdout


def test_while_an_order_is_under_way_the_broker_is_not_compared(verified: Callable[..., Result]) -> None:
    """It may have executed what the log has not heard of: that is no difference."""
    executed = at_broker(positions={"AAPL": Decimal(10)}, cash=Decimal(-5605))
    done = verified(trading(), executed, executed)

    assert done.exit_code == 3
    assert f"; 1 order under way: {NAME}; the broker was not compared\n" in done.stdout
    assert "same positions" not in done.stdout


def test_an_account_that_changes_while_the_log_is_read_is_not_compared(verified: Callable[..., Result]) -> None:
    done = verified(quiet(), at_broker(), at_broker(cash=Decimal(5)), words=("--json",))

    found = json.loads(done.stdout)
    assert (done.exit_code, found["holds"], found["accounts_at_broker"]) == (3, True, 0)
    assert found["not_compared"] == "the account has changed while the log was read"


def test_a_broker_that_was_not_asked_is_named(verified: Callable[..., Result]) -> None:
    done = verified(trading())

    assert done.exit_code == 0
    assert "; the broker was not asked\n" in done.stdout


# --- whose account it is


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"brokerage_live": True}, "live trading was asked for"),
        ({"live_trading": "123"}, "names a live account"),
        ({"brokerage_url": "https://api.alpaca.markets"}, "is Alpaca's live address"),
        ({"brokerage_key_id": SecretStr("AKLIVE")}, "the one given starts with AK"),
    ],
)
def test_settings_that_do_not_agree_ask_nobody(said: dict[str, Any], why: str) -> None:
    with pytest.raises(TapeError, match=why):
        verify._account_read(settings(**said))


@pytest.mark.parametrize(
    ("said", "opened", "is_meant"),
    [
        ({}, ACCOUNT, True),
        ({}, "ANOTHER", False),
        ({"brokerage_account": "ANOTHER"}, "ANOTHER", True),
        ({"brokerage_account": "ANOTHER"}, ACCOUNT, False),
    ],
)
def test_another_account_than_the_one_meant_is_not_read(
    said: dict[str, Any], opened: str, is_meant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokerage = FakeBrokerage()
    named = reply({"account_number": opened, "id": "uuid", "cash": "7"})
    brokerage.trouble("account", named, named)
    monkeypatch.setattr("infra.alpaca.brokerage.AlpacaBrokerage", lambda _settings: brokerage)
    read = verify._account_read(settings(**said))
    assert read is not None

    if is_meant:
        assert read().account_id == ACCOUNT
    else:
        with pytest.raises(TapeError, match=f"the keys open account {opened}"):
            read()


def test_without_keys_or_with_several_accounts_nobody_is_asked() -> None:
    assert verify._account_read(settings(brokerage_key_id=None)) is None
    assert verify._account_read(settings(account_ids=("A", "B"))) is None
