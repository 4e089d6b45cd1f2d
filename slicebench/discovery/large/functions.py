"""Make of each slice that was found in the sample a function of a row, so that any row can be assigned to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.vectors import Describer, vectors_of
from slicebench.discovery.holdout.masks import marked
from slicebench.discovery.large.columns import sources_of
from slicebench.discovery.searches.conditions import WORD, meeting_all, word_pattern
from slicebench.discovery.searches.kernels import BANDWIDTH, likeness, solved

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.metadata_codes import ColumnCodes
    from slicebench.data.schema.user_table import UserTable
    from slicebench.discovery.holdout.consensus import Finding
    from slicebench.discovery.large.columns import Source
    from slicebench.discovery.large.rows import Rows
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.conditions import Condition
    from slicebench.discovery.searches.vectors import Compact

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]


LANDMARKS = 200
"""Members, and as many others, to which the likeness of a row is computed."""
RIDGE = 1e-3
"""Share of the mean eigenvalue that is added to all."""
CHUNK = 16_384
"""Rows whose likenesses are in memory at a time."""


@dataclass(frozen=True, eq=False)
class RowRule:
    """The conditions of a rule on any rows; `column` is the number of a column among those of the sample's rules."""

    conditions: tuple[Condition, ...]

    def members(self, codes: dict[int, NDArray[np.int64]], n: int) -> Bools:
        """Mark the rows that meet all conditions, (n,)."""
        return meeting_all(self.conditions, codes, n)


@dataclass(frozen=True, eq=False)
class RowRegion:
    """A region of the vectors: where a kernel ridge regression of membership in the sample is at least `cut`.

    `landmarks` (k, d) are rows of the sample, `weights` (k,) theirs, and `agreement` is the intersection over union of the slice
    in the sample and what regressions on the other half of the sample assign to it.
    """

    class_number: int | None
    landmarks: Vectors
    width: float
    weights: Vectors
    cut: float
    agreement: float

    def members(self, X: Vectors, labels: NDArray[np.int64]) -> Bools:
        """Mark the rows of the region, (n,), by their vectors (n, d) and classes (n,)."""
        rows = np.arange(len(X)) if self.class_number is None else np.flatnonzero(labels == self.class_number)
        score = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            score[start : start + CHUNK] = _features(X[some], self.landmarks, self.width) @ self.weights
        return marked(rows[score >= self.cut], len(X))


def _features(X: Vectors, landmarks: Vectors, width: float) -> Vectors:
    """Return the likeness of each row of X (n, d) to each landmark (k, d), and a column of ones; (n, k + 1)."""
    out = np.ones((len(X), len(landmarks) + 1), dtype=np.float32)
    likeness(X, landmarks, width, out=out[:, :-1])
    return out


def imitated(X: Vectors, members: Bools, labels: NDArray[np.int64], class_number: int | None, seed: int) -> RowRegion:
    """Learn which rows are members from the sample: vectors X (n, d), members (n,), classes (n,).

    The search itself assigns only the rows of its folds. Landmarks are members and others, half each. The cut is the one at
    which what is assigned to each half of the rows, by a regression on the other half, has most in common with the members.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(X)) if class_number is None else np.flatnonzero(labels == class_number)
    inside = members[rows]
    own = [rng.permutation(rows[side])[:LANDMARKS] for side in (inside, ~inside)]
    landmarks = X[np.sort(np.concatenate(own))]
    width = BANDWIDTH * _typical_distance(X[rng.permutation(rows)[:1000]])
    half = rng.integers(2, size=len(rows))
    sums = [_moments(X[rows[half == h]], inside[half == h], landmarks, width) for h in (0, 1)]
    score = np.empty(len(rows), dtype=np.float32)
    for h in (0, 1):
        weights = solved(*sums[1 - h], RIDGE)
        score[half == h] = _scores(X[rows[half == h]], landmarks, width, weights)
    cut, agreement = _best_cut(score, inside)
    gram, moment = (one + other for one, other in zip(*sums, strict=True))
    weights = solved(gram, moment, RIDGE)
    return RowRegion(class_number, landmarks, width, weights, cut, agreement)


def _typical_distance(X: Vectors) -> float:
    """Return the median squared distance of two of the rows."""
    distances = ((X[: len(X) // 2] - X[len(X) - len(X) // 2 :]) ** 2).sum(axis=1)
    return max(float(np.median(distances)), 1e-12)


def _moments(X: Vectors, inside: Bools, landmarks: Vectors, width: float) -> tuple[Floats, Floats]:
    k = len(landmarks) + 1
    gram, moment = np.zeros((k, k)), np.zeros(k)
    for start in range(0, len(X), CHUNK):
        features = _features(X[start : start + CHUNK], landmarks, width)
        gram += features.T @ features
        moment += features[inside[start : start + CHUNK]].sum(axis=0)
    return gram, moment


def _scores(X: Vectors, landmarks: Vectors, width: float, weights: Vectors) -> Vectors:
    parts = [_features(X[start : start + CHUNK], landmarks, width) @ weights for start in range(0, len(X), CHUNK)]
    return np.concatenate([*parts, np.zeros(0, dtype=np.float32)])


def _best_cut(score: Vectors, inside: Bools) -> tuple[float, float]:
    """Return the cut with the largest intersection over union of members and rows at or above it, and that value."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(inside[order])
    shared = hits / (np.arange(1, len(order) + 1) + inside.sum() - hits)
    best = int(np.argmax(shared))
    return float(score[order[best]]), float(shared[best])


@dataclass(frozen=True, eq=False, kw_only=True)
class Assigner:
    """Assigns rows to slices, each a rule or a region.

    `codes` are the codings of the columns that the rules need, by number, and `sources` where these come from: None is the
    class. `described` makes vectors of the features; without it, they are the columns `embedding`.
    """

    slices: tuple[RowRule | RowRegion, ...]
    codes: dict[int, ColumnCodes]
    sources: dict[int, Source | None]
    class_names: tuple[str, ...]
    embedding: tuple[str, ...]
    features: dict[str, Source]
    described: Describer | None
    compact: Compact | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that rows are assigned by."""
        texts = [one.name for j, one in self.codes.items() if one.unit == WORD]
        parts = [one for one in (*self.sources.values(), *self.features.values()) if one is not None]
        return (*texts, *(one.column for one in parts), *(self.embedding if self.compact is not None else ()))

    def __call__(self, rows: Rows) -> Bools:
        """Mark the members of each slice, (n, k)."""
        n = len(rows.labels)
        codes = {j: self._coded(j, rows) for j in self.codes}
        X = None if self.compact is None else self.compact(self._vectors(rows.table))
        out = np.empty((n, len(self.slices)), dtype=bool)
        for k, one in enumerate(self.slices):
            if isinstance(one, RowRule):
                out[:, k] = one.members(codes, n)
            else:
                assert X is not None
                out[:, k] = one.members(X, rows.labels)
        return out

    def _coded(self, j: int, rows: Rows) -> NDArray[np.int64]:
        import pandas as pd

        coding, frame = self.codes[j], rows.table.frame
        if coding.unit == WORD:
            pattern = word_pattern(coding.levels[0])
            has = frame[coding.name].astype(object).fillna("").astype(str).str.lower().str.contains(pattern)
            return np.where(has.to_numpy(dtype=bool), 1, 2)
        source = self.sources[j]
        if source is None:
            classes: pd.Series[Any] = pd.Series(np.array(self.class_names, dtype=object)[rows.labels])
            return coding.codes(classes)
        return coding.codes(source.made(frame[source.column]))

    def _vectors(self, table: UserTable) -> Vectors:
        import pandas as pd

        if self.described is None:
            return vectors_of(table, self.embedding)
        parts = {name: source.made(table.frame[source.column]) for name, source in self.features.items()}
        return self.described(pd.DataFrame(parts))


def assigner_of(
    findings: Sequence[Finding], examples: Examples, class_column: int | None
) -> tuple[Assigner, list[Finding]]:
    """Return the function of the slices, and the findings with the members that it gives them in the sample."""
    slices: list[RowRule | RowRegion] = []
    out: list[Finding] = []
    for one in findings:
        if one.rule is not None:
            slices.append(RowRule(one.rule.conditions))
            out.append(one)
            continue
        region = imitated(examples.compact, one.members, examples.labels, one.class_number, examples.seed)
        slices.append(region)
        out.append(replace(one, members=region.members(examples.compact, examples.labels)))
    ruled = [one.rule for one in findings if one.rule is not None]
    columns = {c.column: rule.table.columns[c.column] for rule in ruled for c in rule.conditions}
    schema = examples.schema
    made = [j for j in columns if j != class_column and columns[j].unit != WORD]
    sources = sources_of(schema, examples.metadata, [columns[j].name for j in made])
    by_regions = any(isinstance(one, RowRegion) for one in slices)
    features = by_regions and not schema.roles.embedding
    tested = examples.folds.tested
    learn = np.ones(examples.n, dtype=bool) if len(tested) > 1 else examples.folds.learn(tested[0])
    assigner = Assigner(
        slices=tuple(slices),
        codes=columns,
        sources={j: sources[columns[j].name] for j in made} | ({class_column: None} if class_column in columns else {}),
        class_names=examples.class_names,
        embedding=schema.roles.embedding,
        features=sources_of(schema, schema.features, map(str, schema.features)) if features else {},
        described=Describer(schema.features, np.flatnonzero(learn)) if features else None,
        compact=examples.compacting if by_regions else None,
    )
    return assigner, out
