"""Where keys may be sent, and how long anything may take."""

import pytest
from pydantic import ValidationError

from infra.alpaca import AlpacaSettings

KEYS = {"key_id": "AK1", "secret_key": "a-secret"}


def test_paper_is_the_default() -> None:
    settings = AlpacaSettings.model_validate(KEYS)

    assert settings.paper
    assert settings.trading_url is None


@pytest.mark.parametrize(
    "url", ["https://broker.example", "http://127.0.0.1:80", "http://[::1]:80", "http://localhost"]
)
def test_keys_travel_encrypted_or_not_at_all(url: str) -> None:
    assert AlpacaSettings.model_validate({**KEYS, "trading_url": url + "/"}).trading_url == url


@pytest.mark.parametrize(
    "url", ["http://broker.example", "http://127.0.0.1.broker.example", "ftp://x", "https://", "x"]
)
def test_keys_are_not_sent_in_the_clear_to_another_machine(url: str) -> None:
    with pytest.raises(ValidationError, match="keys travel encrypted") as refused:
        AlpacaSettings.model_validate({**KEYS, "trading_url": url})

    assert "a-secret" not in str(refused.value)


def test_plain_text_to_another_machine_has_to_be_asked_for() -> None:
    AlpacaSettings.model_validate({**KEYS, "stream_url": "ws://simulator:8080/stream", "allow_plaintext": True})


def test_a_total_time_below_its_parts_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"total_timeout=1.0 is below connect_timeout \+ read_timeout = 9.0"):
        AlpacaSettings.model_validate({**KEYS, "total_timeout": 1})
