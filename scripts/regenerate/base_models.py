"""Write the table of a suite's base models into docs/reference/datasets.md: python scripts/regenerate/base_models.py runs/real

Sizes and rates are read from the built problems in the cache, accuracies from the run's records.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

from slicebench.problems.cache import frozen_folder
from slicebench.problems.frozen import load_header, load_split, load_truth
from slicebench.runs.plan import plan
from slicebench.runs.store import load_run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "datasets.md"
HEAD = """| problem | n train / val / pool / test | group in train → test | base model | accuracy: all, minority | published |
|---|---|---|---|---|---|
"""
PUBLISHED = {"cifar100-superclass": "0.696, 0.434 (ResNet-18)", "cifar10-natural": "0.791, – (ResNet-18)"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = load_run(parser.parse_args().run)
    problems = {cell.problem.identity: cell.problem for cell in plan(run.suite)}
    rows = []
    for name in dict.fromkeys(problem.name for problem in problems.values()):
        own = [problem for problem in problems.values() if problem.name == name]
        models = {
            r.seed: r.base_model
            for e, r in ((e, run.records.get(e.slot)) for e in run.entries)
            if r and e.problem == name
        }
        rows.append(row(name, [frozen_folder(problem) for problem in own], list(models.values())))
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split("<!-- base models -->\n")
    after = rest[rest.index("<!-- /base models -->") :]
    PAGE.write_text(f"{before}<!-- base models -->\n{HEAD}{''.join(rows)}{after}", encoding="utf-8")


def row(name: str, folders: list[Path], models: list) -> str:
    """Write a line of the table; sizes and rates are those of the first seed, accuracies means over seeds."""
    header = load_header(folders[0])
    truth = load_truth(folders[0])
    sizes = [
        load_split(folders[0], part).n if part in header.splits else None for part in ("train", "val", "pool", "test")
    ]
    rates = [truth.groups[part].any(axis=1).mean() if truth.group_names else None for part in ("train", "test")]
    recipe = header.recipe or {}
    model = f"{recipe.get('arch')}, width {recipe.get('width')}, {recipe.get('epochs')} epochs"
    accuracies = [mean([getattr(m, field) for m in models]) for field in ("accuracy", "minority_accuracy")]
    cells = [
        name,
        " / ".join("–" if n is None else f"{n:,}" for n in sizes),
        " → ".join("–" if r is None else f"{100 * r:.1f}%" for r in rates),
        model,
        ", ".join("–" if a is None else f"{a:.3f}" for a in accuracies),
        PUBLISHED.get(name, ""),
    ]
    return "| " + " | ".join(cells) + " |\n"


def mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if known else None


if __name__ == "__main__":
    main()
