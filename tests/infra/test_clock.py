"""Which clock a process reads: the system's, or the broker's where somebody can be asked."""

from typing import Any

import pytest
from pydantic import SecretStr

from infra.clock import BrokerClock, clock_of, system_clock
from infra.errors import TapeError
from infra.settings import Settings

BROKERS: dict[str, Any] = {
    "clock": "broker",
    "brokerage_url": "http://127.0.0.1:1",
    "brokerage_key_id": SecretStr("key"),
    "brokerage_secret_key": SecretStr("secret"),
}


def test_the_system_clock_is_read_unless_another_one_is_named() -> None:
    assert clock_of(Settings(**BROKERS | {"clock": "system"})) is system_clock
    assert isinstance(clock_of(Settings(**BROKERS)), BrokerClock)


@pytest.mark.parametrize("missing", ["brokerage_url", "brokerage_key_id", "brokerage_secret_key"])
def test_a_brokers_clock_that_nobody_can_be_asked_for_is_refused(missing: str) -> None:
    with pytest.raises(TapeError, match="needs a url and a key pair"):
        clock_of(Settings(**BROKERS | {missing: None}))


def test_a_brokers_clock_that_does_not_answer_is_an_error_with_its_address() -> None:
    with pytest.raises(TapeError, match="cannot be read") as error:
        clock_of(Settings(**BROKERS))()
    assert error.value.where == "http://127.0.0.1:1/v2/clock"
