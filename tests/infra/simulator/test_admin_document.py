"""The OpenAPI document of /admin: well formed, complete, and true of what the simulator takes and answers."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.simulator.admin_web import OPENAPI_PATH
from infra.simulator.client import SimulatorControl
from infra.simulator.faults import FaultKind
from infra.simulator.journal import Journal
from infra.simulator.process import ROOT, SimulatorProcess
from infra.simulator.server import Server
from infra.simulator.settings import SimulatorSettings, SimulatorUrls
from tests.infra.simulator.http import ask, new_order
from tests.infra.simulator.openapi import Specification

README = ROOT / "infra" / "simulator" / "README.md"
METHODS = {"get", "put", "post", "delete", "patch", "options", "head", "trace"}
SCHEMA_TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("simulator")
    journal = Journal(folder)
    yield Server(SimulatorSettings(state=folder), journal)
    journal.close()


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorUrls]:
    process = SimulatorProcess(tmp_path)
    yield process.start()
    process.stop()


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return json.loads(server.admin_document)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def nodes(value: object, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the document with its place."""
    if isinstance(value, dict):
        yield place, value
        for name, part in value.items():
            yield from nodes(part, f"{place}/{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from nodes(part, f"{place}/{index}")


def resolved(document: dict[str, Any], reference: str) -> object:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_every_route_is_documented_and_nothing_else(server: Server, document: dict[str, Any]) -> None:
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/admin") and route.method != "HEAD"
    }

    assert {(method, path) for method, path, _ in operations(document)} == served
    assert ("get", OPENAPI_PATH) in served


def test_the_document_is_an_openapi_document(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert set(document) == {"openapi", "info", "paths", "components"}
    assert {"title", "version"} <= set(document["info"])
    identifiers = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(identifiers)) == len(identifiers)
    for method, path, operation in operations(document):
        assert method in METHODS
        assert path.startswith("/")
        assert operation["summary"], path
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert response["description"]
            assert set(response["content"]) == {"application/json"}
        if method in ("post", "put"):
            assert "schema" in operation["requestBody"]["content"]["application/json"], path


def test_every_schema_says_what_it_is_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    places = dict(nodes(document))
    for place, node in places.items():
        if "$ref" in node:
            assert isinstance(resolved(document, node["$ref"]), dict), place
        if "type" in node and "/properties" in place and isinstance(node["type"], str):
            assert node["type"] in SCHEMA_TYPES, place
        if isinstance(node.get("required"), list) and "properties" in node:
            assert set(node["required"]) <= set(node["properties"]), place
        if "pattern" in node and isinstance(node["pattern"], str):
            re.compile(node["pattern"])


def test_every_name_of_a_body_is_explained_by_type(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, part in schema.get("properties", {}).items():
            assert {"type", "anyOf", "$ref", "allOf", "const", "enum", "items", "oneOf"} & set(part), f"{name}.{field}"


BODIES: list[tuple[str, str, Any]] = [
    ("POST", "/admin/reset", {"partial_rate": "0", "multiplier": 2, "requests_per_minute": None}),
    ("POST", "/admin/quotes", [{"symbol": "AAPL", "bid": "100", "ask": 101, "ask_size": "300"}]),
    ("POST", "/admin/trades", [{"symbol": "AAPL", "price": "100.5", "size": 10, "conditions": ["F"]}]),
    ("POST", "/admin/holds", {"symbol": "AAPL", "hold": "ALL"}),
    ("POST", "/admin/orders", {"symbol": "AAPL", "side": "buy", "qty": "10", "client_order_id": "a"}),
    ("POST", "/admin/fills", {"client_order_id": "a", "qty": "3"}),
    ("POST", "/admin/halts", {"symbol": "AAPL", "reason": "T1"}),
    ("POST", "/admin/halts", {"symbol": "AAPL", "is_halted": False}),
    ("POST", "/admin/assets", {"symbol": "AAPL", "fractionable": False}),
    ("POST", "/admin/corporate-actions", {"kind": "dividend", "symbol": "AAPL", "per_share": "0.25"}),
    ("POST", "/admin/corporate-actions", {"kind": "split", "symbol": "AAPL", "new_rate": "2", "old_rate": "1"}),
    ("POST", "/admin/corporate-actions", {"kind": "rename", "symbol": "AAPL", "new_symbol": "PEAR"}),
    ("POST", "/admin/activities", {"activity_type": "CSD", "net_amount": "1"}),
    (
        "POST",
        "/admin/fees",
        {"day": "2026-01-02", "reg_per_million": "27.8", "taf_per_share": "0.000166", "taf_cap": "8.3"},
    ),
    ("POST", "/admin/clock", {"now": "2026-01-02T16:00:00Z"}),
    ("GET", "/admin/clock", None),
    ("GET", "/admin/orders", None),
    ("GET", "/admin/counts", None),
    ("POST", "/admin/faults", [{"kind": "delay", "match": "POST /v2/orders", "seconds": Decimal("0.1")}]),
    ("PUT", "/admin/fault-profiles", [{"rate": "0.3", "seed": "storm", "kinds": ["http_500"]}]),
    ("GET", "/admin/faults", None),
    ("DELETE", "/admin/faults", None),
    ("GET", OPENAPI_PATH, None),
]


def test_bodies_and_answers_are_as_documented(
    simulator: SimulatorUrls, document: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "admin.json").write_text(json.dumps(document))
    described = Specification(tmp_path / "admin.json")

    for method, path, body in BODIES:
        answer = ask(simulator, method, path, json.loads(json.dumps(body, default=float)))
        assert answer.status == 200, (path, answer.text)
        value = json.loads(answer.text, parse_float=Decimal)
        assert described.answer_problems(method, path, 200, value) == []
        assert body is None or described.body_problems(method, path, body) == []
    assert {(method, path) for method, path, _ in BODIES} == {
        (method.upper(), path) for method, path, _ in operations(document)
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/admin/quotes", [{"symbol": "AAPL", "bid": "-1", "ask": "1"}]),
        ("/admin/quotes", {"symbol": "AAPL"}),
        ("/admin/corporate-actions", {"kind": "merger", "symbol": "AAPL"}),
        ("/admin/reset", {"colour": "red"}),
        ("/admin/faults", [{"kind": "earthquake"}]),
        ("/admin/clock", {"now": "2020-01-01T00:00:00Z"}),
    ],
)
def test_a_wrong_body_is_refused_as_documented(
    simulator: SimulatorUrls, document: dict[str, Any], tmp_path: Path, path: str, body: object
) -> None:
    (tmp_path / "admin.json").write_text(json.dumps(document))

    answer = ask(simulator, "POST", path, body)

    assert answer.status == 422
    assert Specification(tmp_path / "admin.json").answer_problems("POST", path, 422, answer.json) == []


def test_the_readme_names_every_route_and_every_trouble(document: dict[str, Any]) -> None:
    text = README.read_text()
    rows = re.findall(r"^\| ([A-Z, ]+) `(/admin/[^`]*)` \|", text, re.MULTILINE)
    _, _, troubles = text.partition("| kind | the client sees |")
    kinds, _, _ = troubles.partition("\n\n")

    assert {(method, path) for methods, path in rows for method in methods.lower().split(", ")} == {
        (method, path) for method, path, _ in operations(document)
    }
    assert {kind.value for kind in FaultKind} == {
        name for row in kinds.splitlines()[1:] for name in re.findall(r"`([a-z0-9_]+)`", row.split("|")[1])
    }


def test_the_readmes_storm_blows(simulator: SimulatorUrls, capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    seen: list[str] = []

    def submit_a_hundred_orders() -> None:
        answers = (ask(simulator, "POST", "/v2/orders", new_order(f"o{n}"), patience_s=0.3) for n in range(100))
        seen.extend(f"{answer.outcome} {answer.status}" for answer in answers)

    names = {
        "urls": simulator,
        "SimulatorControl": SimulatorControl,
        "submit_a_hundred_orders": submit_a_hundred_orders,
    }
    exec(snippet, names)

    said = re.fullmatch(r"injected (\d+) faults into 100 orders\n", capsys.readouterr().out)
    assert said is not None
    assert 20 <= int(said[1]) <= 40
    assert int(said[1]) >= sum(each != "answer 200" for each in seen) >= 15
