"""Killing workers with kill -9 while they work; the supervisor starts them again."""

import random
import threading
import time
from collections.abc import Sequence

from infra.demo.stack import DemoStack


class Killer:
    """Kills random ones of some workers at random moments, both by seed."""

    def __init__(
        self, stack: DemoStack, workers: Sequence[str], wanted: int, pause_s: tuple[float, float], seed: int | str
    ) -> None:
        """`pause_s` are the least and the most seconds between two kills."""
        self._stack = stack
        self._workers = workers
        self._wanted = wanted
        self._pause_s = pause_s
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self.done = 0

    def start(self) -> None:
        """Begin, if any kills are wanted."""
        if self._wanted:
            self._thread.start()

    def wait_for_share(self, share: float) -> None:
        """Hold the caller back until the kills keep up with its work, so that all of them happen in the midst of it."""
        while self._wanted and self.done < int(self._wanted * share) and not self._stop.is_set():
            time.sleep(0.01)

    def stop(self) -> None:
        """End the killing."""
        self._stop.set()

    def _run(self) -> None:
        while self.done < self._wanted and not self._stop.wait(self._random.uniform(*self._pause_s)):
            self.done += self._stack.kill(self._random.choice(self._workers))
