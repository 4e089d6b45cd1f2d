"""Inputs steered by coverage, for our own parsers: `fuzz.py --coverage 60` of scripts/regenerate/. Needs Atheris."""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import SlicebenchError

if TYPE_CHECKING:
    from collections.abc import Callable


def fuzz(seconds: int) -> None:
    """Fuzz for some seconds, then leave the process; a bug ends it with a traceback and the input in a file."""
    import atheris

    with atheris.instrument_imports(include=["slicebench", "slicebench_datasets", "pickletools", "tomllib"]):
        from slicebench.data.captions.grammar_schema import parse_grammar
        from slicebench.files.arrays import parse_arrays
        from slicebench.problems.frozen import parse_header
        from slicebench.runs.store import _parsed_record
        from slicebench.runs.suite import parse_suite
        from slicebench_datasets._pickled_data import read_pickled_data
        from tests.fuzz.datasets import CELLS, python2_pickle
        from tests.fuzz.documents import SUITE, TOML

    where = Path("x")
    targets: list[tuple[Callable[[bytes], object], bytes]] = [
        (lambda data: read_pickled_data(io.BytesIO(data), "x"), python2_pickle(CELLS)),
        (lambda data: parse_suite(data.decode("utf-8", "replace"), "x"), SUITE.encode()),
        (lambda data: parse_grammar(data.decode("utf-8", "replace"), "x"), TOML.encode()),
        (lambda data: parse_arrays(where, data, ""), (8).to_bytes(8, "little") + b"{}      "),
        (lambda data: parse_header(where, data), b'{"format_version": 3}'),
        (lambda data: _parsed_record(where, data), b'{"schema_version": 5}'),
    ]

    def one(data: bytes) -> None:
        if data:
            with suppress(SlicebenchError):
                targets[data[0] % len(targets)][0](data[1:])

    with tempfile.TemporaryDirectory(prefix="slicebench-corpus-") as corpus:
        for i, (_, valid) in enumerate(targets):
            (Path(corpus) / str(i)).write_bytes(bytes([i]) + valid)
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-rss_limit_mb=4096", "-timeout=20", corpus], one)
        atheris.Fuzz()
