"""What the two processes say to each other: a JSON line's worth of header and any bytes, both with their length."""

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">II")

Header = dict[str, Any]


def send(stream: IO[bytes], header: Header, payload: bytes = b"") -> None:
    """Write one message."""
    head = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(head), len(payload)) + head)
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Header, bytes] | None:
    """Read one message; None when the other side has gone, in the middle of one or between two."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_length, payload_length = _LENGTHS.unpack(lengths)
    head, payload = stream.read(head_length), stream.read(payload_length)
    if len(head) < head_length or len(payload) < payload_length:
        return None
    header: Header = json.loads(head)
    return header, payload
