"""What the clock agent needs from outside: the time, and a way to wait that can be cut short."""

import threading
from collections.abc import Callable
from datetime import datetime

Now = Callable[[], datetime]
"""Return the time, in UTC. It may jump in both directions (a simulator's), and may raise when it cannot be read."""

Wait = Callable[[threading.Event, float | None], object]
"""Wait until the event is set, but not longer than some seconds; None = as long as it takes. `Event.wait` does."""
