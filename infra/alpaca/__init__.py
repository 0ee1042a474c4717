"""The brokerage port over alpaca-py, for Alpaca's paper and live accounts and for the local simulator."""

from infra.alpaca import _websockets as _websockets
from infra.alpaca.brokerage import AlpacaBrokerage
from infra.alpaca.settings import AlpacaSettings

__all__ = ["AlpacaBrokerage", "AlpacaSettings"]
