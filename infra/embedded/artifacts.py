"""The Maven artifacts of the embedded stack: exactly those of the committed lock, verified, cached for next time.

Nothing that was not verified ever stands in the cache: a file is fetched into a folder of its own, its size and
sha256 are compared with the lock, and only then is it renamed into place. (jgo writes into its cache directly and
would take a truncated jar of an interrupted download for a good one.) A file that is already there is hashed again
whenever its size, time or inode differ from when it was last verified.

No host is named here: jgo knows its repository, `TAPE_MAVEN_URL` names another.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from infra.embedded.progress import OnProgress, Progress, silent
from infra.errors import TapeError

LOCK_PATH = Path(__file__).with_name("maven.lock.toml")
THREADS = 4
TIMEOUT_SECONDS = 60
SCRATCH_PREFIX = "fetch-"


@dataclass(frozen=True)
class Artifact:
    """One line of the lock: Maven coordinates, and what the file must be. `size` is in bytes."""

    use: str
    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """Return group:artifact:version, then packaging and classifier where they are not the default."""
        extra = "" if (self.packaging, self.classifier) == ("jar", "") else f" ({self.classifier} {self.packaging})"
        return f"{self.group}:{self.artifact}:{self.version}{extra}"

    @property
    def path(self) -> Path:
        """Return the place of the file in a Maven repository, relative to its top."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        name = f"{self.artifact}-{self.version}{suffix}.{self.packaging}"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def load_lock(path: Path = LOCK_PATH) -> tuple[Artifact, ...]:
    """Read the lock; the order of its lines is the order of the class path."""
    with path.open("rb") as file:
        return tuple(Artifact(**row) for row in tomllib.load(file)["artifact"])


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Verified:
    """Remembers which files were hashed and found right, by size, time and inode, in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        try:
            self._marks: dict[str, list[int | str]] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._marks = {}

    @staticmethod
    def _mark(file: Path, sha256: str) -> list[int | str]:
        stat = file.stat()
        return [stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256]

    def holds(self, file: Path, sha256: str) -> bool:
        return self._marks.get(str(file)) == self._mark(file, sha256)

    def add(self, file: Path, sha256: str) -> None:
        with self._guard:
            self._marks[str(file)] = self._mark(file, sha256)

    def save(self) -> None:
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        temporary.write_text(json.dumps(self._marks))
        temporary.replace(self._path)


class _Meter:
    """Adds up the bytes of parallel downloads into one stream of reports."""

    def __init__(self, total_bytes: int, on_progress: OnProgress) -> None:
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._on_progress = on_progress
        self._guard = threading.Lock()

    def add(self, count: int) -> None:
        with self._guard:
            self._done_bytes += count
            self._on_progress(Progress("downloading", self._done_bytes, self._total_bytes))

    @contextmanager
    def _file(self, _filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield self.add

    def callback(self) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
        """Return the progress callback in the shape that jgo's resolver takes."""
        return self._file


class ArtifactCache:
    """The verified artifacts in a user's cache folder, shared by all checkouts and all tests of that user."""

    def __init__(self, folder: Path, maven_url: str | None = None) -> None:
        self._folder = folder
        self._repository = folder / "maven"
        self._maven_url = maven_url if maven_url is not None else os.environ.get("TAPE_MAVEN_URL") or None

    def path_of(self, artifact: Artifact) -> Path:
        """Return where the file stands once it is fetched."""
        return self._repository / artifact.path

    def missing(self, artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
        """Return those that are absent or are not what the lock says. Changes nothing."""
        verified = _Verified(self._folder / "verified.json")
        return tuple(a for a in artifacts if not self._is_good(a, verified))

    def fetch(self, artifacts: Sequence[Artifact], on_progress: OnProgress = silent) -> tuple[Path, ...]:
        """Return the paths of all artifacts, fetching what is missing. Idempotent; safe for two starters at once.

        Raises TapeError that names every file which could not be had, and where to put it by hand.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "fetch.lock"):
            verified = _Verified(self._folder / "verified.json")
            wanted = [a for a in artifacts if not self._is_good(a, verified)]
            if wanted:
                self._fetch_all(wanted, verified, on_progress)
            verified.save()
        return tuple(self.path_of(a) for a in artifacts)

    def _is_good(self, artifact: Artifact, verified: _Verified) -> bool:
        file = self.path_of(artifact)
        if not file.is_file() or file.stat().st_size != artifact.size:
            return False
        if verified.holds(file, artifact.sha256):
            return True
        if sha256_of(file) != artifact.sha256:
            return False
        verified.add(file, artifact.sha256)
        return True

    def _fetch_all(self, wanted: Sequence[Artifact], verified: _Verified, on_progress: OnProgress) -> None:
        for abandoned in self._folder.glob(f"{SCRATCH_PREFIX}*"):
            # We hold the lock, so nobody is downloading into it any more.
            shutil.rmtree(abandoned, ignore_errors=True)
        meter = _Meter(sum(a.size for a in wanted), on_progress)
        failures: dict[Artifact, str] = {}

        def fetch_into_place(artifact: Artifact) -> None:
            try:
                self._fetch_one(artifact, meter)
                verified.add(self.path_of(artifact), artifact.sha256)
            except Exception as error:  # jgo and requests raise many kinds; each becomes a line of one clear error
                failures[artifact] = str(error) or type(error).__name__

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fetch_into_place, wanted))
        if failures:
            verified.save()
            raise self._error(failures)

    def _fetch_one(self, artifact: Artifact, meter: _Meter) -> None:
        """Fetch one file, a second time if it is not what the lock says, and rename it into place."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=SCRATCH_PREFIX) as folder:
            for is_last_try in (False, True):
                fetched = self._download(artifact, Path(folder) / str(is_last_try), meter)
                size, sha256 = fetched.stat().st_size, sha256_of(fetched)
                if (size, sha256) == (artifact.size, artifact.sha256):
                    target = self.path_of(artifact)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fetched.replace(target)
                    return
                meter.add(-size)
                if is_last_try:
                    raise ValueError(
                        f"fetched twice, and it is {size} bytes with sha256 {sha256}; "
                        f"the lock says {artifact.size} bytes with sha256 {artifact.sha256}"
                    )

    def _download(self, artifact: Artifact, repository: Path, meter: _Meter) -> Path:
        # jgo brings requests: a start with everything cached must not pay for it.
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

        context = MavenContext(
            resolver=PythonResolver(progress_callback=meter.callback()),
            repo_cache=repository,
            remote_repos=None if self._maven_url is None else {"override": self._maven_url.rstrip("/")},
            timeout=TIMEOUT_SECONDS,
        )
        component = context.project(artifact.group, artifact.artifact).at_version(artifact.version)
        return Path(component.artifact(artifact.classifier, artifact.packaging).resolve())

    def _error(self, failures: dict[Artifact, str]) -> TapeError:
        details = "\n".join(
            f"  - {artifact.coordinates}: {reason}\n    expected at {self.path_of(artifact)}"
            f"\n    {artifact.size} bytes, sha256 {artifact.sha256}"
            for artifact, reason in sorted(failures.items(), key=lambda item: item[0].coordinates)
        )
        return TapeError(
            f"{len(failures)} file(s) of the embedded stack could not be fetched:\n{details}",
            where=str(self._repository),
            next_command="tape up when online, or with TAPE_MAVEN_URL set to a mirror; or put the files there by hand",
        )
