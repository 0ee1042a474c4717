"""What must be on this machine before a Java service can start: a Java, Kafka's jars, the unpacked registry."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from infra.embedded.artifacts import LOCK_PATH, Artifact, ArtifactCache, load_lock, sha256_of
from infra.embedded.java import JavaChoice, choose_java
from infra.embedded.progress import OnProgress, silent
from infra.embedded.state import ServiceName

SCRATCH_PREFIX = "unpack-"
JAVA_WITH_PREPARED_CLASSES = 25


class Supplies:
    """Finds each supply when it is first asked for, so that looking at a running stack costs nothing."""

    def __init__(self, cache: Path, recording: Path | None = None) -> None:
        self._cache = cache
        self._recording = recording
        self._artifacts = ArtifactCache(cache)

    @cached_property
    def lock(self) -> tuple[Artifact, ...]:
        """Return the committed lock."""
        return load_lock()

    @cached_property
    def java_choice(self) -> JavaChoice:
        """Return the Java that runs the services, and those that were refused."""
        return choose_java()

    @cached_property
    def classpath(self) -> tuple[Path, ...]:
        """Return Kafka's jars, fetched and verified."""
        return self._artifacts.fetch(self._used_by("kafka"))

    @cached_property
    def registry_folder(self) -> Path:
        """Return the folder of the unpacked registry; its archive is fetched and verified only to be unpacked."""
        (artifact,) = self._used_by("registry")
        target = self._cache / f"{artifact.artifact}-{artifact.version}-{artifact.sha256[:12]}"
        if not target.exists():
            (archive,) = self._artifacts.fetch([artifact])
            _unpack(archive, target)
        return target

    def fetch(self, uses: set[str], on_progress: OnProgress = silent) -> None:
        """Fetch what these services need and is not there, all in one go so that one progress bar tells it all."""
        wanted = [a for a in self.lock if a.use in uses]
        self._artifacts.fetch(wanted, on_progress)

    def startup_options(self, name: ServiceName) -> tuple[str, ...]:
        """Return the JVM options that start a service from prepared classes, where `tape warm` made some.

        While recording, return those that make them when the service ends. Java 25 is the first that can do both.
        """
        java = self.java_choice.java
        if java.major < JAVA_WITH_PREPARED_CLASSES:
            return ()
        if self._recording is not None:
            return (f"-XX:AOTCacheOutput={self._recording / name}",)
        prepared = self.prepared_classes(name)
        return (f"-XX:AOTCache={prepared}",) if prepared.exists() else ()

    def prepared_classes(self, name: ServiceName) -> Path:
        """Return where the prepared classes of a service stand; another Java or another lock has others."""
        executable = self.java_choice.java.executable
        made_for = f"{executable} {executable.stat().st_mtime_ns} {sha256_of(LOCK_PATH)}"
        return self._cache / f"{name}-{hashlib.sha256(made_for.encode()).hexdigest()[:12]}.aot"

    def missing(self) -> tuple[Artifact, ...]:
        """Return the artifacts that the next `tape up` would have to fetch. Changes nothing."""
        return self._artifacts.missing(self.lock)

    def _used_by(self, use: str) -> tuple[Artifact, ...]:
        return tuple(a for a in self.lock if a.use == use)


def _unpack(archive: Path, target: Path) -> None:
    """Unpack beside the target and rename, so that a folder of that name is never half unpacked."""
    with FileLock(target.with_name("unpack.lock")):
        if target.exists():
            return
        for abandoned in target.parent.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=SCRATCH_PREFIX))
        try:
            with tarfile.open(archive) as tar:
                # Python before 3.11.4 has no filters; what we unpack was verified by its sha256.
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
                tar.extractall(scratch)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
