"""`discover`: fit methods on a user's examples, then test, name and compare their slices.

The tests are on held-out examples.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import columns_given
from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.layouts.image_folders import image_root
from slicebench.data.schema.layouts.lm_eval_samples import samples_of
from slicebench.data.schema.roles import parameter
from slicebench.discovery.assembly import agreement, found_slices
from slicebench.discovery.examples import examples_of
from slicebench.discovery.findings import Findings, MethodNote
from slicebench.discovery.methods import chosen_methods, run_all
from slicebench.discovery.naming import candidate_captions
from slicebench.metrics.slices.significance import MIN_SUPPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slicebench.data.schema import Schema
    from slicebench.discovery.examples import Examples
    from slicebench.discovery.findings import FoundSlice
    from slicebench.discovery.methods import Chosen, Said


def discover(
    table: Any,
    *,
    method: Chosen = None,
    encoder: str | None = None,
    captions: Sequence[str] | str | Path | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
    on_schema: Callable[[Schema], None] = lambda _: None,
    **columns: Any,
) -> Findings:
    """Find the slices of your data on which your model does worse.

    Each slice is tested on examples that did not help to find it. Examples are split into train, val
    and test, at random or by a column `split`. Methods take means and deviations from train, and look
    for slices on val. On test, each slice is compared with the rest of its class: error rates,
    interval, Fisher's test, and Holm's correction over all slices of all methods. Methods assign
    examples to slices without seeing their outcomes, so no slice can be the errors themselves.

    Parameters
    ----------
    table : DataFrame, path, or anything else that `slicebench.data.schema.frames.as_frame` takes
        One row per example that the model was not trained on: a pandas or polars DataFrame, an Arrow
        table, a Hugging Face Dataset, a dict of columns, a list of records, or a file. A file is
        .parquet (or a folder of such files), .csv, .tsv, .json, .jsonl, .arrow or .xlsx. A samples_*.jsonl
        of lm-evaluation-harness is recognised, and so is a folder of images with a metadata.csv, .jsonl
        or .parquet whose column file_name has their paths, as Hugging Face's imagefolder has it.
    method : str, SliceMethod, several of them, or a mapping of names to methods
        Registered names, or unfitted methods. The default is "kmeans_errors", the best of the
        leaderboard, and "tree_rules" if there are metadata; for losses only, it is "spotlight".
    encoder : str, optional
        Embeds images or texts, and captions ("open_clip:ViT-B-32/openai"). If embeddings are given,
        it embeds captions only.
    captions : list of str or path, optional
        Candidate descriptions of slices: a list, or a text file with one per line.
    seed : int
        Seed of the random split, and of all other random steps.
    on_step : callable
        Called with a short description of each step.
    on_schema : callable
        Called with what each column is used for, before anything is computed.
    **columns
        Fields of `slicebench.Columns`: label, prediction, probs, loss, id, embedding, features, image, text ...

    Returns
    -------
    Findings

    Raises
    ------
    ConfigError
        if a named column does not exist, no method can run on the data, or captions have no encoder.
    DataError
        if a value is missing, not finite, duplicated or of an unknown class; the message names
        column and row.

    """
    on_step("reading")
    known = columns_given(columns, "discover")
    frame = as_frame(table)
    folder = image_root(table, frame)
    samples = samples_of(frame, known)
    if samples is not None:
        frame, known = samples.frame, samples.columns
    examples = examples_of(frame, known, encoder=encoder, seed=seed, folder=folder, say=on_step, on_schema=on_schema)
    data = examples.problem.data
    if captions is not None:
        on_step("reading captions")
        texts = candidate_captions(captions, encoder, data.train.d, examples.class_names)
        data = replace(data, captions=texts)
    said, notes = run_all(chosen_methods(method, data), examples, data, seed, on_step)
    on_step("testing slices")
    slices = found_slices(said, examples, data.captions)
    return Findings(
        slices=slices,
        methods=tuple(_note(one, slices) for one in said),
        examples=examples,
        notes=(*(samples.notes if samples else ()), *_about(examples), *_too_small(examples), *examples.notes, *notes),
        seed=seed,
        source="a DataFrame" if folder is None else Path(str(table)).name,
        agreement=agreement(said, examples),
    )


def _note(said: Said, slices: Sequence[FoundSlice]) -> MethodNote:
    tested = sum(one.method == said.name for one in slices)
    return MethodNote(
        name=said.name,
        returned=said.slices.k,
        tested=tested,
        seconds=said.seconds,
        hardness=said.hardness,
        notes=said.notes,
    )


def _about(examples: Examples) -> list[str]:
    """Return what a reader must know of the data."""
    notes = []
    if examples.wrong is not None:
        counts = np.bincount(examples.labels[examples.wrong], minlength=len(examples.class_names))
        without = [name for name, count in zip(examples.class_names, counts, strict=True) if count == 0]
        if not examples.wrong.any():
            notes.append("The model makes no errors on these examples: there is nothing to find.")
        elif examples.wrong.all():
            notes.append("The model is wrong on all of these examples: no part of them is worse than the rest.")
        elif without:
            some = ", ".join(without[:10]) + (", ..." if len(without) > 10 else "")
            notes.append(f"No errors, so nothing to find, in {len(without)} of {len(counts)} classes: {some}.")
    return notes


def _too_small(examples: Examples) -> list[str]:
    """Return a note if most classes are too small for a part of them to be tested."""
    sizes = np.bincount(examples.labels[examples.at["test"]], minlength=len(examples.class_names))
    small = [name for name, size in zip(examples.class_names, sizes, strict=True) if size < LEAST_HELD]
    if len(small) <= len(sizes) / 2:
        return []
    some = ", ".join(small[:6]) + (", ..." if len(small) > 6 else "")
    instead = f"right and wrong instead of labels ({parameter('correct')}) or losses ({parameter('loss')})"
    return [
        (
            f"{len(small)} of {len(sizes)} classes ({some}) have fewer than {LEAST_HELD} held-out examples, too few for a slice "
            f"of them to be tested. To look for slices over all classes, give {instead}, or use coarser classes."
        )
    ]


LEAST_HELD = 5 * MIN_SUPPORT
"""Held-out examples of a class below which hardly a slice of it can be tested: a slice needs 20, and is a part of its class."""
