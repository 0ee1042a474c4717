"""Paper or live: what has to agree before anything is started, and what a refusal says."""

from pathlib import Path
from typing import Any

import pytest

from agents.broker.ports import Reply
from infra.alpaca.connect import alpaca_settings, connected, locks_folder
from infra.alpaca.safeguards import Account, check_account, check_environment, identified, lock_name_of
from infra.errors import TapeError
from infra.settings import PREFIX, Settings
from infra.simulator.client import SimulatorControl
from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls
from tests.agents.broker.fake import FakeBrokerage

NUMBER = "PA9000001"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("TAPE_HOME", str(tmp_path))


def settings(**said: Any) -> Settings:
    return Settings.model_validate({"brokerage_key_id": "PK1", "brokerage_secret_key": "s", **said})


@pytest.fixture
def simulated(simulator: SimulatorUrls) -> dict[str, Any]:
    """Settings that reach a simulator whose account is PA9000001."""
    SimulatorControl(simulator.url).reset(account_number=NUMBER)
    return {
        "brokerage_key_id": KEY_ID,
        "brokerage_secret_key": SECRET_KEY,
        "brokerage_url": simulator.url,
        "brokerage_data_url": simulator.url,
        "brokerage_stream_url": simulator.stream_url,
    }


LIVE_ROWS: list[tuple[bool, str | None, str | None, str | None]] = [
    # flag, TAPE_LIVE_TRADING, TAPE_BROKERAGE_ACCOUNT, the refusal
    (False, None, None, None),
    (False, None, NUMBER, None),
    (False, None, "PA9000002", "TAPE_BROKERAGE_ACCOUNT=PA9000002, but the keys open account PA9000001"),
    (False, NUMBER, None, f"TAPE_LIVE_TRADING={NUMBER} names a live account, but live trading was not asked for"),
    (False, NUMBER, NUMBER, f"TAPE_LIVE_TRADING={NUMBER} names a live account, but live trading was not asked for"),
    (True, None, None, "TAPE_LIVE_TRADING does not name the account"),
    (True, None, NUMBER, "TAPE_LIVE_TRADING does not name the account"),
    (True, "", NUMBER, "TAPE_LIVE_TRADING does not name the account"),
    (True, NUMBER, None, None),
    (True, NUMBER, NUMBER, None),
    (True, "yes", None, "TAPE_LIVE_TRADING=yes, but the keys open account PA9000001"),
    (True, "pa9000001", None, "TAPE_LIVE_TRADING=pa9000001, but the keys open account PA9000001"),
    (True, NUMBER, "PA9000002", f"TAPE_LIVE_TRADING={NUMBER} and TAPE_BROKERAGE_ACCOUNT=PA9000002 differ"),
    (True, "PA9000002", "PA9000002", "TAPE_LIVE_TRADING=PA9000002, but the keys open account PA9000001"),
]


@pytest.mark.parametrize(("live", "named", "account", "refusal"), LIVE_ROWS)
def test_flag_variable_and_the_brokers_account_agree_or_nothing_is_started(
    simulated: dict[str, Any], live: bool, named: str | None, account: str | None, refusal: str | None
) -> None:
    said = settings(**simulated, brokerage_live=live, live_trading=named, brokerage_account=account)

    if refusal is None:
        connected(said).close()
    else:
        with pytest.raises(TapeError) as refused:
            connected(said)
        assert refused.value.what.startswith("not started: ")
        assert refusal in refused.value.what
        assert refused.value.where
        assert refused.value.next_command


@pytest.mark.parametrize(
    ("named", "account", "refusal"),
    [
        (NUMBER, None, None),
        ("OTHER", NUMBER, None),
        ("OTHER", None, "TAPE_ACCOUNT_IDS=OTHER, but the keys open account PA9000001"),
    ],
)
def test_under_another_name_the_account_had_no_halts_and_no_limits(
    simulated: dict[str, Any], named: str, account: str | None, refusal: str | None
) -> None:
    said = settings(**simulated, account_ids=(named,), brokerage_account=account)

    if refusal is None:
        connected(said).close()
    else:
        with pytest.raises(TapeError, match=refusal):
            connected(said)


def test_a_refused_start_leaves_no_lock_behind(simulated: dict[str, Any]) -> None:
    with pytest.raises(TapeError):
        connected(settings(**simulated, brokerage_account="PA9000002"))

    connected(settings(**simulated, brokerage_account=NUMBER)).close()


def test_an_account_may_be_named_by_its_id() -> None:
    account = Account(NUMBER, "904837e3-3b76-47ec-b432-046db621571b")

    check_account(settings(brokerage_account="904837e3-3b76-47ec-b432-046db621571b"), account)
    check_account(settings(brokerage_account=NUMBER), account)
    with pytest.raises(TapeError, match="904837e3"):
        check_account(settings(brokerage_account="904837e3"), account)


PAPER, LIVE = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
PAPER_STREAM, LIVE_STREAM = "wss://paper-api.alpaca.markets/stream", "wss://api.alpaca.markets/stream"
SIMULATOR, SIMULATOR_STREAM = "http://127.0.0.1:8090", "ws://127.0.0.1:8090/stream"

ADDRESS_ROWS: list[tuple[bool, str, str | None, str | None, str | None, str | None]] = [
    # live, key, trading, stream, data, the refusal
    (False, "PK1", None, None, None, None),
    (False, "PK1", PAPER, None, None, None),
    (False, "PK1", None, PAPER_STREAM, None, None),
    (False, "PK1", "HTTPS://PAPER-API.Alpaca.Markets.:443/", None, None, None),
    (True, "AK1", None, None, None, None),
    (True, "AK1", LIVE, LIVE_STREAM, None, None),
    (False, "PK1", LIVE, None, None, "is Alpaca's live address api.alpaca.markets, but paper trading was asked for"),
    (False, "AK1", LIVE, LIVE_STREAM, None, "is Alpaca's live address"),
    (False, "PK1", "https://api.alpaca.markets.", None, None, "is Alpaca's live address"),
    (False, "PK1", "https://api.alpaca.markets:443", None, None, "is Alpaca's live address"),
    (False, "PK1", None, LIVE_STREAM, None, "TAPE_BROKERAGE_STREAM_URL is Alpaca's live address"),
    (False, "PK1", "https://broker-api.alpaca.markets", None, None, "is Alpaca's unknown address"),
    (True, "AK1", PAPER, None, None, "is Alpaca's paper address paper-api.alpaca.markets, but live trading"),
    (True, "AK1", None, PAPER_STREAM, None, "TAPE_BROKERAGE_STREAM_URL is Alpaca's paper address"),
    (False, "AK1", None, None, None, "paper keys of Alpaca start with PK, the one given starts with AK"),
    (False, "XX1", None, None, None, "paper keys of Alpaca start with PK, the one given starts with XX"),
    (True, "PK1", None, None, None, "live keys of Alpaca start with AK, the one given starts with PK"),
    (False, "AK1", SIMULATOR, SIMULATOR_STREAM, SIMULATOR, "the one given starts with AK"),
    (False, "SIM", SIMULATOR, SIMULATOR_STREAM, SIMULATOR, None),
    (True, "SIM", SIMULATOR, SIMULATOR_STREAM, SIMULATOR, None),
    (False, "SIM", SIMULATOR, None, SIMULATOR, "trade updates or quotes would come from Alpaca"),
    (False, "SIM", SIMULATOR, PAPER_STREAM, SIMULATOR, "trade updates or quotes would come from Alpaca"),
    (False, "SIM", SIMULATOR, SIMULATOR_STREAM, None, "trade updates or quotes would come from Alpaca"),
    (False, "PK1", None, SIMULATOR_STREAM, None, "trade updates would come from 127.0.0.1:8090"),
    (False, "PK1", None, None, SIMULATOR, "and quotes would come from 127.0.0.1:8090"),
    (True, "AK1", LIVE, LIVE_STREAM, SIMULATOR, "orders would go to api.alpaca.markets, and quotes would come from"),
    (True, "AK1", None, None, "https://data.alpaca.markets", None),
    (False, "SIM", "https://api.alpaca.markets.example", SIMULATOR_STREAM, SIMULATOR, None),
]


@pytest.mark.parametrize(("live", "key", "trading", "stream", "data", "refusal"), ADDRESS_ROWS)
def test_flag_keys_and_addresses_agree_or_nothing_is_asked(
    live: bool, key: str, trading: str | None, stream: str | None, data: str | None, refusal: str | None
) -> None:
    said = settings(
        brokerage_live=live,
        live_trading=NUMBER if live else None,
        brokerage_key_id=key,
        brokerage_url=trading,
        brokerage_stream_url=stream,
        brokerage_data_url=data,
    )

    if refusal is None:
        check_environment(said)
    else:
        with pytest.raises(TapeError) as refused:
            check_environment(said)
        assert refusal in refused.value.what


def test_without_a_word_it_is_paper_and_with_the_flag_it_is_live() -> None:
    assert alpaca_settings(settings()).paper
    assert not alpaca_settings(settings(brokerage_live=True)).paper


def test_without_a_key_pair_nothing_is_started() -> None:
    with pytest.raises(TapeError, match="no key pair"):
        alpaca_settings(Settings())


def test_an_address_that_keys_may_not_go_to_is_a_sentence_without_them() -> None:
    with pytest.raises(TapeError, match="keys travel encrypted") as refused:
        alpaca_settings(settings(brokerage_url="http://broker.example", brokerage_secret_key="open sesame"))

    assert "open sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "said", "expected"),
    [(None, None, (200, 40)), (None, 1000, (1000, 200)), (SIMULATOR, None, (100_000, 20_000)), (SIMULATOR, 7, (7, 1))],
)
def test_requests_are_counted_as_the_broker_counts_them(
    url: str | None, said: int | None, expected: tuple[int, int]
) -> None:
    found = alpaca_settings(settings(brokerage_url=url, brokerage_requests_per_minute=said))

    assert (found.requests_per_minute, found.requests_for_orders) == expected


def test_the_lock_of_a_brokers_account_is_the_users_and_a_simulators_is_the_homes(tmp_path: Path) -> None:
    assert locks_folder(settings(brokerage_url=SIMULATOR)) == tmp_path / "locks"
    assert tmp_path not in locks_folder(settings()).parents
    assert locks_folder(settings(locks=tmp_path / "here")) == tmp_path / "here"


class Slow(FakeBrokerage):
    """A brokerage whose first answers are no answers."""

    def __init__(self, *first: Reply) -> None:
        super().__init__()
        self.trouble("account", *first, Reply(200, f'{{"account_number":"{NUMBER}","id":"x"}}', None))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (None, "paper-api.alpaca.markets"),
        (PAPER, "paper-api.alpaca.markets"),
        ("HTTPS://PAPER-API.Alpaca.Markets.:443/", "paper-api.alpaca.markets"),
        ("http://127.0.0.1:8090", "127.0.0.1:8090"),
        ("http://simulator:80", "simulator"),
    ],
)
def test_the_locks_of_an_account_have_one_name_however_its_address_is_spelled(url: str | None, host: str) -> None:
    assert lock_name_of(settings(brokerage_url=url), Account(NUMBER, "id")) == f"{host} {NUMBER}"


def test_a_broker_that_does_not_answer_is_waited_for() -> None:
    waited: list[float] = []
    silence, trouble, limit = Reply(None, "", "ReadTimeout"), Reply(502, "<html>", None), Reply(429, "", "not sent")

    found = identified(Slow(silence, trouble, limit, silence, silence), waited.append)

    assert found == Account(NUMBER, "x")
    assert waited == [1, 2, 5, 10, 10]


@pytest.mark.parametrize("status", [401, 403])
def test_keys_that_the_broker_refuses_are_not_tried_again(status: int) -> None:
    waited: list[float] = []

    with pytest.raises(TapeError, match=f"refuses the keys: HTTP {status}"):
        identified(Slow(Reply(status, '{"message": "unauthorized."}', None)), waited.append)

    assert waited == []


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"account_number": "", "id": null}'])
def test_a_broker_that_names_no_account_is_none(body: str) -> None:
    with pytest.raises(TapeError, match="names no account"):
        identified(Slow(Reply(200, body, None)))
