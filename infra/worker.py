"""The composition root: settings in, one running agent out. `python -m infra.worker NAME`."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module

from agents.declaration import Agent, Performer
from infra.errors import TapeError
from infra.kafka import admin
from infra.runtime.app import TapeApp, run
from infra.runtime.keeper import DecisionKeeper, Keeper, input_topics
from infra.runtime.polling import GroupSettings
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


def app_of(agent: Agent, settings: Settings) -> TapeApp:
    """Return the agent's Faust app, wired to the outside by the settings."""
    group = GroupSettings(
        settings.bootstrap_servers,
        agent.name,
        settings.session_timeout_ms,
        settings.heartbeat_interval_ms,
        settings.instance_id,
    )

    def new_keeper(loop: asyncio.AbstractEventLoop) -> Keeper:
        if agent.name == "projector":
            return _projection_keeper(settings, loop)
        performer = PERFORMERS[agent.name](settings) if agent.performs else None
        return DecisionKeeper(agent, transaction_settings(settings), loop, performer)

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
    from infra.alpaca.brokerage import AlpacaBrokerage
    from infra.alpaca.settings import AlpacaSettings
    from infra.clock import clock_of

    key_id, secret_key = settings.brokerage_key_id, settings.brokerage_secret_key
    if key_id is None or secret_key is None or len(settings.account_ids) != 1:
        raise TapeError(
            f"the broker agent needs a key pair and the one account it opens, was given {len(settings.account_ids)}",
            where="TAPE_BROKERAGE_KEY_ID, TAPE_BROKERAGE_SECRET_KEY, TAPE_ACCOUNT_IDS",
        )
    alpaca = AlpacaSettings(
        key_id=key_id,
        secret_key=secret_key,
        trading_url=settings.brokerage_url,
        data_url=settings.brokerage_data_url,
        stream_url=settings.brokerage_stream_url,
        allow_plaintext=settings.brokerage_allow_plaintext,
    )
    return BrokerPerformer(
        {account: AlpacaBrokerage(alpaca) for account in settings.account_ids},
        now=clock_of(settings),
        partition_of_account=lambda account: partition_of(account, settings.partitions),
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
        run(app_of(declared(name), settings))
    except TapeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1])
