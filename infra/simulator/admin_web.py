"""The rows of /admin as a web server, and the OpenAPI document that describes them."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from infra.simulator.admin import AdminRoute
from infra.simulator.admin_bodies import Problem
from infra.simulator.routes import json_answer, json_text
from infra.simulator.rules import RefusalError
from infra.simulator.settings import Terms

OPENAPI_PATH = "/admin/openapi.json"
REFERENCE = "#/components/schemas/{model}"


def web_routes(routes: Sequence[AdminRoute], document: str) -> list[web.RouteDef]:
    """Return the web server's routes, that of their own document among them."""

    async def describe(_: web.Request) -> web.Response:
        return json_text(document)

    return [*(_web_route(route) for route in routes), web.get(OPENAPI_PATH, describe)]


def _web_route(route: AdminRoute) -> web.RouteDef:
    adapter: TypeAdapter[Any] | None = None if route.body is None else TypeAdapter(route.body)

    async def handle(request: web.Request) -> web.Response:
        answer = await route.handle(None if adapter is None else await _read(request, adapter))
        return json_text(answer.model_dump_json()) if isinstance(answer, BaseModel) else json_answer(answer)

    return web.route(route.method, route.path, handle)


async def _read(request: web.Request, adapter: TypeAdapter[Any]) -> Any:
    """Read a body; raises RefusalError (422) that says what is wrong with it."""
    try:
        return adapter.validate_json(await request.read())
    except ValidationError as error:
        raise RefusalError(422, None, f"{request.path}: {error}") from error


def openapi(routes: Sequence[AdminRoute]) -> dict[str, object]:
    """Return the OpenAPI 3.1 document of the rows."""
    bodies = {(route.path, route.method): Terms if route.path == "/admin/reset" else route.body for route in routes}
    inputs: list[Any] = [
        ((path, method, "body"), "validation", TypeAdapter(body)) for (path, method), body in bodies.items() if body
    ]
    outputs: list[Any] = [
        ((each.path, each.method, "answer"), "serialization", TypeAdapter(each.answer)) for each in routes
    ]
    problem: list[Any] = [(("problem",), "serialization", TypeAdapter(Problem))]
    schemas, shared = TypeAdapter.json_schemas([*inputs, *outputs, *problem], ref_template=REFERENCE)
    by_key = {key: schema for (key, _), schema in schemas.items()}
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        operation = _operation(route, by_key)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    paths[OPENAPI_PATH] = {"get": {"operationId": "getOpenapi", "summary": "This document", "responses": _ok({})}}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "The simulator's own endpoints",
            "version": "1.0.0",
            "description": "What the local Alpaca is told that no broker could be told. Needs no keys.",
        },
        "paths": paths,
        "components": {"schemas": shared["$defs"]},
    }


def _operation(route: AdminRoute, schemas: dict[Any, Any]) -> dict[str, object]:
    refused = {"description": "Refused, and why", "content": _json(schemas["problem",])}
    operation: dict[str, object] = {
        "operationId": f"{route.method.lower()}{_camel(route.path)}",
        "summary": route.summary,
        "responses": _ok(schemas[route.path, route.method, "answer"]) | {"422": refused},
    }
    body = schemas.get((route.path, route.method, "body"))
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _ok(schema: object) -> dict[str, object]:
    return {"200": {"description": "Done", "content": _json(schema)}}


def _json(schema: object) -> dict[str, object]:
    return {"application/json": {"schema": schema}}


def _camel(path: str) -> str:
    return "".join(word.capitalize() for word in path.removeprefix("/admin/").split("-"))
