"""What a client of the simulator's REST interface sees, in one word or with its status and body."""

import http.client
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from infra.simulator.settings import KEY_ID, SECRET_KEY, SimulatorUrls


@dataclass(frozen=True)
class Seen:
    """`outcome` is 'answer', 'silence', 'reset' or 'cut'; without an answer there is no status."""

    outcome: str
    status: int | None = None
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.text)
        return found

    def header(self, name: str) -> str:
        return dict(self.headers)[name]


def ask(urls: SimulatorUrls, method: str, path: str, body: object = None, patience_s: float = 10) -> Seen:
    """Send one request with the simulator's keys."""
    headers = {"APCA-API-KEY-ID": KEY_ID, "APCA-API-SECRET-KEY": SECRET_KEY, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(urlsplit(urls.url).netloc, timeout=patience_s)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Seen("answer", answer.status, text, tuple(answer.getheaders()))
    except TimeoutError:
        return Seen("silence")
    except http.client.IncompleteRead:
        return Seen("cut")
    except (ConnectionError, http.client.HTTPException):
        return Seen("reset")
    finally:
        connection.close()


def new_order(client_order_id: str, **more: str) -> dict[str, str]:
    """A market order to buy one AAPL unless told otherwise."""
    order = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"}
    return {"client_order_id": client_order_id, **order, **more}


def read_by_id(urls: SimulatorUrls, client_order_id: str) -> Seen:
    """Read an order by the client's id."""
    return ask(urls, "GET", f"/v2/orders:by_client_order_id?client_order_id={client_order_id}")


def market_data(urls: SimulatorUrls, path: str) -> Any:
    """Read market data, such as 'AAPL/bars?timeframe=1Day'; numbers are exact."""
    answer = ask(urls, "GET", f"/v2/stocks/{path}")
    assert answer.status == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)
