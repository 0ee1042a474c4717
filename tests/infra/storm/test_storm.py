"""The storm at the broker boundary in small: the same code, weather and claims as `tape storm --at-broker`."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

import infra.alpaca  # noqa: F401  # before alpaca-py: it silences a notice of the library below it
from infra.simulator.client import SimulatedQuote, SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import Terms
from infra.storm.configuration import FIRST_DAY
from infra.storm.plain_loop import run_plain_loop
from infra.storm.weather import Weather
from tests.infra.demo.commands import tape

CALM = Weather(Decimal(0), Decimal(0), "calm")
ROUGH = Weather(Decimal("0.3"), Decimal(0), "rough")


def test_one_broker_order_per_intent_whatever_is_lost_broken_or_killed(tmp_path: Path) -> None:
    done = tape(tmp_path, "storm", "--at-broker", "--orders", "40", "--kills", "2", "--symbols", "24", "--json")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["holds"] is True
    assert found["orders"] >= 40
    assert found["doubled"] == 0
    assert found["kills"] >= 2
    assert found["faults_total"] > 0
    assert [each["claim"] for each in found["claims"] if each["findings"]] == []
    assert found["replay"]["decisions"]["identical"] == found["replay"]["decisions"]["total"] > 0
    assert found["plain_loop"]["wanted"] == 40


@pytest.mark.parametrize(("weather", "is_doubled"), [(CALM, False), (ROUGH, True)])
def test_a_plain_loop_doubles_orders_in_the_same_weather_and_only_then(
    tmp_path: Path, weather: Weather, is_doubled: bool
) -> None:
    process = SimulatorProcess(tmp_path / "state", Terms(account_number="LOOP", cash=Decimal(10**9), now=FIRST_DAY))
    urls = process.start()
    try:
        control = SimulatorControl(urls.url)
        symbols = [f"S{number:03}" for number in range(10)]
        control.set_quotes(*(SimulatedQuote(each, Decimal("9.99"), Decimal("10.01")) for each in symbols))
        weather.begin(control)
        result = run_plain_loop(urls.url, symbols, 60)
    finally:
        process.stop()

    assert (result.doubled > 0) is is_doubled
    assert result.at_broker == result.wanted + result.extra_orders - result.missing
