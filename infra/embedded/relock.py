"""Writes `maven.lock.toml`: the full class path of Kafka and the registry's archive, with sizes and sha256 sums.

Only `tape kafka relock` comes here, when a version changes. It resolves every POM and trusts what it downloads, so
its result is to be read in a diff before it is committed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from infra.embedded.artifacts import LOCK_PATH, TIMEOUT_SECONDS, Artifact, sha256_of
from infra.embedded.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from jgo.maven import Artifact as MavenArtifact

KAFKA_VERSION = "4.3.1"
# Kafka 4 stays on slf4j 1.7 and brings no binding: without one the broker logs nothing.
SLF4J_VERSION = "1.7.36"
APICURIO_VERSION = "3.3.3"

HEADER = """\
# The Java files of the embedded stack, fetched by tape up and verified against these sums.
# Written by: tape kafka relock. Do not edit by hand.
"""


def _locked(use: str, found: MavenArtifact) -> Artifact:
    file = Path(found.resolve())
    return Artifact(
        use=use,
        group=found.groupId,
        artifact=found.artifactId,
        version=found.version,
        packaging=found.packaging,
        classifier=found.classifier,
        size=file.stat().st_size,
        sha256=sha256_of(file),
    )


def resolve(on_progress: OnProgress = silent) -> tuple[Artifact, ...]:
    """Resolve all POMs and download everything once, into a folder that is deleted again."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - heavy, and only here

    with tempfile.TemporaryDirectory(prefix="tape-relock-") as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=TIMEOUT_SECONDS)
        on_progress(Progress(f"resolving the POMs of Kafka {KAFKA_VERSION}"))
        roots = [
            context.create_dependency(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"),
            context.create_dependency(f"org.slf4j:slf4j-simple:{SLF4J_VERSION}"),
        ]
        inputs, transitive = context.resolver.resolve(roots)
        # The tools' own jar is enough: its further dependencies are Kafka Connect's, a web server among them.
        tools = context.project("org.apache.kafka", "kafka-tools").at_version(KAFKA_VERSION).artifact()
        broker = [dependency.artifact for dependency in [*inputs, *transitive]]
        registry = (
            context.project("io.apicurio", "apicurio-registry-app")
            .at_version(APICURIO_VERSION)
            .artifact("all", "tar.gz")
        )
        rows = []
        for use, found in [*(("kafka", jar) for jar in [*broker, tools]), ("registry", registry)]:
            on_progress(Progress(f"hashing {found.artifactId}"))
            rows.append(_locked(use, found))
    return tuple(sorted(rows, key=lambda row: (row.use, row.group, row.artifact)))


def render(rows: Iterable[Artifact]) -> str:
    """Return the text of the lock file."""
    blocks = [
        f'[[artifact]]\nuse = "{row.use}"\ngroup = "{row.group}"\nartifact = "{row.artifact}"\n'
        f'version = "{row.version}"\npackaging = "{row.packaging}"\nclassifier = "{row.classifier}"\n'
        f'size = {row.size}\nsha256 = "{row.sha256}"\n'
        for row in rows
    ]
    return HEADER + "\n" + "\n".join(blocks)


def relock(path: Path = LOCK_PATH, on_progress: OnProgress = silent) -> tuple[Artifact, ...]:
    """Resolve everything and replace the lock file."""
    rows = resolve(on_progress)
    path.write_text(render(rows))
    return rows
