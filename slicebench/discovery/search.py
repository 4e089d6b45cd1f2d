"""`discover`: methods fitted on a user's examples, their slices tested on held-out ones, named and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.controls.alterations import permuted_outcomes
from slicebench.discovery.columns import Columns
from slicebench.discovery.examples import examples_of
from slicebench.discovery.findings import Findings, FoundSlice, Match, MethodNote
from slicebench.discovery.judging import judged
from slicebench.discovery.naming import Name, Names, candidate_captions
from slicebench.errors import ConfigError, MethodError, SlicebenchError
from slicebench.method import SliceMethod
from slicebench.registry import METHODS
from slicebench.slices import Slices, returned_slices
from slicebench.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.discovery.examples import Examples
    from slicebench.discovery.judging import Verdict
    from slicebench.problem import AuditData
    from slicebench.split import Split

    Bools = NDArray[np.bool_]
    Chosen = str | SliceMethod | Sequence[str | SliceMethod] | Mapping[str, SliceMethod] | None

DEFAULTS = ("kmeans_errors", "tree_rules")
"""Methods where none is named: the best of the leaderboard in embedding space, and rules where there are metadata."""
DEFAULT_FOR_LOSSES = "spotlight"
SHOWN = 24
"""Members of each kind that a report shows of a slice."""
SAME_OVERLAP = 0.8
"""Intersection over union from which on a slice repeats a better one of another method."""
LEAST_OVERLAP = 0.2
"""Intersection over union from which on two methods are said to have found the same slice."""


def discover(
    table: pd.DataFrame | str | Path,
    *,
    method: Chosen = None,
    encoder: str | None = None,
    captions: Sequence[str] | str | Path | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
    **columns: Any,
) -> Findings:
    """Find the slices of your own data on which your model does worse, and test each on examples that did not help to find it.

    Examples are dealt to three parts (or as a column `split` says): train gives methods means and deviations, on val they look
    for slices, on test each slice is compared with the rest of its class: error rates, interval, Fisher's test, Holm's correction
    over all slices of all methods. Methods do not see the outcomes of the examples that they assign, so none can return the
    errors themselves.

    Parameters
    ----------
    table : DataFrame or path
        A row per example that the model was not trained on; of a file: .parquet, .csv, .tsv, .jsonl or .arrow.
    method : str, SliceMethod, several of them, or a mapping of names to methods
        Registered names, or methods ready to be fitted; by default "kmeans_errors", the best of the leaderboard, and
        "tree_rules" where there are metadata; for losses only "spotlight".
    encoder : str, optional
        Embeds images or texts, and captions ("open_clip:ViT-B-32/openai"); with embeddings given, captions only.
    captions : list of str or path, optional
        Candidates to describe slices with: a list, or a text file with one a line.
    seed : int
        Deals the examples, and whatever else is left to chance.
    on_step : callable
        Told in a few words what is being done.
    **columns
        Fields of `slicebench.discovery.Columns`: label, prediction, probs, loss, id, embedding, features, image, text ...

    Returns
    -------
    Findings

    Raises
    ------
    ConfigError
        for columns that are nowhere, methods that decline the data, and captions without an encoder.
    DataError
        naming column and row of what is missing, not finite, of no known class, or there twice.

    """
    on_step("reading")
    known = _columns(columns)
    folder = None if not isinstance(table, str | Path) else Path(table).expanduser().parent
    frame = read_frame(table, as_written=[known.id or "id"]) if isinstance(table, str | Path) else table
    examples = examples_of(frame, known, encoder=encoder, seed=seed, folder=folder, say=on_step)
    data = examples.problem.data
    if captions is not None:
        on_step("reading captions")
        texts = candidate_captions(captions, encoder, data.train.d, examples.class_names)
        data = replace(data, captions=texts)
    said, notes = _run_all(_methods(method, data), examples, data, seed, on_step)
    on_step("testing slices")
    slices, agreement = _found(said, examples, Names(examples, data.captions))
    return Findings(
        slices=slices,
        methods=tuple(_note(one, slices) for one in said),
        examples=examples,
        notes=(*_about(examples), *notes),
        seed=seed,
        source="a DataFrame" if folder is None else Path(str(table)).name,
        agreement=agreement,
    )


def _columns(given: Mapping[str, Any]) -> Columns:
    from dataclasses import fields

    from slicebench.errors import did_you_mean

    known = [f.name for f in fields(Columns)]
    for name in given:
        if name not in known:
            raise ConfigError(f"discover has no parameter {name!r}; {did_you_mean(name, known)}")
    return Columns(**given)


@dataclass(frozen=True, eq=False)
class _Said:
    """What one method said of all n examples; slices were assigned without a look at outcomes, hardness was not."""

    name: str
    slices: Slices
    hardness: NDArray[np.float64]
    seconds: float
    notes: tuple[str, ...]


def _methods(given: Chosen, data: AuditData) -> dict[str, SliceMethod]:
    """Methods by name, the same class twice told apart by a number."""
    if given is None:
        given = [name for name in DEFAULTS if METHODS.load(name)().supports(data) is None] or DEFAULT_FOR_LOSSES
    if not isinstance(given, Mapping):
        given = _named([given] if isinstance(given, str | SliceMethod) else given)
    if not given:
        raise ConfigError("no method is named; `slicebench list methods` shows them")
    for name, method in given.items():
        if "truth" in method.requires:
            raise ConfigError(
                f"{name} needs the planted truth, which data of one's own do not have; choose another method"
            )
    return dict(given)


def _named(chosen: Sequence[str | SliceMethod]) -> dict[str, SliceMethod]:
    out: dict[str, SliceMethod] = {}
    for one in chosen:
        name, method = (one, METHODS.load(one)()) if isinstance(one, str) else (type(one).__name__, one)
        out[name if name not in out else f"{name} {len(out) + 1}"] = method
    return out


def _run_all(
    methods: Mapping[str, SliceMethod], examples: Examples, data: AuditData, seed: int, say: Callable[[str], None]
) -> tuple[list[_Said], list[str]]:
    """What each method says; those that decline are told of, unless it is all of them."""
    said, declined = list[_Said](), list[str]()
    for name, method in methods.items():
        reason = method.supports(data)
        if reason is not None:
            declined.append(f"{name} declines these data: {reason}")
            continue
        say(f"fitting {name} on {data.val.n:,} examples")
        try:
            said.append(_run(name, method, examples, data, seed))
        except SlicebenchError:
            raise
        except Exception as error:
            raise MethodError(f"{name} failed: {type(error).__name__}: {error}") from error
    if not said:
        raise ConfigError("; ".join(declined))
    return said, declined


def _run(name: str, method: SliceMethod, examples: Examples, data: AuditData, seed: int) -> _Said:
    """Fit on train and val; score every split twice, with its outcomes for the hardness, without them for the slices."""
    start, n = perf_counter(), examples.n
    method.fit(data)
    hardness = np.zeros(n)
    by_name: dict[str, tuple[NDArray[np.float32], Bools]] = {}
    for split_name, split in _splits(examples, data):
        rows = examples.at[split_name]
        hardness[rows] = _checked(name, method.score(split).hardness, split.n)
        blind = method.score(permuted_outcomes(split, np.random.default_rng([seed, 2])))
        found = returned_slices(blind, split, data.class_names)
        for j, slice_name in enumerate(_distinct(found.names)):
            soft, hard = by_name.setdefault(slice_name, (np.zeros(n, np.float32), np.zeros(n, bool)))
            soft[rows], hard[rows] = found.soft[:, j], found.hard[:, j]
    pairs = [(np.zeros((n, 0), np.float32), np.zeros((n, 0), bool)), *by_name.values()]
    soft_all, hard_all = (np.column_stack(columns) for columns in zip(*pairs, strict=True))
    slices = Slices(soft_all, hard_all, tuple(by_name))
    return _Said(name, slices, hardness, perf_counter() - start, tuple(map(str, method.notes())))


def _splits(examples: Examples, data: AuditData) -> list[tuple[str, Split]]:
    splits = [*data.splits(), ("test", examples.problem.test)]
    return [(name, split) for name, split in splits if split is not None]


def _distinct(names: Sequence[str]) -> list[str]:
    """Names, with a number where one stands twice: slices of two splits are matched by them."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


def _checked(name: str, hardness: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    if len(hardness) != n:
        raise MethodError(f"{name} returned {len(hardness)} scores for {n} examples")
    return hardness


def _found(
    said: Sequence[_Said], examples: Examples, names: Names
) -> tuple[tuple[FoundSlice, ...], dict[tuple[str, str], float]]:
    """Slices with their verdicts, best first, and how alike the methods rank."""
    owners = [(one, j) for one in said for j in range(one.slices.k)]
    hard = np.concatenate([one.slices.hard for one in said], axis=1)
    verdicts = judged(hard[examples.at["test"]], examples.problem.test)
    verdicts.sort(key=lambda v: (not v.stands, -v.delta * v.support, v.slice, v.class_number))
    keys = [f"S{i + 1}" for i in range(len(verdicts))]
    inside = {
        key: hard[:, v.slice] & (examples.labels == v.class_number) for key, v in zip(keys, verdicts, strict=True)
    }
    by_key = {key: (owners[v.slice][0].name, v) for key, v in zip(keys, verdicts, strict=True)}
    slices = []
    for key, verdict in zip(keys, verdicts, strict=True):
        one, j = owners[verdict.slice]
        slices.append(
            _slice(
                key,
                one,
                j,
                verdict,
                examples,
                inside[key],
                names.of(inside[key], verdict.class_number) if verdict.stands else Name(),
                _matches(key, inside, by_key) if len(said) > 1 and verdict.stands else (),
            )
        )
    return tuple(slices), _agreement(said, examples)


def _slice(
    key: str,
    said: _Said,
    j: int,
    verdict: Verdict,
    examples: Examples,
    inside: Bools,
    name: Name,
    matches: tuple[Match, ...],
) -> FoundSlice:
    soft = said.slices.soft[:, j]
    rows = np.flatnonzero(inside)
    rows = rows[np.lexsort((-said.hardness[rows], -soft[rows]))]
    held = rows[np.isin(rows, examples.at["test"])]
    if examples.wrong is None:
        by_loss = held[np.argsort(-examples.losses[held], kind="stable")]
        errors, right = by_loss[:SHOWN], by_loss[::-1][:SHOWN]
    else:
        errors, right = held[examples.wrong[held]][:SHOWN], held[~examples.wrong[held]][:SHOWN]
    return FoundSlice(
        key=key,
        method=said.name,
        label=said.slices.names[j],
        class_name=examples.class_names[verdict.class_number],
        verdict=verdict,
        name=name,
        rows=rows,
        membership=soft[rows],
        errors=errors,
        right=right,
        matches=matches,
        repeats=next((m.key for m in matches if m.overlap >= SAME_OVERLAP and int(m.key[1:]) < int(key[1:])), None),
    )


def _matches(key: str, inside: Mapping[str, Bools], by_key: Mapping[str, tuple[str, Verdict]]) -> tuple[Match, ...]:
    """Of every other method the slice of the same class that overlaps most, if it does so enough."""
    own_method, own = by_key[key]
    best: dict[str, Match] = {}
    for other, (method, verdict) in by_key.items():
        if method == own_method or verdict.class_number != own.class_number:
            continue
        both, either = (inside[key] & inside[other]).sum(), (inside[key] | inside[other]).sum()
        match = Match(other, method, float(both / either))
        if match.overlap >= LEAST_OVERLAP and (method not in best or match.overlap > best[method].overlap):
            best[method] = match
    return tuple(sorted(best.values(), key=lambda match: -match.overlap))


def _agreement(said: Sequence[_Said], examples: Examples) -> dict[tuple[str, str], float]:
    """Spearman's ρ between the hardness of two methods on test, within classes, weighted by their size."""
    from scipy.stats import rankdata

    out: dict[tuple[str, str], float] = {}
    for i, one in enumerate(said):
        for other in said[i + 1 :]:
            values, weights = [], []
            for _, rows in examples.problem.test.by_class():
                at = examples.at["test"][rows]
                a, b = rankdata(one.hardness[at]), rankdata(other.hardness[at])
                if len(at) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0:
                    values.append(float(np.corrcoef(a, b)[0, 1]))
                    weights.append(len(at))
            if values:
                out[one.name, other.name] = float(np.average(values, weights=weights))
    return out


def _note(said: _Said, slices: Sequence[FoundSlice]) -> MethodNote:
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
    """What a reader must know of the data."""
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
