"""`--from-zero`: what a worker and a replay are told to fold, and what the settings make of it."""

import os
from typing import Any

import pytest

from infra import worker as module
from infra.cli import asking
from infra.cli import replay as replaying
from infra.cli.worker import worker
from infra.replay.single import Judged
from infra.replay.verdict import Damage, Verdict
from infra.runtime.recall import SnapshotSettings
from infra.settings import Settings
from infra.worker import snapshot_settings


def test_states_are_written_down_and_read_unless_one_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert snapshot_settings(Settings()) == SnapshotSettings(every=2_000, from_zero=False)

    monkeypatch.setenv("TAPE_RECOVERY", "from-zero")
    monkeypatch.setenv("TAPE_SNAPSHOT_EVERY", "0")
    assert snapshot_settings(Settings()) == SnapshotSettings(every=0, from_zero=True)


@pytest.mark.parametrize(("asked", "said"), [({"from_zero": True}, "from-zero"), ({}, None)])
def test_a_worker_is_told_to_fold_everything_through_its_environment(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, bool], said: str | None
) -> None:
    monkeypatch.delenv("TAPE_RECOVERY", raising=False)
    seen: list[str | None] = []

    def runs(_: str) -> None:
        seen.append(os.environ.get("TAPE_RECOVERY"))
        raise SystemExit(0)

    monkeypatch.setattr(module, "main", runs)
    monkeypatch.setenv("TAPE_RECOVERY", "")  # what the command sets is taken back after the test
    monkeypatch.delenv("TAPE_RECOVERY")
    with pytest.raises(SystemExit):
        worker(["planner"], **asked)
    assert seen == [said]


class Asked:
    """What a replay of one run did: judged it from snapshots, the whole log, or both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, single: Judged) -> None:
        from infra.replay import find, whole
        from infra.replay import single as single_module

        self.ways: list[str] = []
        monkeypatch.setattr(asking, "settings_of_kafka", Settings)
        monkeypatch.setattr(find, "find", lambda *_: find.Found("run", (), 0))
        monkeypatch.setattr(single_module, "replay_run", lambda *_: self._went("from snapshots", single))
        monkeypatch.setattr(whole, "replay_log", lambda *_, **__: self._went("from zero", identical()))

    def _went(self, way: str, found: Any) -> Any:
        self.ways.append(way)
        return found


def identical() -> Verdict:
    verdict = Verdict()
    verdict.of("planner").decisions = verdict.of("planner").identical = 3
    return verdict


def damaged() -> Verdict:
    verdict = identical()
    verdict.add_damage(Damage("planner", 0, "a decision is missing", "plans.v1/0/7"), is_of_hash=False)
    return verdict


@pytest.mark.parametrize(
    ("single", "asked", "ways"),
    [
        (Judged(identical(), True), {}, ["from snapshots"]),
        (Judged(identical(), True), {"from_zero": True}, ["from zero"]),
        (Judged(damaged(), False), {}, ["from snapshots", "from zero"]),
        (Judged(Verdict(), False), {}, ["from snapshots", "from zero"]),
    ],
)
def test_only_what_is_plainly_identical_is_not_judged_from_zero(
    monkeypatch: pytest.MonkeyPatch, single: Judged, asked: dict[str, bool], ways: list[str]
) -> None:
    replayed = Asked(monkeypatch, single)
    with pytest.raises(SystemExit) as ended:
        replaying.replay("run", **asked)

    assert (replayed.ways, ended.value.code) == (ways, 0)
