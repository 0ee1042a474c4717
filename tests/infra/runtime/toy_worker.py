"""Runs the toy agent as a worker process: `python toy_worker.py BOOTSTRAP`."""

import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from toy import AGENT

from infra.runtime.app import TapeApp, run
from infra.runtime.keeper import DecisionKeeper, input_topics
from infra.runtime.polling import GroupSettings
from infra.runtime.transactions import TransactionSettings

if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    bootstrap = sys.argv[1]
    delivery = int(os.environ.get("TOY_DELIVERY_MS", "10000"))
    settings = TransactionSettings(bootstrap, delivery_timeout_ms=delivery)
    group = GroupSettings(bootstrap, AGENT.name)
    run(TapeApp(group, input_topics(AGENT), lambda loop: DecisionKeeper(AGENT, settings, loop)))
