"""Write the output of `slicebench captions`: a JSON report and contact sheets.

captions.json      hits, captions and accuracy curves by class and judge
aligned.png        the hardest and easiest test images of each class, planted members framed
decoded.png        images made along each class's direction, with `decoder`
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError
from slicebench.evaluation.hardest import most_aligned
from slicebench.files.atomic import write_text
from slicebench.models.synthesis.decoder import decoded_accuracy, decoded_points, make_decoder
from slicebench.results.contact_sheets import SheetRow, are_images, contact_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from slicebench.studies.captions.inspection import Inspection


SHOWN = 10
"""Images per row of a contact sheet."""
ALPHAS = tuple(np.linspace(0.1, 0.9, SHOWN).tolist())
"""Positions of the decoded points on the arc from the reference caption to the direction."""


def write_report(inspection: Inspection, folder: Path, decoder: str | None = None) -> dict[str, Any]:
    """Write the report of `inspection` into `folder` and return the content of captions.json.

    Pictures are made if the inputs are images. With a `decoder` ("scenes", "retrieval",
    "unclip:FOLDER"), the report has the base model's accuracy on images decoded towards the hard and the
    easy end.

    Raises
    ------
    PluginError, ConfigError, StorageError
        if the decoder is not available, or does not fit the problem.

    """
    report = inspection.as_dict()
    folder.mkdir(parents=True, exist_ok=True)
    if decoder is not None:
        report["decoded"] = _decode(inspection, decoder, folder / "decoded.png")
    _show_aligned(inspection, folder / "aligned.png")
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    write_text(folder / "captions.json", text)
    written: dict[str, Any] = json.loads(text)
    return written


def _show_aligned(inspection: Inspection, path: Path) -> None:
    """Draw a contact sheet of the hardest and easiest test images per class.

    Nothing is drawn if the inputs are not images.
    """
    problem, test = inspection.problem, inspection.problem.test
    images = None if test.inputs is None else np.asarray(test.inputs[:])
    if images is None or not are_images(images):
        return
    minority = problem.truth.minority(test.ids)
    rows = []
    for c, ends in most_aligned(inspection.scores.hardness, test.labels, SHOWN).items():
        name = problem.data.class_names[c] if problem.data.class_names else "all"
        for end, at in zip(("hardest", "easiest"), ends, strict=True):
            rows.append(SheetRow(f"{name}: {end}", images[at], minority[at]))
    contact_sheet(rows, path)


def _decode(inspection: Inspection, name: str, path: Path) -> dict[str, float]:
    """Decode images in both senses of every class's direction, and draw them as a contact sheet.

    Returns the mean accuracy of the base model at the hard and at the easy end.
    """
    problem, captions = inspection.problem, inspection.problem.data.captions
    if problem.data.trainer is None or captions is None:
        raise ConfigError(
            f"problem {problem.name!r} has no trainer, so there is no base model to classify decoded images"
        )
    decoder, model = make_decoder(name, problem), problem.data.trainer.fit()
    rows, accuracies = [], []
    for c, direction in enumerate(inspection.method.directions(problem.data)):
        if direction.any():
            points = decoded_points(captions.references[c], direction, ALPHAS)
            hard, easy = (decoder.decode(at, c) for at in points)
            accuracies.append(decoded_accuracy(model, hard, easy, class_index=c))
            rows += [
                SheetRow(f"{problem.data.class_names[c]}: {side}", one.images)
                for side, one in (("hard", hard), ("easy", easy))
            ]
    if not rows:
        return {}
    contact_sheet(rows, path)
    return dict(zip(("hard", "easy"), np.mean(accuracies, axis=0).tolist(), strict=True))
