"""The local halt: a file that stops new orders on this machine, with nothing else running.

Anybody can make it (`touch`), whatever broke. What cannot be read counts as halted; only a file that is not there does
not. Looking costs a few microseconds, so it is looked at before every order.
"""

import os
from pathlib import Path

REASON_BYTES_MAX = 1000
UNSAID = "no reason given"


def halted(path: Path) -> str | None:
    """Return why trading is halted, None when it is not; never raises."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error)
    try:
        # Not blocking: a pipe of that name would keep the reader for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(path, error)
    try:
        text = os.read(descriptor, REASON_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        return _unreadable(path, error)
    finally:
        os.close(descriptor)
    return "".join(each if each.isprintable() else " " for each in text).strip() or UNSAID


def halt(path: Path, reason: str) -> None:
    """Halt, or give another reason; raises OSError when the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(f"{reason}\n", encoding="utf-8")
    temporary.replace(path)


def resume(path: Path) -> str | None:
    """End the halt and return why it was, None when there was none; raises OSError when the file cannot be removed."""
    reason = halted(path)
    path.unlink(missing_ok=True)
    return reason


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read, which counts as halted: {error.strerror}"
