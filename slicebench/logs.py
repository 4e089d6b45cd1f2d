"""What long work says of itself: the logger "slicebench", a line at a time on stderr."""

from __future__ import annotations

import logging


def speak() -> None:
    """Send what the logger "slicebench" says, from INFO on, to stderr; for the command line and its worker processes.

    As a library slicebench adds no handler: whoever imports it decides.
    """
    logger = logging.getLogger("slicebench")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("slicebench: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
