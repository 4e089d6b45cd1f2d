"""Run one peer on tables: `python -I peer_script.py NAME`, in the peer's own environment.

This file imports nothing of slicebench. Each line of the standard input names a folder. In it, the
script reads table.npz and settings.json, and writes slices.npz and then answer.json. Packages are
imported by name, since hardly any environment has more than one.

Decisions
- One process takes many tables, because importing a peer takes longer than most tables.
- NumPy's global generator is seeded before each table, so that results do not depend on the order.
- All peers get the class as a column, because most causes are in one class.
- Numbers are cut at quantiles for peers that need categories.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

TOP = 10
"""Slices that a peer without a test of its own shows at most."""
LEAST_MEMBERS = 20
MEMORY = 8 * 2**30
"""Bytes that a peer may allocate; SliceLine takes more than 22 GB for one of the tables."""


@dataclass(frozen=True)
class View:
    """A table as a peer sees it."""

    columns: Any
    vectors: Any
    loss: Any
    classes: Any
    predictions: Any

    @property
    def is_binary(self) -> bool:
        """Whether losses are right and wrong."""
        return bool(np.isin(self.loss, (0, 1)).all())


class NotPossibleError(Exception):
    """The peer cannot run on the table."""


def main(name: str) -> None:
    """Run the peer on each folder of the standard input."""
    if sys.platform != "win32":
        resource = import_module("resource")
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    for line in sys.stdin:
        np.random.seed(0)  # noqa: NPY002  # peers draw from this generator
        run(name, Path(line.rstrip("\n")))


def run(name: str, folder: Path) -> None:
    """Run the peer on one folder and write its answer."""
    view, settings = read(folder), json.loads((folder / "settings.json").read_text())
    masks, texts, reason = [], [], ""
    try:
        for mask, text in PEERS[name](view, settings):
            masks.append(np.asarray(mask, dtype=bool))
            texts.append(str(text))
    except ModuleNotFoundError as error:
        reason = f"{name} is not installed: {error}"
    except NotPossibleError as error:
        reason = str(error)
    empty = np.zeros((0, len(view.loss)), dtype=bool)
    np.savez(folder / "slices.npz", masks=np.array(masks) if masks else empty)
    (folder / "answer.part").write_text(json.dumps({"descriptions": texts, "skipped": reason}))
    (folder / "answer.part").rename(folder / "answer.json")


def read(folder: Path) -> View:
    """Read a table."""
    pd = import_module("pandas")
    with np.load(folder / "table.npz", allow_pickle=False) as arrays:
        columns = {key.partition(":")[2]: arrays[key] for key in arrays.files if key.startswith("column:")}
        named = {key: arrays[key] for key in ("vectors", "loss", "classes", "predictions")}
    return View(columns=pd.DataFrame(columns), **named)


def binned(columns: Any, bins: int) -> Any:
    """Return the columns as words: numbers by their quantiles, "missing" where they are missing."""
    pd = import_module("pandas")
    out = {}
    for name, values in columns.items():
        if values.dtype.kind in "iuf" and values.nunique() > bins:
            cut = pd.qcut(values, bins, duplicates="drop").astype(str)
            out[name] = cut.where(values.notna(), "missing")
        else:
            out[name] = values.astype(str)
    return pd.DataFrame(out)


def sliceline(view: View, settings: dict[str, Any]) -> Any:
    """Yield the top slices of SliceLine; its default of one slice is kept."""
    finder_module = import_module("sliceline.slicefinder")
    seen = binned(view.columns, settings.pop("bins", 10))
    finder = finder_module.Slicefinder(verbose=False, **settings)
    coded = {name: np.unique(values.to_numpy(dtype=str), return_inverse=True) for name, values in seen.items()}
    finder.fit(np.column_stack([codes + 1 for _, codes in coded.values()]), view.loss)
    for slice_ in finder.top_slices_:
        chosen = {name: int(code) - 1 for name, code in zip(coded, slice_, strict=True) if code is not None}
        mask = np.all([coded[name][1] == code for name, code in chosen.items()], axis=0)
        yield mask, " and ".join(f"{name} is {coded[name][0][code]}" for name, code in chosen.items())


def divexplorer(view: View, settings: dict[str, Any]) -> Any:
    """Yield the itemsets of largest divergence among those with a large enough t."""
    module = import_module("divexplorer")
    outcome = "boolean_outcomes" if view.is_binary else "quantitative_outcomes"
    seen = binned(view.columns, 4).assign(loss__=view.loss.astype(int) if view.is_binary else view.loss)
    explorer = module.DivergenceExplorer(seen)
    found = explorer.get_pattern_divergence(min_support=settings.get("min_support", 0.05), **{outcome: ["loss__"]})
    if "redundancy" in settings:
        found = module.DivergencePatternProcessor(found, "loss__").redundancy_pruning(settings["redundancy"])
    found = found[(found["loss___div"] > 0) & (found["loss___t"] >= settings.get("least_t", 4.0))]
    for itemset in found.sort_values("loss___div", ascending=False)["itemset"].head(settings.get("top", TOP)):
        pairs = [item.split("=", 1) for item in itemset]
        if pairs:
            mask = np.all([(seen[name] == value).to_numpy() for name, value in pairs], axis=0)
            yield mask, " and ".join(f"{name} is {value}" for name, value in pairs)


def cleanlab(view: View, settings: dict[str, Any]) -> Any:
    """Yield the one group that Datalab reports as underperforming."""
    if view.predictions.dtype.kind == "f":
        raise NotPossibleError("cleanlab finds groups in classifications only")
    lab_class = import_module("cleanlab").Datalab
    names, labels = np.unique(view.classes, return_inverse=True)
    probs = np.full((len(labels), len(names)), 0.1 / max(1, len(names) - 1))
    probs[np.arange(len(labels)), np.searchsorted(names, view.predictions)] = 0.9
    lab = lab_class({"y": labels}, label_name="y", verbosity=0)
    options = {key: value for key, value in settings.items() if key == "threshold"}
    if "eps" in settings:
        options["clustering_kwargs"] = {"eps": settings["eps"]}
    lab.find_issues(pred_probs=probs, features=view.vectors, issue_types={"underperforming_group": options})
    try:
        issues = lab.get_issues()
    except ValueError:  # it found no clusters, and so has no table of issues
        return
    if "is_underperforming_group_issue" not in issues:
        return
    mask = issues["is_underperforming_group_issue"].to_numpy()
    if mask.any():
        yield mask, ""


def deepchecks(view: View, settings: dict[str, Any]) -> Any:
    """Yield the weak segments of Deepchecks, the weakest first."""
    tabular = import_module("deepchecks.tabular")
    checks = import_module("deepchecks.tabular.checks")
    pd = import_module("pandas")
    words = [name for name, values in view.columns.items() if values.dtype.kind not in "iuf"]
    data = tabular.Dataset(view.columns.assign(loss__=view.loss), label="loss__", cat_features=words)
    top = settings.pop("top", TOP)
    check = checks.WeakSegmentsPerformance(score_per_sample=pd.Series(-view.loss), n_samples=len(view.loss), **settings)
    try:
        segments = check.run(data, with_display=False).value["weak_segments_list"]
    except import_module("deepchecks.core.errors").DeepchecksProcessError:
        return
    for _, row in segments.head(top).iterrows():
        parts = [(row[f"Feature{i}"], row[f"Feature{i} Range"]) for i in (1, 2) if row[f"Feature{i}"]]
        mask = np.all([_within(view.columns[name], values, name in words) for name, values in parts], axis=0)
        yield mask, " and ".join(f"{name} in {values}" for name, values in parts)


def _within(values: Any, allowed: Any, is_word: Any) -> Any:
    if is_word:
        return values.isin(list(allowed)).to_numpy()
    return ((values > allowed[0]) & (values <= allowed[1])).to_numpy()


def erroranalysis(view: View, settings: dict[str, Any]) -> Any:
    """Yield the leaves of the error tree whose mean loss is at least `lift` times the whole, the largest first."""
    module = import_module("erroranalysis._internal.error_analyzer")
    words = [name for name, values in view.columns.items() if values.dtype.kind not in "iuf"]
    columns, lift = view.columns.fillna(-999.0), settings.pop("lift", 1.5)
    truth = np.zeros(len(view.loss), dtype=int if view.is_binary else float)
    task = import_module("raiutils.models").ModelTask
    analyzer = module.PredictionsAnalyzer(
        view.loss.astype(truth.dtype),
        columns,
        truth,
        list(columns.columns),
        words,
        model_task=task.CLASSIFICATION if view.is_binary else task.REGRESSION,
    )
    nodes = analyzer.compute_error_tree(list(columns.columns), None, None, **settings)
    masks = _node_masks(nodes, columns, {name: list(np.unique(columns[name])) for name in words})
    inner = {node["parentId"] for node in nodes}
    leaves = [masks[node["id"]] for node in nodes if node["id"] not in inner and node["parentId"] is not None]
    kept = [(m, t) for m, t in leaves if m.sum() >= LEAST_MEMBERS and view.loss[m].mean() >= lift * view.loss.mean()]
    yield from sorted(kept, key=lambda pair: -(view.loss[pair[0]] - view.loss.mean()).sum())


def _node_masks(nodes: Any, columns: Any, categories: dict[str, list[Any]]) -> dict[Any, Any]:
    """Return the members of each node of an error tree, and its conditions."""
    masks = {}
    for node in nodes:
        if node["parentId"] is None:
            masks[node["id"]] = (np.ones(len(columns), bool), "")
            continue
        above, text = masks[node["parentId"]]
        name, method, arg = node["parentNodeName"], node["method"], node["arg"]
        values = columns[name].to_numpy()
        if method in ("includes", "excludes"):
            held = np.isin(values, [categories[name][int(one)] for one in arg])
            held = held if method == "includes" else ~held
        else:
            held = values.astype(float) <= arg if method == "less and equal" else values.astype(float) > arg
        masks[node["id"]] = (above & held, f"{text} and {node['condition']}".removeprefix(" and "))
    return masks


def giskard(view: View, settings: dict[str, Any]) -> Any:
    """Yield the slices of Giskard's slicers whose mean loss is at least `lift` times the whole; one column each."""
    slicing = import_module("giskard.slicing.slice_finder")
    dataset_class = import_module("giskard").Dataset
    words = [name for name, values in view.columns.items() if values.dtype.kind not in "iuf"]
    frame = view.columns.assign(loss__=view.loss)
    data = dataset_class(frame, target=None, cat_columns=words, validation=False)
    lift, kept = settings.pop("lift", 1.2), []
    for found in slicing.SliceFinder().run(data, list(view.columns.columns), target="loss__", **settings).values():
        for one in found:
            mask = one.query.mask(frame).to_numpy() if hasattr(one, "query") else one.mask(frame)
            if mask.sum() >= LEAST_MEMBERS and view.loss[mask].mean() >= lift * view.loss.mean():
                kept.append((mask, str(one)))
    yield from sorted(kept, key=lambda pair: -(view.loss[pair[0]] - view.loss.mean()).sum())[:TOP]


def sliceguard(view: View, settings: dict[str, Any]) -> Any:
    """Yield the issues of sliceguard."""
    module = import_module("sliceguard")
    guard = module.SliceGuard()
    frame = view.columns.assign(loss__=view.loss, zero__=0.0)
    issues = guard.find_issues(
        frame,
        list(view.columns.columns),
        "zero__",
        "loss__",
        lambda truth, predicted: float(np.mean(np.abs(np.asarray(predicted) - np.asarray(truth)))),
        metric_mode="min",
        **settings,
    )
    positions = {index: i for i, index in enumerate(frame.index)}
    for issue in issues:
        mask = np.zeros(len(frame), bool)
        mask[[positions[index] for index in issue["indices"]]] = True
        yield mask, " and ".join(str(one["column"]) for one in issue.get("explanation", ()))


PEERS = {
    "sliceline": sliceline,
    "divexplorer": divexplorer,
    "cleanlab": cleanlab,
    "deepchecks": deepchecks,
    "erroranalysis": erroranalysis,
    "giskard": giskard,
    "sliceguard": sliceguard,
}

if __name__ == "__main__":
    main(sys.argv[1])
