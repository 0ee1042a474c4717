"""What the market has said up to now: quotes and trades sent in or recorded, and the bars made of them.

A fold of the account's events beside a recording. Nothing recorded is known before the clock has reached it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from infra.simulator.bars import DAY, MINUTE, Timeframe, is_of_session, of_bars, of_trades
from infra.simulator.book import TICK
from infra.simulator.events import AnyEvent, Opened, Quoted, Traded
from infra.simulator.market_rows import LOT, BarRow, QuoteRow, Row, Series, TradeRow
from infra.simulator.recordings import NOTHING, Days, Recording

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Said(NamedTuple):
    """A row and the symbol it is of."""

    symbol: str
    row: QuoteRow | TradeRow


class MarketData:
    """Quotes, trades and bars by symbol."""

    def __init__(self, recording: Recording = NOTHING) -> None:
        """Begin with nothing known; `recording` becomes known as the clock reaches it."""
        self.recording = recording
        self._forget()

    def _forget(self) -> None:
        self._quotes: dict[str, Series[QuoteRow]] = {}
        self._trades: dict[str, Series[TradeRow]] = {}
        self._last_quotes: dict[str, QuoteRow] = {}

    def observe(self, event: AnyEvent) -> Said | None:
        """Fold an event of the account; return what the market said by it, if that is news."""
        match event:
            case Opened():
                self._forget()
            case Quoted():
                quote = self._recorded_quote(event)
                self._last_quotes[event.symbol] = quote or _quote(event)
                if quote is None:
                    self._quotes.setdefault(event.symbol, Series()).add(_quote(event))
                    return Said(event.symbol, _quote(event))
            case Traded():
                trade = _trade(event)
                if not self._is_recorded(event.symbol, trade):
                    self._trades.setdefault(event.symbol, Series()).add(trade)
                    return Said(event.symbol, trade)
            case _:
                pass
        return None

    def _recorded_quote(self, event: Quoted) -> QuoteRow | None:
        """Return the recorded quote an event stands for; what drives the market is journaled, and known anyway."""
        recorded = self.recording.quotes.get(event.symbol, Series()).between(event.time, event.time)
        return next((row for row in recorded if (row.bid, row.ask) == (event.bid, event.ask)), None)

    def _is_recorded(self, symbol: str, trade: TradeRow) -> bool:
        recorded = self.recording.trades.get(symbol, Series()).between(trade.time, trade.time)
        return any((row.price, row.size, row.exchange) == (trade.price, trade.size, trade.exchange) for row in recorded)

    def recorded(self, after: datetime, until: datetime) -> list[Said]:
        """Return what the recording says in an interval, in the order of time, quotes before trades of an instant."""
        rows: list[Said] = []
        for symbol, quotes in sorted(self.recording.quotes.items()):
            rows.extend(Said(symbol, row) for row in quotes.after(after, until))
        for symbol, trades in sorted(self.recording.trades.items()):
            rows.extend(Said(symbol, row) for row in trades.after(after, until))
        return sorted(rows, key=lambda said: said.row.time)

    def quotes(self, symbol: str, start: datetime, end: datetime) -> list[QuoteRow]:
        """Return the quotes of an interval, both ends included."""
        return _merged(self._quotes.get(symbol), self.recording.quotes.get(symbol), start, end)

    def trades(self, symbol: str, start: datetime, end: datetime) -> list[TradeRow]:
        """Return the trades of an interval, both ends included."""
        return _merged(self._trades.get(symbol), self.recording.trades.get(symbol), start, end)

    def latest_quote(self, symbol: str) -> QuoteRow | None:
        """Return the quote that orders are executed at, whatever its own time says."""
        return self._last_quotes.get(symbol)

    def latest_trade(self, symbol: str, now: datetime) -> TradeRow | None:
        """Return the last trade at or before `now`."""
        series = (self._trades.get(symbol), self.recording.trades.get(symbol))
        found = [row for each in series if each is not None and (row := each.latest(now)) is not None]
        return max(found, key=lambda row: row.time, default=None)

    def symbols(self) -> set[str]:
        """Return every symbol that was ever mentioned, or will be."""
        recording = self.recording
        known = (self._quotes, self._trades, recording.quotes, recording.trades, recording.minutes, recording.days)
        return {symbol for each in known for symbol in each}

    def bars(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, now: datetime) -> list[BarRow]:
        """Return the bars that begin in an interval, both ends included, as far as they are known at `now`."""
        first, last = timeframe.start_of(start), timeframe.end_of(end)
        small = self._minutes if timeframe.is_intraday else self._days
        found = of_bars(small(symbol, first, min(last, now), now), timeframe)
        return [bar for bar in found if start <= bar.time <= end]

    def _minutes(self, symbol: str, first: datetime, last: datetime, now: datetime) -> list[BarRow]:
        """Return minute bars: recorded ones, and of trades where none is recorded."""
        recorded = self.recording.minutes.get(symbol, Series()).between(first, last)
        bars = {bar.time: bar for bar in of_trades(self.trades(symbol, first, min(last, now)))}
        bars |= {bar.time: bar for bar in recorded if bar.known_at <= now}
        return [bars[time] for time in sorted(bars)]

    def _days(self, symbol: str, first: datetime, last: datetime, now: datetime) -> list[BarRow]:
        """Return day bars: recorded ones once they are known, and of the minutes of sessions before and after them."""
        found = self.recording.days.get(symbol, Series()).between(first, last)
        recorded = [bar for bar in found if bar.known_at <= now]
        if not recorded:
            return self._days_of_minutes(symbol, first, last, now)
        before = self._days_of_minutes(symbol, first, recorded[0].time - TICK, now)
        return [*before, *recorded, *self._days_of_minutes(symbol, DAY.end_of(recorded[-1].time), last, now)]

    def _days_of_minutes(self, symbol: str, first: datetime, last: datetime, now: datetime) -> list[BarRow]:
        return list(of_bars((bar for bar in self._minutes(symbol, first, last, now) if is_of_session(bar)), DAY))

    def latest_bar(
        self, symbol: str, timeframe: Timeframe, now: datetime, before: datetime | None = None
    ) -> BarRow | None:
        """Return the last bar known at `now`, or the last one that begins before another."""
        until = now if before is None else before - TICK
        for reach in _reaches(timeframe):
            bars = self.bars(symbol, timeframe, until - reach, until, now)
            if bars:
                return bars[-1]
        return None


def _reaches(timeframe: Timeframe) -> Iterator[timedelta]:
    """Yield how far back to look for a bar: near first, since far is slow, then as far as any recording goes."""
    yield timedelta(hours=1) if timeframe == MINUTE else timedelta(days=7)
    yield timedelta(days=7) if timeframe == MINUTE else timedelta(days=400)
    yield timedelta(days=365 * 60)


def _quote(event: Quoted) -> QuoteRow:
    return QuoteRow(event.time, event.bid, event.ask, event.bid_size or LOT, event.ask_size or LOT)


def _trade(event: Traded) -> TradeRow:
    microseconds = int((event.at - EPOCH) / TICK)
    return TradeRow(event.time, event.price, event.size, event.exchange, event.conditions, event.tape, id=microseconds)


def _merged(sent: Series[Row] | None, recorded: Days[Row] | None, start: datetime, end: datetime) -> list[Row]:
    rows = [row for series in (recorded, sent) if series is not None for row in series.between(start, end)]
    return sorted(rows, key=lambda row: row.time) if sent is not None and recorded is not None else rows
