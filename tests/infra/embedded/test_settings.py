"""Where settings come from, and what an error about them may say."""

from pathlib import Path

import pytest

from infra.embedded.state import ServiceState, StackState, save_state, state_path
from infra.errors import TapeError
from infra.settings import ENDPOINTS, PREFIX, Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("TAPE_HOME", str(home))


@pytest.fixture
def started(home: Path) -> None:
    """A state file as a first `tape up` leaves it."""
    services = {
        "kafka": ServiceState(ports={"broker": 20001, "controller": 20002}),
        "registry": ServiceState(ports={"http": 20003, "management": 20004}),
        "postgres": ServiceState(ports={"sql": 20005}, facts={"password": "swordfish"}),
    }
    save_state(home, StackState(services))


@pytest.mark.usefixtures("started")
def test_the_embedded_stack_is_found_without_any_setting() -> None:
    settings = Settings.load()
    assert settings.bootstrap_servers == "127.0.0.1:20001"
    assert settings.registry_url == "http://127.0.0.1:20003/apis/ccompat/v7"
    assert settings.database_url == "postgresql://tape:swordfish@127.0.0.1:20005/tradetape"


@pytest.mark.usefixtures("started")
def test_the_environment_goes_before_the_embedded_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_BOOTSTRAP_SERVERS", "kafka:9092")
    settings = Settings.load()
    assert settings.bootstrap_servers == "kafka:9092"
    assert settings.registry_url == "http://127.0.0.1:20003/apis/ccompat/v7"


def test_without_an_address_the_error_names_the_variables_and_tape_up() -> None:
    with pytest.raises(TapeError) as refused:
        Settings.load(needs={"bootstrap_servers", "database_url"})
    assert refused.value.next_command == "tape up"
    assert "TAPE_BOOTSTRAP_SERVERS" in refused.value.where
    assert "TAPE_DATABASE_URL" in refused.value.where
    assert "TAPE_REGISTRY_URL" not in refused.value.where


def test_what_is_not_needed_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_BOOTSTRAP_SERVERS", "kafka:9092")
    assert Settings.load(needs={"bootstrap_servers"}).database_url == ""


def test_accounts_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_ACCOUNT_IDS", "paper-1, paper-2,")
    assert Settings.load(needs=()).account_ids == ("paper-1", "paper-2")


def test_a_wrong_value_is_named_by_its_variable_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_PARTITIONS", "six-of-them")
    with pytest.raises(TapeError, match="TAPE_PARTITIONS") as refused:
        Settings.load()
    assert "six-of-them" not in str(refused.value)


@pytest.mark.usefixtures("started")
def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPE_BROKERAGE_SECRET_KEY", "open sesame")
    printed = repr(Settings.load())
    assert "open sesame" not in printed
    assert "swordfish" not in printed


@pytest.mark.parametrize(
    "url",
    [
        "postgresq://u:swordfish@h/x",
        "postgresql://u:fish@swordfish@h/x",
        "postgresql://u:swordfish%zz@h/x",
        "postgresql://u:swordfish@[h/x",
        "postgresql://u:swordfish x@h/x",
        "password=swordfish hst=x",
        "swordfish",
    ],
)
def test_an_address_that_libpq_would_quote_with_its_password_is_refused_here(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TAPE_DATABASE_URL", url)
    with pytest.raises(TapeError, match="TAPE_DATABASE_URL") as refused:
        Settings.said()
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:a%40b@h:5432/x?sslmode=require", "host=/run/pg dbname=x", "host=@abstract dbname=x"]
)
def test_an_address_that_libpq_understands_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TAPE_DATABASE_URL", url)
    assert Settings.said().database_url == url


@pytest.mark.parametrize("name", ["BROKERAGE_URL", "BROKERAGE_DATA_URL", "BROKERAGE_STREAM_URL"])
def test_keys_in_an_address_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"TAPE_{name}", "https://key:swordfish@broker.example")
    with pytest.raises(TapeError, match=f"TAPE_{name}: .*keys belong into") as refused:
        Settings.said()
    assert "swordfish" not in str(refused.value)


def test_paper_is_the_default() -> None:
    settings = Settings.said()
    assert (settings.brokerage_live, settings.live_trading, settings.brokerage_account) == (False, None, None)


def test_a_damaged_state_file_does_not_matter_to_who_asks_the_environment_only(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    state_path(home).write_text("{")
    with pytest.raises(TapeError):
        Settings.load()
    assert Settings.said().home == home
