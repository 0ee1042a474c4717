"""Columns as a stream of Arrow's interprocess format, by its C data interface: structures of pointers to our buffers.

`arro3` takes the structures and writes the stream; it has no constructor of its own for decimals and nested types. What
the structures point to lives in `_Held` until it has been written.
"""

# Structures of C and the library that reads them have no types that strict mode could follow.
# pyright: standard

import ctypes
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from infra.sql.columns import Column, Fixed, Lists, Mask, Numbers, Struct, Varying

_NULLABLE = 2
_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Schema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", _Release),
        ("private_data", ctypes.c_void_p),
    )


class _Array(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", _Release),
        ("private_data", ctypes.c_void_p),
    )


def _released(kind: type[ctypes.Structure]) -> Any:
    """Return what marks a structure as released: its function is gone. What it points to is ours and outlives it."""

    def release(address: int) -> None:
        ctypes.c_void_p.from_address(address + kind.release.offset).value = None

    return _Release(release)


_RELEASE_SCHEMA = _released(_Schema)
_RELEASE_ARRAY = _released(_Array)

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class _Held:
    """Everything the structures point to."""

    def __init__(self) -> None:
        self._things: list[Any] = []

    def address(self, values: Numbers | None) -> int | None:
        """Keep a buffer and return where it lies; None stands for a buffer that is not there."""
        if values is None:
            return None
        self._things.append(values := np.ascontiguousarray(values))
        return int(values.ctypes.data)

    def pointers(self, addresses: Sequence[int | None]) -> int | None:
        """Keep a list of addresses and return where it lies."""
        if not addresses:
            return None
        self._things.append(kept := (ctypes.c_void_p * len(addresses))(*addresses))
        return ctypes.addressof(kept)

    def structures(self, made: Sequence[ctypes.Structure]) -> int | None:
        """Keep structures and return where the list of their addresses lies."""
        self._things.extend(made)
        return self.pointers([ctypes.addressof(each) for each in made])


def stream(columns: Mapping[str, Column], count: int) -> bytes:
    """Return columns of `count` rows as one stream of Arrow's interprocess format."""
    from arro3.core import RecordBatch  # noqa: PLC0415 - only decoding in batches needs it
    from arro3.io import write_ipc_stream  # noqa: PLC0415

    held, out = _Held(), BytesIO()
    whole = Struct(columns, count)
    batch = RecordBatch.from_arrow(_Capsules(_schema("", whole, held), _array(whole, held)))
    write_ipc_stream(batch, out, compression=None)
    return out.getvalue()


class _Capsules:
    """What a library asks for columns by Arrow's capsule protocol."""

    def __init__(self, schema: _Schema, array: _Array) -> None:
        self._schema = schema
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        schema = _new_capsule(ctypes.addressof(self._schema), b"arrow_schema", None)
        return schema, _new_capsule(ctypes.addressof(self._array), b"arrow_array", None)


def _schema(name: str, column: Column, held: _Held) -> _Schema:
    match column:
        case Struct(fields=fields):
            kind, inner = "+s", [_schema(each, of, held) for each, of in fields.items()]
        case Lists(items=items):
            kind, inner = "+l", [_schema("item", items, held)]
        case _:
            kind, inner = column.format, []
    return _Schema(
        format=kind.encode(),
        name=name.encode(),
        flags=_NULLABLE,
        n_children=len(inner),
        children=held.structures(inner),
        release=_RELEASE_SCHEMA,
    )


def _array(column: Column, held: _Held) -> _Array:
    count, buffers, inner = _parts(column, held)
    valid = None if column.valid is None else _bits(column.valid)
    addresses = [held.address(each) for each in (valid, *buffers)]
    return _Array(
        length=count,
        null_count=0 if column.valid is None else int(count - column.valid.sum()),
        n_buffers=len(addresses),
        n_children=len(inner),
        buffers=held.pointers(addresses),
        children=held.structures(inner),
        release=_RELEASE_ARRAY,
    )


def _parts(column: Column, held: _Held) -> tuple[int, list[Numbers], list[_Array]]:
    """Return how many rows a column has, its buffers behind the one that says which are there, and what is inside."""
    match column:
        case Fixed(values=values):
            return len(values), [_bits(values) if column.format == "b" else values], []
        case Varying(lengths=lengths):
            return len(lengths), [_offsets(lengths), column.data], []
        case Lists(lengths=lengths):
            return len(lengths), [_offsets(lengths)], [_array(column.items, held)]
        case Struct(fields=fields):
            return column.count, [], [_array(each, held) for each in fields.values()]


def _bits(mask: Mask) -> Numbers:
    return np.packbits(mask, bitorder="little")


def _offsets(lengths: Numbers) -> Numbers:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
