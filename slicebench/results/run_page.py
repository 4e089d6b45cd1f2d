"""Make the report of a run: its board and pictures of the hardest examples, as one page."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import SlicebenchError, message_of
from slicebench.evaluation.hardest import most_aligned
from slicebench.problems.cache import find_built, frozen_folder
from slicebench.problems.frozen import load_header, load_split
from slicebench.results.board import Sheet
from slicebench.results.contact_sheets import SheetRow, contact_sheet
from slicebench.results.page import render
from slicebench.results.standings import REFERENCES, standings
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import Filters, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.evaluation.record import Record
    from slicebench.runs.store import Run
    from slicebench.runs.suite import Suite


ANY = "random"
"""A method that is always installed, for plans in which the method does not matter."""


@dataclass(frozen=True)
class Report:
    """The page, and the problems without pictures, with the reason."""

    html: str
    without_pictures: dict[str, str]


def run_report(
    run: Run, *, examples: int = 8, on_progress: Callable[[int, int, str], None] = lambda *_: None
) -> Report:
    """Make the page of `run`, with example images.

    They are the `examples` hardest test examples of each class at the first seed of every image
    problem. They come from the built problems in the cache; problems that are missing there or have
    no raw inputs get no pictures. `on_progress` is called with the number of problems done, their
    total, and the next problem.
    """
    outcomes = RunOutcomes(run.store, run.cells)
    board = standings(outcomes, run.suite)
    folders, missing = _folders(run.suite) if examples else ({}, {})
    sheets: list[Sheet] = []
    for done, problem in enumerate(board.problems):
        on_progress(done, len(board.problems), problem.name)
        if problem.modality != "image" or not examples:
            missing.pop(problem.name, None)
            continue
        folder = folders.get((problem.name, problem.seeds[0]))
        if folder is None or not find_built(folder):
            missing.setdefault(problem.name, "it is not in the cache; run it again to see its images")
            continue
        test, class_names = load_split(folder, "test"), load_header(folder).class_names
        if test.inputs is None or test.labels is None:
            missing[problem.name] = "it was frozen without its images"
            continue
        for row in board.methods:
            slot = (problem.name, problem.seeds[0], row.name)
            record = outcomes.records.get(slot)
            if row.name not in REFERENCES and record is not None and record.status == "ok":
                minority = outcomes.truth(*slot[:2]).minority
                rows = _rows(record, outcomes.hardness(slot), test, minority, class_names, examples)
                sheets.append(_sheet(record, rows))
    return Report(render(board.model_copy(update={"sheets": tuple(sheets)})), missing)


def _folders(suite: Suite) -> tuple[dict[tuple[str, int], Path], dict[str, str]]:
    """Return the folders of the suite's problems in the cache, and why others have none.

    The methods need not be installed here.
    """
    found: dict[tuple[str, int], Path] = {}
    unknown = {}
    alone = suite.model_copy(update={"method_params": {}})
    for spec in suite.problems:
        try:
            cells = plan(alone, Filters(methods=(ANY,), problems=(spec.name,)))
        except SlicebenchError as error:
            unknown[spec.name] = message_of(error)
        else:
            found |= {(c.problem.name, c.problem.seed): frozen_folder(c.problem) for c in cells}
    return found, unknown


def _rows(
    record: Record,
    hardness: NDArray[np.float64],
    test: Split,
    minority: NDArray[np.bool_],
    class_names: Sequence[str],
    examples: int,
) -> list[SheetRow]:
    """Return a row per class: its hardest examples and the base model's predictions.

    Planted members are marked.
    """
    captions = record.captions.per_class if record.captions else {}
    rows = []
    for c, (hardest, _) in most_aligned(hardness, test.labels, examples).items():
        name = class_names[c]
        own = captions.get(name)
        caption = (
            f": {own.hardest[0]}{' (names the plant)' if own.hardest[0] in own.naming else ''}"
            if own and own.hardest
            else ""
        )
        assert test.inputs is not None
        images = np.stack([np.asarray(test.inputs[int(i)]) for i in hardest])
        said = None if test.probs is None else [class_names[k] for k in test.probs[hardest].argmax(axis=1)]
        texts = None if said is None else ["right" if one == name else f"taken for {one}" for one in said]
        rows.append(SheetRow(name + caption, images, minority[hardest], texts))
    return rows


def _sheet(record: Record, rows: Sequence[SheetRow]) -> Sheet:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.png"
        contact_sheet(rows, path)
        image = base64.b64encode(path.read_bytes()).decode()
    alt = (
        f"Hardest test examples of each class of {record.problem} according to {record.method}, planted members framed: "
        + "; ".join(f"{row.label}, {_planted(row)} of {len(row.images)} planted" for row in rows)
    )
    return Sheet(method=record.method, problem=record.problem, alt=alt, image=image)


def _planted(row: SheetRow) -> int:
    return 0 if row.marks is None else int(row.marks.sum())
