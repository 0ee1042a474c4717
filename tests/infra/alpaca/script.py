"""A broker that answers what a test has written down for it, and notes what it was asked."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Scripted:
    """One answer; a status of None hangs up without one."""

    status: int | None
    body: str = "{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    request: str
    body: str

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScriptedBroker:
    """`answers` by 'METHOD /path': each is given once, the last one for ever; what has none is answered with 404."""

    url: str
    answers: dict[str, list[Scripted]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, request: str, *answers: Scripted) -> None:
        self.answers[request] = list(answers)

    def requests(self) -> list[str]:
        return [each.request for each in self.asked]

    def next_answer(self, request: str) -> Scripted:
        left = self.answers.get(request, [Scripted(404, '{"message":"not in the script"}')])
        return left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def scripted_broker() -> Iterator[ScriptedBroker]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            request = f"{self.command} {self.path.partition('?')[0]}"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            broker.asked.append(Asked(request, body))
            said = broker.next_answer(request)
            if said.status is None:
                self.close_connection = True
                return
            self.send_response_only(said.status)
            payload = b"" if said.status == 204 else said.body.encode()
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    broker = ScriptedBroker(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield broker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
