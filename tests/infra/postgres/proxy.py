"""A TCP proxy in front of PostgreSQL, to lose answers and connections at a chosen moment."""

import socket
import threading
from contextlib import suppress

_CHUNK = 65_536


class Proxy:
    """Passes bytes to `target` until told otherwise; `port` is where it listens on 127.0.0.1."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._is_away = False
        self._lost: bytes | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer_to(self, words: bytes) -> None:
        """Let the server get the next message with these words, and cut the line before its answer comes back."""
        self._lost = words

    def go_away(self) -> None:
        """Cut every line and refuse new ones."""
        self._is_away = True
        self._cut()

    def come_back(self) -> None:
        """Take new connections again."""
        self._is_away = False

    def close(self) -> None:
        """Stop."""
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_away:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(self.target)
                except ConnectionRefusedError:
                    client.close()
                    continue
                self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                if self._lost is not None and self._lost in data:
                    self._lost = None
                    client.shutdown(socket.SHUT_RDWR)
                server.sendall(data)
        _shut(server, socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                with suppress(OSError):
                    client.sendall(data)
        _shut(client, socket.SHUT_RDWR)

    def _cut(self) -> None:
        for each in self._open:
            _shut(each, socket.SHUT_RDWR)
            each.close()
        self._open.clear()


def _shut(line: socket.socket, how: int) -> None:
    with suppress(OSError):
        line.shutdown(how)
