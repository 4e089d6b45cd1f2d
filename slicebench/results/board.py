"""The `Board` of a leaderboard or a run: plain numbers and texts, JSON-ready.

Tables and pages are made from it. `slicebench.results.standings` computes all statistics; code that
reads a `Board` computes no interval.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from slicebench.data.truth import Kind  # noqa: TC001 - pydantic reads it at run time
from slicebench.metrics.estimate import Estimate, Plain


class MetricInfo(Plain):
    """A metric that the table can show: "namf", "mf_at_10", "hit_at_1", ..."""

    key: str
    label: str
    unit: str
    higher_is_better: bool
    about: str
    """Explanation in one sentence."""


class MethodRow(Plain):
    """One method over all problems.

    `values` and `chance` are by metric key; a metric that does not apply has no value. `incomplete`
    says which cells are missing and why, or that the method used a false truth; such a method is listed below the
    others without a rank. `rank` counts missing cells as worst. `seconds` is the median of fit plus score,
    `seconds_per_10k` the median per 10,000 test examples.
    """

    name: str
    version: str
    params: dict[str, Any]
    idea: str
    """First line of the method's docstring."""
    requires: tuple[str, ...]
    """Words of `slicebench.plugins.method.REQUIREMENTS`."""
    reference: bool
    """Whether the method is an end of the scale (oracle, random), which is shown but not ranked."""
    values: dict[str, Estimate]
    chance: dict[str, float]
    rank: float | None
    """Mean rank over the units (problems or families)."""
    rank_without_a_family: tuple[float, float] | None
    """Lowest and highest mean rank if one family of datasets is left out."""
    wins: float | None
    """Share of bootstrap draws in which the method has the best mean nAMF."""
    p: dict[str, float] = Field(default_factory=dict)
    """Exact probability of at least as many caption hits by chance, by metric key."""
    n: int
    """Number of cells that succeeded."""
    caption_classes: int = 0
    """Classes, over all cells, in which a caption could have named a planted group."""
    incomplete: str | None
    seconds: float | None
    seconds_per_10k: float | None
    fit_seconds: float | None = None
    """Median seconds of fit, including `training_seconds`, the time of model training."""
    score_seconds: float | None = None
    caption_seconds: float | None = None
    training_seconds: float | None
    peak_mb: float | None
    failures: int
    skips: int


class ProblemColumn(Plain):
    """One problem, with means over seeds, also for the base model."""

    name: str
    family: str
    modality: str
    kind: Kind
    encoder: str
    params: dict[str, Any]
    how: str
    """Description of how the plant was made, or of what is hard and why."""
    groups: tuple[str, ...]
    classes: int
    seeds: tuple[int, ...]
    n_test: float | None
    minority_rate: float | None
    minority_accuracy: float | None
    majority_accuracy: float | None


class CellView(Plain):
    """One method on one problem over the seeds; `status` is "ok" only if every seed succeeded."""

    status: str
    reason: str | None = None
    values: dict[str, Estimate] = Field(default_factory=dict)
    chance: dict[str, float] = Field(default_factory=dict)
    by_seed: dict[int, float | None] = Field(default_factory=dict)
    """By seed, nAMF."""
    strength: float | None = None
    captions: tuple[str, ...] = ()
    """Hardest caption of each class at the first seed, "class: caption", with a star if it names the plant."""
    notes: tuple[str, ...] = ()


class Pair(Plain):
    """Two methods compared over the units: mean of a - b in nAMF with its interval, raw and Holm-corrected p."""

    a: str
    b: str
    difference: Estimate
    p: float
    p_holm: float
    p_families: float | None = None
    """Holm-corrected p for other dataset families, by Student's t over the means of families."""
    a_better: int
    b_better: int
    units: int
    """Number of units that both methods have; a pair is compared on the problems that neither declined."""


class Comparison(Plain):
    """Comparison of all ranked methods over the units.

    `cliques` are sets of methods that the tests do not separate after Holm, best first.
    """

    unit: str
    """"problem" or "family"."""
    units: int
    test: str
    """"Wilcoxon signed-rank" or "exact sign-flip"."""
    friedman_p: float | None
    friedman_how: str = ""
    """How Friedman's p is computed, or why there is none."""
    too_few: str | None = None
    """Says that the families of datasets are too few to tell methods apart; None if there are enough."""
    critical_difference: float | None
    """Nemenyi's critical difference, for display."""
    cliques: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    resolvable: float | None
    """Median half width of the pairs' uncorrected intervals; docs/concepts/statistics.md gives the detectable difference."""


class KindView(Plain):
    """The methods on the problems of one kind alone: those with natural groups, or with planted ones.

    `values` (mean nAMF) and `rank` have the methods without a missing cell on these problems.
    """

    kind: Kind
    problems: int
    families: int
    values: dict[str, Estimate]
    rank: dict[str, float]
    comparison: Comparison


class ControlRate(Plain):
    """Rate of findings in one control: hits, replicates, and the Clopper–Pearson interval of the rate."""

    control: str
    """"C0" ... "C5", or "power"."""
    hits: int
    replicates: int
    rate: float
    low: float
    high: float


class ControlRow(Plain):
    """One method in the controls, with `rates` by control.

    `open_rates` are the rates if the method may see the outcomes that its slices are tested on.
    `returned` is the share of replicates in which it returned a slice. `namf` is its mean nAMF on a
    permuted attribute (C1).
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
    """Content of `controls.json`: results of one run of `slicebench controls`."""

    replicates: int
    alpha: float
    problems: tuple[str, ...]
    controls: tuple[ControlInfo, ...]
    rows: tuple[ControlRow, ...]
    seconds: float
    code_version: str
    hardware: str
    date: str


class DiscoveryKind(Plain):
    """Causes found on the tables of one kind, and the false slices on all of these tables."""

    found: int = Field(ge=0)
    causes: int = Field(ge=0)
    false: int = Field(ge=0)


class DiscoveryRow(Plain):
    """One finder of slices on tables with planted causes.

    `setting` is the number of the chosen setting, None for the defaults, and `parameters` are those
    that differ from the defaults. `tables` have results; `not_run` counts the others by reason. The
    remaining fields are those of `slicebench.discovery.benchmark.bench.Summary`.
    """

    set: str
    finder: str
    setting: int | None = None
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    tables: int = Field(ge=0)
    not_run: dict[str, int] = Field(default_factory=dict)
    found: int = Field(ge=0)
    causes: int = Field(ge=0)
    alone_found: int = Field(ge=0)
    alone: int = Field(ge=0)
    false: float | None
    nulls_shown: int = Field(ge=0)
    nulls: int = Field(ge=0)
    right: int = Field(ge=0)
    named: int = Field(ge=0)
    precision_at_10: float | None
    class_first: int = Field(ge=0)
    class_tables: int = Field(ge=0)
    kinds: dict[str, DiscoveryKind]

    @property
    def name(self) -> str:
        """Name with which `slicebench discover-bench --finder` runs it."""
        return self.finder if self.setting is None else f"{self.finder}@{self.setting}"

    @property
    def settings(self) -> str:
        """The parameters as text, or "defaults"."""
        return ", ".join(f"{key} {value}" for key, value in self.parameters.items()) or "defaults"

    def missing(self, total: int) -> str:
        """Say how many of `total` tables have no result, and why; "" if all have one."""
        left = total - self.tables
        reasons = [f"{reason} ({count})" for reason, count in self.not_run.items()]
        if unmeasured := left - sum(self.not_run.values()):
            reasons.append(f"not measured ({unmeasured})")
        return f"{left} of {total}: {'; '.join(reasons)}" if left else ""

    @model_validator(mode="after")
    def _parts_of_wholes(self) -> Self:
        parts = (
            ("found", self.found, self.causes),
            ("alone_found", self.alone_found, self.alone),
            ("nulls_shown", self.nulls_shown, self.nulls),
            ("right", self.right, self.named),
            ("class_first", self.class_first, self.class_tables),
        )
        for name, part, whole in parts:
            if part > whole:
                raise ValueError(f"{self.finder}: {name} is {part}, which is more than all {whole}")
        return self


class DiscoveryBoard(Plain):
    """Content of `discovery.json`: finders of slices on tables with planted causes.

    Each set has `tables` tables. Settings are chosen on the tables `chosen_on` of the set tuning.
    """

    schema_version: Literal[1] = 1
    seed: int
    tables: int
    chosen_on: tuple[str, ...]
    rows: tuple[DiscoveryRow, ...]

    @property
    def reported(self) -> list[DiscoveryRow]:
        """Rows of the set report: by the largest share of found causes, then fewest false slices; half-measured ones last."""
        rows = [row for row in self.rows if row.set == "report"]
        return sorted(
            rows,
            key=lambda row: (
                row.tables + sum(row.not_run.values()) < self.tables,
                -row.found / max(1, row.causes),
                row.false or 0.0,
            ),
        )


class Sheet(Plain):
    """Picture of the hardest examples of each class according to one method.

    `image` is PNG or WebP bytes in base64.
    """

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
    """Methods by mean nAMF, incomplete ones last."""
    problems: tuple[ProblemColumn, ...]
    cells: dict[str, dict[str, CellView]]
    """By problem, then method."""
    shares: tuple[float, ...]
    curves: dict[str, dict[str, tuple[float, ...]]]
    comparison: Comparison | None
    kinds: tuple[KindView, ...] = ()
    """Natural and planted problems apart; empty if the board has problems of one kind only."""
    kinds_agree: float | None = None
    """Spearman's correlation of the methods' means on natural and on planted problems."""
    controls: ControlBoard | None = None
    discovery: DiscoveryBoard | None = None
    sheets: tuple[Sheet, ...] = ()

    @property
    def agreement(self) -> str:
        """Says how far the methods' means on natural and on planted problems agree; "" if that is not known."""
        if self.kinds_agree is None:
            return ""
        counts = ", ".join(f"{one.problems} {one.kind} problems of {one.families} families" for one in self.kinds)
        return f"{counts}; Spearman's correlation of the methods' means on both is {self.kinds_agree:.2f}."


REFERENCES = ("oracle", "random")
"""Methods that are the ends of the scale, which are shown but not ranked."""
