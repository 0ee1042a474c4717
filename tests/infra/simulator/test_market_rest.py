"""Market data over REST: as specified, as an unmodified StockHistoricalDataClient reads it, page by page."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from infra.simulator.client import SimulatedQuote, SimulatorControl
from infra.simulator.process import SimulatorProcess
from infra.simulator.settings import KEY_ID, SECRET_KEY, START_OF_TIME, SimulatorUrls
from tests.infra.simulator.http import ask, market_data
from tests.infra.simulator.openapi import Specification, specification

OPEN = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
NOW = START_OF_TIME + timedelta(minutes=5)
PRINTS = [(0, "100", "10"), (20, "102", "30"), (40, "99.5", "5"), (61, "101", "1"), (130, "103.25", "200")]


@pytest.fixture(scope="module")
def urls(urls: SimulatorUrls) -> SimulatorUrls:
    """A simulator whose market has said something."""
    control = SimulatorControl(urls.url)
    control.reset(now=OPEN)
    control.trade("AAPL", "99", "500", time=OPEN - timedelta(days=1), conditions=["6"], exchange="Q")
    control.trade("AAPL", "100", "1000", time=OPEN, conditions=["O"], exchange="Q")
    for seconds, price, size in PRINTS:
        control.trade("AAPL", price, size, time=OPEN + timedelta(minutes=1, seconds=seconds))
    control.trade("MSFT", "400.1", "7", time=OPEN + timedelta(minutes=2), tape="A")
    quotes = [
        SimulatedQuote("AAPL", Decimal(100 + n), Decimal("100.01") + n, OPEN + timedelta(seconds=n // 2), Decimal(200))
        for n in range(7)
    ]
    control.set_quotes(*quotes, SimulatedQuote("MSFT", Decimal(400), Decimal("400.5"), OPEN))
    control.set_clock(NOW)
    return urls


@pytest.fixture(scope="module")
def client(urls: SimulatorUrls) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(KEY_ID, SECRET_KEY, url_override=urls.url)


SPECIFIED = [
    ("/v2/stocks/bars", "bars?symbols=AAPL,MSFT&timeframe=1Min"),
    ("/v2/stocks/{symbol}/bars", "AAPL/bars?timeframe=1Day"),
    ("/v2/stocks/bars/latest", "bars/latest?symbols=AAPL,MSFT,NONE"),
    ("/v2/stocks/{symbol}/bars/latest", "AAPL/bars/latest"),
    ("/v2/stocks/quotes", "quotes?symbols=AAPL,MSFT&limit=3"),
    ("/v2/stocks/{symbol}/quotes", "AAPL/quotes?sort=desc"),
    ("/v2/stocks/quotes/latest", "quotes/latest?symbols=AAPL"),
    ("/v2/stocks/{symbol}/quotes/latest", "AAPL/quotes/latest?feed=iex"),
    ("/v2/stocks/trades", "trades?symbols=MSFT,AAPL"),
    ("/v2/stocks/{symbol}/trades", "AAPL/trades?limit=2"),
    ("/v2/stocks/trades/latest", "trades/latest?symbols=AAPL,MSFT"),
    ("/v2/stocks/{symbol}/trades/latest", "MSFT/trades/latest"),
    ("/v2/stocks/snapshots", "snapshots?symbols=AAPL,MSFT,NONE"),
    ("/v2/stocks/{symbol}/snapshot", "AAPL/snapshot"),
    ("/v2/stocks/auctions", "auctions?symbols=AAPL,MSFT&start=2026-01-01"),
    ("/v2/stocks/{symbol}/auctions", "AAPL/auctions"),
]


@pytest.mark.parametrize(("path", "asked"), SPECIFIED, ids=[asked for _, asked in SPECIFIED])
def test_an_answer_is_as_specified(urls: SimulatorUrls, path: str, asked: str) -> None:
    official: Specification = specification("market-data-api.json")

    answer = market_data(urls, asked)

    assert official.answer_problems("GET", path, 200, answer) == []
    assert "AAPL" in json.dumps(answer, default=str) or "MSFT" in json.dumps(answer, default=str)


def test_a_deviation_would_be_noticed() -> None:
    official = specification("market-data-api.json")

    assert official.answer_problems("GET", "/v2/stocks/{symbol}/snapshot", 200, {"latestTrade": {"p": "1"}})
    assert official.answer_problems("GET", "/v2/stocks/bars", 200, {"bars": {}}) != []


def test_bars_are_made_of_trades(client: StockHistoricalDataClient) -> None:
    request = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=OPEN)

    bars = client.get_stock_bars(request)["AAPL"]

    seen = [(bar.timestamp - OPEN, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) for bar in bars]
    minute = timedelta(minutes=1)
    assert seen == [
        (0 * minute, 100, 100, 100, 100, 1000, 1),
        (1 * minute, 100, 102, 99.5, 99.5, 45, 3),
        (2 * minute, 101, 101, 101, 101, 1, 1),
        (3 * minute, 103.25, 103.25, 103.25, 103.25, 200, 1),
    ]
    assert bars[1].vwap == pytest.approx((100 * 10 + 102 * 30 + 99.5 * 5) / 45, abs=1e-6)


@pytest.mark.parametrize(
    ("timeframe", "volumes"),
    [
        (TimeFrame(2, TimeFrameUnit.Minute), [1045, 201]),
        (TimeFrame.Hour, [1246]),
        (TimeFrame.Day, [1246]),
        (TimeFrame.Week, [1746]),
        (TimeFrame.Month, [1746]),
    ],
)
def test_longer_bars_are_made_of_shorter_ones(
    client: StockHistoricalDataClient, timeframe: TimeFrame, volumes: list[int]
) -> None:
    request = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=timeframe, start=datetime(2025, 1, 1, tzinfo=UTC))

    bars = client.get_stock_bars(request)["AAPL"]

    assert [bar.volume for bar in bars][-len(volumes) :] == volumes


def test_the_latest_is_what_was_said_last(client: StockHistoricalDataClient) -> None:
    both = ["AAPL", "MSFT"]
    trades = client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=both))
    quotes = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=both, feed=DataFeed.SIP))
    bars = client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))

    assert (trades["AAPL"].price, trades["MSFT"].tape) == (103.25, "A")
    assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_price, quotes["AAPL"].bid_size) == (106, 106.01, 200)
    assert (bars["AAPL"].timestamp, bars["AAPL"].close) == (OPEN + timedelta(minutes=3), 103.25)


def test_a_snapshot_has_the_day_before(client: StockHistoricalDataClient, urls: SimulatorUrls) -> None:
    shot = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]

    assert (shot.latest_trade.price, shot.latest_quote.ask_price) == (103.25, 106.01)
    assert (shot.minute_bar.volume, shot.daily_bar.volume) == (200, 1246)
    assert (shot.previous_daily_bar.close, shot.previous_daily_bar.volume) == (99, 500)
    assert set(market_data(urls, "MSFT/snapshot")) == {"symbol", "latestTrade", "latestQuote", "minuteBar", "dailyBar"}


def test_auctions_are_the_prints_marked_as_such(urls: SimulatorUrls) -> None:
    days = market_data(urls, "auctions?symbols=AAPL&start=2026-01-01&end=2026-01-02")["auctions"]["AAPL"]

    assert [(day["d"], len(day["o"]), len(day["c"])) for day in days] == [("2026-01-01", 0, 1), ("2026-01-02", 1, 0)]
    assert days[1]["o"] == [{"t": "2026-01-02T14:30:00.000000Z", "x": "Q", "p": 100, "s": 1000, "c": "O"}]


def test_prices_are_written_digit_by_digit(urls: SimulatorUrls) -> None:
    text = ask(urls, "GET", "/v2/stocks/quotes?symbols=MSFT").text

    assert '"bp":400,' in text
    assert '"ap":400.5,' in text


def test_the_client_turns_the_pages(client: StockHistoricalDataClient) -> None:
    quotes = client.get_stock_quotes(StockQuotesRequest(symbol_or_symbols=["MSFT", "AAPL"], start=OPEN))
    trades = client.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", start=OPEN, limit=3, sort=Sort.DESC))

    assert [quote.bid_price for quote in quotes["AAPL"]] == [100, 101, 102, 103, 104, 105, 106]
    assert len(quotes["MSFT"]) == 1
    assert [trade.price for trade in trades["AAPL"]] == [103.25, 101, 99.5]


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("noun", ["quotes", "trades", "bars"])
@pytest.mark.parametrize("limit", range(1, 10))
def test_pages_of_any_size_together_are_the_whole(urls: SimulatorUrls, noun: str, sort: str, limit: int) -> None:
    asked = f"{noun}?symbols=MSFT,AAPL&start=2026-01-01&sort={sort}" + ("&timeframe=1Min" if noun == "bars" else "")
    whole = market_data(urls, asked)[noun]

    pages: dict[str, list[Any]] = {}
    token: str | None = ""
    while token is not None:
        page = market_data(urls, f"{asked}&limit={limit}&page_token={quote(token)}")
        assert 0 < sum(map(len, page[noun].values())) <= limit
        for symbol, rows in page[noun].items():
            pages.setdefault(symbol, []).extend(rows)
        token = page["next_page_token"]

    assert pages == whole
    assert list(pages) == ["AAPL", "MSFT"]


def test_nothing_is_known_before_its_time(urls: SimulatorUrls) -> None:
    control = SimulatorControl(urls.url)
    control.trade("SOON", "5", "1", time=NOW + timedelta(minutes=10))

    before = market_data(urls, "SOON/trades?end=2026-01-03")["trades"]
    assert ask(urls, "GET", "/v2/stocks/SOON/trades/latest").status == 404
    control.set_clock(NOW + timedelta(minutes=11))

    assert before == []
    assert len(market_data(urls, "SOON/trades")["trades"]) == 1
    assert ask(urls, "GET", "/v2/stocks/SOON/trades/latest?feed=delayed_sip").status == 404


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("bars?symbols=AAPL", "invalid timeframe: "),
        ("bars?symbols=AAPL&timeframe=60Min", "invalid timeframe: 60Min"),
        ("bars?symbols=AAPL&timeframe=1Day&adjustment=split", "adjustment split is not simulated, only raw"),
        ("quotes", "symbols is required"),
        ("quotes?symbols=no+such", "invalid symbol: no such"),
        ("quotes?symbols=AAPL&limit=10001", "invalid limit: 10001, expected 1 to 10000"),
        ("quotes?symbols=AAPL&limit=0", "invalid limit: 0, expected 1 to 10000"),
        ("quotes?symbols=AAPL&start=yesterday", "invalid start: yesterday"),
        ("quotes?symbols=AAPL&start=2026-01-02&end=2026-01-01", "end should not be before start"),
        ("quotes?symbols=AAPL&sort=up", "invalid sort: up"),
        ("quotes?symbols=AAPL&feed=moon", "invalid feed: moon"),
        ("quotes?symbols=AAPL&currency=EUR", "currency EUR is not simulated"),
        ("quotes?symbols=AAPL&page_token=nonsense", "invalid page_token: nonsense"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(urls: SimulatorUrls, asked: str, message: str) -> None:
    answer = ask(urls, "GET", f"/v2/stocks/{asked}")

    assert (answer.status, answer.json) == (400, {"message": message})


def test_an_error_is_an_error_of_alpacas_client(client: StockHistoricalDataClient) -> None:
    with pytest.raises(APIError, match="invalid symbol"):
        client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="no such"))


def test_what_the_market_said_survives_the_end_of_the_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    process = SimulatorProcess(tmp_path_factory.mktemp("simulator"))
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.set_quote("AAPL", "1", "2")
    control.trade("AAPL", "1.5", "10")
    before = [market_data(urls, asked) for asked in ("AAPL/snapshot", "AAPL/quotes", "AAPL/trades")]

    process.kill()
    urls = process.start()

    assert [market_data(urls, asked) for asked in ("AAPL/snapshot", "AAPL/quotes", "AAPL/trades")] == before
    process.stop()
