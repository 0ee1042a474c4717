"""The composition root: settings in, one running agent out. `python -m infra.worker NAME`."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module

from agents.declaration import Agent, Performer
from infra.errors import TapeError
from infra.gate_limits import require_limits
from infra.kafka import admin
from infra.runtime.app import TapeApp, run
from infra.runtime.keeper import DecisionKeeper, Keeper, input_topics
from infra.runtime.polling import GroupSettings
from infra.runtime.recall import SnapshotSettings
from infra.runtime.transactions import TransactionSettings
from infra.settings import EndpointName, Settings
from topics.partitioning import partition_of

AGENTS = (
    "scheduler",
    "strategist",
    "collector",
    "executor",
    "ledger",
    "planner",
    "gateway",
    "projector",
    "clock",
    "broker",
)
"""Every agent, in the order they are started: the one that takes longest to import comes last."""


NEEDS: tuple[EndpointName, ...] = ("bootstrap_servers", "database_url")
"""The registry is not among them: schema ids come from the committed lock."""


def declared(name: str) -> Agent:
    """Return an agent's declaration; raises TapeError for a name that is none."""
    if name not in AGENTS:
        raise TapeError(f"there is no agent {name!r}, there are {', '.join(AGENTS)}", next_command="tape worker --help")
    agent = import_module(f"agents.{name}.agent").AGENT
    if not isinstance(agent, Agent):
        raise TypeError(f"agents.{name}.agent.AGENT: expected an Agent, was {type(agent).__name__}")
    return agent


def deciding() -> tuple[Agent, ...]:
    """Return the agents a replay looks at: those that decide, and the one that reports from outside."""
    return tuple(agent for agent in map(declared, AGENTS) if agent.decider is not None or agent.performs)


def transaction_settings(settings: Settings) -> TransactionSettings:
    """Return what the transactional producers need."""
    return TransactionSettings(
        settings.bootstrap_servers, settings.transaction_timeout_ms, settings.delivery_timeout_ms
    )


def snapshot_settings(settings: Settings) -> SnapshotSettings:
    """Return when agents write their states down, and whether what is written is read."""
    return SnapshotSettings(settings.snapshot_every, from_zero=settings.recovery == "from-zero")


def app_of(agent: Agent, settings: Settings) -> TapeApp:
    """Return the agent's Faust app, wired to the outside by the settings."""
    group = GroupSettings(
        settings.bootstrap_servers,
        agent.name,
        settings.session_timeout_ms,
        settings.heartbeat_interval_ms,
        settings.instance_id,
    )

    # Before Faust runs: a refusal is a sentence then, and no traceback of a service that did not start.
    performer = PERFORMERS[agent.name](settings) if agent.performs else None

    def new_keeper(loop: asyncio.AbstractEventLoop) -> Keeper:
        if agent.name == "projector":
            return _projection_keeper(settings, loop)
        return DecisionKeeper(agent, transaction_settings(settings), loop, performer, snapshot_settings(settings))

    return TapeApp(group, input_topics(agent), new_keeper)


def _projection_keeper(settings: Settings, loop: asyncio.AbstractEventLoop) -> Keeper:
    from infra.postgres.projection import Projection
    from infra.runtime.projecting import ProjectionKeeper

    return ProjectionKeeper(Projection(settings.database_url), loop)


def _clock_performer(settings: Settings) -> Performer:
    from agents.clock.performer import ClockPerformer
    from infra.clock import clock_of

    return ClockPerformer(clock_of(settings), lambda account: partition_of(account, settings.partitions))


def _broker_performer(settings: Settings) -> Performer:
    from agents.broker.performer import BrokerPerformer
    from infra import halt_file
    from infra.alpaca.connect import connected
    from infra.clock import clock_of

    if len(settings.account_ids) != 1:
        raise TapeError(
            f"the broker agent needs the one account that its keys open, was given {len(settings.account_ids)}",
            where="TAPE_ACCOUNT_IDS",
            next_command="export TAPE_ACCOUNT_IDS=<the account's name in the log>",
        )
    return BrokerPerformer(
        {settings.account_ids[0]: connected(settings).brokerage},
        now=clock_of(settings),
        partition_of_account=lambda account: partition_of(account, settings.partitions),
        retry_wait_s=settings.brokerage_retry_wait_s,
        halted=lambda: halt_file.halted(settings.halt_file),
    )


PERFORMERS: dict[str, Callable[[Settings], Performer]] = {"broker": _broker_performer, "clock": _clock_performer}
"""Who acts for the agents that perform."""


def main(name: str) -> None:
    """Run one agent until it is told to stop; does not return."""
    logging.basicConfig(
        level=os.environ.get("TAPE_LOGLEVEL", "WARNING"),
        format=f"%(asctime)s %(levelname)s {name} %(name)s: %(message)s",
    )
    try:
        settings = Settings.load(needs=NEEDS)
        admin.verify(settings.bootstrap_servers, settings.partitions)
        if name == "gateway":
            require_limits(settings)
        run(app_of(declared(name), settings))
    except TapeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1])
