"""Recompute a committed leaderboard's ranking metrics and caption p from its rankings, after a definition changes.

    python scripts/regenerate/rescore.py leaderboard/standard-1 leaderboard/golden
    slicebench leaderboard build

No method runs. What needs more than the rankings stays as it is until the suite runs again: the metrics of slices and flags,
and those among the base model's errors.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from slicebench.files.atomic import write_text
from slicebench.metrics.captions import pooled
from slicebench.metrics.ranking import METRICS, case
from slicebench.metrics.statistics import SeedScores
from slicebench.results.leaderboard.store import DIGITS, LeaderboardStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_RANKINGS = ("ap_within_errors", "ap_within_correct")
RANKINGS = [name for name in METRICS if name not in NOT_RANKINGS and not name.startswith("flagged")]


def rescore(record: dict[str, Any], classes: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    """Recompute the metrics of a record's rankings, in place; `classes` are hardness and minority of each class."""
    cases = [case(hardness, minority) for hardness, minority in classes]
    named = [one for one in ((record["captions"] or {}).get("per_class") or {}).values() if one["naming"]]
    for name in RANKINGS:
        values = [METRICS[name].value(one) for one in cases]
        chances = [METRICS[name].chance(one) for one in cases]
        record["metrics"][name], record["chance"][name] = _mean(values), _mean(chances)
        for own, value in zip(record["per_class"].values(), values, strict=True):
            own[name] = _rounded(value)
    for table in (record["metrics"], record["chance"], *record["per_class"].values()):
        for name in METRICS:
            table[name] = table.pop(name)  # the order of the table of metrics
    if named:
        found = pooled([one["metrics"] for one in named], [one["chance"] for one in named])["p"]
        record["captions"]["p"] = {key: _rounded(value) for key, value in found.items()}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(fmean(known)) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leaderboard", type=Path, nargs="+")
    for folder in parser.parse_args().leaderboard:
        store = LeaderboardStore(folder)
        for path in sorted((folder / "records").glob("*.jsonl")):
            lines = []
            for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                if record["status"] == "ok" and record["metrics"].get("namf") is not None:
                    truth = store.truth(record["problem"], record["seed"])
                    hardness = store.hardness((record["problem"], record["seed"], record["method"]))
                    parts = SeedScores(truth.labels, truth.minority, {}).classes()
                    rescore(record, [(hardness[rows], truth.minority[rows]) for rows in parts])
                lines.append(json.dumps(record, allow_nan=False) + "\n")
            write_text(path, "".join(lines))
            print(path, flush=True)


if __name__ == "__main__":
    main()
