"""`discover`: fit methods on a user's examples, then test, name and compare their slices.

The tests are on held-out examples.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import AUTO, Auto, Columns
from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.layouts.image_folders import image_root as images_relative_to
from slicebench.data.schema.layouts.lm_eval_samples import samples_of
from slicebench.data.schema.roles import declined, parameter, together
from slicebench.discovery.assembly import agreement, found_slices
from slicebench.discovery.facts import facts_of
from slicebench.discovery.findings import Findings, MethodNote
from slicebench.discovery.holdout.consensus import findings_of
from slicebench.discovery.holdout.excess import Excess
from slicebench.discovery.large.passes import sampled, searched, tested_on_all
from slicebench.discovery.large.tables import in_memory, large_table
from slicebench.discovery.naming import candidate_captions
from slicebench.discovery.queries import Given
from slicebench.discovery.reading.estimators import LABEL, PREDICTION, PROBS, predicted_table
from slicebench.discovery.reading.examples import examples_of
from slicebench.discovery.reading.measures import RATE, measured
from slicebench.discovery.reading.unused import unused_options
from slicebench.discovery.searches.methods import chosen_methods, judges_of, run_all
from slicebench.discovery.verdicts import verdict_of
from slicebench.errors import ConfigError
from slicebench.metrics.slices.significance import MIN_SUPPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from slicebench.data.schema import Schema
    from slicebench.discovery.findings import FoundSlice
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.methods import Chosen
    from slicebench.discovery.searches.plugin_slices import Said


def discover(
    table: Any,
    *,
    method: Chosen = None,
    encoder: str | None = None,
    captions: Sequence[str] | str | Path | None = None,
    measure: str = RATE,
    model: Any = None,
    y: Any = None,
    cross_validate: bool = False,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
    on_schema: Callable[[Schema], None] = lambda _: None,
    label: str | Auto | None = AUTO,
    prediction: str | Auto | None = AUTO,
    probs: str | Sequence[str] | Auto | None = AUTO,
    class_names: Sequence[str] = (),
    score: str | Auto | None = AUTO,
    positive: str | float | None = None,
    threshold: float | None = None,
    loss: str | Auto | None = AUTO,
    correct: str | Auto | None = AUTO,
    id: str | Auto | None = AUTO,  # noqa: A002 - the name of the role
    group: str | Auto | None = AUTO,
    split: str | Auto | None = AUTO,
    embedding: str | Sequence[str] | Auto | None = AUTO,
    embeddings: ArrayLike | str | Path | None = None,
    features: Sequence[str] | Auto | None = AUTO,
    image: str | ArrayLike | Auto | None = AUTO,
    image_root: str | Path | None = None,
    text: str | Auto | None = AUTO,
    metadata: Sequence[str] | Auto | None = AUTO,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    task: str | None = None,
    error: str = "absolute",
    one_label: str | None = None,
) -> Findings:
    """Find the slices of your data on which your model does worse.

    Examples are dealt to five folds. For each fold, slices are looked for in the other four, and tested on it: its members are
    compared with the rest of their class. What is significant over the folds together is shown, the slice that explains most
    errors first, each further one for what it adds. If the table says which rows are for testing, they are the only fold.
    Outcomes of a fold are not seen when its examples are assigned to slices, so no slice can be the errors themselves.

    A table of more than a million rows that can be read in parts is not read into memory: slices are looked for in a sample of
    200,000 rows, and tested on all rows outside of it.

    Parameters
    ----------
    table : DataFrame, path, or anything else that `slicebench.data.schema.frames.as_frame` takes
        One row per example that the model was not trained on: a pandas or polars DataFrame, an Arrow
        table, a Hugging Face Dataset, a dict of columns, a list of records, or a file. A file is
        .parquet (or a folder of such files), .csv, .tsv, .json, .jsonl, .arrow or .xlsx. A samples_*.jsonl
        of lm-evaluation-harness is recognised, and so is a folder of images with a metadata.csv, .jsonl
        or .parquet whose column file_name has their paths, as Hugging Face's imagefolder has it. Parquet files, a pyarrow
        Dataset and a Dask DataFrame are read in parts if they are large.
    method : str, SliceMethod, several of them, or a mapping of names to methods
        What looks for slices. By default "rules", conjunctions of conditions on the columns, and "regions", of the vectors, which
        is left out if the vectors are just these columns. Registered methods, by name, class or instance, can be named too.
    encoder : str, optional
        Embeds images or texts, and captions ("open_clip:ViT-B-32/openai"). If embeddings are given,
        it embeds captions only.
    captions : list of str or path, optional
        Candidate descriptions of slices: a list, or a text file with one per line.
    measure : str
        What "worse" means: "rate", the error rate; "fpr" or "fnr", the rate of false positives or negatives (`positive` names
        the positive class); "loss"; or a column of numbers, of which higher is worse.
    model, y : scikit-learn estimator and (n,) array, optional
        Instead of predictions: `table` is then X, a DataFrame or an array (n, d), and the fitted model predicts it.
    cross_validate : bool
        Predict each row by a copy of the model fitted without it, for a model that was trained on these rows.
    seed : int
        Seed of the folds, and of all other random steps.
    on_step : callable
        Called with a short description of each step.
    on_schema : callable
        Called with what each column is used for, before anything is computed.
    label, prediction, probs, class_names, score, positive, threshold, loss, correct
        Columns with the truth and what the model said, as in `slicebench.Columns`. A role that is not named is looked for, and
        None declines it.
    id, group, split, ignore, keep
        Columns that name rows, rows that belong together, and parts; columns to leave out, and to use in spite of a leak.
    embedding, embeddings, features, image, image_root, text, metadata
        Columns, files or arrays that describe examples, and columns for rules.
    task, error, one_label
        What the columns do not tell: the task, the error of a regression, one of several labels.

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
    import pandas as pd

    from slicebench.models.encoders.encoder import make_encoder

    on_step("reading")
    known = Columns(
        label=label,
        prediction=prediction,
        probs=probs,
        class_names=class_names,
        score=score,
        positive=positive,
        threshold=threshold,
        loss=loss,
        correct=correct,
        id=id,
        group=group,
        split=split,
        embedding=embedding,
        embeddings=embeddings,
        features=features,
        image=image,
        image_root=image_root,
        text=text,
        metadata=metadata,
        ignore=ignore,
        keep=keep,
        task=task,
        error=error,
        one_label=one_label,
    )
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed!r}; expected a whole number from 0 to 2**32 - 1")
    if encoder is not None:
        make_encoder(encoder)  # an unknown name is an error even where vectors are given
    if model is None and (y is not None or cross_validate):
        raise ConfigError(
            "y and cross_validate belong to a model; give model=, or name the column of true values: label=COLUMN"
        )
    given = table if isinstance(table, pd.DataFrame) else None
    if model is not None:
        on_step("predicting")
        table = predicted_table(model, table, y, cross_validate=cross_validate)
        known = replace(known, label=LABEL, prediction=PREDICTION, probs=PROBS if PROBS in table else None)
    whole = large_table(table) if model is None else None
    sample = None if whole is None else sampled(whole, known, measure, seed, on_step)
    frame = as_frame(in_memory(table)) if sample is None else sample.frame
    given = given if given is not None or model is not None else frame
    folder = images_relative_to(table, frame)
    samples = samples_of(frame, known)
    if samples is not None:
        frame, known = samples.frame, samples.columns
    compared = measured(frame, known, measure)
    examples = examples_of(
        compared.frame,
        compared.columns,
        encoder=encoder,
        seed=seed,
        folder=folder,
        by_loss=compared.by_loss,
        measure=measure,
        row_numbers=compared.rows if sample is None else _taken(sample.rows, compared.rows),
        say=on_step,
        on_schema=on_schema,
    )
    texts = None
    if captions is not None:
        on_step("reading captions")
        texts = candidate_captions(captions, encoder, examples.whole.d, examples.class_names)
    excess = Excess.of(examples)
    methods = chosen_methods(method, examples) if sample is None else searched(method, examples)
    said, notes = run_all(methods, examples, texts, excess, seed, on_step)
    on_step("testing slices")
    candidates = [candidate for one in said for candidate in one.candidates]
    found = findings_of(candidates, excess, examples.folds, judges_of(said, examples))
    rows = np.arange(examples.n) if compared.rows is None else compared.rows
    own = None if given is None else Given(given, rows)
    tested = None if sample is None else tested_on_all(sample, found, examples, on_step)
    findings, judge = (found, verdict_of) if tested is None else (tested.findings, tested.verdict_of)
    slices, left_out = found_slices(findings, said, examples, texts, own, judge)
    return Findings(
        slices=slices,
        methods=tuple(_note(one, slices) for one in said),
        examples=examples,
        facts=facts_of(examples) if tested is None else tested.facts,
        notes=(
            *(tested.notes if tested else ()),
            *(samples.notes if samples else ()),
            *compared.notes,
            *_about(examples),
            *_too_small(examples),
            *examples.notes,
            *unused_options(examples, known, encoder, captions=captions is not None),
            *notes,
        ),
        seed=seed,
        source=whole.name if whole else "a DataFrame" if folder is None else Path(str(table)).name,
        held=None if tested is None else tested.held,
        agreement=agreement(said, examples),
        left_out=left_out,
    )


def _taken(numbers: NDArray[np.int64], rows: NDArray[np.intp] | None) -> NDArray[np.int64]:
    """Return the numbers of some rows; None is all of them."""
    return numbers if rows is None else numbers[rows]


def _note(said: Said, slices: Sequence[FoundSlice]) -> MethodNote:
    tested = sum(one.method == said.name for one in slices)
    return MethodNote(
        name=said.name,
        returned=said.returned,
        tested=tested,
        seconds=said.seconds,
        hardness=said.hardness,
        notes=said.notes,
    )


def _about(examples: Examples) -> list[str]:
    """Return what a reader must know of the data."""
    notes = []
    if examples.wrong is not None:
        counts, sizes = (
            np.bincount(labels, minlength=len(examples.class_names))
            for labels in (examples.labels[examples.wrong], examples.labels)
        )
        named = zip(examples.class_names, counts, sizes, strict=True)
        without = [name for name, count, size in named if not count and (size or examples.measure == RATE)]
        if not examples.wrong.any():
            notes.append("The model makes no errors on these examples: there is nothing to find.")
        elif examples.wrong.all():
            notes.append("The model is wrong on all of these examples: no part of them is worse than the rest.")
        elif without:
            some = ", ".join(without[:10]) + (", ..." if len(without) > 10 else "")
            notes.append(f"No errors in {len(without)} of {len(counts)} classes, so no slice is found there: {some}.")
    return notes


def _too_small(examples: Examples) -> list[str]:
    """Return a note if most classes are too small for a part of them to be tested."""
    sizes = np.bincount(examples.labels, minlength=len(examples.class_names))
    small = [name for name, size in zip(examples.class_names, sizes, strict=True) if size < LEAST_HELD]
    if len(small) <= len(sizes) / 2:
        return []
    some = ", ".join(small[:6]) + (", ..." if len(small) > 6 else "")
    correct, loss = (together(parameter(role), declined("label")) for role in ("correct", "loss"))
    return [
        (
            f"{len(small)} of {len(sizes)} classes ({some}) have fewer than {LEAST_HELD} examples, too few to test a "
            "slice of the class; only slices over all classes are tested. Use more rows or coarser classes; or, if "
            f"labels do not matter, name a column of right and wrong ({correct}) or of losses ({loss})."
        )
    ]


LEAST_HELD = 5 * MIN_SUPPORT
"""Examples of a class below which hardly a slice of it can be tested: a slice needs 20, and is a part of its class."""
