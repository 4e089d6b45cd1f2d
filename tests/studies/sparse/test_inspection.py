from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.cli.console import print_sparse
from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData, Problem, Provenance
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.errors import ConfigError, DataError
from slicebench.studies.sparse.features import caption_effects, texts_of, word_effects
from slicebench.studies.sparse.inspection import class_features, features_named, group_accuracies, study, without
from slicebench.studies.sparse.output import write_report

SHORTCUT = 2


def part(name, n, agree, rng, inputs):
    """Feature 0 tells the class; feature 2 is a shortcut that goes with it in the share `agree`."""
    y = np.arange(n) % 2
    mark = np.where(rng.random(n) < agree, y, 1 - y)
    X = rng.normal(size=(n, 6))
    X[:, 0] += 1.2 * (2 * y - 1)
    X[:, SHORTCUT] += 2 * (2 * mark - 1)
    texts = [f"a {'green' if m else 'red'} {'cat' if rng.random() < 0.5 else 'dog'} {i}" for i, m in enumerate(mark)]
    images = np.where(mark[:, None, None], 200, 20).astype(np.uint8) * np.ones((1, 6, 6), np.uint8)
    wrong = (X[:, SHORTCUT] > 0) != y
    probs = np.where(np.eye(2)[np.where(wrong, 1 - y, y)] == 1, 0.8, 0.2)
    split = Split.from_probs(
        ids=[f"{name}{i}" for i in range(n)],
        embeddings=X,
        labels=y,
        probs=probs,
        inputs={"texts": texts, "images": images, None: None}[inputs],
    )
    return split, mark != y


def shortcut_problem(inputs="texts", captions=False):
    rng = np.random.default_rng(0)
    parts = {"train": (600, 0.95), "val": (200, 0.5), "test": (400, 0.5)}
    made = {name: part(name, n, agree, rng, inputs) for name, (n, agree) in parts.items()}
    space = np.zeros((2, 6))
    space[0, SHORTCUT], space[1, 0] = 3, 3
    return Problem(
        name="shortcut",
        family="shortcut",
        dataset="shortcut",
        dataset_version="1",
        params={},
        seed=0,
        modality="text",
        encoder="identity",
        data=AuditData(
            train=made["train"][0],
            val=made["val"][0],
            class_names=("no", "yes"),
            captions=Captions(
                texts=("a green thing", "a yes thing"),
                embeddings=space,
                candidates=np.ones((2, 2), bool),
                reference_texts=("a thing", "a thing"),
                references=np.zeros((2, 6)),
            )
            if captions
            else None,
        ),
        test=made["test"][0],
        truth=PlantedTruth(
            ids={name: split.ids for name, (split, _) in made.items()},
            groups={name: group[:, None] for name, (_, group) in made.items()},
            group_names=("against the mark",),
        ),
        provenance=Provenance(source="tests", licence="Apache-2.0"),
    )


@pytest.fixture(scope="module")
def studied():
    return study(shortcut_problem())


def test_the_shortcut_is_found_named_and_ablated(studied):
    found = class_features(studied, words=1)
    assert {f.index for f in found[1]} >= {0, SHORTCUT}
    (shortcut,) = [f for f in found[1] if f.index == SHORTCUT]
    assert shortcut.weight > 0
    assert shortcut.described == ("green",)
    (other,) = [f for f in found[0] if f.index == SHORTCUT]
    assert other.weight < 0
    assert other.described == ("red",)
    before, after = group_accuracies(studied, studied.layer)[1], shortcut.without
    assert before.gap > 0.3
    assert abs(after.gap) < 0.15
    assert after.minority > before.minority + 0.2


def test_examples_are_the_loudest(studied):
    train = studied.problem.data.train
    (shortcut,) = [f for f in class_features(studied, examples=5)[0] if f.index == SHORTCUT]
    lowest = train.ids[np.argsort(train.embeddings[:, SHORTCUT])[:5]]
    assert shortcut.examples == tuple(lowest)


def test_without_moves_no_other_weight_and_keeps_the_class_shares(studied):
    bare = without(studied, [SHORTCUT])
    kept = np.arange(6) != SHORTCUT
    np.testing.assert_array_equal(bare.weights[:, kept], studied.layer.weights[:, kept])
    assert not bare.weights[:, SHORTCUT].any()
    train = studied.problem.data.train
    logits = bare.logits(studied.train_features).astype(np.float64)
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(P.mean(axis=0), np.bincount(train.labels) / train.n, atol=1e-4)
    with pytest.raises(ConfigError, match="no feature 6"):
        without(studied, [6])


def test_features_by_number_and_by_word(studied):
    found = class_features(studied, words=1)
    assert features_named(found, ["green"]) == [0, SHORTCUT], (
        "in train the mark goes with the class, so 0 rises with it"
    )
    assert features_named(found, ["GREEN", "1"]) == [0, 1, SHORTCUT]
    assert features_named(found, []) == []
    with pytest.raises(ConfigError, match="no feature is described by 'gre'"):
        features_named(found, ["gre"])


def test_word_effects_are_welchs_t():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    texts = [f"{'one' if i % 3 else 'two'} {'rare' if i < 4 else ''} x" for i in range(40)]
    Z = rng.normal(size=(40, 3)).astype(np.float32)
    words, t = word_effects(texts, Z)
    assert words == ["one", "two"], "not the rare one, nor the one in all texts"
    inside = np.array(["one" in text for text in texts])
    np.testing.assert_allclose(t[0], ttest_ind(Z[inside], Z[~inside], equal_var=False).statistic, rtol=1e-5)
    assert word_effects(["", "..."], Z[:2])[0] == []


def test_captions_describe_what_has_no_words():
    problem = shortcut_problem(inputs="images", captions=True)
    assert texts_of(problem.data.train) is None
    found = class_features(study(problem), words=1)[1]
    said = {f.index: f.described for f in found}
    assert said[SHORTCUT] == ("a green thing",)
    assert said[0] == ("a yes thing",)


def test_caption_effects_are_correlations():
    problem = shortcut_problem(inputs="images", captions=True)
    train, captions = problem.data.train, problem.data.captions
    effects = caption_effects(captions, 0, train.embeddings, train.embeddings)
    expected = np.corrcoef(train.embeddings[:, SHORTCUT], train.embeddings[:, 4])[0, 1]
    assert effects[0, 4] == pytest.approx(expected, abs=1e-6)
    assert effects[0, SHORTCUT] == pytest.approx(1)
    only = replace(captions, candidates=np.array([[True, False], [True, True]]))
    assert np.isneginf(caption_effects(only, 0, train.embeddings, train.embeddings)[1]).all()


def test_another_encoder_may_describe():
    problem, captioned = shortcut_problem(inputs=None), shortcut_problem(inputs=None, captions=True)
    studied = study(problem)
    assert {f.described for f in class_features(studied)[1]} == {()}
    assert all(f.described for f in class_features(studied, captioned=captioned)[1] if f.index in (0, SHORTCUT))
    data = replace(captioned.data, train=captioned.data.train.take(np.arange(600)[::-1]))
    ids = dict(captioned.truth.ids) | {"train": data.train.ids}
    other = replace(captioned, data=data, truth=replace(captioned.truth, ids=ids))
    with pytest.raises(DataError, match="other train examples"):
        class_features(studied, captioned=other)
    with pytest.raises(DataError, match="has no captions with the encoder 'identity'"):
        class_features(studied, captioned=problem)


def test_choosing_and_refusing():
    problem = shortcut_problem()
    few = study(problem, features=1)
    assert few.layer.per_class <= 1
    with pytest.raises(ConfigError, match="not by both"):
        study(problem, features=1, drop=0.1)
    with pytest.raises(ConfigError, match="features per class is 0"):
        study(problem, features=0)
    bare = replace(problem.data.train, labels=None, probs=None)
    with pytest.raises(DataError, match="no class labels"):
        study(replace(problem, data=replace(problem.data, train=bare)))


@pytest.mark.parametrize("inputs", ["texts", "images"])
def test_report(tmp_path, capsys, inputs):
    studied = study(shortcut_problem(inputs))
    found = class_features(studied)
    report = write_report(studied, found, [SHORTCUT], tmp_path)
    assert json.loads((tmp_path / "sparse.json").read_text()) == json.loads(json.dumps(report))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "path.csv").read_text())))
    assert len(rows) == 101
    assert [row["chosen"] for row in rows].count("1") == 1
    assert (tmp_path / "features.png").exists() == (inputs == "images")
    assert (tmp_path / "path.png").exists() == (find_spec("matplotlib") is not None)
    after = report["ablated"]["classes"]["yes"]
    assert after["gap"] < report["classes"]["yes"]["accuracy"]["gap"]
    print_sparse(report)
    printed = capsys.readouterr().out
    assert "Without 1 feature: 2" in printed
    assert "yes" in printed


def test_command(tmp_path):
    runner = CliRunner()
    asked = ["sparse", "--problem", "gaussian-correlation", "--out", str(tmp_path / "out")]
    result = runner.invoke(app, [*asked, "--features", "3", "--ablate", "0", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["layer"]["features_per_class"] <= 3
    assert report["ablated"]["features"] == [0]
    with pytest.raises(ConfigError, match="no feature is described"):
        runner.invoke(app, [*asked, "--ablate", "red"], catch_exceptions=False)
