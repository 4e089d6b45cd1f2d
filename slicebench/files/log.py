"""Report the progress of long work: the logger "slicebench", one line at a time on stderr."""

from __future__ import annotations

import logging
from time import perf_counter

PERIOD_S = 5.0
"""Seconds before the first progress line, and between two lines."""


def speak() -> None:
    """Print the messages of the logger "slicebench", from INFO up, to stderr.

    The command line and its worker processes call this. When slicebench is imported as a library, it
    adds no handler: the application decides.
    """
    logger = logging.getLogger("slicebench")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("slicebench: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class Patience:
    """Progress reporter that logs a line at most every `PERIOD_S` seconds."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self._start = self._told = perf_counter()

    def done(self, n: int) -> None:
        """Log that `n` of the total are done, if the last line is at least `PERIOD_S` seconds old."""
        now = perf_counter()
        if now - self._told > PERIOD_S and 0 < n < self.total:
            left = (now - self._start) / n * (self.total - n)
            message = "%s: %s of %s, about %.0f s left"
            logging.getLogger("slicebench").info(message, self.what, f"{n:,}", f"{self.total:,}", left)
            self._told = now
