"""Each kernel beside its reference, quality beside time: pytest tests/bench/test_references.py --benchmark-enable

With --benchmark-enable at the sizes of docs/reference/performance.md, which takes ten minutes.
Without, everything runs once, small.
`python scripts/regenerate/performance.py` times the same cases in one interleaved run and writes the table.
"""

from __future__ import annotations

import pytest

from tests.bench.cases import CASES


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(request, benchmark):
    found = request.param(full=benchmark.enabled)
    if (reason := found.missing()) is not None:
        pytest.skip(reason)
    benchmark.group = f"{found.name}: {found.size}"
    return found


def noted(benchmark, case, found):
    benchmark.extra_info["quality"] = case.quality(found)
    return benchmark.extra_info["quality"]


def test_slicebench(benchmark, case):
    ours = noted(benchmark, case, benchmark.pedantic(case.ours, rounds=3))
    if not benchmark.enabled:
        theirs = case.quality(case.reference())
        slack = 0.05 * abs(theirs) + (0.05 if case.judged == "average precision" else 0.0)
        assert (ours - theirs) * (-1 if case.lower else 1) >= -slack


def test_reference(benchmark, case):
    if not benchmark.enabled:
        pytest.skip("runs in test_slicebench")
    noted(benchmark, case, benchmark.pedantic(case.reference, rounds=case.rounds))
