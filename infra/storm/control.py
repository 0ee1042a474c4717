"""The negative control: a broker of its own, the same weather, and the plain loop."""

from decimal import Decimal
from pathlib import Path

from infra.demo.configuration import ACCOUNT
from infra.simulator.client import SimulatedQuote, SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import Terms
from infra.storm.configuration import FIRST_DAY, symbols
from infra.storm.plain_loop import LoopResult, run_plain_loop
from infra.storm.weather import Weather

SYMBOLS = 250
CASH = Decimal(10) ** 12


def beside(state: Path, weather: Weather, orders: int) -> LoopResult:
    """Return what becomes of so many orders of a plain loop in the same weather."""
    process = SimulatorProcess(state, Terms(account_number=ACCOUNT, cash=CASH, now=FIRST_DAY))
    urls = process.start()
    try:
        control = SimulatorControl(urls.url)
        control.reset(account_number=ACCOUNT, cash=CASH, now=FIRST_DAY)
        names = symbols(SYMBOLS)
        control.set_quotes(*(SimulatedQuote(each, Decimal("9.99"), Decimal("10.01")) for each in names))
        weather.begin(control)
        return run_plain_loop(urls.url, names, orders)
    finally:
        process.stop()
