"""Recorded markets: read as they were laid out, known when their time has come, and traded against."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infra.simulator.client import SimulatorControl
from infra.simulator.lean_files import RecordingError
from infra.simulator.process import SimulatorNotReadyError, SimulatorProcess
from infra.simulator.recordings import Recording
from infra.simulator.settings import Terms
from tests.infra.simulator.http import ask, market_data, new_order

MIDNIGHT = datetime(2013, 10, 7, 4, tzinfo=UTC)
OPEN = MIDNIGHT + timedelta(hours=9.5)
OPEN_MS = int(9.5 * 3_600_000)


def packed(folder: Path, name: str, *rows: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(path.stem + ".csv", "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of one invented stock, and a day of another."""
    folder = tmp_path_factory.mktemp("recording")
    packed(folder, "daily/zed.zip", "20131004 00:00,99000,101000,98000,100000,5000", "20131007 00:00,1,2,1,2,7000")
    packed(
        folder,
        "tick/zed/20131007_quote.zip",
        f"{OPEN_MS},0,0,1001000,300,Q,1,0",
        f"{OPEN_MS + 1000},1000000,200,0,0,P,1,0",
        f"{OPEN_MS + 1000},0,0,1001500,400,N,1,0",
        f"{OPEN_MS + 2000},1000500,100,0,0,P,1,0",
        f"{OPEN_MS + 2500},999500,100,0,0,K,1,0",
        f"{OPEN_MS + 2500},0,0,1000000,50,K,1,0",
        f"{OPEN_MS + 2700},0,0,1003000,500,K,1,0",
    )
    packed(
        folder,
        "tick/zed/20131007_trade.zip",
        f"{OPEN_MS},1000700,5000,N,40,0",
        f"{OPEN_MS + 2600},1000000,100,K,20,0",
        f"{OPEN_MS + 61_000},1010000,30,K,80000000,0",
    )
    packed(folder, "minute/yak/20131007_quote.zip", f"{OPEN_MS},1,2,1,200000,300,1,2,1,200100,400")
    packed(folder, "minute/yak/20131007_trade.zip", f"{OPEN_MS},200000,200300,199900,200100,1234")
    (folder / "map_files").mkdir()
    (folder / "map_files" / "zed.csv").write_text("19980102,zed,N\n20501231,zed,N\n")
    return folder


@pytest.fixture
def process(folder: Path, tmp_path: Path) -> Iterator[SimulatorProcess]:
    terms = Terms(now=MIDNIGHT, partial_rate=Decimal(0))
    process = SimulatorProcess(tmp_path, terms, recording=folder)
    yield process
    process.stop()


def test_a_bid_and_the_offer_after_it_are_one_quote(folder: Path) -> None:
    rows = Recording.of(folder).quotes["ZED"].between(MIDNIGHT, MIDNIGHT + timedelta(days=1))

    seen = [((row.time - OPEN) / timedelta(milliseconds=1), str(row.bid), str(row.ask), row.bid_size) for row in rows]
    assert seen == [
        (0, "0", "100.1000", 0),
        (1000, "100.0000", "100.1500", 200),
        (2000, "100.0500", "100.1500", 100),
        (2500, "99.9500", "100.0000", 100),
        (2700, "99.9500", "100.3000", 100),
    ]
    assert (rows[1].bid_exchange, rows[1].ask_exchange, rows[1].tape) == ("P", "N", "A")


def test_what_is_recorded_is_known_when_its_time_has_come(process: SimulatorProcess) -> None:
    urls = process.start()
    control = SimulatorControl(urls.url)
    day = "ZED/bars?timeframe=1Day&start=2013-10-01"

    assert [bar["c"] for bar in market_data(urls, day)["bars"]] == [10]
    assert market_data(urls, "ZED/quotes?end=2013-10-08")["quotes"] == []
    control.set_clock(OPEN + timedelta(seconds=2))
    assert [quote["bp"] for quote in market_data(urls, "ZED/quotes")["quotes"]] == [0, 100, Decimal("100.05")]
    assert market_data(urls, "ZED/quotes/latest")["quote"]["bp"] == Decimal("100.05")
    assert market_data(urls, day)["bars"][-1]["v"] == 5000
    control.set_clock(MIDNIGHT + timedelta(hours=16))

    assert [bar["v"] for bar in market_data(urls, day)["bars"]] == [5000, 7000]
    minutes = market_data(urls, "ZED/bars?timeframe=1Min")["bars"]
    assert [(bar["o"], bar["l"], bar["v"], bar["n"]) for bar in minutes] == [(Decimal("100.07"), 100, 5100, 2)]


def test_minute_bars_are_known_when_the_minute_is_over(process: SimulatorProcess) -> None:
    urls = process.start()
    control = SimulatorControl(urls.url)

    control.set_clock(OPEN + timedelta(seconds=59))
    assert market_data(urls, "YAK/bars?timeframe=1Min")["bars"] == []
    control.set_clock(OPEN + timedelta(minutes=1))

    assert [(bar["h"], bar["v"]) for bar in market_data(urls, "YAK/bars?timeframe=1Min")["bars"]] == [
        (Decimal("20.03"), 1234)
    ]
    assert market_data(urls, "YAK/quotes/latest")["quote"]["ap"] == Decimal("20.01")


def test_the_recorded_market_fills_orders_as_the_clock_moves_over_it(process: SimulatorProcess) -> None:
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.set_clock(OPEN)
    limit = {"type": "limit", "limit_price": "100"}
    ask(urls, "POST", "/v2/orders", new_order("waits", symbol="ZED", qty="30", **limit))

    control.set_clock(OPEN + timedelta(seconds=2))
    early = [row.order and row.order["status"] for row in control.orders()]
    control.set_clock(OPEN + timedelta(minutes=5))

    (order,) = control.orders()
    assert early == ["new"]
    assert order.order is not None
    assert (order.order["status"], order.order["filled_avg_price"]) == ("filled", "100")
    assert str(order.order["filled_at"]).startswith("2013-10-07T13:30:02.500")


def test_an_account_opens_in_the_market_of_its_time(folder: Path, tmp_path: Path) -> None:
    terms = Terms(now=OPEN + timedelta(seconds=1.5), partial_rate=Decimal(0))
    process = SimulatorProcess(tmp_path, terms, recording=folder)
    urls = process.start()

    latest = market_data(urls, "ZED/quotes/latest")["quote"]["bp"]
    ask(urls, "POST", "/v2/orders", new_order("at once", symbol="ZED"))
    (order,) = SimulatorControl(urls.url).orders()
    SimulatorControl(urls.url).reset(now=OPEN)
    again = market_data(urls, "ZED/quotes/latest")["quote"]["ap"]
    process.stop()

    assert (latest, order.order and order.order["filled_avg_price"], again) == (100, "100.15", Decimal("100.1"))


def test_a_restart_neither_forgets_nor_repeats_what_was_recorded(process: SimulatorProcess) -> None:
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.hold("ZED")
    control.set_clock(OPEN)
    ask(urls, "POST", "/v2/orders", new_order("waits", symbol="ZED"))
    control.set_clock(OPEN + timedelta(minutes=5))
    asked = ("ZED/quotes", "ZED/trades", "ZED/quotes/latest", "ZED/snapshot")
    before = [market_data(urls, each) for each in asked]

    process.kill()
    urls = process.start()

    assert len(before[0]["quotes"]) == 5
    assert len(before[1]["trades"]) == 3
    assert [market_data(urls, each) for each in asked] == before


def test_a_quote_sent_in_holds_until_the_recording_says_more(process: SimulatorProcess) -> None:
    urls = process.start()
    control = SimulatorControl(urls.url)
    control.set_clock(OPEN + timedelta(seconds=1))
    control.set_quote("ZED", "50", "51")

    assert market_data(urls, "ZED/quotes/latest")["quote"]["bp"] == 50
    control.set_clock(OPEN + timedelta(seconds=3))
    assert market_data(urls, "ZED/quotes/latest")["quote"]["bp"] == Decimal("99.95")
    assert len(market_data(urls, "ZED/quotes")["quotes"]) == 6


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="expected daily"):
        Recording.of(tmp_path)
    with pytest.raises(SimulatorNotReadyError, match="no recording: expected daily"):
        SimulatorProcess(tmp_path / "state", recording=tmp_path).start()


@pytest.mark.parametrize("content", [b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "daily" / "bad.zip"
    bad.parent.mkdir()
    bad.write_bytes(content)

    with pytest.raises(RecordingError, match=str(bad)):
        Recording.of(tmp_path).days["BAD"].latest(OPEN)


def test_the_clock_does_not_move_over_a_file_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    packed(tmp_path / "recording", "tick/bad/20131007_trade.zip", "one,two,three,four,5,6")
    process = SimulatorProcess(tmp_path / "state", Terms(now=MIDNIGHT), recording=tmp_path / "recording")
    urls = process.start()

    answer = ask(urls, "POST", "/admin/clock", {"now": OPEN.isoformat()})
    still = ask(urls, "GET", "/admin/clock")
    process.stop()

    assert (answer.status, "20131007_trade.zip" in answer.text) == (500, True)
    assert datetime.fromisoformat(str(still.json["now"])) < OPEN
