"""A copy of the committed schemas and their ids, for tests that change them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from topics import schema_lock
from topics.schema_lock import SCHEMAS, registered


@contextmanager
def copied_lock(folder: Path) -> Iterator[Path]:
    """Let everybody work on a copy of the lock and the history in `folder`."""
    shutil.copytree(SCHEMAS / "registered", folder / "registered")
    shutil.copy(SCHEMAS / "ids.lock", folder / "ids.lock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema_lock, "SCHEMAS", folder)
        patch.setattr(schema_lock, "LOCK", folder / "ids.lock")
        registered.cache_clear()
        yield folder
    registered.cache_clear()
