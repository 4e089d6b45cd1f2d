"""The `Board` of a leaderboard or a run: plain numbers and texts, JSON-ready.

Tables and the page are drawn from it.

All statistics are computed before (`slicebench.results.standings`); no reader of a `Board` computes an
interval.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from slicebench.metrics.estimate import Estimate, Plain


class MetricInfo(Plain):
    """A metric that the table can show: "namf", "mf_at_10", "hit_at_1", ..."""

    key: str
    label: str
    unit: str
    higher_is_better: bool
    about: str
    """One sentence."""


class MethodRow(Plain):
    """One method over all problems. `values` and `chance` go by metric key; without a value the metric does not apply.

    `incomplete` says which cells are missing and why. Such a method comes unranked below the others; `rank`
    counts its missing cells as worst. `seconds` is the median of fit plus score, `seconds_per_10k` per 10,000 test examples.
    """

    name: str
    version: str
    params: dict[str, Any]
    idea: str
    """First line of the method's docstring."""
    requires: tuple[str, ...]
    """Words of `slicebench.plugins.method.REQUIREMENTS`."""
    reference: bool
    """An end of the scale (oracle, random): shown, not ranked."""
    values: dict[str, Estimate]
    chance: dict[str, float]
    rank: float | None
    """Mean rank over the units (problems or families)."""
    rank_without_a_family: tuple[float, float] | None
    """Least and largest mean rank when one family of datasets is left out."""
    wins: float | None
    """Share of bootstrap draws in which the method has the best mean nAMF."""
    p: dict[str, float] = Field(default_factory=dict)
    """Exact probability of so many caption hits by chance, by metric key."""
    n: int
    """Cells that ended well."""
    caption_classes: int = 0
    """Classes, over all cells, in which a caption could have named a planted group."""
    incomplete: str | None
    seconds: float | None
    seconds_per_10k: float | None
    fit_seconds: float | None = None
    """Of it `training_seconds` are model training."""
    score_seconds: float | None = None
    caption_seconds: float | None = None
    training_seconds: float | None
    peak_mb: float | None
    failures: int
    skips: int


class ProblemColumn(Plain):
    """One problem: means over seeds, of the base model too."""

    name: str
    family: str
    modality: str
    encoder: str
    params: dict[str, Any]
    how: str
    """How the plant was made, in words."""
    groups: tuple[str, ...]
    classes: int
    seeds: tuple[int, ...]
    n_test: float | None
    minority_rate: float | None
    minority_accuracy: float | None
    majority_accuracy: float | None


class CellView(Plain):
    """One method on one problem, over the seeds. `status` is "ok" only if every seed is."""

    status: str
    reason: str | None = None
    values: dict[str, Estimate] = Field(default_factory=dict)
    chance: dict[str, float] = Field(default_factory=dict)
    by_seed: dict[int, float | None] = Field(default_factory=dict)
    """NAMF."""
    strength: float | None = None
    captions: tuple[str, ...] = ()
    """Hardest caption of each class at the first seed, "class: caption", a star before those that name the plant."""
    notes: tuple[str, ...] = ()


class Pair(Plain):
    """Two methods compared over the units: the mean of a - b in nAMF, with interval, raw and Holm-corrected p."""

    a: str
    b: str
    difference: Estimate
    p: float
    p_holm: float
    p_families: float | None = None
    """By Student's t over the means of dataset families, Holm-corrected: is it so on other families too?"""
    a_better: int
    b_better: int


class Comparison(Plain):
    """All ranked methods over the units. `cliques` are sets of methods that Wilcoxon-Holm does not separate, best first."""

    unit: str
    """"problem" or "family"."""
    units: int
    test: str
    """"Wilcoxon signed-rank" or "exact sign-flip"."""
    friedman_p: float | None
    critical_difference: float | None
    """Nemenyi's, for display."""
    cliques: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    resolvable: float | None
    """Median half width of the pairs' intervals, uncorrected; docs/statistics.md has the difference that is found after Holm."""


class ControlRate(Plain):
    """Rate of findings in one control: a count out of replicates, with its interval.

    The interval is Clopper and Pearson's.
    """

    control: str
    """"C0" ... "C5", or "power"."""
    hits: int
    replicates: int
    rate: float
    low: float
    high: float


class ControlRow(Plain):
    """One method in the controls; `rates` by control.

    `open_rates` are the same when the method may see the very outcomes that its slices are tested on, `returned` the share of
    replicates in which it returned a slice at all, `namf` its mean nAMF on a permuted attribute (C1).
    """

    method: str
    rates: tuple[ControlRate, ...]
    open_rates: tuple[ControlRate, ...]
    returned: dict[str, float]
    namf: Estimate | None
    notes: tuple[str, ...] = ()


class ControlInfo(Plain):
    """Description of one control."""

    key: str
    label: str
    about: str


class ControlBoard(Plain):
    """`controls.json`: the controls of one run of `slicebench controls`."""

    replicates: int
    alpha: float
    problems: tuple[str, ...]
    controls: tuple[ControlInfo, ...]
    rows: tuple[ControlRow, ...]
    seconds: float
    code_version: str
    hardware: str
    date: str


class Sheet(Plain):
    """Hardest examples that one method names, class by class, as a picture: `image` is PNG or WebP bytes in base64."""

    method: str
    problem: str
    alt: str
    image: str


class Board(Plain):
    """A leaderboard ("leaderboard") or a single run ("run").

    `curves` holds, per problem and method, the mean minority fraction among the hardest `shares` of each class.
    """

    kind: str
    title: str
    description: str
    code_version: str
    hardware: str
    date: str
    seeds: tuple[int, ...]
    metrics: tuple[MetricInfo, ...]
    methods: tuple[MethodRow, ...]
    """Sorted: by mean nAMF, incomplete ones last."""
    problems: tuple[ProblemColumn, ...]
    cells: dict[str, dict[str, CellView]]
    """By problem, then method."""
    shares: tuple[float, ...]
    curves: dict[str, dict[str, tuple[float, ...]]]
    comparison: Comparison | None
    controls: ControlBoard | None = None
    sheets: tuple[Sheet, ...] = ()


REFERENCES = ("oracle", "random")
"""Methods that are the ends of the scale: shown, but not ranked with the field."""
