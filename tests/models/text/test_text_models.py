"""Models in a local folder: probabilities and span losses as of a direct forward pass, broken folders told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.text import SpanReader, TextClassifier, loading

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LENGTH = 40
WORDS = "the a cat dog sat on mat who what where ? . ##s ##ting run paris is in france red blue"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]


def save(folder, kind, **config):
    """Tiny random model of class `kind`, with its tokenizer."""
    torch.manual_seed(3)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    options = {"vocab_size": len(VOCABULARY), "max_position_embeddings": LENGTH, "initializer_range": 0.5}
    model = getattr(transformers, kind)(transformers.BertConfig(**shape, **options, **config)).eval()
    folder.mkdir()
    model.save_pretrained(folder)
    (folder / "words.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizerFast(str(folder / "words.txt"), model_max_length=LENGTH).save_pretrained(folder)
    return model


@pytest.fixture
def classifier(tmp_path):
    return tmp_path / "c", save(tmp_path / "c", "BertForSequenceClassification", num_labels=3)


@pytest.fixture
def reader(tmp_path):
    return tmp_path / "r", save(tmp_path / "r", "BertForQuestionAnswering")


def test_probabilities_are_those_of_a_direct_pass(classifier):
    folder, model = classifier
    texts = ["the cat sat.", "where?", "a red dog sat on the blue mat."] * 40  # two batches
    probs = TextClassifier(str(folder), 3).predict(texts)
    assert probs.shape == (120, 3)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)
    ids = [2, *(VOCABULARY.index(word) for word in ("the", "cat", "sat", ".")), 3]
    direct = model(input_ids=torch.tensor([ids])).logits.softmax(dim=1)[0].detach().numpy()
    np.testing.assert_allclose(probs[0], direct, atol=1e-5)
    assert np.abs(probs[0] - probs[1]).max() > 1e-3


def test_long_texts_are_cut_at_the_models_length(classifier):
    folder, _ = classifier
    model = TextClassifier(str(folder), 3)
    one, two = model.predict(["cat " * 200, "cat " * (LENGTH - 2) + "dog"])
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert np.abs(model.predict(["cat " * (LENGTH - 3) + "dog"])[0] - one).max() > 1e-4


def test_length_of_a_model_whose_tokenizer_does_not_know_it(classifier):
    folder, _ = classifier
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["model_max_length"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert TextClassifier(str(folder), 3).predict(["cat " * 200]).shape == (1, 3)


def test_loaded_when_needed_and_once(classifier, monkeypatch):
    folder, _ = classifier
    calls = []
    load = loading._load
    monkeypatch.setattr(loading, "_load", lambda *args: calls.append(args) or load(*args))
    model = TextClassifier(str(folder), 3)
    assert not calls
    model.predict(["cat"])
    model.predict(["dog"])
    assert len(calls) == 1


def test_loading_says_nothing(classifier, capfd):
    TextClassifier(str(classifier[0]), 3).predict(["cat"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 3)), "inputs has a value of type ndarray at row 0; expected texts"),
        (["cat", 7], "inputs has a value of type int at row 1"),
        ([], "inputs is empty"),
    ],
)
def test_inputs_that_are_no_texts(classifier, inputs, message):
    with pytest.raises(DataError, match=message):
        TextClassifier(str(classifier[0]), 3).predict(inputs)


def test_wrong_number_of_labels(classifier):
    with pytest.raises(StorageError, match="has 3 labels; expected 2, one per class"):
        TextClassifier(str(classifier[0]), 2).predict(["cat"])


def half(folder, name):
    raw = (folder / name).read_bytes()
    (folder / name).write_bytes(raw[: len(raw) // 2])


def wider(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def small_vocabulary(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 5}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: half(folder, "model.safetensors"), "cannot read the model in .*SafetensorError"),
        (lambda folder: half(folder, "config.json"), "cannot read the model in"),
        (lambda folder: half(folder, "tokenizer.json"), "cannot read the model in"),
        (lambda folder: (folder / "config.json").unlink(), r"lacks config\.json; expected config\.json, model"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"lacks tokenizer\.json or vocab\.txt"),
        (pickled, r"lacks model\.safetensors .*Nothing is downloaded"),
        (wider, "cannot read the model in"),
        (small_vocabulary, "cannot read the model in"),
    ],
)
def test_broken_folders_are_told(classifier, spoil, message):
    folder, _ = classifier
    spoil(folder)
    with pytest.raises(StorageError, match=message):
        TextClassifier(str(folder), 3).predict(["cat"])


def test_missing_folder(tmp_path):
    with pytest.raises(StorageError, match=r"there is no folder .*nowhere; expected one with config\.json"):
        TextClassifier(str(tmp_path / "nowhere"), 3).predict(["cat"])


def test_a_model_without_the_head_is_told(reader):
    with pytest.raises(StorageError, match=r"lacks .* and 3 more weights of BertForSequenceClassification"):
        TextClassifier(str(reader[0]), 2).predict(["cat"])


def test_a_tokenizer_with_too_many_words_is_told(classifier):
    folder, _ = classifier
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["zebra"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(StorageError, match="does not fit the model"):
        TextClassifier(str(folder), 3).predict(["cat"])


def test_missing_package(classifier, monkeypatch):
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'slicebench\[text\]'"):
        TextClassifier(str(classifier[0]), 3).predict(["cat"])


def by_hand(model, question, context, first, last):
    """Loss of tokens `first`..`last` of the context, both lists of words."""
    ids = [2, *map(VOCABULARY.index, question), 3, *map(VOCABULARY.index, context), 3]
    kinds = [0] * (len(question) + 2) + [1] * (len(context) + 1)
    out = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([kinds]))
    before = len(question) + 2
    losses = [
        -logits[0].log_softmax(dim=0)[before + at].item()
        for logits, at in ((out.start_logits, first), (out.end_logits, last))
    ]
    return sum(losses) / 2


def test_span_losses_are_those_computed_by_hand(reader):
    folder, model = reader
    question, long, short = "where is the cat ?", "the red cat sat on the mat in paris .", "paris is in france ."
    got = SpanReader(str(folder)).losses(
        [question, "what ?"], [long, short], [long.index("the mat"), 0], [long.index(" in"), 5]
    )
    assert got.dtype == np.float32
    expected = [
        by_hand(model, question.split(), long.split(), 5, 6),
        by_hand(model, ["what", "?"], short.split(), 0, 0),  # padded beside the longer one
    ]
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert abs(expected[0] - expected[1]) > 1e-3


def test_an_answer_inside_of_words_and_with_space_around(reader):
    folder, model = reader
    context = "the cats sat ."
    got = SpanReader(str(folder)).losses(["who ?"] * 2, [context] * 2, [4, 3], [7, 8])
    pieces = ["the", "cat", "##s", "sat", "."]
    expected = [by_hand(model, ["who", "?"], pieces, 1, last) for last in (1, 2)]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_window_that_counts_holds_the_answer(reader):
    folder, model = reader
    words = ["cat", "dog"] * 100
    words[130] = "paris"
    context = " ".join(words)
    at = context.index("paris")
    got = SpanReader(str(folder)).losses(["who ?"], [context], [at], [at + 5])
    room = LENGTH - 5  # two words of question and three tokens of BERT's own
    windows = range(0, len(words), room - LENGTH // 4)
    start = max((w for w in windows if w <= 130 < w + room), key=lambda w: min(130 - w, w + room - 1 - 130))
    expected = by_hand(model, ["who", "?"], words[start : start + room], 130 - start, 130 - start)
    np.testing.assert_allclose(got, [expected], atol=1e-5)


def test_answers_at_both_ends_of_a_long_context_and_a_long_question(reader):
    folder, model = reader
    words = ["cat"] * 99 + ["dog"]
    context, question = " ".join(words), "what " * 60
    got = SpanReader(str(folder)).losses([question] * 2, [context] * 2, [0, len(context) - 3], [3, len(context)])
    quarter = LENGTH // 4
    room = LENGTH - quarter - 3
    assert got[0] == pytest.approx(by_hand(model, ["what"] * quarter, words[:room], 0, 0), abs=1e-5)
    last = words[max(range(0, 100 - quarter, room - quarter)) :]
    expected = by_hand(model, ["what"] * quarter, last, len(last) - 1, len(last) - 1)
    assert got[1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("starts", "ends", "message"),
    [
        ([0, 90], [3, 95], "answer at row 1 is 90:95; expected a part of its context of 11 characters"),
        ([0, 3], [3, 3], "answer at row 1 is 3:3"),
        ([0, 3], [3, 4], "answer at row 1 has no token"),
        ([0], [3], "2 questions, 2 contexts, 1 starts"),
    ],
)
def test_answers_that_are_not_there(reader, starts, ends, message):
    with pytest.raises(DataError, match=message):
        SpanReader(str(reader[0])).losses(["who ?"] * 2, ["the cat sat"] * 2, starts, ends)


def test_an_answer_longer_than_any_window(reader):
    context = "cat " * 100
    with pytest.raises(DataError, match="answer at row 0 has no token, or more than the 10"):
        SpanReader(str(reader[0])).losses(["who ?"], [context], [0], [len(context)])


def test_long_work_tells_how_far_it_is(reader, monkeypatch, caplog):
    monkeypatch.setattr("slicebench.files.log.PERIOD_S", 0.0)
    with caplog.at_level("INFO", logger="slicebench"):
        SpanReader(str(reader[0])).losses(["who ?"] * 70, ["the cat sat"] * 70, [0] * 70, [3] * 70)
    assert any("64 of 70" in message for message in caplog.messages)
