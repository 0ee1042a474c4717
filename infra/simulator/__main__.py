"""Start a simulator as a process of its own: the one argument is its settings as JSON.

It prints one line of JSON with its addresses when it is ready.
"""

import json
import sys
from dataclasses import asdict

from infra.simulator.server import serve
from infra.simulator.settings import SimulatorSettings, SimulatorUrls


def announce(urls: SimulatorUrls) -> None:
    """Say where the simulator is."""
    print(json.dumps(asdict(urls)), flush=True)


if __name__ == "__main__":
    sys.exit(serve(SimulatorSettings.model_validate_json(sys.argv[1]), announce))
