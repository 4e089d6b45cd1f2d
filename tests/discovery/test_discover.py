"""Slices of a user's own predictions: found where they are, not where they are not, and with honest numbers."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import slicebench
from slicebench.discovery import LeftOut, discover
from slicebench.discovery.assembly import found_slices
from slicebench.discovery.describing import Words, describing_rule, kappas
from slicebench.discovery.holdout.consensus import Finding
from slicebench.discovery.holdout.masks import marked
from slicebench.discovery.naming import auroc
from slicebench.discovery.searches.conditions import Coded
from slicebench.errors import ConfigError, DataError
from slicebench.plugins.method import SliceMethod, SliceScores


def predictions(n=1500, seed=0, d=8, rate=0.5):
    """Two classes; a fifth are at night, as column 0 of the vectors shows; the model is wrong at `rate` there, at .05 by day."""
    rng = np.random.default_rng(seed)
    night, y = rng.random(n) < 0.2, rng.integers(2, size=n)
    X = rng.normal(size=(n, d)).astype(np.float32)
    X[:, 0] += 6 * night
    wrong = rng.random(n) < np.where(night, rate, 0.05)
    names = np.array(["cat", "dog"])
    return pd.DataFrame(
        {
            "id": [f"img-{i}" for i in rng.permutation(n)],
            "label": names[y],
            "prediction": names[y ^ wrong],
            "time": np.where(night, "night", "day"),
            "brightness": rng.normal(size=n) - 3 * night,
            "embedding": list(X),
        }
    )


class EveryError(SliceMethod):
    """Returns as its slice exactly what the model gets wrong: reads the outcome of what it scores."""

    requires: ClassVar[frozenset[str]] = frozenset({"correct"})

    def fit(self, data):
        return self

    def score(self, split):
        wrong = ~split.correct
        return SliceScores(hardness=wrong.astype(float), membership=wrong[:, None].astype(np.float32))


def test_a_planted_slice_is_found_named_and_tested():
    table = predictions()
    found = discover(table)
    (one,) = found.standing
    assert (one.class_name, one.name.text, one.query) == ("all", "time is night", "time == 'night'")
    night = table.set_index("id")["time"] == "night"
    members = found.members[found.members["stands"]]
    assert set(members["id"]) == set(night.index[night])
    assert found.verdict.startswith(f"1 of {len(found.slices)} tested slices is significant")
    assert "time is night" in repr(found)


def test_a_cause_in_one_class_stays_in_that_class():
    table = predictions()
    wrong = (table["label"] != table["prediction"]) & (table["label"] == "dog")
    table["prediction"] = np.where(wrong, "cat", table["label"])
    (one,) = discover(table).standing
    assert (one.class_name, one.name.text) == ("dog", "time is night")
    assert one.query == "time == 'night' and label == 'dog'"


def test_regions_are_found_where_no_column_tells():
    table = predictions()[["label", "prediction", "embedding", "time"]]
    found = discover(table.drop(columns="time"))
    night = (table["time"] == "night").to_numpy()
    for one in found.standing:
        assert one.rule is None
        assert night[one.rows].mean() > 0.9
    assert sum(night[one.rows].sum() for one in found.standing) > 0.7 * night.sum()
    with pytest.raises(ConfigError, match="no rule selects it"):
        found.query(0)


def test_the_verdict_counts_the_significant_slices():
    found = discover(predictions(), method="kmeans_errors")
    one = found.standing[0]
    other = replace(one, verdict=replace(one.verdict, stands=False))
    for slices, verdict in [
        ((one, other), "1 of 2 tested slices is significant."),
        ((one, one, other), "2 of 3 tested slices are significant."),
        ((other,) * 3, "No slice is significant (3 tested)."),
    ]:
        assert replace(found, slices=slices).verdict == verdict
    few = f"{found.methods[0].returned} candidates, none of them worse beyond chance"
    assert replace(found, slices=()).verdict == f"No slice is significant ({few})."


def test_slices_that_are_not_listed_are_counted():
    found = discover(predictions())
    assert found.left_out.text == ""
    examples = found.examples
    (one,) = found.standing
    inside, every = marked(one.rows, examples.n), np.ones(examples.n, dtype=bool)

    def finding(members, label):
        return Finding(
            method="rules", label=label, class_number=None, rule=None, members=members, strength=members.astype(float),
            held_out=every, inside=members, p=1e-9, folds=(0,),
        )  # fmt: skip

    few = marked(one.rows[:19], examples.n)
    given = [finding(inside, "night"), finding(inside, "again"), finding(few, "few"), finding(every, "all")]
    slices, left_out = found_slices(given, [], examples, None)
    assert [each.label for each in slices] == ["night"]
    assert left_out == LeftOut({"S1": 1}, small=1, incomparable=1)
    said = "3 tested slices are not listed: 1 repeats S1, 1 has fewer than 20 rows, 1 lacks rows to compare with."
    changed = replace(found, left_out=left_out)
    assert left_out.text == said
    assert said in changed.to_html()
    assert said in changed._repr_html_()


def test_small_p_values_are_printed_as_a_bound():
    found = discover(predictions(), method="kmeans_errors")
    verdict = found.standing[0].verdict
    assert 0 < verdict.p_holm < 1e-6
    for text in (repr(found), found.to_html(), found._repr_html_()):
        assert re.search(r"(p |<dd>|<td>|number\">)(<|&lt;) 1e-6", text)
        assert not re.search(r"e-(0[7-9]|\d\d)", text)
    assert found.to_frame()["p_holm"].iloc[0] == verdict.p_holm


def test_the_page_says_which_slices_are_significant():
    found = discover(predictions(), method="kmeans_errors")
    one = found.standing[0]
    other = replace(one, key="S9", verdict=replace(one.verdict, stands=False))
    page = replace(found, slices=(one, other)).to_html()
    assert "<h2>Significant slices</h2>" in page
    assert "<summary>Tested slices that are not significant (1)</summary>" in page
    assert "<h2>Significant slices</h2>" not in replace(found, slices=(other,)).to_html()


def test_the_numbers_beside_a_rule_are_those_of_the_rows_that_it_selects():
    table = predictions()
    found = discover(table)
    one = found.standing[0]
    wrong = table["label"] != table["prediction"]
    own = table.query(one.query)
    assert (one.verdict.size, one.size) == (len(own), len(own))
    assert one.verdict.rate == pytest.approx(wrong[own.index].mean())
    shares = own["label"].value_counts(normalize=True)
    rest = table.drop(index=own.index)
    expected = sum(shares[c] * wrong[rest.index[rest["label"] == c]].mean() for c in shares.index)
    assert one.verdict.rest == pytest.approx(expected)
    assert one.verdict.low < one.verdict.delta < one.verdict.high
    # every fold found the same rule, so each row was held out once
    assert one.folds == (0, 1, 2, 3, 4)
    assert one.verdict.support == len(own)
    assert one.verdict.delta == pytest.approx(one.verdict.rate - expected)
    assert wrong[one.errors].all()
    assert not wrong[one.right].any()


def test_the_numbers_beside_a_region_are_those_of_its_members():
    table = predictions()
    first = discover(table, method="kmeans_errors").standing[0]
    wrong = (table["label"] != table["prediction"]).to_numpy()
    rest = (table["label"] == first.class_name).to_numpy() & ~np.isin(np.arange(len(table)), first.rows)
    assert first.verdict.rate == pytest.approx(wrong[first.rows].mean())
    assert first.verdict.rest == pytest.approx(wrong[rest].mean())


def test_rows_that_the_table_holds_out_are_the_only_test():
    table = predictions().assign(split=np.where(np.arange(1500) % 3 == 0, "test", "dev"))
    found = discover(table)
    (one,) = found.standing
    assert found.examples.folds.tested == (0,)
    assert one.verdict.support == ((table["time"] == "night") & (table["split"] == "test")).sum()
    assert one.size == (table["time"] == "night").sum()


def test_a_method_cannot_return_the_errors_themselves():
    found = discover(predictions(), method=EveryError())
    assert not found.standing
    wrong = (predictions()["label"] != predictions()["prediction"]).to_numpy()
    assert found.hardness["hardness"][wrong].min() > found.hardness["hardness"][~wrong].max()


def test_where_there_is_nothing_no_slice_is_significant():
    false_alarms = 0
    for seed in range(10):
        table = predictions(seed=seed, n=600, rate=0.05)
        found = discover(table, seed=seed, method=["kmeans_errors", "svm_directions", "tree_rules"])
        false_alarms += bool(found.standing)
        assert found.standing or found.verdict.startswith("No slice is significant (")
    assert false_alarms <= 3  # 10 times 5 %: more than 3 have a chance of .001


def test_equal_seeds_give_equal_results_and_pages(tmp_path):
    one, other = (discover(predictions(600), seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.members, other.members)
    assert one.to_html() == other.to_html(tmp_path / "page.html") == (tmp_path / "page.html").read_text()
    assert not discover(predictions(600), seed=4).members.equals(one.members)


def test_losses_will_do():
    table = predictions()
    table["loss"] = np.random.default_rng(1).gamma(2, size=len(table)) + 3 * (table["time"] == "night")
    found = discover(table[["loss", "time", "embedding"]])
    assert found.measure == "mean loss"
    (one,) = found.standing
    own = table.query(one.query)
    assert one.name.text == "time is night"
    assert one.verdict.rate == pytest.approx(own["loss"].mean(), rel=1e-5)
    assert one.verdict.rest == pytest.approx(table.drop(index=own.index)["loss"].mean(), rel=1e-5)
    assert "loss" in found.to_html()
    assert discover(table[["loss", "time", "embedding"]], method=["spotlight", "sliceline"]).standing


def test_the_unit_of_a_loss_does_not_matter():
    table = predictions()[["time", "embedding"]]
    table["loss"] = np.random.default_rng(1).gamma(2, size=len(table)) + 3 * (table["time"] == "night")
    one, other = (discover(table.assign(loss=table["loss"] * unit)) for unit in (1, 1000))
    assert one.to_frame()["query"].tolist() == other.to_frame()["query"].tolist()
    assert one.to_frame()["p_holm"].tolist() == other.to_frame()["p_holm"].tolist()


def test_a_slice_within_another_is_shown_as_a_part_of_it():
    from slicebench.discovery.assembly import _whole_of

    one, *_ = discover(predictions()).standing
    inner = replace(one, key="S2", rows=one.rows[:50])
    outer = replace(one, key="S2", rows=np.arange(1500))
    assert _whole_of(inner, [one]) == "S1"
    assert _whole_of(outer, [one]) is None
    assert replace(inner, part_of="S1").text == "time is night (part of S1)"


def test_a_slice_that_two_methods_found_is_shown_once():
    found = discover(predictions(), method=["kmeans_errors", "tree_rules"])
    assert set(found.agreement) == {("kmeans_errors", "tree_rules")}
    assert sorted(one.class_name for one in found.standing) == ["cat", "dog"]
    for one in found.standing:
        assert {one.method, *(match.method for match in one.matches)} == {"kmeans_errors", "tree_rules"}
        assert one.matches[0].overlap > 0.5


def test_classes_of_predictions_and_probabilities_in_every_form():
    table = predictions(900)
    p = np.where(table["prediction"] == "dog", 0.8, 0.2)
    forms = [
        (table.assign(p_cat=1 - p, p_dog=p), {"probs": "p_"}),
        (table.assign(prob_cat=1 - p, prob_dog=p).drop(columns="prediction"), {}),
        (table.assign(a=1 - p, b=p), {"probs": ["a", "b"]}),
        (table.assign(probs=list(np.stack([1 - p, p], axis=1))), {"class_names": ["cat", "dog"]}),
        (table.assign(ok=table["label"] == table["prediction"]).drop(columns="prediction"), {"correct": "ok"}),
    ]
    expected = discover(table, method="kmeans_errors").to_frame()
    for frame, columns in forms:
        found = discover(frame, method="kmeans_errors", metadata=["time"], **columns).to_frame()
        assert found["rate"].tolist() == pytest.approx(expected["rate"].tolist())
    whole = table.assign(label=(table["label"] == "dog") * 1, prediction=(table["prediction"] == "dog") * 1)
    assert discover(whole, class_names=["cat", "dog"]).examples.class_names == ("cat", "dog")
    assert discover(whole).examples.class_names == ("0", "1")


def test_a_column_that_gives_the_answers_away_is_reported():
    table = predictions()
    wrong = (table["label"] != table["prediction"]).to_numpy()
    leaky = table.assign(error=wrong, doubt=wrong + 0.1 * np.arange(len(table)) / len(table))
    found = discover(leaky)
    told = [note for note in found.notes if "right from wrong" in note]
    assert [note.split("'")[1] for note in told] == ["error", "doubt"]
    assert {one.column for one in found.columns if one.use == "not used"} == {"error", "doubt"}
    assert not any("right from wrong" in note for note in discover(table).notes)
    kept = discover(leaky, keep=["error"])
    assert any(one.name.text == "error is True" for one in kept.standing)


def test_a_class_that_is_only_predicted_is_a_class():
    table = predictions(900)
    table.loc[:20, "prediction"] = "owl"
    found = discover(table)
    assert found.examples.class_names == ("cat", "dog", "owl")
    assert "No errors in 1 of 3 classes, so no slice is found there: owl." in found.notes


def test_embeddings_from_files_arrays_features_and_metadata(tmp_path):
    from safetensors.numpy import save_file

    table = predictions(900)
    X = np.stack(table["embedding"])
    np.save(tmp_path / "x.npy", X)
    save_file({"embeddings": X, "other": X[:1]}, tmp_path / "x.safetensors")
    plain = table.drop(columns="embedding")
    expected = discover(table, method="kmeans_errors").members
    for given in (X, X.astype(">f8"), tmp_path / "x.npy", str(tmp_path / "x.safetensors")):
        pd.testing.assert_frame_equal(discover(plain, method="kmeans_errors", embeddings=given).members, expected)
    assert discover(plain, features=["brightness"]).examples.looks == "1 column (brightness)"
    assert discover(plain).examples.looks == "2 columns (time, brightness)"
    assert discover(plain).standing


def test_images_in_every_form(tmp_path):
    table = predictions(900).drop(columns="embedding")
    night = (table["time"] == "night").to_numpy()
    pixels = np.broadcast_to(np.where(night, 20, 200).astype(np.uint8)[:, None, None, None], (900, 6, 6, 3))
    encoded = []
    for i, image in enumerate(pixels):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="PNG")
        encoded.append(buffer.getvalue())
        (tmp_path / f"{i}.png").write_bytes(buffer.getvalue())
    expected = discover(table, image=pixels, encoder="pixels-pca:2", method="kmeans_errors")
    assert 'src="data:image/png;base64,' in expected.to_html()
    assert expected.to_html().count("<img") > 10
    forms = [
        table.assign(image=encoded),
        table.assign(image=[{"bytes": one, "path": "x.png"} for one in encoded]),
        table.assign(image=[f"{i}.png" for i in range(len(table))]),
    ]
    for frame in forms:
        found = discover(frame, image_root=tmp_path, encoder="pixels-pca:2", method="kmeans_errors")
        pd.testing.assert_frame_equal(found.members, expected.members)
    with pytest.raises(DataError, match="cannot be read as an image"):
        discover(table.assign(image=[b"no"] * len(table)), encoder="pixels-pca")
    with pytest.raises(DataError, match=r"there is no file .* \(row 0\)"):
        discover(table.assign(image=[f"gone/{i}.png" for i in range(len(table))]), encoder="pixels-pca")
    with pytest.raises(ConfigError, match="needs the audited model itself"):
        discover(table.assign(image=encoded), encoder="own-latent")
    assert discover(table.assign(image=encoded)).examples.looks == "pixels-pca"


def test_images_of_different_sizes_become_squares():
    sizes = [(5, 7), (300, 20)] * 40
    images = []
    for size in sizes:
        buffer = io.BytesIO()
        Image.new("RGB", size).save(buffer, format="PNG")
        images.append(buffer.getvalue())
    found = discover(predictions(80).assign(image=images), method="kmeans_errors")
    assert found.examples.inputs.shape == (80, 224, 224, 3)


def test_words_that_texts_have_in_common():
    rng = np.random.default_rng(0)
    inside = rng.random(400) < 0.3
    texts = [f"the {'battery died' if a else 'screen shone'} {rng.choice(['fast', 'slow'])}" for a in inside]
    words = Words(texts).of(inside)
    assert {word.text for word in words} & {"battery", "died", "battery died"}
    assert words[0].inside > 0.9 > 0.1 > words[0].outside
    assert Words(["a", "b"]).of(np.array([True, False])) == ()
    assert Words(texts).of(np.zeros(400, dtype=bool)) == ()
    table = predictions().assign(
        text=lambda t: np.where(t["time"] == "night", "lamps in the dark", "clouds in the sun")
    )
    found = discover(table, method="kmeans_errors", metadata=[])
    assert all(one.name.text.startswith("texts with “") for one in found.standing)
    assert "lamps in the dark" in found.to_html()


def test_captions_say_what_a_slice_shows():
    """Embeddings around captions of the shipped encoder: the model fails where they are about a dark background."""
    from slicebench.models.encoders.encoder import make_encoder

    texts = [f"a {shape} on a {tone} background" for shape in ("circle", "square") for tone in ("dark", "light")]
    rng = np.random.default_rng(0)
    spot = rng.integers(4, size=900)
    X = make_encoder("nano-clip").encode_texts(texts)[spot] + 0.02 * rng.normal(size=(900, 1))
    y, dark = spot // 2, spot % 2 == 0
    wrong = rng.random(900) < np.where(dark, 0.5, 0.02)
    names = np.array(["circle", "square"])
    table = pd.DataFrame({"label": names[y], "prediction": names[y ^ wrong]})
    found = discover(table, embeddings=X, encoder="nano-clip", captions=texts, method=["kmeans_errors", "b2t"])
    first = {one.class_name: one.name.captions[0] for one in found.standing if one.method == "kmeans_errors"}
    assert {name: text for name, (text, _) in first.items()} == {
        name: f"a {name} on a dark background" for name in ("circle", "square")
    }
    assert min(value for _, value in first.values()) > 0.9
    with pytest.raises(DataError, match="embeds captions in"):
        discover(table, embeddings=X[:, :3], encoder="nano-clip", captions=texts)
    with pytest.raises(ConfigError, match="captions need an encoder"):
        discover(table, embeddings=X, captions=texts)


@pytest.mark.parametrize(
    ("change", "columns", "error", "message"),
    [
        (
            lambda t: t.drop(columns="label"),
            {},
            ConfigError,
            r"which column holds the true classes\? .*label=COLUMN",
        ),
        (
            lambda t: t.drop(columns="prediction"),
            {},
            ConfigError,
            "nothing in the table says where the model is wrong.*prediction=COLUMN",
        ),
        (
            lambda t: t[["label", "prediction"]],
            {},
            ConfigError,
            "nothing in the table says what an example looks like. .*embedding=COLUMN",
        ),
        (lambda t: t, {"label": "lable"}, ConfigError, "did you mean 'label'"),
        (lambda t: t, {"measure": "los"}, ConfigError, "neither a column nor one of rate, loss, fpr, fnr"),
        (lambda t: t, {"measure": "fpr"}, ConfigError, "which of the classes cat, dog is the positive one"),
        (
            lambda t: t.drop(columns=["label"]).assign(correct=True),
            {"measure": "fnr"},
            ConfigError,
            "which column holds the true classes",
        ),
        (lambda t: t, {"features": ["time"], "embeddings": "x.npy"}, ConfigError, "two ways"),
        (lambda t: t, {"method": []}, ConfigError, "no method is named"),
        (lambda t: t, {"method": 5}, ConfigError, "neither a name nor a SliceMethod"),
        (lambda t: t, {"method": {"mine": "rules"}}, ConfigError, "searches are called rules and regions"),
        (lambda t: t, {"measure": 5}, ConfigError, "measure is 5; expected a column"),
        (lambda t: t, {"seed": -1}, ConfigError, "seed is -1; expected a whole number"),
        (lambda t: t, {"seed": 1.5}, ConfigError, "seed is 1.5; expected a whole number"),
        (lambda t: t, {"method": "oracle"}, ConfigError, "needs the planted truth"),
        (lambda t: t, {"method": "lff"}, ConfigError, "lff cannot run on this data: needs"),
        (
            lambda t: t,
            {"class_names": ["cat"]},
            DataError,
            "expected one of the classes cat; name all classes in class_names",
        ),
        (lambda t: t[:3], {}, DataError, "too few"),
        (lambda t: t[:0], {}, DataError, "no rows"),
        (lambda t: t.assign(id=7), {"id": "id"}, DataError, "ids must be distinct"),
        (lambda t: t.assign(label=t["label"].where(t.index != 5)), {}, DataError, "has no value at row 5"),
        (lambda t: t.assign(embedding=[[np.nan]] * len(t)), {}, DataError, "is nan at row 0"),
        (
            lambda t: t.assign(embedding=[[1.0]] * (len(t) - 1) + [[1.0, 2.0]]),
            {},
            DataError,
            "1 at row 0, 2 at row 199",
        ),
        (lambda t: t.assign(embedding="0.1 0.2"), {}, DataError, "holds text"),
        (lambda t: t.assign(probs=[[0.5, 0.9]] * len(t)), {}, DataError, "row 0 sum to 1.4"),
        (
            lambda t: t.assign(probs=[[0.5, 0.3, 0.2]] * len(t)),
            {},
            ConfigError,
            "has 3 numbers, but there are 2 classes",
        ),
        (lambda t: t.assign(correct="perhaps"), {"correct": "correct"}, DataError, "expected true or false"),
        (lambda t: pd.concat([t, t[["label"]]], axis=1), {}, DataError, "the column 'label' more than once"),
        (
            lambda t: t.assign(x=[[1]] * len(t)),
            {"features": ["x"]},
            ConfigError,
            "'x' of the table cannot be used as a feature.*name it as embedding",
        ),
        (lambda t: t.assign(x=np.arange(len(t)) * 1j), {"features": ["x"]}, ConfigError, "it holds complex numbers"),
        (
            lambda t: t.assign(split="nowhere"),
            {"split": "split"},
            DataError,
            "has 'nowhere' at row 0, where train, val or test is expected.*split=None",
        ),
        (lambda t: t, {"captions": ["a", "a"], "encoder": "nano-clip"}, DataError, "embeds captions in|vocabulary"),
    ],
)
def test_what_cannot_be_used_is_said(change, columns, error, message):
    with pytest.raises(error, match=message):
        discover(change(predictions(200)), **columns)


@pytest.mark.parametrize("outcome", ["right", "wrong"])
def test_no_errors_or_nothing_but(outcome):
    table = predictions(300)
    other = np.where(table["label"] == "cat", "dog", "cat")
    found = discover(table.assign(prediction=table["label"] if outcome == "right" else other))
    assert not found.slices
    assert found.to_frame().empty
    assert found.members.empty
    assert "there is nothing to find" in found.notes[0] or "no part of them is worse" in found.notes[0]
    assert "No slice is significant" in found.to_html()
    assert "No slice is significant" in found._repr_html_()


def test_words_without_end_describe_by_the_frequent_ones():
    table = predictions(1200).drop(columns="embedding")
    assert discover(table, features=["id"]).examples.whole.d == 1  # no id is frequent: all are one value


def test_a_method_of_a_stranger_may_fail():
    class Broken(EveryError):
        def fit(self, data):
            raise RuntimeError("no luck")

    with pytest.raises(slicebench.errors.MethodError, match="Broken failed: RuntimeError: no luck"):
        discover(predictions(200), method=Broken())


def test_hostile_names_are_text_on_the_page():
    table = predictions(1500)
    hostile = "<script>alert(1)</script>"
    table["label"] = table["label"].replace("cat", hostile)
    table["prediction"] = table["prediction"].replace("cat", hostile)
    found = discover(table)
    for page in (found.to_html(), found._repr_html_()):
        assert hostile not in page
        assert "&lt;script&gt;" in page


def test_rules_are_chance_corrected():
    inside = np.arange(1000) < 900
    everything, half = np.ones(1000, dtype=bool), np.arange(1000) % 2 == 0
    assert kappas(np.stack([everything, half, inside], axis=1), inside) == pytest.approx([0, 0, 1], abs=1e-9)
    table = Coded.of(pd.DataFrame({"length": np.arange(1000), "kind": np.where(half, "a", "b")}))
    rows = np.arange(1000)
    rule = describing_rule(table, (rows >= 600) & half, rows[::3], rows[1::3])
    assert rule.text in ("length >= 600 and kind is a", "kind is a and length >= 600") or "kind is a" in rule.text
    assert rule.precision > 0.9
    assert describing_rule(table, np.random.default_rng(0).random(1000) < 0.5, rows[::2], rows[1::2]) is None
    assert describing_rule(Coded.of(pd.DataFrame(index=range(5))), np.ones(5, bool), rows[:3], rows[3:5]) is None


def test_auroc():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    score, inside = rng.integers(5, size=50).astype(float), rng.random(50) < 0.4
    assert auroc(score, inside) == pytest.approx(roc_auc_score(inside, score))
    assert auroc(score, np.ones(50, dtype=bool)) == 0.5
