"""Make figure and table of a run, for the leaderboard and the docs: python scripts/regenerate/figures.py runs/quick

Writes leaderboard/<suite>.md (the table with intervals), leaderboard/<suite>.json (the numbers behind it) and
docs/images/<suite>.png (minority fraction at top K).
Needs matplotlib: pip install 'slicebench[figures]'.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.results.markdown import captions_table, scores_table
from slicebench.results.numbers import BEHIND
from slicebench.results.standings import standings
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.store import load_run

if TYPE_CHECKING:
    from slicebench.results.board import Board

ROOT = Path(__file__).parents[2]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")  # Okabe and Ito


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = load_run(parser.parse_args().run)
    board = standings(RunOutcomes(run.store, run.cells), run.suite)
    text = page_table(board)
    captions = captions_table(board)
    captions = f"\n## Captions\n\n{captions}" if captions else ""
    (ROOT / "leaderboard" / f"{board.title}.md").write_text(
        f"# Suite `{board.title}`\n\n{text}{captions}", encoding="utf-8"
    )
    (ROOT / "leaderboard" / f"{board.title}.json").write_text(board.model_dump_json(indent=1) + "\n", encoding="utf-8")
    plot(board, ROOT / "docs" / "images" / f"{board.title}.png")


def page_table(board: Board) -> str:
    """Write the table with its explanation."""
    return (
        f"nAMF, mean over the seeds {', '.join(map(str, board.seeds))} with its 95 % interval. Chance 0, ideal 1; "
        f"{BEHIND} below the column's best (the paired interval does not contain 0).\n"
        f"slicebench {board.code_version}, {board.date}, {board.hardware}. "
        "Made by `python scripts/regenerate/figures.py`; numbers in the JSON file beside it.\n\n" + scores_table(board)
    )


def plot(board: Board, path: Path) -> None:
    """Plot the curves, one panel per problem with a planted subgroup."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    columns, planted = 5, [problem for problem in board.problems if problem.minority_accuracy is not None]
    rows = -(-len(planted) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(13, 2.8 * rows + 0.6), sharex=True, sharey=True, squeeze=False)
    order = [row.name for row in board.methods if not row.reference]
    styles = {method: {"color": colour, "lw": 1.6} for colour, method in zip(COLOURS, order, strict=False)}
    styles |= {"oracle": {"color": "black", "lw": 0.8, "ls": "--"}, "random": {"color": "grey", "lw": 0.8, "ls": ":"}}
    for axis, problem in zip(axes.flat, planted, strict=False):
        lines = board.curves[problem.name]
        for method, style in styles.items():
            if method in lines:
                axis.plot([100 * share for share in board.shares], lines[method], label=method, **style)
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
