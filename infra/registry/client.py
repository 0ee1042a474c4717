"""The committed schemas in a schema registry, under the ids of the committed lock.

Records carry the lock's ids, so a registry that hands out others would lead every other tool to the wrong schema. An
empty registry hands out the lock's ids when the versions are registered in the lock's order; that is what happens here,
and what comes back is compared. Speaks Confluent's protocol (Apicurio answers it at /apis/ccompat/v7).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from infra.errors import TapeError
from topics.schema_lock import Registered, registered

COMPATIBILITY = "FULL_TRANSITIVE"
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Registration:
    """What became of one version: `is_new` when the registry did not have it before."""

    subject: str
    version: int
    id: int
    is_new: bool


@dataclass(frozen=True)
class Found:
    """One version as the registry has it."""

    subject: str
    version: int
    id: int


def register(registry_url: str) -> list[Registration]:
    """Register every version of the lock in the order of its ids, and make each subject FULL_TRANSITIVE.

    Doing it twice is doing it once. Raises TapeError naming subject and both ids when the registry has another id, and
    when it refuses a schema or does not answer.
    """
    with _Registry.at(registry_url) as registry:
        return [registry.registration(each) for each in registered()]


def verify(registry_url: str) -> None:
    """Raise TapeError when the registry lacks a version of the lock or has it under another id."""
    with _Registry.at(registry_url) as registry:
        for each in registered():
            registry.check_id(each, registry.id_of(each))


def found(registry_url: str) -> list[Found]:
    """Return every version of our subjects as the registry has them, in the order of their ids."""
    with _Registry.at(registry_url) as registry:
        subjects = dict.fromkeys(each.subject for each in registered())
        return sorted((each for subject in subjects for each in registry.versions(subject)), key=lambda each: each.id)


@dataclass(frozen=True)
class _Registry:
    url: str
    http: httpx.Client

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator["_Registry"]:
        # trust_env off: a proxy meant for the internet must not stand between us and a registry on this machine.
        with httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, trust_env=False) as http:
            yield cls(url, http)

    def registration(self, schema: Registered) -> Registration:
        """Register one version unless it is there; idempotent."""
        present = self.id_of(schema)
        if present is None:
            self._demand_compatibility(schema.subject)
        number = self._posted(schema) if present is None else present
        self.check_id(schema, number)
        return Registration(schema.subject, schema.version, number, present is None)

    def id_of(self, schema: Registered) -> int | None:
        """Return the id under which a subject has exactly this schema, or None."""
        answer = self._call("POST", f"/subjects/{quote(schema.subject)}", _body(schema))
        return None if answer is None else int(answer["id"])

    def versions(self, subject: str) -> list[Found]:
        """Return the versions of a subject; none when the registry does not know it."""
        numbers = self._call("GET", f"/subjects/{quote(subject)}/versions") or []
        answers = (self._call("GET", f"/subjects/{quote(subject)}/versions/{number}") for number in numbers)
        return [Found(subject, int(answer["version"]), int(answer["id"])) for answer in answers if answer]

    def check_id(self, schema: Registered, number: int | None) -> None:
        if number == schema.id:
            return
        has = "does not have it" if number is None else f"has it as id {number}"
        raise TapeError(
            f"{schema.subject} version {schema.version}: the lock says id {schema.id}, the registry {has}",
            where=f"schema registry at {self.url}",
            next_command="tape schemas register" if number is None else _EMPTY_REGISTRY,
        )

    def _demand_compatibility(self, subject: str) -> None:
        """Make the subject FULL_TRANSITIVE; somebody else may do the same at the same time (409)."""
        path = f"/config/{quote(subject)}"
        self._call("PUT", path, {"compatibility": COMPATIBILITY}, passed=HTTPStatus.CONFLICT)
        level = (self._call("GET", path) or {}).get("compatibilityLevel")
        if level != COMPATIBILITY:
            raise self._refusal(subject, f"compatibility should be {COMPATIBILITY}, is {level}", _WRONG_URL)

    def _posted(self, schema: Registered) -> int:
        answer = self._call("POST", f"/subjects/{quote(schema.subject)}/versions", _body(schema))
        if answer is None:
            raise self._refusal(schema.subject, "404 to a registration", _WRONG_URL)
        return int(answer["id"])

    def _call(
        self, method: str, path: str, body: dict[str, str] | None = None, passed: HTTPStatus = HTTPStatus.NOT_FOUND
    ) -> Any:
        """Return what the registry answers, None for not found or for the status that is `passed` over."""
        try:
            response = self.http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise TapeError(
                f"the schema registry does not answer: {type(error).__name__}: {error}",
                where=self.url,
                next_command="tape status",
            ) from error
        if response.status_code in (HTTPStatus.NOT_FOUND, passed):
            return None
        if response.is_error:
            raise self._refusal(path, f"{response.status_code}: {response.text[:500]}")
        return _parsed(response) if response.content else {}

    def _refusal(self, what: str, answer: str, next_command: str = "tape schemas check") -> TapeError:
        return TapeError(
            f"{what}: the schema registry refused: {answer}",
            where=f"schema registry at {self.url}",
            next_command=next_command,
        )


_WRONG_URL = "check TAPE_REGISTRY_URL: Apicurio's ends in /apis/ccompat/v7"
_EMPTY_REGISTRY = (
    "use a registry that holds nothing else: it hands out the lock's ids when it is empty "
    "(tape reset --yes empties the embedded one, with the log)"
)


def _body(schema: Registered) -> dict[str, str]:
    return {"schema": schema.text, "schemaType": "AVRO"}


def _parsed(response: httpx.Response) -> Any:
    try:
        return response.json()
    except json.JSONDecodeError as error:
        raise TapeError(
            f"expected JSON, was {response.text[:200]!r}",
            where=str(response.request.url),
            next_command=_WRONG_URL,
        ) from error
