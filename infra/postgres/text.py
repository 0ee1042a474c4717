"""Text as PostgreSQL can keep it: everything but U+0000, which its `text` refuses.

U+0000 is written as U+241B U+2400 (␛␀) and U+241B itself as U+241B U+241B (␛␛). Different texts stay different, so an
identity that holds one of them never meets another; all other text is kept as it is.
"""

from typing import Any

_NUL, _ESCAPE = "\0", "\u241b"
_ESCAPED = {ord(_NUL): "\u241b\u2400", ord(_ESCAPE): "\u241b\u241b"}


def storable_text(text: str) -> str:
    """Return the text with U+0000 escaped."""
    return text.translate(_ESCAPED)


def storable(value: Any) -> Any:
    """Return the value with every text in it escaped, in dicts and lists at any depth."""
    match value:
        case str():
            return storable_text(value)
        case dict():
            return {storable(name): storable(each) for name, each in value.items()}
        case list():
            return [storable(each) for each in value]
        case _:
            return value


def may_be_unstorable(json_text: str) -> bool:
    """Say whether ASCII JSON may hold a text that must be escaped; true too often is harmless."""
    return "\\u0000" in json_text or "\\u241b" in json_text
