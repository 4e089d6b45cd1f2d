"""Tables that do not fit: a sample is searched, and what it finds is counted and tested on all other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from slicebench.discovery import discover
from slicebench.discovery.facts import facts_of
from slicebench.discovery.holdout.excess import Excess, ranks_within
from slicebench.discovery.holdout.fold_tests import fold_p
from slicebench.discovery.large import passes, sampling, tables
from slicebench.discovery.large.sampling import keys, stratified
from slicebench.discovery.large.tally import rank_p
from slicebench.errors import ConfigError, DataError
from slicebench.metrics.slices import contrasts
from slicebench.metrics.statistics import holm

SAMPLE = 3000


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let a table be large from 4,000 rows on, and its sample have 3,000."""
    monkeypatch.setattr(tables, "LARGE", 4000)
    monkeypatch.setattr(tables, "BATCH", 1000)
    monkeypatch.setattr(sampling, "SAMPLE", SAMPLE)


def visits(n=12_000, seed=0, *, planted=True, d=0):
    """Three classes; errors are frequent at night on old devices and, in class b, where the first vector entry is large."""
    rng = np.random.default_rng(seed)
    y, hour = rng.integers(3, size=n), rng.integers(24, size=n)
    device = np.array(["new", "old", "web"])[rng.integers(3, size=n)]
    X = rng.normal(size=(n, d)).astype(np.float32)
    risk = np.full(n, 0.08)
    if planted:
        risk[(device == "old") & (hour >= 18)] = 0.5
    if planted and d:
        far = (y == 1) & (rng.random(n) < 0.15)
        X[far, 0] += 6
        risk[far] = 0.6
    wrong = rng.random(n) < risk
    names = np.array(["a", "b", "c"])
    table = {
        "label": names[y],
        "prediction": names[(y + wrong * rng.integers(1, 3, n)) % 3],
        "hour": hour,
        "device": device,
    }
    return pd.DataFrame(table | {f"e{j}": X[:, j] for j in range(d)})


def folder_of(table, path, files=4):
    """Write a table as a folder of Parquet files, in order."""
    path.mkdir()
    for i, rows in enumerate(np.array_split(np.arange(len(table)), files)):
        pq.write_table(pa.Table.from_pandas(table.iloc[rows], preserve_index=False), path / f"part-{i}.parquet")
    return path


def sample_rows(found):
    """Return the row numbers of the sample: the ids of rows of a table without ids."""
    return np.asarray(found.examples.ids)


def test_counts_are_those_of_pandas_on_the_whole_table(tmp_path):
    table = visits()
    found = discover(folder_of(table, tmp_path / "parts"))
    one = found.standing[0]
    assert set(one.text.split(" and ")) == {"hour >= 18", "device is old"}
    members, wrong = (
        table.index.isin(table.query(found.query(0)).index),
        (table["label"] != table["prediction"]).to_numpy(),
    )
    assert (one.size, one.verdict.rate) == (members.sum(), pytest.approx(wrong[members].mean()))
    outside = ~np.isin(np.arange(len(table)), sample_rows(found))
    expected = contrasts(members[outside, None], wrong[outside], pd.factorize(table["label"])[0][outside])
    verdict = one.verdict
    assert [verdict.delta, verdict.low, verdict.high] == pytest.approx(
        [expected.delta[0], expected.low[0], expected.high[0]]
    )
    assert verdict.support == (members & outside).sum()
    assert found.held == outside.sum() == len(table) - found.examples.n


def test_p_is_that_of_the_usual_test_on_the_rows_outside_of_the_sample(tmp_path):
    table = visits(seed=3)
    table.loc[(table["device"] != "web") & (table["hour"] < 4) & (np.arange(len(table)) % 3 == 0), "prediction"] = "d"
    found = discover(folder_of(table, tmp_path / "parts"))
    wrong, labels = (table["label"] != table["prediction"]).to_numpy(), pd.factorize(table["label"], sort=True)[0]
    left = ~np.isin(np.arange(len(table)), sample_rows(found))
    excess = Excess(badness=wrong.astype(float), classes=labels, groups=None, exact=True)
    p = []
    for i in range(len(found.slices)):
        members = table.index.isin(table.query(found.query(i)).index)
        p.append(fold_p(members & left, ~members & left, excess))
        left = left & ~members
    assert len(p) > 1
    assert [one.verdict.p_holm for one in found.slices] == pytest.approx(holm(np.array(p)))


def test_facts_are_of_all_rows(tmp_path):
    table = visits()
    large = discover(folder_of(table, tmp_path / "parts"))
    usual = discover(table)
    assert large.facts == facts_of(usual.examples) == usual.facts
    assert large.facts.n == 12_000
    assert "12,000" in large.notes[0]


def test_the_sample_keeps_the_shares_of_classes_and_errors(tmp_path):
    table = visits(seed=1)
    found = discover(folder_of(table, tmp_path / "parts"))
    rows = sample_rows(found)
    strata = table["label"] + (table["label"] != table["prediction"]).astype(str)
    whole, sample = strata.value_counts(), strata.iloc[rows].value_counts()
    assert (sample - whole * SAMPLE / len(table)).abs().max() <= 0.5
    assert (np.diff(rows) > 0).all()


def test_the_sample_does_not_depend_on_how_the_table_is_cut(tmp_path, monkeypatch):
    table = visits(seed=2)
    one = discover(folder_of(table, tmp_path / "one", files=1))
    monkeypatch.setattr(tables, "BATCH", 777)
    many = discover(pads.dataset(str(folder_of(table, tmp_path / "many", files=7))))
    assert sample_rows(one).tolist() == sample_rows(many).tolist()
    assert one.to_frame().equals(many.to_frame())
    other = discover(tmp_path / "one", seed=1)
    assert sample_rows(one).tolist() != sample_rows(other).tolist()


def test_a_region_is_assigned_in_rows_that_the_search_did_not_see(tmp_path):
    table = visits(d=16)
    found = discover(folder_of(table, tmp_path / "parts"))
    (region,) = (one for one in found.standing if one.method == "regions")
    far = (table["label"] == "b") & (table["e0"] > 3)
    assert region.class_name == "b"
    assert region.size == pytest.approx(far.sum(), rel=0.3)
    wrong = (table["label"] != table["prediction"])[far].mean()
    assert region.verdict.rate == pytest.approx(wrong, abs=0.08)
    assert "rows outside of the sample" in found.to_html()


def test_regions_of_plain_columns(tmp_path):
    table = visits(d=16).rename(columns={f"e{j}": f"{'xyz'[j % 3]}_{j * 7}_m" for j in range(16)})
    found = discover(folder_of(table, tmp_path / "parts"), method=["regions"], metadata=[])
    assert any(one.class_name == "b" for one in found.standing)
    assert discover(tmp_path / "parts").standing[0].method == "rules"


def test_losses(tmp_path):
    rng = np.random.default_rng(0)
    table = visits()[["hour", "device"]]
    hard = (table["device"] == "old") & (table["hour"] >= 18)
    table["loss"] = 100 + rng.gamma(2, 1, len(table)) + 1.5 * hard
    found = discover(folder_of(table, tmp_path / "parts"))
    one = found.standing[0]
    members = table.index.isin(table.query(found.query(0)).index)
    outside = ~np.isin(np.arange(len(table)), sample_rows(found))
    loss = table["loss"].to_numpy()
    assert one.verdict.rate == pytest.approx(loss[members].mean(), abs=1e-5)
    delta = loss[members & outside].mean() - loss[~members & outside].mean()
    assert one.verdict.delta == pytest.approx(delta, abs=1e-5)
    from scipy.stats import ttest_ind

    interval = ttest_ind(loss[members & outside], loss[~members & outside], equal_var=False).confidence_interval(0.95)
    assert (one.verdict.low, one.verdict.high) == pytest.approx((interval.low, interval.high), abs=1e-3)
    assert found.facts.rate == pytest.approx(loss.mean(), abs=1e-5)


def test_binned_ranks_are_those_of_the_usual_test():
    rng = np.random.default_rng(0)
    classes, bad = rng.integers(2, size=600), rng.integers(20, size=600).astype(float)
    members = rng.random(600) < 0.2 + 0.01 * bad
    cells = np.zeros((2, 2, 20), dtype=np.int64)
    np.add.at(cells, (classes, members.astype(int), bad.astype(int)), 1)
    usual = fold_p(members, ~members, Excess(badness=bad, classes=classes, groups=None, exact=False))
    assert rank_p(cells[:, 1], cells.sum(axis=1)) == pytest.approx(usual)


@pytest.mark.parametrize("measure", ["fnr", "fpr"])
def test_false_positives_and_negatives(tmp_path, measure):
    table = visits()
    table["label"], table["prediction"] = ((table[one] == "a").astype(int) for one in ("label", "prediction"))
    found = discover(folder_of(table, tmp_path / "parts"), measure=measure)
    compared = table[table["label"] == (measure == "fnr")]
    assert found.facts.n == len(compared)
    assert found.facts.rate == pytest.approx((compared["label"] != compared["prediction"]).mean())


def test_a_probability_is_read_in_every_part_as_in_the_sample(tmp_path):
    rng = np.random.default_rng(0)
    table = visits()[["hour", "device"]]
    table["label"] = rng.integers(2, size=len(table))
    table["score"] = np.clip(table["label"] * 0.6 + rng.random(len(table)) * 0.4, 0, 1)
    usual, large = discover(table), discover(folder_of(table, tmp_path / "parts"))
    assert large.facts == usual.facts
    assert discover(tmp_path / "parts", measure="loss").facts.rate == pytest.approx(
        discover(table, measure="loss").facts.rate
    )


def test_rows_for_testing_are_the_only_ones_that_test(tmp_path):
    table = visits()
    table["split"] = np.where(np.arange(len(table)) % 3 == 0, "test", "train")
    found = discover(folder_of(table, tmp_path / "parts"))
    outside = ~np.isin(np.arange(len(table)), sample_rows(found))
    assert found.held == (outside & (table["split"] == "test")).sum()
    assert "that are for testing" in found.notes[0]
    for row in (sample_rows(found)[-1], np.flatnonzero(outside)[-1]):
        wrong = table.assign(split=np.where(np.arange(len(table)) == row, "sometimes", table["split"]))
        with pytest.raises(DataError, match=rf"'split' of the table .* 'sometimes' at row {row}.* train, val or test"):
            discover(folder_of(wrong, tmp_path / str(row)), split="split")


def test_every_kind_of_column_is_read_as_in_the_sample(tmp_path):
    """Files are sorted by month, so that no part shows all that the sample shows."""
    rng = np.random.default_rng(0)
    table = visits(planted=False)
    table["when"] = pd.date_range("2024-01-01", periods=len(table), freq="43min")
    table["tags"] = [["rain", "dark"] if rng.random() < 0.3 else ["sun"] for _ in range(len(table))]
    table["town"] = [f"town {i}" for i in rng.zipf(1.5, len(table)) % 3000]
    table["age"] = np.where(rng.random(len(table)) < 0.2, np.nan, rng.gamma(4, 10, len(table)))
    table["note"] = [
        " ".join(rng.choice(["mist", "road", "cars", "tree", "sign", "lane"], 2)) + f" {i}" for i in range(len(table))
    ]
    table["seen"] = rng.choice([True, False, None], len(table))
    month, march = table["when"].dt.month, (table["when"].dt.month == 3).to_numpy()
    assert month.nunique() > 6
    for cause, text in (
        (march, "month of when is 3"),
        ((table["tags"].map(len) == 2).to_numpy(), "tags has dark"),
        ((table["town"] == "town 1").to_numpy(), "town is town 1"),
        (table["age"].isna().to_numpy(), "age is missing"),
        (table["note"].str.contains("mist").to_numpy(), "note has “mist”"),
        ((table["seen"] == True).to_numpy(), "seen is True"),  # noqa: E712 - None is neither
    ):
        wrong = rng.random(len(table)) < np.where(cause, 0.5, 0.05)
        given = table.assign(prediction=np.where(wrong, "d", table["label"]))
        path = folder_of(given, tmp_path / text, files=12)
        found = discover(path, text="note", method=["rules"])
        one = found.standing[0]
        assert text in one.text or (text, one.text) == ("tags has dark", "tags has sun is False")
        assert one.size == pytest.approx(cause.sum(), abs=0.01 * len(table))


def test_a_class_that_the_sample_does_not_have_is_left_out_and_said(tmp_path):
    table = visits()
    two = np.flatnonzero(keys(np.arange(len(table)), 0) > 0.5)[-2:]  # rows that are not drawn
    table.loc[two, "label"] = "zebra"
    found = discover(folder_of(table, tmp_path / "parts"))
    assert "zebra" not in found.examples.class_names
    assert "2 of 12,000 rows are left out" in found.notes[1]
    assert f"row {two[0]:,}" in found.notes[1]
    assert found.facts.n == 11_998


def test_a_frequent_class_of_the_last_file_is_in_the_sample(tmp_path):
    table = visits()
    table.loc[9000:, "label"] = "zebra"
    found = discover(folder_of(table, tmp_path / "parts"))
    assert "zebra" in found.examples.class_names
    assert found.facts.n == len(table)


@pytest.mark.parametrize("column", ["label", "prediction"])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_missing_value_of_any_file_is_refused_by_its_row(tmp_path, column, drawn):
    table = visits(n=5000, planted=False)
    of_draw = keys(np.arange(len(table)), 0) < sampling.MORE * SAMPLE / len(table)
    row = int(np.flatnonzero(of_draw == drawn)[-1])
    table.loc[row, column] = None
    with pytest.raises(DataError, match=rf"column '{column}' of the table has no value at row {row} "):
        discover(folder_of(table, tmp_path / "parts"))


def test_errors_in_vectors_name_the_row(tmp_path):
    table = visits(d=16)
    found = discover(folder_of(table, tmp_path / "parts"))
    for i, row in enumerate((sample_rows(found)[-1], np.setdiff1d(np.arange(len(table)), sample_rows(found))[-1])):
        with pytest.raises(DataError, match=rf"column 'e3' of the table has no value at row {row} "):
            discover(
                folder_of(table.assign(e3=table["e3"].where(table.index != row)), tmp_path / f"missing {i}"),
                embedding="e",
            )
    infinite = table.assign(e3=table["e3"].where(table.index != row, np.inf))
    with pytest.raises(DataError, match=rf"column 'e3' of the table \(row 0 being row 11,000\).* row {row - 11_000}"):
        discover(folder_of(infinite, tmp_path / "infinite"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"group": "devise"}, "the table has no column 'devise'; did you mean 'device'"),
        ({"embeddings": np.zeros((12_000, 3))}, "vectors beside the table"),
        ({"method": "domino"}, "domino cannot assign the rows outside of a sample"),
        ({"method": "regions", "text": "device"}, "regions need vectors in the table"),
        ({"image": "device"}, "images are not read"),
    ],
)
def test_what_large_tables_cannot_have_is_refused(tmp_path, given, said):
    folder_of(visits(), tmp_path / "parts")
    with pytest.raises(ConfigError, match=said):
        discover(tmp_path / "parts", **given)


def test_folders_that_would_be_a_split_are_refused_or_declined(tmp_path):
    for part, rows in (("train", slice(0, 6000)), ("test", slice(6000, None))):
        folder_of(visits()[rows], tmp_path / part, files=1)
    with pytest.raises(ConfigError, match="the folders 'test' and 'train' are not read as a split"):
        discover(tmp_path)
    assert discover(tmp_path, split=None).held == 9000


@pytest.mark.parametrize("by_loss", [False, True])
def test_groups_are_drawn_whole_and_tested_as_in_memory(tmp_path, by_loss):
    """Each device belongs to a patient; the same test in memory, on the rows outside of the sample, has the same p."""
    rng = np.random.default_rng(0)
    table = visits(planted=False)
    table["patient"] = [None if i == 5 else f"p{k}" for i, k in enumerate(rng.integers(600, size=len(table)))]
    bad = table["patient"].isin([f"p{k}" for k in range(80)])
    table["ward"] = np.where(bad | (rng.random(len(table)) < 0.02), "west", "east")
    wrong = rng.random(len(table)) < np.where(bad, 0.4, 0.08)
    table["prediction"] = np.where(wrong, "d", table["label"])
    if by_loss:
        table = table.drop(columns=["label", "prediction"]).assign(loss=wrong + rng.random(len(table)) / 5)
    found = discover(folder_of(table, tmp_path / "parts"), group="patient", method="rules")
    drawn = table["patient"].iloc[sample_rows(found)]
    left = ~np.isin(np.arange(len(table)), sample_rows(found))
    assert not set(drawn.dropna()) & set(table["patient"][left].dropna())
    members, groups = table.index.isin(table.query(found.query(0)).index), pd.factorize(table["patient"])[0]
    labels = np.zeros(len(table), dtype=np.int64) if by_loss else pd.factorize(table["label"], sort=True)[0]
    badness = ranks_within(table["loss"].to_numpy(), labels) if by_loss else wrong.astype(float)
    excess = Excess(badness=badness, classes=labels, groups=groups, exact=not by_loss)
    p = fold_p(members & left, ~members & left, excess)
    assert len(found.slices) == 1
    assert np.log10(found.slices[0].verdict.p_holm) == pytest.approx(np.log10(p), rel=0.1 if by_loss else 1e-3)
    assert found.slices[0].verdict.stands
    assert found.slices[0].verdict.high - found.slices[0].verdict.low > 0.05
    assert "all those of some groups" in found.notes[0]
    assert "all rows of some patient" in found.to_html()


def test_groups_that_are_too_large_are_refused(tmp_path):
    table = visits()
    table["ward"] = np.where(np.arange(len(table)) < 2000, "west", "east")
    folder_of(table, tmp_path / "parts")
    messages = set()
    for seed in range(8):
        with pytest.raises((ConfigError, DataError), match="groups") as refused:
            discover(tmp_path / "parts", group="ward", seed=seed)
        messages |= {word for word in ("no row", "too many", "different values") if word in str(refused.value)}
    assert "no row" in messages
    assert len(messages) > 1


def test_one_file_with_an_index_and_a_folder_with_partitions(tmp_path):
    table = visits()
    table.index = pd.Index([f"visit {i}" for i in range(len(table))], name="id")
    table.to_parquet(tmp_path / "visits.parquet")
    one = discover(tmp_path / "visits.parquet")
    assert one.source == "visits.parquet"
    assert one.examples.ids[0].startswith("visit ")
    table.to_parquet(tmp_path / "parts", partition_cols=["device"])
    assert "device is old" in discover(tmp_path / "parts").standing[0].text


def test_a_region_that_its_function_does_not_match_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(passes, "LEAST_AGREEMENT", 1.1)
    found = discover(folder_of(visits(d=16), tmp_path / "parts"), method="regions")
    assert any("a region of b by their likeness" in note for note in found.notes)


def test_small_tables_go_the_usual_way(tmp_path):
    table = visits(n=3900)
    found = discover(folder_of(table, tmp_path / "parts"))
    assert (found.held, found.examples.n) == (None, 3900)
    assert discover(pads.dataset(str(tmp_path / "parts"))).to_frame().equals(found.to_frame())


def without_cause(kind, seed):
    """A table whose outcomes depend on nothing but the class, or the patient."""
    table = visits(n=5000, seed=seed, planted=False, d=16)
    rng = np.random.default_rng([3, seed])
    if kind == "losses":
        return table.drop(columns=["label", "prediction"]).assign(loss=np.exp(2 * rng.normal(size=5000))), {}
    if kind == "errors":
        return table, {}
    copies = rng.integers(1000, size=5000)
    return table.iloc[copies].reset_index(drop=True).assign(patient=[f"p{k}" for k in copies]), {"group": "patient"}


def shown(kind, seeds, folder):
    """How many tables without a cause show a slice, and how many have a slice with p of at most 0.05."""
    slices, small = 0, 0
    for seed in seeds:
        table, given = without_cause(kind, seed)
        found = discover(folder_of(table, folder / f"{kind} {seed}", files=1), seed=seed, **given)
        slices += len(found.standing) > 0
        small += any(one.verdict.p_holm <= 0.05 for one in found.slices)
    return slices, small


def test_of_tables_without_a_cause_hardly_one_shows_a_slice(tmp_path):
    assert shown("errors", range(8), tmp_path)[1] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["errors", "losses", "groups"])
def test_of_sixty_tables_without_a_cause_three_at_most_show_a_slice(tmp_path, kind):
    assert max(shown(kind, range(60), tmp_path)) <= 3


def test_keys_are_uniform_and_independent_of_neighbours():
    values = keys(np.arange(100_000), 5)
    assert values.mean() == pytest.approx(0.5, abs=0.005)
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0, abs=0.01)
    assert abs(np.corrcoef(values, keys(np.arange(100_000), 6))[0, 1]) < 0.01


def test_a_stratum_keeps_its_share_and_at_least_one_row():
    rows = np.arange(1000)
    strata = np.where(rows < 3, 0, np.where(rows < 400, 1, 2))
    kept = stratified(rows, strata, np.array([3, 3970, 6000]), 500, 0)
    assert np.bincount(strata[kept]).tolist() == [1, 199, 301]


def test_only_files_that_cannot_be_read_are_left_to_others(tmp_path, monkeypatch):
    (tmp_path / "words.parquet").write_text("no Parquet")
    (tmp_path / "empty").mkdir()
    assert [tables.large_table(tmp_path / name) for name in ("words.parquet", "empty", "none.parquet")] == [None] * 3

    def mistaken(path):
        raise RuntimeError("a mistake of the program")

    monkeypatch.setattr(tables, "parquet_dataset", mistaken)
    with pytest.raises(RuntimeError, match="a mistake"):
        tables.large_table(tmp_path / "words.parquet")
