"""Finders of slices: discover itself, a plain error tree, registered methods as published, and peers.

A finder is a function of a table that returns the slices it shows. To add one in this process, write
such a function and list it in `OWN`; to add a peer, write a function in `peer_script` and list its
settings in `peers.SETTINGS`. `TUNED` holds the eight settings of each finder that is tuned.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.discovery.benchmark.finders.peers import SETTINGS, Skipped, peer
from slicebench.discovery.benchmark.finders.views import columns_seen, vectors_seen
from slicebench.discovery.benchmark.score import Shown
from slicebench.discovery.holdout.masks import marked
from slicebench.discovery.search import discover
from slicebench.errors import ConfigError, did_you_mean
from slicebench.metrics.statistics import ALPHA, holm
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import PlantedTable

    Bools = NDArray[np.bool_]
    Finder = Callable[[PlantedTable], list[Shown]]

AS_PUBLISHED = "fisher:"
"""Prefix of a registered method whose own slices are tested on the rows on which it found them."""
OURS = "discover:"
"""Prefix of a registered method that `discover` runs and tests."""
LEAST_MEMBERS = 20
DEPTH = 4


def finder_of(name: str) -> Finder:
    """Return the finder of a name.

    Names are "discover", "discover:METHOD", "fisher:METHOD", "error_tree" or a peer. Finders in
    `TUNED` also take the number of one of their settings ("sliceline@3"). Raises `ConfigError` for an
    unknown name.
    """
    base, _, number = name.partition("@")
    prefix, _, method = base.partition(":")
    if method and f"{prefix}:" in (OURS, AS_PUBLISHED):
        METHODS.load(method)
    elif base not in OWN and base not in SETTINGS:
        raise ConfigError(f"unknown finder {name!r}; {did_you_mean(base, [*OWN, *SETTINGS])}")
    given = _setting(name, base, number) if "@" in name else {}
    if method:
        return partial(discovered, method=method) if prefix == "discover" else partial(fisher, method=method, **given)
    return partial(OWN[base], **given) if base in OWN else partial(peer, base, given)


def _setting(name: str, base: str, number: str) -> dict[str, Any]:
    settings = TUNED.get(base)
    if settings is None:
        raise ConfigError(f"finder {name!r}: {base} has no numbered settings; {', '.join(TUNED)} have some")
    if not number.isdigit() or int(number) >= len(settings):
        raise ConfigError(f"finder {name!r}: {base} has settings 0 to {len(settings) - 1}, got {number!r}")
    return settings[int(number)]


def discovered(table: PlantedTable, method: str | None = None) -> list[Shown]:
    """Return the significant slices of `discover`."""
    found = discover(table.frame, method=method, **table.roles)
    labels = np.array(found.examples.class_names)[found.examples.labels]
    facts = [Shown(labels == one.name, f"class {one.name}", fact=True) for one in found.facts.worse]
    return facts + [
        Shown(marked(one.rows, len(table.frame)), one.name.text or one.label, tuple(map(int, one.rows[:100])))
        for one in found.standing
    ]


def error_tree(
    table: PlantedTable, *, depth: int = DEPTH, least: int = LEAST_MEMBERS, lift: float = 1.0
) -> list[Shown]:
    """Return the leaves of a decision tree of the losses that are surely worse than the whole, in the manner of FreaAI.

    A leaf is shown if the 95% highest posterior density interval of its error rate lies above `lift`
    times the mean; for losses, if mean − 1.96 standard errors does. Leaves have at least `least` rows.
    """
    from sklearn.tree import DecisionTreeRegressor

    seen = columns_seen(table)
    x = vectors_seen(table) if not table.visible else _codes(seen)
    names = [*map(str, seen.columns)] if table.visible and x.shape[1] == seen.shape[1] else None
    tree: Any = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=least, random_state=0)
    leaves = tree.fit(x, table.loss).apply(x)
    low = {int(leaf): _low(table.loss[leaves == leaf]) for leaf in np.unique(leaves)}
    worse = [leaf for leaf, bound in low.items() if bound > lift * table.loss.mean()]
    worse.sort(key=lambda leaf: -float((table.loss[leaves == leaf] - table.loss.mean()).sum()))
    paths = _paths(tree.tree_, names)
    return [Shown(leaves == leaf, paths[leaf]) for leaf in worse]


def _codes(seen: Any) -> NDArray[np.float64]:
    """Return numbers as they are, missing ones as -1 below the least, and words as numbers."""
    out = {}
    for name, values in seen.items():
        numeric = values.dtype.kind in "iuf"
        out[name] = values.fillna(values.min() - 1) if numeric else values.astype("category").cat.codes
    return np.column_stack([np.asarray(values, dtype=float) for values in out.values()])


def _low(loss: NDArray[np.float64]) -> float:
    """Return the lower end of the interval of a mean loss."""
    if not np.isin(loss, (0, 1)).all():
        return float(loss.mean() - 1.96 * loss.std(ddof=1) / np.sqrt(len(loss)))
    from scipy.stats import beta

    posterior = beta(1 + loss.sum(), 1 + (1 - loss).sum())
    starts = np.linspace(0, 0.05, 101)
    lengths = posterior.ppf(starts + 0.95) - posterior.ppf(starts)
    return float(posterior.ppf(starts[np.argmin(lengths)]))


def _paths(tree: Any, names: Sequence[str] | None) -> dict[int, str]:
    """Return the conditions on the way to each node, as text."""
    out = {0: ""}
    for node in range(tree.node_count):
        if tree.children_left[node] < 0:
            continue
        feature = int(tree.feature[node])
        name = names[feature] if names else f"x{feature}"
        for child, sign in ((tree.children_left[node], "<="), (tree.children_right[node], ">")):
            text = f"{name} {sign} {tree.threshold[node]:.4g}"
            out[int(child)] = f"{out[node]} and {text}" if out[node] else text
    return out


def fisher(table: PlantedTable, method: str, **parameters: Any) -> list[Shown]:
    """Return the slices of a registered method, as it is published: fitted and tested on the same rows.

    Fisher's exact test compares a slice with the rest of its class; Holm's correction is over the
    slices. `parameters` are those of the method. Raises `Skipped` if it cannot run on the table.
    """
    from slicebench.data.from_arrays import from_arrays
    from slicebench.evaluation.attempt import checked_scores
    from slicebench.evaluation.slices import returned_slices

    n, outcomes = len(table.frame), _outcomes(table)
    outcomes["probs"] = _probs(**outcomes)
    thrice: dict[str, Any] = {key: np.concatenate([values] * 3) for key, values in outcomes.items()}
    problem = from_arrays(
        embeddings=np.tile(vectors_seen(table), (3, 1)),
        splits=np.repeat(["train", "val", "test"], n),
        class_names=sorted(set(table.classes)),
        **thrice,
    )
    chosen = METHODS.load(method)(**parameters)
    if reason := chosen.supports(problem.data):
        raise Skipped(f"{method} cannot run on this data: {reason}")
    chosen.fit(problem.data)
    split = problem.test
    slices = returned_slices(checked_scores(chosen, chosen.score(split), split), split, problem.data.class_names)
    return [Shown(slices.hard[:, j], slices.names[j]) for j in significant(slices.hard, outcomes["labels"], table.loss)]


def _outcomes(table: PlantedTable) -> dict[str, NDArray[Any]]:
    """Return labels and predictions as class numbers; raises `Skipped` for losses."""
    if "prediction" not in table.roles or table.roles.get("task") == "regression":
        raise Skipped("needs classes")
    names = sorted(set(table.classes))
    predicted = table.frame[table.roles["prediction"]].to_numpy(dtype=str)
    return {"labels": np.searchsorted(names, table.classes), "predictions": np.searchsorted(names, predicted)}


def _probs(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return probabilities of 0.9 for the predicted class, for methods that need some, shape (n, C)."""
    count = int(max(labels.max(), predictions.max())) + 1
    probs = np.full((len(labels), count), 0.1 / max(1, count - 1), np.float32)
    probs[np.arange(len(labels)), predictions] = 0.9
    return probs


def significant(slices: Bools, labels: NDArray[np.int64], loss: NDArray[np.float64]) -> list[int]:
    """Return the columns of `slices`, (n, k), whose part in some class has more errors than the rest of it.

    One-sided Fisher tests of parts with at least 20 members, Holm-corrected over all of them.
    """
    from scipy.stats import hypergeom

    parts, p = list[int](), list[float]()
    for j in range(slices.shape[1]):
        for label in np.unique(labels):
            rows = labels == label
            members = rows & slices[:, j]
            if members.sum() >= LEAST_MEMBERS:
                tested = hypergeom.sf(loss[members].sum() - 1, rows.sum(), loss[rows].sum(), members.sum())
                parts.append(j)
                p.append(float(tested))
    corrected = holm(np.array(p)) if p else np.zeros(0)
    return sorted({j for j, value in zip(parts, corrected, strict=True) if value <= ALPHA})


OWN: dict[str, Finder] = {"discover": discovered, "error_tree": error_tree}
"""Finders that run in this process."""
TUNED: dict[str, tuple[dict[str, Any], ...]] = {
    "error_tree": (
        {"depth": 2}, {"depth": 3}, {"depth": 6}, {"depth": 8}, {"least": 50}, {"depth": 6, "least": 50},
        {"depth": 6, "lift": 1.5}, {"depth": 8, "lift": 2.0},
    ),
    "fisher:domino": (
        {"n_slices": 10}, {"n_slices": 25}, {"n_slices": 10, "n_components": 50}, {"n_slices": 50, "n_components": 50},
        {"n_slices": 10, "n_components": 10}, {"n_slices": 25, "y_weight": 1.0, "y_hat_weight": 1.0},
        {"n_slices": 25, "y_weight": 5.0, "y_hat_weight": 5.0}, {"n_slices": 25, "init": "kmeans"},
    ),
    "fisher:domino_reference": (
        {"n_components": 64}, {"n_components": 64, "n_slices": 10}, {"n_components": 64, "n_slices": 25},
        {"init": "kmeans"}, {"init": "kmeans", "n_slices": 10}, {"init": "kmeans", "n_slices": 25},
        {"init": "kmeans", "order": "error_rate"}, {"n_components": 64, "n_slices": 10, "order": "error_rate"},
    ),
    **SETTINGS,
}  # fmt: skip
"""Settings of finders to tune over, by number; without a number a finder has its defaults."""
