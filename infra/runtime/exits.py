"""How a worker process ends: exit codes that mean something, and nothing half done on the way out.

A worker never continues after an error it does not understand: its inputs are not done, and the next owner judges
them again. `os._exit` is used because an orderly stop would try to finish transactions that must not be finished.
"""

import logging
import os
from typing import NoReturn

log = logging.getLogger("tape.runtime")

CRASHED = 70
"""An exception in an agent, or an error in a transaction: inputs not done, start again."""

STUCK = 75
"""Work that was fetched did not advance: the watchdog ended the process."""

FENCED = 76
"""Another owner has taken over: the broker refused this one."""

ORPHANED = 77
"""The supervisor that started this worker is gone."""

SUPERVISOR_PID = "TAPE_SUPERVISOR_PID"
"""Environment variable: the process without which a worker ends. Not set: started by hand, and lives by itself."""


def die(code: int, why: str, error: BaseException | None = None) -> NoReturn:
    """Say why on the log, with the error's whole text and where it was raised, and end the process at once."""
    told = why if error is None else f"{why}: {type(error).__name__}: {error}"
    log.critical("exit %d: %s", code, told, exc_info=error)
    logging.shutdown()
    os._exit(code)
