"""Avro types as DuckDB has them: decimals exact, records and arrays nested, instants with their time zone."""

# Avro's own schemas have no types that strict mode could follow.
# pyright: standard

from typing import Any

DECIMAL_DIGITS_MAX = 38
_PRIMITIVES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "bytes": "BLOB",
    "null": "VARCHAR",
}
_LOGICAL = {
    "uuid": "UUID",
    "date": "DATE",
    "timestamp-millis": "TIMESTAMPTZ",
    "timestamp-micros": "TIMESTAMPTZ",
}
BLOB = "BLOB"


def quoted(name: str) -> str:
    """Return an identifier as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def column_types(schema: dict[str, Any]) -> dict[str, str]:
    """Return the DuckDB type of each field of a self-contained record schema, in its order.

    Bytes are BLOB as a field of the record and hexadecimal text inside of others: JSON, in which rows travel, has none.
    """
    named: dict[str, Any] = {}
    return {field["name"]: _type(field["type"], named, is_nested=False) for field in schema["fields"]}


def _type(schema: Any, named: dict[str, Any], *, is_nested: bool = True) -> str:
    match schema:
        case "bytes" if is_nested:
            return "VARCHAR"
        case str():
            return _PRIMITIVES[schema] if schema in _PRIMITIVES else _type(named[schema], named)
        case list():
            return _union(schema, named, is_nested=is_nested)
        case {"logicalType": "decimal"}:
            return _decimal(schema)
        case {"logicalType": str(logical)} if logical in _LOGICAL:
            return _LOGICAL[logical]
        case _:
            return _complex(schema, named, is_nested=is_nested)


def _complex(schema: Any, named: dict[str, Any], *, is_nested: bool) -> str:
    match schema["type"]:
        case "record":
            return _struct(schema, named)
        case "enum" | "fixed":
            _remember(schema, named)
            return "VARCHAR"
        case "array":
            return f"{_type(schema['items'], named)}[]"
        case "map":
            return f"MAP(VARCHAR, {_type(schema['values'], named)})"
        case inner:
            return _type(inner, named, is_nested=is_nested)


def _decimal(schema: dict[str, Any]) -> str:
    """A decimal is exact or it is text: DuckDB's hold 38 digits."""
    precision = schema["precision"]
    return f"DECIMAL({precision},{schema.get('scale', 0)})" if precision <= DECIMAL_DIGITS_MAX else "VARCHAR"


def _union(branches: list[Any], named: dict[str, Any], *, is_nested: bool) -> str:
    """A nullable type is the type; a real union is JSON, whose shape differs from row to row."""
    types = [_type(branch, named, is_nested=is_nested) for branch in branches if branch != "null"]
    return types[0] if len(types) == 1 else "JSON"


def _struct(schema: dict[str, Any], named: dict[str, Any]) -> str:
    _remember(schema, named)
    fields = (f"{quoted(field['name'])} {_type(field['type'], named)}" for field in schema["fields"])
    return f"STRUCT({', '.join(fields)})"


def _remember(schema: dict[str, Any], named: dict[str, Any]) -> None:
    """Later uses of a named type speak of it by its name, full or, within its namespace, short."""
    name, namespace = schema["name"], schema.get("namespace")
    named[name] = schema
    if namespace is not None:
        named[f"{namespace}.{name}"] = schema
