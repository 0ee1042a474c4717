"""Values on a terminal: whatever came from outside is text there, and never steers it."""

import re

#: C0 and C1 controls and DEL, and what turns the direction of writing around.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_STEERING = re.compile(r"(?![\n\t])" + _CONTROLS.pattern)


def on_one_line(text: str) -> str:
    """Return a text with a blank for each run of control characters, line ends included."""
    return re.sub(f"{_CONTROLS.pattern}+", " ", text)


def shown(text: str) -> str:
    """Return a text that may have lines and tabs, every other control character spelled out in hexadecimal."""
    return _STEERING.sub(_spelled, text)


def as_json(text: str) -> str:
    """Return JSON that says the same, without a control character in it."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _spelled(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
