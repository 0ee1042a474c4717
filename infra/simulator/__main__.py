"""Start a simulator as a process of its own: the one argument is its settings as JSON."""

import sys

from infra.simulator.server import serve
from infra.simulator.settings import SimulatorSettings

if __name__ == "__main__":
    sys.exit(serve(SimulatorSettings.model_validate_json(sys.argv[1])))
