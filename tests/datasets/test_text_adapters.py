"""Text datasets: official layouts in miniature, plants, errors for broken files; the real data where available."""

from __future__ import annotations

import csv
import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import ConfigError, StorageError
from slicebench_datasets import amazon_polarity
from slicebench_datasets._words import pattern_of
from slicebench_datasets.amazon_polarity import AmazonPolarity
from slicebench_datasets.bias_madlibs import BiasMadlibs
from slicebench_datasets.civilcomments import IDENTITIES, CivilComments
from slicebench_datasets.sst2 import SST2
from slicebench_datasets.uci_sentiment import FILES, SOURCES, UCISentiment
from tests.support.local_data import assert_oracle_is_one, statuses

TINY = {"arch": "linear", "epochs": 2, "batch_size": 16}
AMAZON_SIZES = {"n_train": 100, "n_val": 30, "n_test": 40}
CIVIL_SIZES = {"n_train": None, "n_val": None, "n_test": None}
MADLIBS_SIZES = {"n_train": 100, "n_val": 60, "n_test": 60, "keep_others": 0.5}
IDENTITY_WORDS = ("gay", "trans", "old", "young", "white", "black", "deaf", "blind", "sikh", "jewish")


def coin(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, n)


def sst_table(n, seed):
    """Every third sentence has a negation."""
    negated = itertools.cycle(["it is n't a film", "No film", "we don’t like it"])
    texts = [f"{next(negated)} {i}" if i % 3 == 0 else f'a "notable" film {i}' for i in range(n)]
    return pd.DataFrame({"idx": range(n), "sentence": texts, "label": coin(n, seed)})


def sst_parquet(root):
    for part, n in (("train", 120), ("validation", 42), ("test", 60)):
        sst_table(n, n).to_parquet(root / f"{part}-00000-of-00001.parquet")


def sst_glue(root):
    (root / "SST-2").mkdir()
    for name, n in (("train", 120), ("dev", 42)):
        lines = [f"{text} \t{label}" for _, text, label in sst_table(n, n).itertuples(index=False)]
        (root / "SST-2" / f"{name}.tsv").write_text("\n".join(["sentence\tlabel", *lines, ""]), encoding="utf-8")


def reviews(n, seed):
    """Write reviews, of which every fourth mentions a book."""
    content = [f'{"This Book" if i % 4 == 0 else "this bookcase"}\\nis "so, so" {i}' for i in range(n)]
    titles = [f"Title {i}" for i in range(n)]
    return pd.DataFrame({"label": coin(n, seed), "title": titles, "content": content})


def write_reviews(path, table):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows((label + 1, title, content) for label, title, content in table.itertuples(index=False))


def amazon_csv(root):
    for part, n in (("train", 300), ("test", 100)):
        write_reviews(root / f"{part}.csv", reviews(n, n))


def amazon_parquet(root):
    train = reviews(300, 300)
    for i, rows in enumerate((slice(0, 90), slice(90, 300))):
        train[rows].to_parquet(root / f"train-0000{i}-of-00002.parquet", index=False)
    reviews(100, 100).to_parquet(root / "test-00000-of-00001.parquet", index=False)


def comments():
    """Every fourth mentions men, every sixth black people, every twelfth both; every fifth is toxic."""
    i = np.arange(120)
    table = pd.DataFrame({"id": 900 + i, "comment_text": [f'Well,\n"comment" {k}' if k else "" for k in i]})
    table["split"] = np.repeat(["train", "val", "test"], [60, 20, 40])
    table["toxicity"] = np.where(i % 5 == 0, "0.5", "0.49")
    for name in IDENTITIES:
        table[name] = ""
    table["male"] = np.where(i % 4 == 0, "0.6", "0.4")
    table["black"] = np.where(i % 6 == 0, "1.0", "")
    return table.assign(rating="approved")


def civil(root):
    comments().to_csv(root / "all_data_with_identities.csv")


def madlibs_table():
    names, adjectives = [f"Name{i}" for i in range(10)], ("nice", "great", "vile", "awful")
    rows = [
        (f"{n} is a {a} {w}", "BAD" if a in adjectives[2:] else "NOT_BAD", "name_adj")
        for w, n, a in itertools.product(IDENTITY_WORDS, names, adjectives)
    ]
    return pd.DataFrame(rows, columns=["Text", "Label", "Template"])


def madlibs_csv(root):
    madlibs_table().to_csv(root / "bias_madlibs_77k.csv", index=False)


def madlibs_parquet(root):
    madlibs_table().to_parquet(root / "bias_madlibs_77k.parquet")


def uci_table():
    rows = [(f"It's \"{source} {i}", i % 2, source) for source in SOURCES for i in range(40)]
    return pd.DataFrame(rows, columns=["sentence", "label", "source"])


def uci_parquet(root):
    uci_table().to_parquet(root / "data.parquet")


def uci_text(root):
    for source, table in uci_table().groupby("source"):
        lines = "".join(f"{text}  \t{label}\n" for text, label, _ in table.itertuples(index=False))
        (root / FILES[source]).write_text(lines, encoding="utf-8")


MADE = {
    "sst parquet": (sst_parquet, SST2, {}),
    "sst glue": (sst_glue, SST2, {}),
    "amazon csv": (amazon_csv, AmazonPolarity, AMAZON_SIZES),
    "amazon parquet": (amazon_parquet, AmazonPolarity, AMAZON_SIZES),
    "civil": (civil, CivilComments, CIVIL_SIZES),
    "madlibs csv": (madlibs_csv, BiasMadlibs, MADLIBS_SIZES),
    "madlibs parquet": (madlibs_parquet, BiasMadlibs, MADLIBS_SIZES),
    "uci parquet": (uci_parquet, UCISentiment, {}),
    "uci text": (uci_text, UCISentiment, {}),
}
ONE_EACH = ("sst parquet", "amazon csv", "civil", "madlibs csv", "uci text")


@pytest.fixture
def made(tmp_path):
    """Function that writes a miniature, breaks it where asked, and gives the adapter that reads it."""

    def make(key, breaking=None, **params):
        writer, adapter, sizes = MADE[key]
        root = tmp_path / key
        root.mkdir()
        writer(root)
        if breaking is not None:
            breaking(root)
        return adapter(root=str(root), recipe=TINY, **sizes | params)

    return make


def sizes_of(raw):
    return {name: len(split.ids) for name, split in raw.splits.items()}


def rates_of(raw):
    return {name: float(split.groups.any(axis=1).mean()) for name, split in raw.splits.items()}


def assert_same(one, other):
    for name, split in one.splits.items():
        assert other.splits[name].inputs == split.inputs
        for field in ("ids", "labels", "groups"):
            np.testing.assert_array_equal(getattr(other.splits[name], field), getattr(split, field))


@pytest.mark.parametrize(
    ("words", "text", "holds"),
    [
        (["n't"], "they do n't know", True),
        (["n't"], "they DON'T know", True),
        (["n't"], "they don’t know", True),
        (["n't"], "they don'ts", False),
        (["n't"], "isnt", False),
        (["no"], "No-brainer", True),
        (["no"], "nothing to know, piano", False),
        (["new york", "c++"], "I like New York", True),
        (["c++"], "written in C++.", True),
        (["c++"], "written in c", False),
        (["a.b"], "axb", False),
    ],
)
def test_whole_words_in_either_case(words, text, holds):
    assert bool(pattern_of(words).search(text)) is holds


@pytest.mark.parametrize("key", ONE_EACH)
def test_the_whole_problem(made, key):
    adapter = made(key)
    problem, raw = adapter.build(0), adapter.raw(0)
    assert problem.family == adapter.family
    assert problem.name == adapter.family.replace("_", "-")
    assert problem.modality == "text"
    assert problem.test.inputs == raw.splits["test"].inputs
    assert problem.test.metadata is None
    assert problem.provenance.planted_rate == pytest.approx(rates_of(raw)["test"])
    assert 0 < problem.provenance.planted_rate < 1
    assert problem.provenance.licence == adapter.card.licence
    assert_oracle_is_one(problem)


class Fake:
    """Stands for a classifier that says "1" of texts of even length."""

    def __init__(self, folder, n_classes):
        self.folder, self.n_classes = folder, n_classes

    def predict(self, texts):
        return np.array([[0.9, 0.1] if len(text) % 2 else [0.2, 0.8] for text in texts], dtype=np.float32)


@pytest.mark.parametrize("key", ONE_EACH)
def test_a_local_classifier_takes_the_place_of_the_recipe(made, monkeypatch, key):
    monkeypatch.setattr("slicebench.models.text.TextClassifier", Fake)
    model = made(key, classifier="some/folder").raw(0).base_model
    assert (model.folder, model.n_classes) == ("some/folder", 2)


def test_the_problem_of_a_local_classifier_has_its_probabilities(made, monkeypatch):
    monkeypatch.setattr("slicebench.models.text.TextClassifier", Fake)
    problem = made("uci text", classifier="some/folder").build(0)
    np.testing.assert_array_equal(problem.test.probs, Fake("", 2).predict(problem.test.inputs))
    assert problem.data.trainer is None


def test_a_classifier_that_is_not_there_is_told(made, tmp_path):
    with pytest.raises(StorageError, match="no-such-model"):
        made("uci text", classifier=str(tmp_path / "no-such-model")).build(0)


@pytest.mark.parametrize("key", ["amazon csv", "madlibs csv", "uci text"])
def test_draws_are_seeded(made, key):
    adapter = made(key)
    assert_same(adapter.raw(0), adapter.raw(0))
    assert adapter.raw(0).splits["test"].inputs != adapter.raw(1).splits["test"].inputs


@pytest.mark.parametrize(
    ("key", "params"), [("madlibs csv", {"keep": 1.0}), ("uci text", {"source": "amazon", "keep": 1})]
)
def test_files_in_the_order_of_the_group_do_not_give_it_away(made, key, params):
    splits = made(key, **params).raw(0).splits
    numbers = np.concatenate([[int(name.split("-")[1]) for name in split.ids] for split in splits.values()])
    members = np.concatenate([split.groups.any(axis=1) for split in splits.values()])
    assert len(set(numbers)) == len(numbers)
    assert abs(np.corrcoef(numbers, members)[0, 1]) < 0.25
    test = splits["test"].groups.any(axis=1)
    assert abs(np.corrcoef(np.arange(len(test)), test)[0, 1]) < 0.35


def test_sst2_thins_negations_in_train_alone(made):
    raw = made("sst parquet").raw(0)
    assert sizes_of(raw) == {"train": 90, "val": 42, "test": 60}
    assert rates_of(raw) == {"train": 10 / 90, "val": 1 / 3, "test": 1 / 3}
    assert raw.group_names == ["negation, negative", "negation, positive"]
    split = raw.splits["test"]
    np.testing.assert_array_equal(split.groups[:, 1], (np.arange(60) % 3 == 0) & (split.labels == 1))
    assert split.inputs == sst_table(60, 60)["sentence"].tolist()
    assert split.ids[7] == "test-00007"


def test_sst2_of_glue_tests_on_dev(made):
    raw = made("sst glue", keep=1.0).raw(0)
    assert sizes_of(raw) == {"train": 108, "val": 12, "test": 42}
    assert raw.splits["test"].inputs == sst_table(42, 42)["sentence"].tolist()
    assert not set(raw.splits["train"].ids) & set(raw.splits["val"].ids)
    assert set(raw.splits["train"].inputs + raw.splits["val"].inputs) == set(sst_table(120, 120)["sentence"])


def test_sst2_without_test_labels_tests_on_validation(made):
    def withhold(root):
        sst_table(60, 60).assign(label=-1).to_parquet(root / "test-00000-of-00001.parquet")

    raw = made("sst parquet", withhold, keep=1.0).raw(0)
    assert sizes_of(raw) == {"train": 108, "val": 12, "test": 42}
    assert raw.splits["test"].ids[0] == "validation-00000"


def test_sst2_of_other_words_is_named_after_them(made):
    raw = made("sst parquet", words=["notable", "film"], keep=0.5).raw(0)
    assert raw.group_names == ["notable or film, negative", "notable or film, positive"]
    assert rates_of(raw)["test"] == pytest.approx(0.9)


def test_amazon_draws_from_both_layouts_alike(made):
    one, other = made("amazon csv").raw(0), made("amazon parquet").raw(0)
    assert_same(one, other)
    assert sizes_of(one) == {"train": 100, "val": 30, "test": 40}
    assert rates_of(one)["train"] < 0.06 < 0.15 < rates_of(one)["test"]
    tables = {"train": reviews(300, 300), "test": reviews(100, 100)}
    for name, split in one.splits.items():
        part = "test" if name == "test" else "train"
        assert all(key.startswith(f"{part}-") for key in split.ids)
        rows = [int(key.split("-")[1]) for key in split.ids]
        assert split.labels.tolist() == tables[part]["label"][rows].tolist()
        assert split.groups.any(axis=1).tolist() == [row % 4 == 0 for row in rows]
        row = rows[3]
        kind = "This Book" if row % 4 == 0 else "this bookcase"
        assert split.inputs[3] == f'Title {row}. {kind} is "so, so" {row}'


def test_amazon_reads_the_right_rows_whatever_the_pieces(made, monkeypatch):
    adapters = [made("amazon csv"), made("amazon parquet")]
    whole = adapters[0].raw(0)
    monkeypatch.setattr(amazon_polarity, "CHUNK", 7)
    for adapter in adapters:
        assert_same(whole, adapter.raw(0))


def test_amazon_review_without_a_body_or_a_title_is_the_other(made):
    def shorten(root):
        table = reviews(300, 300)
        table.loc[table.index % 4 == 1, "content"] = ""
        table.loc[table.index % 4 == 2, "title"] = " "
        write_reviews(root / "train.csv", table)

    texts = made("amazon csv", shorten).raw(0).splits["train"]
    rows = [int(key.split("-")[1]) for key in texts.ids]
    assert {f"Title {row}" for row in rows if row % 4 == 1} < set(texts.inputs)
    assert {f'this bookcase is "so, so" {row}' for row in rows if row % 4 == 2} < set(texts.inputs)


@pytest.mark.parametrize("key", ["amazon csv", "amazon parquet"])
def test_amazon_holds_no_more_than_a_piece_and_what_it_drew(made, monkeypatch, key):
    def lengthen(root):
        long = pd.DataFrame(
            {"label": coin(2000), "title": "a book", "content": [f"{i} " + "x" * 4000 for i in range(2000)]}
        )
        long.loc[::2, "title"] = "a lamp"
        if key == "amazon csv":
            return write_reviews(root / "train.csv", long)
        (root / "train-00001-of-00002.parquet").unlink()
        return long.to_parquet(root / "train-00000-of-00002.parquet")

    def peak(chunk):
        monkeypatch.setattr(amazon_polarity, "CHUNK", chunk)
        tracemalloc.start()
        raw = adapter.raw(0)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held, raw

    adapter = made(key, lengthen, n_train=20, n_val=10, n_test=10)
    adapter.raw(0)  # imports
    (bounded, raw), (all_at_once, _) = peak(50), peak(10_000)
    assert all_at_once > 2000 * 4000
    assert bounded < 0.15 * all_at_once
    assert sizes_of(raw) == {"train": 20, "val": 10, "test": 10}


def test_amazon_says_when_too_few_stay(made):
    with pytest.raises(ConfigError, match=r"n_train is 200, but only \d+ examples are left for it"):
        made("amazon csv", words=["bookcase"], keep=0.0, n_train=200).raw(0)
    with pytest.raises(ConfigError, match=r"n_val is 301, but only 300"):
        AmazonPolarity(root=str(made("amazon parquet").root), n_val=301).raw(0)


def test_civilcomments_has_its_splits_and_groups_that_overlap(made):
    raw = made("civil").raw(0)
    assert sizes_of(raw) == {"train": 60, "val": 20, "test": 40}
    assert raw.group_names == ["male", "female", "LGBTQ", "christian", "muslim", "other religions", "black", "white"]
    test, i = raw.splits["test"], np.arange(80, 120)
    np.testing.assert_array_equal(test.groups[:, 0], i % 4 == 0)
    np.testing.assert_array_equal(test.groups[:, 6], i % 6 == 0)
    np.testing.assert_array_equal(test.labels, i % 5 == 0)
    assert test.groups.sum(axis=1).max() == 2
    assert test.ids[0] == "980"
    assert test.inputs[1] == 'Well,\n"comment" 81'
    assert raw.splits["train"].inputs[0] == ""


def test_civilcomments_of_chosen_identities_thins_the_harmless(made):
    raw = made("civil", identities=["black"], keep=0.5, n_val=5).raw(0)
    # Of the 60 train comments 10 mention black people: rows 0 and 30 are toxic, 4 of the other 8 stay.
    assert sizes_of(raw) == {"train": 56, "val": 5, "test": 40}
    train = raw.splits["train"]
    assert train.groups.shape == (56, 1)
    assert np.bincount(train.labels[train.groups[:, 0]]).tolist() == [4, 2]


def test_bias_madlibs_plants_in_one_class_from_both_layouts(made):
    one, other = made("madlibs csv", keep=0.25).raw(0), made("madlibs parquet", keep=0.25).raw(0)
    assert_same(one, other)
    assert sizes_of(one) == {"train": 100, "val": 60, "test": 60}
    assert one.class_names == ["NOT_BAD", "BAD"]
    known = {text: label for text, label, _ in madlibs_table().itertuples(index=False)}
    for split in one.splits.values():
        named = [text.endswith((" gay", " trans")) for text in split.inputs]
        bad = np.array([known[text] == "BAD" for text in split.inputs])
        np.testing.assert_array_equal(split.labels, bad)
        np.testing.assert_array_equal(split.groups[:, 0], named & ~bad)
    assert rates_of(one)["train"] < 0.05 < rates_of(one)["test"]


def test_bias_madlibs_can_keep_the_hurtful_ones_apart(made):
    def named_share(keep_others):
        train = made(f"madlibs {kinds.pop()}", keep_others=keep_others, n_train=60).raw(0).splits["train"]
        named = np.array([text.endswith((" gay", " trans")) for text in train.inputs])
        return named[train.labels == 1].mean()

    kinds = ["csv", "parquet"]
    assert named_share(0.0) == 1.0
    assert named_share(1.0) < 0.4


def test_uci_is_dealt_within_source_and_label_from_both_layouts(made):
    one, other = made("uci text").raw(0), made("uci parquet").raw(0)
    assert_same(one, other)
    assert sizes_of(one) == {"train": 34, "val": 36, "test": 36}
    assert rates_of(one) == {"train": 2 / 34, "val": 1 / 3, "test": 1 / 3}
    assert one.group_names == ["imdb, negative", "imdb, positive"]
    for name in ("val", "test"):
        sources = [text.split()[1].strip('"') for text in one.splits[name].inputs]
        cells = pd.Series(list(zip(sources, one.splits[name].labels.tolist(), strict=True))).value_counts()
        assert cells.tolist() == [6] * 6
        np.testing.assert_array_equal(one.splits[name].groups.any(axis=1), [source == "imdb" for source in sources])


def rewritten(name, change):
    """Function that reads a table of the miniature, changes it and writes it again."""

    def breaking(root):
        path = root / name
        table = pd.read_csv(path, dtype=str, keep_default_na=False) if name.endswith(".csv") else pd.read_parquet(path)
        table = change(table)
        table.to_csv(path, index=False) if name.endswith(".csv") else table.to_parquet(path)

    return breaking


def cell(name, row, column, value):
    """Function that sets one cell of a table of the miniature."""

    def change(table):
        if column in table and not isinstance(value, str):
            table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return rewritten(name, change)


def gone(name):
    return lambda root: (root / name).unlink()


def halved(name):
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[: (root / name).stat().st_size // 2])


def shortened(name, n):
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:-n])


def without(name, column):
    return rewritten(name, lambda table: table.drop(columns=column))


def replaced(name, old, new, count=1):
    return lambda root: (root / name).write_bytes((root / name).read_bytes().replace(old, new, count))


SST_TRAIN, SST_TEST = (f"{part}-00000-of-00001.parquet" for part in ("train", "test"))
AMAZON_SHARD = "train-00001-of-00002.parquet"
CIVIL = "all_data_with_identities.csv"


@pytest.mark.parametrize(
    ("key", "breaking", "message"),
    [
        ("sst parquet", gone(SST_TEST), r"SST-2: .* lacks test-\*\.parquet"),
        ("sst parquet", halved(SST_TRAIN), r"cannot read .*train-00000-of-00001\.parquet"),
        ("sst parquet", cell(SST_TRAIN, 3, "label", 2), r"train-00000.*: label is 2 at row 3 \(1 such rows\)"),
        ("sst parquet", cell(SST_TEST, 0, "label", -1), r"test-00000.*: label is -1 at row 0 \(1 such"),
        ("sst parquet", cell(SST_TRAIN, 5, "sentence", " "), r"train-00000.*: sentence is ' ' at row 5"),
        ("sst parquet", cell(SST_TRAIN, 6, "sentence", None), r"train-00000.*: sentence is .* at row 6"),
        ("sst parquet", without(SST_TRAIN, "label"), r"train-00000.* has no column 'label'"),
        ("sst glue", gone("SST-2/dev.tsv"), r"lacks dev\.tsv"),
        ("sst glue", replaced("SST-2/train.tsv", b"sentence\t", b"text\t"), r"train\.tsv starts with 'text\\tlabel'"),
        ("sst glue", replaced("SST-2/dev.tsv", b" film 1 \t", b" film 1 "), r"dev\.tsv: 0 tabs at row 1"),
        ("sst glue", replaced("SST-2/dev.tsv", b" film 1 \t", b" film 1 \tx"), r"dev\.tsv: label is 'x\d' at row 1"),
        ("sst glue", replaced("SST-2/dev.tsv", b"notable", b"\xff"), r"cannot read .*dev\.tsv"),
        ("uci text", shortened("yelp_labelled.txt", 2), r"yelp_labelled\.txt: label is '' at row 39"),
        ("amazon csv", gone("test.csv"), r"lacks test\.csv"),
        ("amazon csv", halved("test.csv"), r"cannot read .*test\.csv after row|test\.csv has \d columns at row"),
        (
            "amazon csv",
            replaced("train.csv", b'","this bookcase', b" ", 1),
            r"train\.csv has 2 columns at row 1; expected",
        ),
        (
            "amazon csv",
            replaced("test.csv", b'"1",', b'"3",', 100),
            r"test\.csv: label is '3' at row \d+; expected 1 or 2",
        ),
        ("amazon csv", replaced("train.csv", b"Title", b"\xff"), r"cannot read .*train\.csv after row 0"),
        ("amazon csv", lambda root: (root / "train.csv").write_text(""), r"train\.csv has no rows"),
        ("amazon parquet", gone("test-00000-of-00001.parquet"), r"lacks test-\*\.parquet"),
        ("amazon parquet", halved(AMAZON_SHARD), r"cannot read .*train-00001"),
        (
            "amazon parquet",
            without(AMAZON_SHARD, "title"),
            r"train-00001.* has no column 'title'; it has label, content",
        ),
        (
            "amazon parquet",
            rewritten(AMAZON_SHARD, lambda t: t.assign(label=2)),
            r"train-00001.*: label is 2 at row \d+;",
        ),
        (
            "amazon parquet",
            rewritten(AMAZON_SHARD, lambda t: t.assign(content=t["content"].where(t.index < 100))),
            r"train-00001.*: title or content is missing at row \d+",
        ),
        ("civil", gone(CIVIL), r"lacks all_data_with_identities\.csv"),
        ("civil", without(CIVIL, "black"), r"identities\.csv has no column 'black'"),
        ("civil", cell(CIVIL, 7, "toxicity", ""), r"identities\.csv: toxicity is '' at row 7 \(1 such rows\)"),
        ("civil", cell(CIVIL, 8, "toxicity", "1.5"), r"identities\.csv: toxicity is '1\.5' at row 8"),
        ("civil", cell(CIVIL, 9, "muslim", "yes"), r"identities\.csv: muslim is 'yes' at row 9"),
        ("civil", cell(CIVIL, 2, "split", "dev"), r"identities\.csv: split is 'dev' at row 2"),
        ("civil", cell(CIVIL, 11, "id", "903"), r"identities\.csv: id is '903' at row 3 and again at row 11"),
        (
            "civil",
            lambda root: (root / CIVIL).write_text('id,split,comment_text\n1,train,"x'),
            r"cannot read .*identities",
        ),
        ("madlibs csv", gone("bias_madlibs_77k.csv"), r"lacks bias_madlibs_77k\.csv"),
        ("madlibs csv", cell("bias_madlibs_77k.csv", 4, "Label", "GOOD"), r"77k\.csv: Label is 'GOOD' at row 4"),
        ("madlibs csv", cell("bias_madlibs_77k.csv", 2, "Text", ""), r"77k\.csv: Text is '' at row 2"),
        ("madlibs parquet", halved("bias_madlibs_77k.parquet"), r"cannot read .*77k\.parquet"),
        ("madlibs parquet", without("bias_madlibs_77k.parquet", "Text"), r"77k\.parquet has no column 'Text'"),
        ("uci parquet", halved("data.parquet"), r"cannot read .*data\.parquet"),
        ("uci parquet", cell("data.parquet", 5, "source", "google"), r"data\.parquet: source is 'google' at row 5"),
        ("uci parquet", cell("data.parquet", 6, "label", 3), r"data\.parquet: label is 3 at row 6"),
        ("uci text", gone("yelp_labelled.txt"), r"lacks yelp_labelled\.txt"),
        ("uci text", replaced("imdb_labelled.txt", b" 3  \t1", b" 3  "), r"imdb_labelled\.txt: 0 tabs at row 3"),
        ("uci text", lambda root: (root / "imdb_labelled.txt").write_text(""), r"imdb_labelled\.txt has no rows"),
        ("uci text", replaced("yelp_labelled.txt", b"\t1\n", b"\t"), r"yelp_labelled\.txt: 2 tabs at row 1"),
    ],
)
def test_broken_files_are_told_with_name_and_row(made, key, breaking, message):
    adapter = made(key, breaking)
    with pytest.raises(StorageError, match=message):
        adapter.raw(0)


@pytest.mark.parametrize(
    ("adapter", "params", "message"),
    [
        (SST2, {"words": "not"}, r"sst2: words is 'not'; expected a list of words"),
        (SST2, {"words": []}, r"sst2: words is \[\]"),
        (SST2, {"keep": 1.5}, r"sst2: keep is 1\.5"),
        (SST2, {"classifier": ""}, r"sst2: classifier is ''"),
        (SST2, {"recipe": {"arch": "tree"}}, r"recipe: arch is 'tree'"),
        (AmazonPolarity, {"n_train": None}, r"amazon_polarity: n_train is None"),
        (AmazonPolarity, {"words": ["book", ""]}, r"amazon_polarity: words is"),
        (CivilComments, {"identities": ["muslims"]}, r"identities holds 'muslims'; did you mean 'muslim'"),
        (CivilComments, {"identities": []}, r"civilcomments: identities is \[\]"),
        (CivilComments, {"n_test": 0}, r"civilcomments: n_test is 0"),
        (CivilComments, {"keep": -0.1}, r"civilcomments: keep is -0\.1"),
        (BiasMadlibs, {"terms": [1]}, r"bias_madlibs: terms is \[1\]"),
        (BiasMadlibs, {"keep_others": 2}, r"bias_madlibs: keep_others is 2"),
        (BiasMadlibs, {"n_val": 0}, r"bias_madlibs: n_val is 0"),
        (UCISentiment, {"source": "google"}, r"uci_sentiment: source is 'google'"),
        (UCISentiment, {"classifier": 3}, r"uci_sentiment: classifier is 3"),
    ],
)
def test_impossible_parameters_are_named(adapter, params, message):
    with pytest.raises(ConfigError, match=message):
        adapter(**params).check()


@pytest.mark.parametrize(
    ("key", "params", "message"),
    [
        ("sst parquet", {"words": ["zebra"]}, r"sst2: words: none of the 222 texts contain one of zebra"),
        ("madlibs csv", {"terms": ["is"]}, r"bias_madlibs: terms: all of the 400 texts contain one of is"),
        ("madlibs csv", {"n_test": 500}, r"n_test is 500, but only 400"),
        ("civil", {"n_val": 21}, r"n_val is 21, but only 20"),
    ],
)
def test_parameters_that_do_not_suit_the_data_are_named(made, key, params, message):
    with pytest.raises(ConfigError, match=message):
        made(key, **params).raw(0)


REAL = {
    "sst2": (
        SST2,
        "sst2",
        {"train": 5786, "val": 872, "test": 1821},
        {"train": 0.065, "val": 0.231, "test": 0.209},
    ),
    "bias_madlibs": (
        BiasMadlibs,
        "bias_madlibs",
        {"train": 1000, "val": 3000, "test": 3000},
        {"train": 0.002, "val": 0.1, "test": 0.1},
    ),
    "uci_sentiment": (
        UCISentiment,
        "uci_sentiment_sentences",
        {"train": 840, "val": 900, "test": 900},
        {"train": 40 / 840, "val": 1 / 3, "test": 1 / 3},
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sizes_and_rates(shared, name):
    adapter, folder, sizes, rates = REAL[name]
    raw = adapter(root=str(shared / "data" / folder)).raw(0)
    assert sizes_of(raw) == sizes
    assert rates_of(raw) == pytest.approx(rates, rel=0.2, abs=0.003)


@pytest.mark.experiment
@pytest.mark.parametrize("name", REAL)
def test_real_problems_take_every_method(shared, name):
    adapter, folder, _, _ = REAL[name]
    problem = adapter(root=str(shared / "data" / folder)).build(0)
    assert_oracle_is_one(problem)
    found = statuses(problem)
    assert {status.partition(":")[0] for status in found.values()} <= {"ok", "skipped"}, found
    assert sum(status == "ok" for status in found.values()) >= 4, found


@pytest.mark.experiment
def test_the_real_madlibs_plant_is_hard_for_the_base_model(shared):
    problem = BiasMadlibs(root=str(shared / "data" / "bias_madlibs")).build(0)
    minority = problem.truth.minority(problem.test.ids)
    assert 0.35 < problem.test.correct[minority].mean() < 0.75
    assert 0.85 < problem.test.correct[~minority].mean() < 0.97
