"""Write the tables of docs/reference/packs.md from the cards: python scripts/regenerate/packs_page.py

With `--measure` the base models are trained too, and their accuracy is written to the second table;
otherwise the accuracies on the page stay. tests/project/test_packs_page.py checks the rest of the page.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench import DATASETS
from slicebench_datasets.packs.card import FOLDER, pack_names, read_card

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slicebench_datasets.packs.card import ProblemCard

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "packs.md"
SEEDS = (100, 101)
"""No suite uses these seeds."""
HARD = {"rare": "rare in train", "correlation": "correlation", "corruption": "noise", "label_noise": "wrong labels"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="train the base models")
    text = PAGE.read_text(encoding="utf-8")
    measured = known(text)
    if parser.parse_args().measure:
        measured = {one.name: accuracies(name, one) for name in pack_names() for one in read_card(name).problems}
    PAGE.write_text(page(text, measured), encoding="utf-8")


def page(text: str, measured: Mapping[str, str]) -> str:
    """Return the page with its tables renewed; `measured` has the accuracies of each problem."""
    for name, made in (("packs", packs()), ("problems", problems(measured))):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(begin)] + f"{begin}\n\n{made}\n\n{end}" + text[text.index(end) + len(end) :]
    return text


def packs() -> str:
    """Return the table of packs."""
    rows = ["| pack | contents | modality | MB | licence |", "|---|---|---|---|---|"]
    for name in pack_names():
        card = read_card(name)
        size = sum(path.stat().st_size for path in (FOLDER / name).iterdir()) / 1e6
        rows.append(f"| `{name}` | {card.description} | {card.modality} | {size:.1f} | {card.licence.name} |")
    return "\n".join(rows)


def problems(measured: Mapping[str, str]) -> str:
    """Return the table of problems."""
    rows = ["| problem | groups | n train / val / test | base model | accuracy: group, rest |", "|---|---|---|---|---|"]
    for name in pack_names():
        for one in read_card(name).problems:
            hard = "natural" if one.plant is None else HARD[one.plant.kind]
            groups = ", ".join(group.name for group in one.groups) or "rows with noise"
            n = " / ".join(f"{n:,}" for n in one.sizes.model_dump().values())
            rows.append(f"| {one.name} | {hard}: {groups} | {n} | {one.model.kind} | {measured.get(one.name, '–')} |")
    return "\n".join(rows)


def known(text: str) -> dict[str, str]:
    """Return the accuracies that the page has, by problem."""
    table = text[text.index("<!-- problems -->") : text.index("<!-- end of problems -->")]
    cells = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("| ")]
    return {row[1]: row[-2] for row in cells}


def accuracies(family: str, problem: ProblemCard) -> str:
    """Return the base model's accuracy on the groups and on the rest of test, means over the seeds."""
    found = []
    for seed in SEEDS:
        built = DATASETS.load(family)(problem=problem.name).build(seed)
        group = built.truth.minority(built.test.ids)
        found.append([built.test.correct[group].mean(), built.test.correct[~group].mean()])
    print(problem.name, *np.mean(found, axis=0).round(3), flush=True)
    return ", ".join(f"{value:.2f}" for value in np.mean(found, axis=0))


if __name__ == "__main__":
    main()
