"""Figures and table of a run, for the README and the leaderboard: python scripts/figures.py runs/quick

Writes leaderboard/<suite>.md (the table with intervals), leaderboard/<suite>.json (the numbers behind it),
docs/images/<suite>.png (minority fraction at top K) and, for the suite "quick", the table in README.md.
Needs matplotlib: pip install 'slicebench[figures]'.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from caption_figures import captions_table

from slicebench.metrics import Ranking
from slicebench.store import Run, load_run
from slicebench.summary import Score, Summary, summarise

ROOT = Path(__file__).parents[1]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")  # Okabe and Ito
SHARES = np.linspace(0.01, 1, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = load_run(parser.parse_args().run)
    summary = summarise(run.store, [(entry, run.records.get(entry.slot)) for entry in run.entries])
    name = run.suite["name"]
    text = table(run, summary)
    captions = f"\n## Captions\n\n{captions_table(summary.captions)}" if summary.captions else ""
    (ROOT / "leaderboard" / f"{name}.md").write_text(f"# Suite `{name}`\n\n{text}{captions}", encoding="utf-8")
    if name == "quick":
        readme = ROOT / "README.md"
        readme.write_text(with_table(readme.read_text(encoding="utf-8"), text), encoding="utf-8")
    numbers = {"suite": run.suite, "summary": summary.as_dicts(), "captions": [asdict(row) for row in summary.captions]}
    (ROOT / "leaderboard" / f"{name}.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    plot(run, summary, ROOT / "docs" / "images" / f"{name}.png")


def table(run: Run, summary: Summary) -> str:
    """Markdown: methods by mean nAMF, one column per problem, the base model above."""
    names = [problem.name for problem in summary.problems]
    head = ["method", "mean", "rank", *names]
    lines = [head, ["---", *[":-:"] * (len(head) - 1)]]
    for field in ("n_test", "minority_accuracy", "majority_accuracy"):
        values = [getattr(problem, field) for problem in summary.problems]
        said = ("–" if v is None else f"{v:.0f}" if field == "n_test" else f"{v:.2f}" for v in values)
        lines.append([f"*{field.replace('_', ' ')}*", "", "", *said])
    for row in summary.rows:
        label = f"{row.method} (ref)" if row.reference else row.method
        rank = "–" if row.rank is None else f"{row.rank:.1f}"
        lines.append([label, cell(row.mean), rank, *(cell(row.problems[n]) for n in names)])
    record = next(iter(run.records.values()))
    seeds = ", ".join(map(str, run.suite["seeds"]))
    return (
        f"nAMF, mean over the seeds {seeds} with its 95 % interval. Chance 0, ideal 1; "
        f"= within the interval of the column's best.\nslicebench {record.code_version}, {record.date[:10]}, {record.hardware}. "
        "Made by `python scripts/figures.py`; numbers in the JSON file beside it.\n\n"
        + "\n".join("| " + " | ".join(line) + " |" for line in lines)
        + "\n"
    )


def with_table(readme: str, text: str) -> str:
    """README with the table between its two marks replaced."""
    before, rest = readme.split("<!-- table -->\n")
    return f"{before}<!-- table -->\n{text}{rest[rest.index('<!-- /table -->') :]}"


def cell(score: Score | None) -> str:
    if score is None:
        return "–"
    interval = "" if score.low is None else f"<br>[{score.low:.2f}, {score.high:.2f}]"
    return f"{score.mean:.2f}{'=' if score.tied else ''}{interval}".replace("-0.00", "0.00")


def curves(run: Run, problem: str) -> dict[str, np.ndarray]:
    """Minority fraction among the hardest share of each class, averaged over classes and seeds; by method."""
    found: dict[str, list[np.ndarray]] = {}
    for entry in run.entries:
        record = run.records.get(entry.slot)
        if entry.problem != problem or record is None or record.status != "ok":
            continue
        truth, (_, scores) = run.store.truth(entry), run.store.scores(entry)
        for c in np.unique(truth.labels):
            rows = truth.labels == c
            g = truth.minority[rows]
            if 0 < g.sum() < len(g):
                ranking = Ranking.of(scores.hardness[rows], g)
                ks = np.maximum(1, np.round(SHARES * len(g))).astype(int)
                found.setdefault(entry.method, []).append(np.array([ranking.hits_at(k) / k for k in ks]))
    return {method: np.mean(lines, axis=0) for method, lines in found.items()}


def plot(run: Run, summary: Summary, path: Path) -> None:
    """Small multiples of the curves, one per problem in which something is planted."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    columns, planted = 4, [problem for problem in summary.problems if problem.minority_accuracy is not None]
    rows = -(-len(planted) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(12, 3.1 * rows + 0.6), sharex=True, sharey=True, squeeze=False)
    order = [row.method for row in summary.rows if row.method not in ("random", "oracle")]
    styles = {method: {"color": colour, "lw": 1.6} for colour, method in zip(COLOURS, order, strict=False)}
    styles |= {"oracle": {"color": "black", "lw": 0.8, "ls": "--"}, "random": {"color": "grey", "lw": 0.8, "ls": ":"}}
    for axis, problem in zip(axes.flat, planted, strict=False):
        lines = curves(run, problem.name)
        for method, style in styles.items():
            if method in lines:
                axis.plot(100 * SHARES, lines[method], label=method, **style)
        axis.set_title(problem.name, fontsize=10)
        axis.set_ylim(0, 1.02)
        axis.set_xlim(0, 100)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(planted) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("hardest share of the class, %")
    for axis in axes[:, 0]:
        axis.set_ylabel("minority fraction")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=len(labels), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
