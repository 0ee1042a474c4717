"""A record as a line: for a person, as JSON, or in kcat's format language."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from infra.clock import Clock, system_clock
from infra.controls import as_json, on_one_line, shown
from infra.errors import TapeError
from infra.sql.rows import Rows
from infra.sql.telling import said, telling, without_zeros
from topics.examples import pretty
from topics.wire import Incoming, header_or_none

Line = Callable[[Incoming], str]

_TOKEN = re.compile(r"%\{([^{}]+)\}|%(.)|\\x([0-9a-fA-F]{2})|\\(.)|([^%\\]+)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "0": "\0"}
_TIMESTAMP_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999, where Python's calendar ends


def for_people(rows: Rows, width: int | None = None, clock: Clock = system_clock) -> Line:
    """Return a line each of time, place, key and the fields that say most; what cannot be read says why.

    It ends with an ellipsis where it would be longer than `width`, but never within the key. The day is left out on
    that day itself (UTC).
    """

    def line(record: Incoming) -> str:
        at = _at(record).removeprefix(f"{clock():%Y-%m-%d} ")
        before = on_one_line(f"{at}  {record.partition}/{record.offset}  {_key(record)}")
        text = f"{before}  {on_one_line(_told(rows, record))}"
        if width is not None and len(text) > width:
            text = f"{text[: max(width, len(before) + 3) - 1]}…"
        return f"{text}\n"

    return line


def whole(rows: Rows) -> Line:
    """Return a line of time, place, key and type, and below it all fields; what cannot be read says why."""

    def line(record: Incoming) -> str:
        fields, error = rows.fields(record)
        event_type = header_or_none(record.headers, "event_type") or "?"
        head = on_one_line(f"{_at(record)}  {record.place}  {_key(record)}  {event_type}")
        if error is not None or record.value is None:
            return f"{head}  {on_one_line(_told(rows, record))}\n"
        return f"{head}\n{as_json(pretty(without_zeros(json.loads(fields))))}\n"

    return line


def in_json(rows: Rows) -> Line:
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
        return as_json(f'{json.dumps(around, ensure_ascii=False)[:-1]}, "payload": {fields}}}') + "\n"

    return line


def formatted(rows: Rows, pattern: str, *, is_for_people: bool = False) -> Line:
    """Return lines in kcat's -f language: %s %S %k %K %T %h %t %p %o %%, backslash escapes; raises TapeError.

    Beyond kcat, %{order.symbol} is a field of the payload: nothing where it is null, or the payload cannot be read.
    For people, control characters of a record are spelled out; those of the pattern itself are whoever's typed it.
    """
    parts = [_part(rows, match, is_for_people=is_for_people) for match in _TOKEN.finditer(pattern)]
    if sum(len(match[0]) for match in _TOKEN.finditer(pattern)) != len(pattern):
        raise TapeError(f"the format ends in the middle of a code: {pattern}", next_command=_FORMATS)
    return lambda record: "".join(part(record) for part in parts)


def _part(rows: Rows, match: "re.Match[str]", *, is_for_people: bool) -> Line:
    path, code, hexadecimal, escape, literal = match.groups()
    if path is not None or code is not None:
        of = _field(rows, path) if path is not None else _code(rows, code)
        return (lambda record: shown(of(record))) if is_for_people else of
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
        return "" if value is None else said(value)

    return line


def _told(rows: Rows, record: Incoming) -> str:
    fields, error = rows.fields(record)
    if error is not None:
        return f"UNREADABLE {error}"
    return "tombstone" if record.value is None else telling(json.loads(fields, parse_int=str), _key(record))


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
