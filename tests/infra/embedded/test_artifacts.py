"""The verified cache of downloads, against a Maven repository on this machine that can be made to misbehave."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.embedded.artifacts import Artifact, ArtifactCache, load_lock
from infra.embedded.progress import Progress
from infra.errors import TapeError

CONTENT = b"a jar, for all that matters " * 1000


def an_artifact(name: str = "kafka", content: bytes = CONTENT) -> Artifact:
    sha256 = hashlib.sha256(content).hexdigest()
    return Artifact("kafka", "org.example", name, "4.3.1", "jar", "", len(content), sha256)


class Repository:
    """Serves Maven files. `answers` holds what each file name answers in turn, its last answer again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, list[bytes]] = {}
        self.cut_short: set[str] = set()
        self.requests: Counter[str] = Counter()


@contextmanager
def serving() -> Iterator[Repository]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            asked_before = served.requests[name]
            served.requests[name] += 1
            answers = served.answers.get(name)
            if answers is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = answers[min(asked_before, len(answers) - 1)]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name in served.cut_short else body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Repository(f"http://127.0.0.1:{server.server_port}/maven")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def repository() -> Iterator[Repository]:
    with serving() as repository:
        repository.answers["kafka-4.3.1.jar"] = [CONTENT]
        yield repository


@pytest.fixture
def cache(tmp_path: Path, repository: Repository) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache", repository.url)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("fetch-"))


def test_what_is_fetched_stands_in_a_maven_layout_and_is_not_fetched_again(
    cache: ArtifactCache, repository: Repository, tmp_path: Path
) -> None:
    expected = tmp_path / "cache" / "maven" / "org" / "example" / "kafka" / "4.3.1" / "kafka-4.3.1.jar"
    assert cache.fetch([an_artifact()]) == (expected,)
    assert cache.fetch([an_artifact()]) == (expected,)
    assert expected.read_bytes() == CONTENT
    assert repository.requests["kafka-4.3.1.jar"] == 1
    assert leftovers(tmp_path / "cache") == []


def truncate(file: Path) -> None:
    file.write_bytes(CONTENT[:100])


def alter_one_byte(file: Path) -> None:
    file.write_bytes(b"A" + CONTENT[1:])


@pytest.mark.parametrize("damage", [truncate, alter_one_byte, Path.unlink], ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_fetched_again(
    cache: ArtifactCache, repository: Repository, damage: Callable[[Path], None]
) -> None:
    (file,) = cache.fetch([an_artifact()])
    damage(file)
    assert cache.missing([an_artifact()]) == (an_artifact(),)

    cache.fetch([an_artifact()])
    assert file.read_bytes() == CONTENT
    assert repository.requests["kafka-4.3.1.jar"] == 2
    assert cache.missing([an_artifact()]) == ()


def test_a_file_that_arrives_wrong_once_is_fetched_a_second_time(cache: ArtifactCache, repository: Repository) -> None:
    repository.answers["kafka-4.3.1.jar"] = [b"an error page", CONTENT]
    (file,) = cache.fetch([an_artifact()])
    assert file.read_bytes() == CONTENT


def test_a_file_that_stays_wrong_is_refused_with_both_sums_and_kept_out_of_the_cache(
    cache: ArtifactCache, repository: Repository, tmp_path: Path
) -> None:
    served = b"not what was locked"
    repository.answers["kafka-4.3.1.jar"] = [served]
    with pytest.raises(TapeError) as refused:
        cache.fetch([an_artifact()])
    for expected in ("org.example:kafka:4.3.1", hashlib.sha256(served).hexdigest(), an_artifact().sha256):
        assert expected in refused.value.what
    assert not cache.path_of(an_artifact()).exists()
    assert leftovers(tmp_path / "cache") == []


def test_a_connection_that_breaks_off_leaves_nothing_that_looks_whole(
    cache: ArtifactCache, repository: Repository
) -> None:
    repository.cut_short.add("kafka-4.3.1.jar")
    with pytest.raises(TapeError):
        cache.fetch([an_artifact()])
    assert not cache.path_of(an_artifact()).exists()

    repository.cut_short.clear()
    (file,) = cache.fetch([an_artifact()])
    assert file.read_bytes() == CONTENT


def test_what_could_be_fetched_is_kept_when_something_else_could_not(
    cache: ArtifactCache, repository: Repository
) -> None:
    absent = an_artifact("absent")
    with pytest.raises(TapeError, match=r"org\.example:absent:4\.3\.1"):
        cache.fetch([an_artifact(), absent])
    assert cache.missing([an_artifact(), absent]) == (absent,)


def test_offline_the_error_says_what_is_missing_and_where_to_put_it(tmp_path: Path) -> None:
    with serving() as gone:
        url = gone.url
    cache = ArtifactCache(tmp_path / "cache", url)
    with pytest.raises(TapeError) as refused:
        cache.fetch([an_artifact()])
    place = cache.path_of(an_artifact())
    for expected in ("org.example:kafka:4.3.1", str(place), an_artifact().sha256):
        assert expected in refused.value.what

    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert cache.fetch([an_artifact()]) == (place,)


def test_two_starters_at_once_fetch_each_file_once(tmp_path: Path, repository: Repository) -> None:
    artifacts = [an_artifact(name) for name in ("kafka", "tools", "slf4j")]
    for artifact in artifacts:
        repository.answers[artifact.path.name] = [CONTENT]
    caches = [ArtifactCache(tmp_path / "cache", repository.url) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda cache: cache.fetch(artifacts), caches)
    assert first == second
    assert {repository.requests[artifact.path.name] for artifact in artifacts} == {1}


def test_progress_ends_with_all_bytes_of_what_was_missing(cache: ArtifactCache, repository: Repository) -> None:
    repository.answers["kafka-4.3.1.jar"] = [b"wrong at first", CONTENT]
    seen: list[Progress] = []
    cache.fetch([an_artifact()], seen.append)
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (len(CONTENT), len(CONTENT))


def test_the_environment_may_name_another_repository(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPE_MAVEN_URL", repository.url + "/")
    (file,) = ArtifactCache(tmp_path / "cache").fetch([an_artifact()])
    assert file.read_bytes() == CONTENT


def test_the_committed_lock_names_a_broker_its_tools_and_a_registry_once_each() -> None:
    lock = load_lock()
    assert len({artifact.path for artifact in lock}) == len(lock)
    names = {artifact.artifact: artifact.use for artifact in lock}
    assert names["kafka_2.13"] == names["kafka-tools"] == names["slf4j-simple"] == "kafka"
    assert [artifact.classifier for artifact in lock if artifact.use == "registry"] == ["all"]
    assert all(len(artifact.sha256) == 64 and artifact.size > 0 for artifact in lock)
