"""What long work says reaches stderr, once, from the command's own process and from its workers."""

from __future__ import annotations

import logging

import pytest

from slicebench.files.log import speak
from slicebench.runs.workers import LocalExecutor


@pytest.fixture(autouse=True)
def as_in_a_new_process():
    """No handler that another test's command line left, and none left behind."""
    logger = logging.getLogger("slicebench")
    before = list(logger.handlers), logger.level, logger.propagate
    logger.handlers.clear()
    yield
    logger.handlers[:], logger.level, logger.propagate = before


def test_speaks_once_however_often_asked(capsys, monkeypatch):
    monkeypatch.setattr(
        logging.getLogger("slicebench"), "handlers", []
    )  # another test may have spoken to its own stderr
    speak()
    speak()
    logging.getLogger("slicebench").info("encoded %s inputs", 3)
    assert capsys.readouterr().err == "slicebench: encoded 3 inputs\n"


def test_workers_speak_too(capfd):
    with LocalExecutor(1) as executor:
        executor.submit(logging.getLogger("slicebench").info, "from a worker").result()
    assert "slicebench: from a worker" in capfd.readouterr().err
