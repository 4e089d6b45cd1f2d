"""Pictures and tables of docs/how-to/captions.md and the model card, from a real run.

    slicebench captions --problem scenes-correlation --encoder nano-clip:second --other-seed 1 --other-arch mlp \\
        --decoder scenes --out runs/look
    python scripts/regenerate/caption_figures.py runs/look

Copies the contact sheets, plots the accuracy curves, and writes the tables between the markers of
the two pages. Needs matplotlib: pip install 'slicebench[figures]'.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from slicebench.models.encoders.nano_clip.encoder import HOME
from slicebench.results.markdown import table

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "how-to" / "captions.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("look", type=Path, help="folder of `slicebench captions`")
    asked = parser.parse_args()
    report = json.loads((asked.look / "captions.json").read_text(encoding="utf-8"))
    for name in ("aligned", "decoded"):
        shutil.copyfile(asked.look / f"{name}.png", IMAGES / f"captions-{name}.png")
    plot_curves(report, IMAGES / "captions-gap.png")
    fill(PAGE, "example", example(report))
    for mark, text in {"accuracy": accuracies(), "training": training()}.items():
        fill(HOME / "MODEL_CARD.md", mark, text)


def fill(page: Path, mark: str, text: str) -> None:
    """Replace the text between <!-- mark --> and <!-- /mark -->."""
    before, rest = page.read_text(encoding="utf-8").split(f"<!-- {mark} -->\n")
    after = rest.split(f"<!-- /{mark} -->")[1]
    page.write_text(f"{before}<!-- {mark} -->\n{text}<!-- /{mark} -->{after}", encoding="utf-8")


def example(report: dict[str, Any]) -> str:
    """Write the results of the command per class and per judge."""
    rows = [
        [
            name,
            one["hardest"][0],
            one["easiest"][0],
            f"{1 / one['metrics']['mrr']:.0f} of {one['candidates']}",
            interval(one),
        ]
        for name, one in report["captions"]["per_class"].items()
    ]
    judges = [
        [name, f"{one['gap']:.2f}", "–" if one["retention"] is None else f"{one['retention']:.2f}"]
        for name, one in report["judges"].items()
    ]
    decoded = report["decoded"]
    return (
        f"`{report['method']}`, seed {report['seed']}, encoder `{report['encoder']}`:\n\n"
        + table(["class", "hardest caption", "easiest caption", "rank of the plant", "gap"], rows)
        + "\n"
        + table(["judge", "gap", "share of own"], judges)
        + f"\nThe base model gets {decoded['hard']:.0%} of the images decoded towards hard right, and {decoded['easy']:.0%} of\n"
        "those towards easy.\n"
    )


def interval(one: dict[str, Any]) -> str:
    values = (one["metrics"][key] for key in ("gap", "gap_low", "gap_high"))
    return "{:.2f} [{:.2f}, {:.2f}]".format(*values)


def accuracies() -> str:
    """Write the table of the accuracies of both variants."""
    found = {name: json.loads((HOME / name / "accuracy.json").read_text()) for name in ("default", "second")}
    rows = [[key, *(f"{found[name][key]:.1%}" for name in found)] for key in found["default"]]
    return table(["attribute", "`nano-clip`", "`nano-clip:second`"], rows)


def training() -> str:
    found = {name: json.loads((HOME / name / "training.json").read_text()) for name in ("default", "second")}
    rows = [[key, *(str(found[name][key]) for name in found)] for key in found["default"]]
    return table(["", "`nano-clip`", "`nano-clip:second`"], rows)


def plot_curves(report: dict[str, Any], path: Path) -> None:
    """Plot the accuracy on the K images nearest the easy and the hard caption, one panel per class."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    classes = report["judges"]["own"]["classes"]
    figure, axes = plt.subplots(1, len(classes), figsize=(3 * len(classes), 2.8), sharey=True, squeeze=False)
    for axis, (name, one) in zip(axes[0], classes.items(), strict=True):
        texts = report["captions"]["per_class"][name]
        axis.plot(one["ks"], one["easy"], color="#0072B2", label=texts["easiest"][0])
        axis.plot(one["ks"], one["hard"], color="#D55E00", ls="--", label=texts["hardest"][0])
        axis.set_title(name, fontsize=10)
        axis.set_ylim(0, 1.02)
        axis.set_xlabel("K nearest test images")
        axis.legend(fontsize=7, loc="lower right", frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("accuracy of the base model")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
