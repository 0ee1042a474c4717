"""The market of one account: what it has said, who hears it, and a recording that drives it as the clock moves."""

import asyncio
from datetime import datetime
from itertools import islice

from infra.simulator.data_stream import DataStream
from infra.simulator.engine import Engine
from infra.simulator.events import AnyEvent, Halted
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.market_data import MarketData, Said
from infra.simulator.market_rows import QuoteRow, TradeRow
from infra.simulator.recordings import NOTHING, Recording

#: Recorded rows between two looks at what else there is to do: a few milliseconds.
ROWS_AT_ONCE = 500


class Market:
    """Folds the account's events, tells the data stream, and moves the clock over the recording."""

    def __init__(self, faults: FaultLedger, recording: Recording = NOTHING) -> None:
        """Begin with a market nobody has heard of; `open` tells which account it is of."""
        self.data = MarketData(recording)
        self.stream = DataStream(faults, self.data, self._symbols_max)
        self._engine: Engine | None = None
        self._moving = asyncio.Lock()

    def open(self, engine: Engine) -> None:
        """Quote every symbol as the recording has it at the account's time, unless it was quoted already."""
        self._engine = engine
        now = engine.book.now
        for symbol, quotes in sorted(self.data.recording.quotes.items()):
            row = quotes.latest(now)
            if row is not None and symbol not in engine.book.quotes:
                _quote(engine, symbol, row)

    def observe(self, event: AnyEvent) -> None:
        """Fold an event of the account, and tell the stream what the market said by it."""
        said = self.data.observe(event)
        if self._engine is None:
            return
        if said is not None:
            self.stream.say(said)
        if said is not None and isinstance(said.row, TradeRow):
            self.stream.say_updated(said, event.at)
        if isinstance(event, Halted):
            self.stream.say_status(event)

    async def move(self, engine: Engine, to: datetime) -> None:
        """Move the clock; recorded quotes and trades on the way happen in their order and at their times.

        Where no order is open only the last quote is journaled: nothing could have come of the others.
        """
        async with self._moving:
            before = engine.book.now
            rows = iter(self.data.recorded(before, to))
            while chunk := list(islice(rows, ROWS_AT_ONCE)):
                with engine.step():
                    self._happen(engine, chunk)
                await asyncio.sleep(0)
            engine.set_clock(to)
            self.stream.say_bars(before, engine.book.now)

    def _happen(self, engine: Engine, chunk: list[Said]) -> None:
        waiting: dict[str, QuoteRow] = {}
        for symbol, row in chunk:
            self.stream.say(Said(symbol, row))
            if not engine.book.open_orders(symbol):
                if isinstance(row, QuoteRow):
                    waiting[symbol] = row
                continue
            waiting.pop(symbol, None)
            if row.time > engine.book.now:
                engine.set_clock(row.time)
            if isinstance(row, QuoteRow):
                _quote(engine, symbol, row)
            else:
                _trade(engine, symbol, row)
        for symbol, row in waiting.items():
            if row.time > engine.book.now:
                engine.set_clock(row.time)
            _quote(engine, symbol, row)

    def _symbols_max(self) -> int | None:
        return None if self._engine is None else self._engine.book.terms.stream_symbols_max


def _quote(engine: Engine, symbol: str, row: QuoteRow) -> None:
    engine.quote(symbol, row.bid, row.ask, row.time, row.bid_size or None, row.ask_size or None)


def _trade(engine: Engine, symbol: str, row: TradeRow) -> None:
    engine.trade(
        symbol,
        row.price,
        row.size,
        row.time,
        exchange=row.exchange,
        conditions=row.conditions,
        tape=row.tape,
    )
