"""What the handlers of all routes share: JSON answers, the account, and which symbol a name in a request means."""

from aiohttp import web

from infra.simulator import render
from infra.simulator.book import Book
from infra.simulator.engine import Engine
from infra.simulator.recorder import simulated_id


def json_text(text: str, status: int = 200) -> web.Response:
    """Answer with JSON text."""
    return web.Response(text=text, status=status, content_type="application/json")


def json_answer(value: object, status: int = 200) -> web.Response:
    """Answer with a value as JSON."""
    return json_text(render.to_json(value), status)


class AccountRoutes:
    """Handlers over one account."""

    def __init__(self, engine: Engine) -> None:
        """Serve the account of `engine`."""
        self._engine = engine

    @property
    def _book(self) -> Book:
        return self._engine.book


def known_symbols(book: Book) -> list[str]:
    """Return the symbols that were ever quoted, traded or listed, sorted."""
    return sorted({*book.quotes, *book.assets, *(order.terms.symbol for order in book.orders.values())})


def symbol_of(book: Book, name: str) -> str:
    """Return the symbol that a name means: itself, or the one whose asset id it is."""
    if "-" not in name:
        return name
    by_id = {render.asset_id(symbol, simulated_id): symbol for symbol in known_symbols(book)}
    return by_id.get(name, name)
