"""Submissions: what may stand in a file, what must not, and that the numbers are those of the evaluator."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slicebench import METHODS, evaluate
from slicebench.discovery.interop import found_by
from slicebench.errors import DataError, SlicebenchError, StorageError
from slicebench.evaluation.submissions import (
    Members,
    Submission,
    evaluate_submissions,
    export_problem,
    read_submissions,
)
from slicebench.evaluation.submissions import contents as contents_module
from slicebench.evaluation.submissions import matching as matching_module
from slicebench.evaluation.submissions import reading as reading_module
from slicebench.evaluation.submissions import scoring as judging_module
from slicebench.testing import example_problem


def written(frame, path):
    """`frame` in the format that the ending names."""
    if path.suffix == ".xlsx":
        pytest.importorskip("openpyxl", reason="openpyxl writes the workbook")
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffixes[0] in (".jsonl", ".ndjson"):
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(frame, path)
    elif path.suffix == ".arrow":  # the stream format, as Hugging Face's datasets have it
        table = pa.Table.from_pandas(frame)
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    else:
        frame.to_csv(path, index=False, sep="," if path.suffixes[0] == ".csv" else "\t")
    return path


def read_one(path):
    (one,) = read_submissions(path)
    return one


def scored(problem, seed=0):
    """Table of random scores for every test example."""
    return pd.DataFrame({"id": problem.test.ids, "score": np.random.default_rng(seed).normal(size=problem.test.n)})


def judged(problem, frame, path):
    return evaluate_submissions(read_submissions(written(frame, path)), problem)


@pytest.fixture(scope="module")
def large():
    """Enough examples for a method to have slices."""
    return example_problem(n=600)


@pytest.fixture(scope="module")
def spotlight(large):
    return evaluate(METHODS.load("spotlight")(), large, "spotlight")


# --- the same numbers as the evaluator ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["svm_directions", "confidence", "random"])
def test_scores_of_a_method_are_worth_what_the_evaluator_says(problem, tmp_path, name):
    result = evaluate(METHODS.load(name)(), problem)
    frame = pd.DataFrame({"id": problem.test.ids, "score": result.scores.hardness}).sample(frac=1, random_state=0)
    found = judged(problem, frame, tmp_path / "scores.parquet")
    for key, value in result.record.metrics.items():
        expected = None if key.startswith("flagged") else value
        assert found.records[0].metrics[key] == expected, key
    assert found.records[0].base_model == result.record.base_model
    assert found.records[0].per_class.keys() == result.record.per_class.keys()


def test_soft_slices_are_worth_what_the_evaluator_says(large, spotlight, tmp_path):
    """Memberships of every example in every slice: the same members, the same numbers."""
    scores, ids = spotlight.scores, large.test.ids
    table = {"id": ids, "score": scores.hardness}
    slices = [
        pd.DataFrame({**table, "slice": f"s{j}", "membership": column}) for j, column in enumerate(scores.membership.T)
    ]
    record = judged(large, pd.concat(slices), tmp_path / "slices.parquet").records[0]
    assert record.slices.metrics == spotlight.record.slices.metrics
    assert record.slices.chance == spotlight.record.slices.chance
    assert [one.size for one in record.slices.per_slice] == [one.size for one in spotlight.record.slices.per_slice]
    assert record.metrics["namf"] == spotlight.record.metrics["namf"]


def test_ranked_slices_are_worth_what_the_evaluator_says(large, spotlight, tmp_path):
    """The members alone, by rank: enough for all metrics that see sets; others also see the order of who is not a member."""
    members = found_by(spotlight.scores, large.test).members
    record = judged(large, members, tmp_path / "slices.parquet").records[0]
    theirs = spotlight.record.slices
    assert record.slices.per_slice == theirs.per_slice
    assert record.slices.k == 5
    for key in ("redundancy", "error_coverage", "discovery_rate_8_5", "false_discovery_rate_5_5"):
        assert record.slices.metrics[key] == theirs.metrics[key], key


def test_the_reference_and_the_interval_are_those_of_a_run(problem, tmp_path):
    from slicebench.metrics.statistics import SeedScores, interval_of_mean, sampled_problem

    frame = scored(problem)
    found = judged(problem, frame, tmp_path / "scores.csv")
    (mine, reference) = found.rows
    assert reference.reference
    assert not mine.reference
    assert reference.record.metrics == evaluate(METHODS.load("random")(), problem).record.metrics
    seeds = [
        SeedScores(problem.test.labels, problem.truth.minority(problem.test.ids), {"m": frame["score"].to_numpy()})
    ]
    own = interval_of_mean([sampled_problem(seeds, int.from_bytes(b"example|[0]", "big"))["m"]])
    assert (mine.namf.mean, mine.namf.low, mine.namf.high) == (own.mean, own.low, own.high)
    assert mine.namf.mean == pytest.approx(mine.record.metrics["namf"])
    assert not mine.namf.behind


def test_submissions_are_ranked_and_ties_with_the_best_are_marked(problem, tmp_path):
    truth = problem.truth.minority(problem.test.ids).astype(float)
    frame = pd.concat(
        [
            scored(problem).assign(method="bad", score=np.random.default_rng(0).normal(size=len(truth)) - truth),
            scored(problem).assign(method="good", score=truth),
            scored(problem).assign(method="good too", score=truth * 2),
        ]
    )
    found = judged(problem, frame, tmp_path / "all.parquet")
    assert [row.record.method for row in found.rows][2:] == ["bad", "random"]
    assert [row.namf.mean for row in found.rows[:2]] == [1.0, 1.0]
    assert [row.namf.behind for row in found.rows] == [False, False, True, True]


def test_constant_scores_are_chance(problem, tmp_path):
    record = judged(problem, scored(problem).assign(score=1), tmp_path / "constant.csv").records[0]
    assert record.metrics["namf"] == pytest.approx(0, abs=1e-12)
    assert record.metrics["auroc"] == 0.5
    assert record.slices is None
    assert record.cost is None


def test_a_problem_without_a_plant_has_no_namf(problem, tmp_path):
    truth = replace(
        problem.truth,
        groups={name: np.zeros((len(ids), 0), bool) for name, ids in problem.truth.ids.items()},
        group_names=(),
    )
    found = judged(replace(problem, truth=truth), scored(problem), tmp_path / "scores.csv")
    assert [row.namf for row in found.rows] == [None, None]


# --- export, then a stranger's NumPy, then evaluate --------------------------------------------------------------------


def test_a_stranger_gets_the_same_number_from_the_exported_files(problem, tmp_path):
    assert export_problem(problem, tmp_path / "out") == {"train": 150, "val": 150, "pool": 150, "test": 150}
    test = pd.read_parquet(tmp_path / "out" / "test.parquet")
    probs = test[[name for name in test if name.startswith("p_")]].to_numpy()
    classes = [name.removeprefix("p_") for name in test if name.startswith("p_")]
    own = probs[np.arange(len(test)), test["label"].map(classes.index)]
    frame = pd.DataFrame({"id": test["id"], "score": -own.astype(float)})
    record = judged(problem, frame, tmp_path / "scores.parquet").records[0]
    expected = evaluate(METHODS.load("confidence")(), problem).record.metrics["namf"]
    assert record.metrics["namf"] == expected
    assert expected > 0.2


def test_the_export_says_all_but_the_truth(problem, tmp_path):
    problem = replace(problem, truth=replace(problem.truth, group_names=("secretgroup",)))
    export_problem(problem, tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out" / "test.parquet")
    split = problem.test
    assert table["id"].tolist() == split.ids.tolist()
    np.testing.assert_array_equal(np.stack(table["embedding"]), split.embeddings)
    np.testing.assert_array_equal(table["loss"], split.losses)
    np.testing.assert_array_equal(table["correct"], split.correct)
    assert (table["correct"] == (table["label"] == table["prediction"])).all()
    assert table["meta_length"].tolist() == split.metadata["length"].tolist()
    group = problem.truth.groups_of(split.ids)[:, 0]
    for name in table.columns.drop("embedding"):
        codes = table[name].factorize()[0]
        assert len(set(codes)) != 2 or not (np.array_equal(codes == codes[0], group == group[0])), name
    said = json.loads((tmp_path / "out" / "columns.json").read_text())
    assert list(said["columns"]) == list(table.columns)
    everything = "".join(path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".parquet")
    assert "secretgroup" not in everything
    assert problem.truth.how not in everything
    assert "params" not in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "columns.json", "pool.parquet", "test.parquet", "train.parquet", "val.parquet",
    ]  # fmt: skip


def test_an_export_overwrites_nothing(problem, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="already exists"):
        export_problem(problem, tmp_path / "out")
    with pytest.raises(StorageError, match="cannot write"):
        export_problem(problem, tmp_path / "out" / "mine.txt" / "below")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- formats -----------------------------------------------------------------------------------------------------------


TABLES = [ending for ending in reading_module.FORMATS if ".json" not in {ending, ending.removesuffix(".gz")}]


@pytest.mark.parametrize("ending", TABLES)
def test_every_table_says_the_same(problem, tmp_path, ending):
    frame = scored(problem).assign(slice=["a", "", "b"] * 50, rank=[1, None, 2] * 50, method="mine", other="x")
    one = read_one(written(frame, tmp_path / f"table{ending}"))
    assert one.method == "mine"
    assert list(one.scores) == frame["id"].tolist()
    np.testing.assert_allclose(list(one.scores.values()), frame["score"], rtol=1e-12)
    assert one.slices["a"] == Members(tuple(frame["id"][::3]))
    assert list(one.slices) == ["a", "b"]


def test_ids_stay_what_they_are(tmp_path):
    (tmp_path / "a.csv").write_text("id,score,slice\n007,1,NA\n7,2,1\n")
    one = read_one(tmp_path / "a.csv")
    assert one.scores == {"007": 1.0, "7": 2.0}
    assert list(one.slices) == ["NA", "1"]
    pd.DataFrame({"id": [7, 8], "score": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    assert read_one(tmp_path / "a.parquet").scores == {"7": 1.0, "8": 2.0}


def test_the_types_that_tools_write_are_read(tmp_path):
    """Polars' views, categories, small floats, and files in pieces with a dictionary each."""
    path, ids = tmp_path / "a.arrow", ["a", "b", "c", "a"]
    for words in (pa.array(ids, pa.string_view()), pa.array(ids, pa.large_string()), pa.array(ids).dictionary_encode()):
        for kind in (pa.float16(), pa.float32(), pa.uint64(), pa.int8()):
            table = pa.table({"id": words, "score": pa.array([1, 2, 3, 1], kind), "slice": ["s", "s", "s", "t"]})
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table, max_chunksize=2)
            one = read_one(path)
            assert one.scores == {"a": 1.0, "b": 2.0, "c": 3.0}
            assert one.slices["t"].ids == ("a",)
    frame = pd.DataFrame({"id": [f"x{i}" for i in range(100)], "slice": [f"s{i // 40}" for i in range(100)]})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=7)
    assert [key for m in read_one(tmp_path / "a.parquet").slices.values() for key in m.ids] == frame["id"].tolist()


def test_ranks_order_members_then_memberships_then_rows(tmp_path):
    frame = pd.DataFrame({"id": list("abc"), "slice": "s", "rank": [3, 1, 2], "membership": [0.9, 0.1, 0.5]})
    assert read_one(written(frame, tmp_path / "a.csv")).slices["s"] == Members(("b", "c", "a"))
    soft = read_one(written(frame.drop(columns="rank"), tmp_path / "b.csv")).slices["s"]
    assert soft == Members(("a", "c", "b"), (0.9, 0.5, 0.1))
    assert read_one(written(frame[["id", "slice"]], tmp_path / "c.csv")).slices["s"] == Members(("a", "b", "c"))


def test_a_json_document(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"dark": ["b", 7], "wet": []}))
    one = read_one(path)
    assert (one.method, one.scores, one.slices) == ("mine", None, {"dark": Members(("b", "7")), "wet": Members(())})
    document = {"slicebench_submission": 1, "method": "a", "slices": {"s": ["x"]}, "scores": {"x": 1, "y": 0.5}}
    path.write_text(json.dumps([document, document | {"method": "b", "slices": None}]))
    first, second = read_submissions(path)
    assert (first.method, first.scores, first.slices) == ("a", {"x": 1.0, "y": 0.5}, {"s": Members(("x",))})
    assert (second.method, second.slices) == ("b", {})


def test_what_discover_writes_is_read(large, spotlight, tmp_path):
    """A table of members with hardness is no complete ranking; `Findings.hardness` is."""
    found = found_by(spotlight.scores, large.test, method="spotlight")
    members = found.members.merge(found.hardness)
    covered = members["id"].nunique()
    assert 0 < covered < 600
    record = judged(large, members, tmp_path / "slices.parquet").records[0]
    assert record.method == "spotlight"
    assert record.slices.k == 5
    assert f"only {covered} of 600 test examples have hardness, so it is ignored" in record.notes
    assert any("the order in which a reader" in note for note in record.notes)
    complete = judged(large, found.hardness, tmp_path / "hardness.parquet").records[0]
    assert complete.metrics["namf"] == spotlight.record.metrics["namf"]
    assert complete.notes == ()


# --- rules -------------------------------------------------------------------------------------------------------------


def test_slices_alone_are_read_one_after_the_other(problem, tmp_path):
    """The derived hardness is that order, also where slices overlap, and the rest ties at the end."""
    ids = problem.test.ids.tolist()
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"a": [ids[5], ids[3]], "b": [ids[3], ids[9]]}))
    derived = evaluate_submissions(read_submissions(path), problem).records[0]
    order = {5: 4.0, 3: 3.0, 9: 2.0}
    frame = pd.DataFrame({"id": ids, "score": [order.get(i, 0.0) for i in range(len(ids))]})
    assert derived.metrics == judged(problem, frame, tmp_path / "s.csv").records[0].metrics
    assert any("reader of the slices" in note for note in derived.notes)
    assert [(one.name, one.size) for one in derived.slices.per_slice] == [("a", 2), ("b", 2)]


def test_equally_typical_members_tie():
    slices = judging_module.Slices(
        np.array([[0.5, 0.0], [0.5, 0.2], [0.9, 0.3], [0, 0]], np.float32),
        np.array([[True, False], [True, True], [True, True], [False, False]]),
        ("a", "b"),
    )
    assert judging_module._reading_order(slices).tolist() == [-1.0, -1.0, 0.0, -2.0]


def test_ids_of_other_splits_are_ignored_and_said(problem, tmp_path):
    more = pd.DataFrame({"id": [*problem.data.val.ids, *problem.data.pool.ids], "score": 99.0})
    frame = scored(problem)
    found = judged(problem, pd.concat([more, frame]), tmp_path / "scores.csv").records[0]
    assert found.notes == ("ignored: 300 ids of splits other than test",)
    assert found.metrics == judged(problem, frame, tmp_path / "only.csv").records[0].metrics


CHANGES = {
    "missing": (lambda f: f[:-7], r"7 of the 150 test examples have no score, such as 'test-\d+', 'test-\d+', 'test"),
    "unknown": (lambda f: f.assign(id="x" + f["id"]), r"the problem 'example' .* does not have the ids 'xtest-.*150 in all"),
    "twice": (lambda f: pd.concat([f, f[:2]]), r"more than one row for the ids 'test-\d+', 'test-\d+'; expected one"),
    "null": (lambda f: f.assign(score=f["score"].where(f.index > 3)), r"score has no value for the ids .*\(4 in all\)"),
    "infinite": (lambda f: f.assign(score=np.inf), r"score is inf for the ids"),
    "words": (lambda f: f.assign(score="high"), r"column 'score' has the type .*string; expected numbers"),
    "booleans": (lambda f: f.assign(score=True), r"column 'score' has the type bool; expected numbers"),
    "float ids": (lambda f: f.assign(id=np.arange(150) + 0.5), r"column 'id' has the type double; expected strings"),
    "no id": (lambda f: f.assign(id=[None, *f["id"][1:]]), r"column 'id' has no value at row 0"),
    "other name": (lambda f: f.rename(columns={"score": "skore"}), r"no column 'score' or 'slice'.*did you mean 'skore'"),
    "no column of ids": (lambda f: f.rename(columns={"id": "idd"}), r"no column 'id'; did you mean 'idd'"),
    "two candidates": (
        lambda f: f.rename(columns={"score": "Loss"}).assign(difficulty=1.0),
        r"columns 'difficulty' and 'Loss', which may all be the score; call one of them 'score'",
    ),
    "words under another name": (
        lambda f: f.assign(score="high").rename(columns={"score": "Difficulty"}),
        r"column 'Difficulty' has the type .*string; expected numbers",
    ),
    "both": (lambda f: f.assign(hardness=1.0), r"columns 'score' and 'hardness'"),
    "newer": (lambda f: f.assign(slicebench_submission=2), r"version 2, but this slicebench reads 1; update"),
    "word for a version": (lambda f: f.assign(slicebench_submission="one"), r"slicebench_submission is 'one'; expected 1"),
    "empty": (lambda f: f[:0], r"has no rows"),
    "membership": (lambda f: f.assign(slice="s", membership=1.5), r"membership of the ids .* is not a number from 0 to 1"),
    "some ranks": (lambda f: f.assign(slice="s", rank=[1, None] * 75), r"has no rank for the ids .*for all members or"),
    "twice in a slice": (lambda f: pd.concat([f, f[:1]]).assign(slice="s"), r"slice 's' holds the id 'test-\d+' more than"),
    "two scores": (
        lambda f: pd.concat([f, f[:1].assign(score=9)]).assign(slice=[*["a"] * 150, "b"]),
        r"different values of score for the id 'test-\d+'; all rows of an id must agree",
    ),
    "escape": (lambda f: f.assign(method="\x1b[2Jx"), r"name '\\x1b\[2Jx' cannot be printed"),
    "long name": (lambda f: f.assign(slice="x" * 300), r"the slice name .* cannot be printed; expected at most 200"),
    "long id": (lambda f: f.assign(id="x" * 20_000), r"a text of 20,000 bytes; expected at most 10,000"),
    "many slices": (lambda f: pd.concat([f.assign(slice=f"s{i}") for i in range(1001)]), r"1,001 slices; expected at most 1,000"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES)
def test_what_is_wrong_with_a_table_is_said(problem, tmp_path, change, says):
    path = written(change(scored(problem)), tmp_path / "scores.parquet")
    with pytest.raises(DataError, match=says) as caught:
        evaluate_submissions(read_submissions(path), problem)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700


def test_nan_is_not_a_missing_value(problem, tmp_path):
    values = pa.array([float("nan"), *[0.0] * 149], from_pandas=False)
    pq.write_table(pa.table({"id": problem.test.ids.tolist(), "score": values}), tmp_path / "nan.parquet")
    with pytest.raises(DataError, match=r"score is nan for the id 'test-\d+'; expected finite numbers"):
        read_submissions(tmp_path / "nan.parquet")


def test_the_version_may_stand_in_the_schema(problem, tmp_path):
    table = pa.Table.from_pandas(scored(problem))
    for version, fine in (("1", True), ("2", False), ("x", False)):
        pq.write_table(table.replace_schema_metadata({"slicebench_submission": version}), tmp_path / "v.parquet")
        if fine:
            assert read_submissions(tmp_path / "v.parquet")
        else:
            with pytest.raises(DataError, match="version"):
                read_submissions(tmp_path / "v.parquet")


DOCUMENTS = {
    "not JSON": ("hello", StorageError, "as JSON"),
    "empty": ("", StorageError, "as JSON"),
    "nested": ("[" * 200_000, StorageError, "nested too deeply"),
    "nested objects": ('{"a":' * 100_000, StorageError, "nested too deeply"),
    "number": ("3", DataError, "is a JSON int; expected an object"),
    "nothing": ("{}", DataError, "neither scores nor slices"),
    "empty list": ("[]", DataError, "empty list"),
    "NaN": ('{"slicebench_submission": 1, "scores": {"a": NaN}}', DataError, "holds NaN, which is not JSON"),
    "infinity": ('{"slicebench_submission": 1, "scores": {"a": -Infinity}}', DataError, "holds -Infinity"),
    "text": ('{"slicebench_submission": 1, "scores": {"a": "1"}}', DataError, "the score of 'a' is '1'"),
    "boolean": ('{"slicebench_submission": 1, "scores": {"a": true}}', DataError, "the score of 'a' is True"),
    "no scores": ('{"slicebench_submission": 1, "scores": {}}', DataError, "scores is empty"),
    "too large": ('{"slicebench_submission": 1, "scores": {"a": 1' + "0" * 400 + "}}", DataError, "too large"),
    "overflow": ('{"slicebench_submission": 1, "scores": {"a": 1e999}}', DataError, "is inf; expected finite"),
    "long integer": ('{"slicebench_submission": 1, "scores": {"a": ' + "9" * 5000 + "}}", StorageError, "as JSON"),
    "key twice": ('{"a": [], "a": []}', DataError, "has the key 'a' more than once"),
    "id twice": ('{"a": ["x", "x"]}', DataError, "slice 'a' holds the id 'x' more than once"),
    "inner list": ('{"a": [["x"]]}', DataError, r"slice 'a' holds \['x'\]; expected ids"),
    "empty id": ('{"a": [""]}', DataError, "slice 'a' holds ''; expected ids"),
    "no version": ('{"slices": {"a": ["x"]}}', DataError, "needs 'slicebench_submission': 1"),
    "newer": ('{"slicebench_submission": 2}', DataError, "version 2, but this slicebench reads 1"),
    "wrong version": ('{"slicebench_submission": true}', DataError, "slicebench_submission is True; expected 1"),
    "unknown key": (
        '{"slicebench_submission": 1, "slice": {}}',
        DataError,
        "unknown key 'slice'; did you mean 'slices'",
    ),
    "method": ('{"slicebench_submission": 1, "method": 3}', DataError, "method is 3; expected a name"),
    "surrogate": ('{"\\ud800": ["x"]}', DataError, "cannot be printed"),
}


@pytest.mark.parametrize(("text", "error", "says"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_wrong_with_a_document_is_said(tmp_path, text, error, says):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(error, match=says) as caught:
        read_submissions(path)
    assert "mine.json" in str(caught.value)


def test_files_that_cannot_be_read(problem, tmp_path):
    for name in ("a.pickle", "a", "a.parquet.gz"):
        (tmp_path / name).write_text("x")
        with pytest.raises(DataError, match=r"has an unknown file ending; expected one of \.parquet"):
            read_submissions(tmp_path / name)
    with pytest.raises(StorageError, match="does not exist"):
        read_submissions(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        read_submissions(tmp_path / "folder.csv")
    (tmp_path / "latin.csv").write_bytes("id,score\ncafé,1\n".encode("latin-1"))
    (tmp_path / "latin.json").write_bytes(b'{"caf\xe9": []}')
    (tmp_path / "ragged.csv").write_text("id,score\na,1\nb\n")
    for name, says in (("latin.csv", "UTF8"), ("latin.json", "not UTF-8"), ("ragged.csv", "Expected 2 columns")):
        with pytest.raises(StorageError, match=says):
            read_submissions(tmp_path / name)


def test_a_file_that_says_much_with_few_bytes(tmp_path, monkeypatch):
    """Rows are counted before they are read, and a long text that is repeated is held once."""
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3_000_000, np.int32)), pa.array(["x" * 9000]))
    table = pa.table({"id": repeated, "score": np.zeros(3_000_000)})
    pq.write_table(table, tmp_path / "bomb.parquet")  # 27 GB of text
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    with pytest.raises(DataError, match="more than one row for the id 'xxx"):
        read_submissions(tmp_path / "bomb.parquet")
    monkeypatch.setattr(reading_module, "MOST_ROWS", 1000)
    with pytest.raises(DataError, match="3,000,000 rows; expected at most 1,000"):
        read_submissions(tmp_path / "bomb.parquet")


def test_slices_times_examples_are_bounded(problem, monkeypatch):
    monkeypatch.setattr(judging_module, "LARGEST", 299)
    slices = {name: Members((str(problem.test.ids[0]),)) for name in "ab"}
    with pytest.raises(DataError, match="2 slices of 150 examples are too many; expected at most 1 slices"):
        evaluate_submissions([Submission(where="x", method="m", slices=slices)], problem)


def test_two_submissions_of_one_name(problem, tmp_path):
    (tmp_path / "a").mkdir()
    paths = [written(scored(problem), tmp_path / name) for name in ("m.csv", "a/m.csv")]
    with pytest.raises(DataError, match=r"m.csv and .*a/m.csv both submit the method 'm'; rename one"):
        evaluate_submissions([one for path in paths for one in read_submissions(path)], problem)
    with pytest.raises(DataError, match="no submissions"):
        evaluate_submissions([], problem)


# --- what is read beyond the format ------------------------------------------------------------------------------------


def test_usual_names_count_where_the_format_s_are_missing(tmp_path):
    frame = pd.DataFrame({"Sample ID": ["a", "b"], "nll": [1.0, 2.0], "label": ["cat", "dog"], "Rank": [1, 2]})
    one = read_one(written(frame, tmp_path / "t.parquet"))
    assert one.scores == {"a": 1.0, "b": 2.0}
    assert one.notes == (
        "by the usual names: 'Sample ID' is read as id, 'nll' is read as score, 'Rank' is read as rank",
        "columns that are not used: 'label'",
    )
    members = frame.assign(subgroup="dark")
    one = read_one(written(members, tmp_path / "u.csv"))
    assert (one.scores, one.slices) == (
        None,
        {"dark": Members(("a", "b"))},
    )  # losses of members are no complete ranking
    assert one.notes[-1] == "columns that are not used: 'nll', 'label'"


def test_a_table_in_the_format_is_read_by_its_names_alone(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "slice": "s", "loss": [1.0, 2.0], "Rank": [2, 1]})
    one = read_one(written(frame, tmp_path / "t.csv"))
    assert (one.scores, one.slices) == (None, {"s": Members(("a", "b"))})
    assert one.notes == ("columns that are not used: 'loss', 'Rank' (the format calls it 'rank')",)
    assert read_one(written(frame[["id", "slice"]], tmp_path / "u.csv")).notes == ()


def test_many_unused_columns_are_counted(tmp_path):
    wide = {f"e{i}": [0.5] for i in range(512)}
    (note,) = read_one(written(pd.DataFrame({"id": ["a"], "score": [1.0], **wide}), tmp_path / "t.parquet")).notes
    assert note.endswith("'e29' and 482 more")


def test_tables_in_memory():
    frame = pd.DataFrame({"id": [7, 8], "score": [1, 2], "slice": ["s", None]})
    expected = ({"7": 1.0, "8": 2.0}, {"s": Members(("7",))})
    tables = [
        frame,
        pa.Table.from_pandas(frame),
        frame.to_dict("list"),
        frame.to_dict("records"),
        frame.set_index("id"),
    ]
    for table in tables:
        (one,) = read_submissions(table)
        assert (one.method, one.scores, one.slices) == ("submission", *expected)
    with pytest.raises(DataError, match="the table is of type int"):
        read_submissions(3)
    with pytest.raises(DataError, match="the table has no column 'id'"):
        read_submissions({"score": [1]})


def test_tables_of_polars_and_duckdb():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame({"id": ["a", "b"], "score": [1, 2]})
    assert read_one(frame).scores == {"a": 1.0, "b": 2.0}
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    relation = duckdb.sql("select * from (values (7, 0.5), (8, 1.5)) as t(id, score)")  # score is a decimal
    assert read_one(relation).scores == {"7": 0.5, "8": 1.5}


def test_layouts_that_discover_reads(tmp_path):
    """Semicolons with decimal commas, JSON records, and a folder of Parquet files."""
    expected = {"007": 0.5, "8": 1.25}
    (tmp_path / "t.csv").write_text("id;score\n007;0,5\n8;1,25\n")
    assert read_one(tmp_path / "t.csv").scores == expected
    (tmp_path / "t.json").write_text('[{"id": "007", "score": 0.5}, {"id": 8, "score": 1.25}]')
    assert read_one(tmp_path / "t.json").scores == expected
    (tmp_path / "parts").mkdir()
    for i, (key, value) in enumerate(expected.items()):
        pd.DataFrame({"id": [key], "score": [value]}).to_parquet(tmp_path / "parts" / f"{i}.parquet")
    assert read_one(tmp_path / "parts").scores == expected
    assert read_one(tmp_path / "parts").method == "parts"


REWRITTEN = {
    "blanks": (lambda key: f" {key} ", "without regard to blanks and Unicode form"),
    "capitals": (lambda key: key.upper(), "without regard to upper and lower case"),
}


@pytest.mark.parametrize(("rewrite", "said"), REWRITTEN.values(), ids=REWRITTEN)
def test_ids_that_are_written_differently_are_matched(problem, tmp_path, rewrite, said):
    frame = scored(problem)
    record = judged(problem, frame.assign(id=frame["id"].map(rewrite)), tmp_path / "t.csv").records[0]
    assert record.metrics == judged(problem, frame, tmp_path / "u.csv").records[0].metrics
    first = frame["id"][0]
    assert record.notes == (f"ids are matched {said}: {rewrite(first)!r} is {first!r}",)


def test_ids_are_matched_one_to_one_or_not_at_all():
    def ids(*given, known):
        slices = {"s": Members(given)}
        found = matching_module.matched(Submission(where="x", method="m", slices=slices), {*known})
        return found.submission.slices["s"].ids, found.note

    assert ids("7.0", "8.0", known=["007", "8"]) == (("007", "8"), "ids are matched as whole numbers: '7.0' is '007'")
    assert ids("7", "8", known=["7", "8"]) == (("7", "8"), None)
    for keys, known in ((("7.0",), ["007", "7"]), (("A", "a"), ["a"]), (("7.0", "9"), ["7"]), (("yes",), ["1"])):
        assert ids(*keys, known=known) == (keys, None)


# --- properties --------------------------------------------------------------------------------------------------------


def outcome(path):
    """Message of one of our errors, or the submissions."""
    try:
        return None, read_submissions(path)
    except SlicebenchError as error:
        return str(error), []


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@SLOW
@given(
    rows=st.lists(
        st.tuples(WORDS, st.floats(allow_nan=False, allow_infinity=False, width=32)),
        min_size=1, max_size=8, unique_by=lambda row: row[0],
    )
)  # fmt: skip
def test_what_is_written_is_read(tmp_path, rows):
    frame = pd.DataFrame(rows, columns=["id", "score"])
    for ending in (".parquet", ".csv", ".arrow"):
        assert read_one(written(frame, tmp_path / f"t{ending}")).scores == dict(rows)
    path = tmp_path / "t.json"
    path.write_text(
        json.dumps({"slicebench_submission": 1, "scores": dict(rows), "slices": {"s": [r[0] for r in rows]}})
    )
    one = read_one(path)
    assert one.scores == dict(rows)
    assert one.slices["s"].ids == tuple(row[0] for row in rows)


def seeds(problem, folder):
    """A good file of each kind, as bytes."""
    frame = scored(problem)[:20].assign(slice="s", rank=range(20))
    for ending in (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".feather"):
        yield ending, written(frame, folder / f"seed{ending}").read_bytes()
    yield ".json", json.dumps({"slicebench_submission": 1, "scores": {"a": 1}, "slices": {"s": ["a", 3]}}).encode()


@pytest.fixture(scope="module")
def good(problem, tmp_path_factory):
    return list(seeds(problem, tmp_path_factory.mktemp("seeds")))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(good, tmp_path, data):
    """Bytes cut, changed or put in: a submission or one of our errors."""
    ending, content = data.draw(st.sampled_from(good))
    at = data.draw(st.integers(0, len(content)))
    kind = data.draw(st.sampled_from(["cut", "change", "insert"]))
    noise = data.draw(st.binary(min_size=1, max_size=12))
    tail = {"cut": b"", "change": noise + content[at + len(noise) :], "insert": noise + content[at:]}[kind]
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(content[:at] + tail)
    said, found = outcome(path)
    assert said is None or ("damaged" in said and len(said) < 1500)
    assert all(isinstance(one, Submission) for one in found)


KEYS = st.sampled_from([*"ab", "slicebench_submission", "scores", "slices", "method"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@SLOW
@given(document=JSON)
def test_any_json_is_a_submission_or_refused(tmp_path, document):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    said, _ = outcome(path)
    assert said is None or "any.json" in said


def test_messages_stay_short():
    assert len(contents_module.shown(["x" * 10**6] * 5)) < 300
    assert contents_module.the_ids(["a"]) == "the id 'a'"
    assert contents_module.the_ids(list("abcd")) == "the ids 'a', 'b', 'c', ... (4 in all)"
