"""A record as a line: for a person, as JSON, or in kcat's format language."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from infra.errors import TapeError
from infra.sql.rows import Rows
from topics.wire import Incoming, header_or_none

Line = Callable[[Incoming], str]

_TOKEN = re.compile(r"%\{([^{}]+)\}|%(.)|\\x([0-9a-fA-F]{2})|\\(.)|([^%\\]+)", re.DOTALL)
_DECIMAL = re.compile(r"-?\d+\.\d+")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "0": "\0"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_TIMESTAMP_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999, where Python's calendar ends


def for_people(rows: Rows) -> Line:
    """Return lines of time, place, key, type and fields; what cannot be read says why."""

    def line(record: Incoming) -> str:
        fields, error = rows.fields(record)
        said = f"UNREADABLE {error}" if error else "tombstone" if record.value is None else fields
        event_type = header_or_none(record.headers, "event_type") or "?"
        text = f"{_at(record)} {record.place} {_key(record)} {event_type} {said}"
        return f"{_CONTROLS.sub(' ', text)}\n"

    return line


def as_json(rows: Rows) -> Line:
    """Return a JSON object per record, with kcat's names; `error` says why a payload cannot be read."""

    def line(record: Incoming) -> str:
        fields, error = rows.fields(record)
        around = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "ts": record.timestamp_ms,
            "headers": [text for name, value in record.headers for text in (name, value.decode(errors="replace"))],
            "key": None if record.key is None else _key(record),
            **({} if error is None else {"error": error}),
        }
        return f'{json.dumps(around, ensure_ascii=False)[:-1]}, "payload": {fields}}}\n'

    return line


def formatted(rows: Rows, pattern: str) -> Line:
    """Return lines in kcat's -f language: %s %S %k %K %T %h %t %p %o %%, backslash escapes; raises TapeError.

    Beyond kcat, %{order.symbol} is a field of the payload: nothing where it is null, or the payload cannot be read.
    """
    parts = [_part(rows, match) for match in _TOKEN.finditer(pattern)]
    if sum(len(match[0]) for match in _TOKEN.finditer(pattern)) != len(pattern):
        raise TapeError(f"the format ends in the middle of a code: {pattern}", next_command=_FORMATS)
    return lambda record: "".join(part(record) for part in parts)


def _part(rows: Rows, match: "re.Match[str]") -> Line:
    path, code, hexadecimal, escape, literal = match.groups()
    if path is not None:
        return _field(rows, path)
    if code is not None:
        return _code(rows, code)
    if hexadecimal is not None:
        literal = chr(int(hexadecimal, 16))
    elif escape is not None:
        literal = _ESCAPES.get(escape, escape)
    return lambda _: literal


def _code(rows: Rows, code: str) -> Line:
    codes: dict[str, Line] = {
        "s": lambda record: _payload(rows, record),
        "S": lambda record: str(-1 if record.value is None else len(record.value)),
        "k": _key,
        "K": lambda record: str(-1 if record.key is None else len(record.key)),
        "T": lambda record: str(record.timestamp_ms),
        "h": lambda record: ",".join(f"{name}={value.decode(errors='replace')}" for name, value in record.headers),
        "t": lambda record: record.topic,
        "p": lambda record: str(record.partition),
        "o": lambda record: str(record.offset),
        "%": lambda _: "%",
    }
    if code not in codes:
        raise TapeError(f"%{code} is no code of a format", next_command=_FORMATS)
    return codes[code]


_FORMATS = (
    r"%s payload, %{name} or %{order.symbol} a field of it, %S its length, %k key, %K its length, %T timestamp, "
    r"%h headers, %t %p %o place, \n \t \x00"
)


def _field(rows: Rows, path: str) -> Line:
    """Return a field of the payload; raises TapeError, with the first record that can be read, where there is none."""
    names = path.split(".")

    def line(record: Incoming) -> str:
        value = json.loads(rows.fields(record)[0], parse_int=str)
        for name in names:
            if value is None:
                break
            if not isinstance(value, dict) or name not in value:
                raise TapeError(f"%{{{path}}}: {rows.table.topic} has no field {name}", next_command=_FORMATS)
            value = value[name]
        return "" if value is None else _said(value)

    return line


def _said(value: object) -> str:
    """Return a value as it stands in the payload, a number without the zeros that its scale adds."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(value) else value


def _payload(rows: Rows, record: Incoming) -> str:
    fields, error = rows.fields(record)
    return fields if error is None else json.dumps({"_error": error}, ensure_ascii=False)


def _key(record: Incoming) -> str:
    return "" if record.key is None else record.key.decode(errors="replace")


def _at(record: Incoming) -> str:
    if not 0 <= record.timestamp_ms <= _TIMESTAMP_MS_MAX:
        return "-"
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{record.timestamp_ms % 1000:03}Z"
