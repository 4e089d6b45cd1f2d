"""Generation from captions, with tiny pipelines of random weights that go through diffusers' own loading and calls."""

from __future__ import annotations

import json
import shutil
import string
import sys
from dataclasses import replace

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.synthesis.generator import make_generator

diffusers = pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

from slicebench.models.synthesis.stable_diffusion import StableDiffusion  # noqa: E402

WIDTH = 16
SMALL = {"hidden_size": WIDTH, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
WORDS = ["<|startoftext|>", "<|endoftext|>", *string.ascii_lowercase, *(f"{c}</w>" for c in string.ascii_lowercase)]


@pytest.fixture(autouse=True)
def offline_on_one_thread(monkeypatch):
    """Tensors of a few numbers gain nothing from threads, and on a busy machine wait for them."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def words(folder):
    """Tokeniser that spells."""
    from transformers import CLIPTokenizer

    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=32)


def text_config():
    from transformers import CLIPTextConfig

    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return CLIPTextConfig(**SMALL, **ids, vocab_size=len(WORDS), projection_dim=WIDTH, max_position_embeddings=32)


def image_parts(**unet):
    return {
        "vae": diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
        "scheduler": diffusers.DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
        "unet": diffusers.UNet2DConditionModel(
            sample_size=16,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(8, 16),
            norm_num_groups=4,
            attention_head_dim=4,
            layers_per_block=1,
            **unet,
        ),
    }


def stable_diffusion(folder):
    from transformers import CLIPTextModel

    text = {"tokenizer": words(folder), "text_encoder": CLIPTextModel(text_config()).eval()}
    without = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return diffusers.StableDiffusionPipeline(**text, **image_parts(cross_attention_dim=WIDTH), **without)


def stable_diffusion_xl(folder):
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    unet = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4, "cross_attention_dim": 2 * WIDTH}
    return diffusers.StableDiffusionXLPipeline(
        tokenizer=words(folder),
        tokenizer_2=words(folder),
        text_encoder=CLIPTextModel(text_config()).eval(),
        text_encoder_2=CLIPTextModelWithProjection(text_config()).eval(),
        add_watermarker=False,
        **image_parts(projection_class_embeddings_input_dim=WIDTH + 6 * 4, **unet),
    )


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """Folders of two pipelines."""
    torch.manual_seed(0)
    home = tmp_path_factory.mktemp("pipelines")
    made = {"sd": stable_diffusion, "xl": stable_diffusion_xl}
    for name, make in made.items():
        make(home / f"{name}-words").save_pretrained(home / name)
    return {name: home / name for name in made}


@pytest.fixture
def copied(pipelines, tmp_path):
    """Folder of a Stable Diffusion pipeline that may be broken."""
    return shutil.copytree(pipelines["sd"], tmp_path / "copied")


def rewrite(folder, **entries):
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def generator(folder, shape=(12, 12, 3), seed=0, **params):
    return StableDiffusion(folder, shape, 3, seed, **{"steps": 2} | params)


@pytest.mark.parametrize("name", ["sd", "xl"])
def test_images_show_that_the_caption_was_read_and_follow_from_the_arguments(pipelines, name):
    make = generator(pipelines[name])
    images = make.generate("a red circle", 5, 1, 0)
    assert images.shape == (5, 12, 12, 3)
    assert images.dtype == np.uint8
    assert images.std() > 5
    np.testing.assert_array_equal(images, make.generate("a red circle", 5, 1, 0))
    others = [("blue sky", 1, 0), ("a red circle", 0, 0), ("a red circle", 1, 1)]
    differences = [np.abs(images.astype(int) - make.generate(text, 5, c, seed)).max() for text, c, seed in others]
    assert min(differences) > 2
    assert not np.array_equal(images, generator(pipelines[name], seed=1).generate("a red circle", 5, 1, 0))
    assert len(np.unique(images.reshape(5, -1), axis=0)) == 5


def test_an_image_does_not_depend_on_how_many_are_made(pipelines):
    make = generator(pipelines["sd"])
    many, few = (make.generate("a cat", n, 0, 0).astype(int) for n in (6, 1))
    assert np.abs(many[:1] - few).max() <= 1  # sums of a batch are rounded otherwise than those of one image


def test_steps_and_guidance_are_the_pipelines_own_unless_given(pipelines, monkeypatch):
    asked = []

    class Spy:
        def __init__(self, kept):
            self.kept = kept

        def __call__(self, **given):
            asked.append(given)
            return self.kept(**given | {"num_inference_steps": 1})

    for params in ({"steps": None}, {"steps": 3, "guidance": 2.5}):
        make = generator(pipelines["sd"], **params)
        make.pipeline = Spy(make.pipeline)
        make.generate("a cat", 1, 0, 0)
    assert {"num_inference_steps", "guidance_scale"}.isdisjoint(asked[0])
    assert (asked[1]["num_inference_steps"], asked[1]["guidance_scale"]) == (3, 2.5)
    with pytest.raises(ConfigError, match="steps is 0"):
        generator(pipelines["sd"], steps=0)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (6, 10, 3)])
def test_images_have_the_shape_of_the_problems(pipelines, shape):
    assert generator(pipelines["sd"], shape).generate("a cat", 2, 0, 0).shape == (2, *shape)


def test_requests_that_cannot_be_met(pipelines):
    make = generator(pipelines["sd"])
    for arguments, message in {
        ("", 1, 0, 0): "the caption is ''",
        ("a", 0, 0, 0): "n is 0",
        ("a", 1, -1, 0): "class_index is -1",
        ("a", 1, 3, 0): "class 3 is not one of the 3",
    }.items():
        with pytest.raises(DataError, match=message):
            make.generate(*arguments)


def test_a_safety_checker_is_neither_needed_nor_used(copied):
    expected = generator(copied).generate("a cat", 2, 0, 0)
    rewrite(
        copied,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"],
        requires_safety_checker=True,
    )
    np.testing.assert_array_equal(generator(copied).generate("a cat", 2, 0, 0), expected)


def test_weights_in_half_precision_are_computed_with_in_single(copied):
    from transformers import CLIPTextModel

    CLIPTextModel.from_pretrained(copied / "text_encoder").half().save_pretrained(copied / "text_encoder")
    diffusers.UNet2DConditionModel.from_pretrained(copied / "unet").half().save_pretrained(copied / "unet")
    make = generator(copied)
    assert make.generate("a cat", 1, 0, 0).std() > 5
    assert make.pipeline.text_encoder.dtype == make.pipeline.unet.dtype == torch.float32


def test_missing_folders_say_what_to_fetch(tmp_path):
    with pytest.raises(StorageError, match=r"stable-diffusion-v1-5/.* or stabilityai/.*--local-dir"):
        generator(tmp_path / "nowhere")
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(StorageError, match="no readable model_index"):
        generator(tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_missing_or_damaged_are_not_made_up(copied, part):
    from safetensors.torch import load_file, save_file

    path = next((copied / part).glob("*.safetensors"))
    whole, weights = path.read_bytes(), load_file(path)
    first = min(weights)
    save_file({name: weights[name] for name in weights if name != first}, path, metadata={"format": "pt"})
    with pytest.raises(
        StorageError, match=rf"not a complete diffusers pipeline: {part} lacks 1 weights, {first} first"
    ):
        generator(copied)
    for data in (whole[: len(whole) // 2], b""):
        path.write_bytes(data)
        with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
            generator(copied)
    path.unlink()
    with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
        generator(copied)
    torch.save(weights, path.with_suffix(".bin"))
    with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
        generator(copied)


def test_weights_that_are_no_numbers_are_noticed(copied):
    path = copied / "unet"
    unet = diffusers.UNet2DConditionModel.from_pretrained(path)
    torch.nn.init.constant_(unet.conv_out.bias, float("nan"))
    unet.save_pretrained(path)
    with pytest.raises(DataError, match="pixels that are not finite for 'a cat'"):
        generator(copied).generate("a cat", 1, 0, 0)


@pytest.mark.parametrize("name", ["tokenizer/tokenizer.json", "scheduler/scheduler_config.json", "unet/config.json"])
def test_other_files_that_are_missing_or_damaged(copied, name):
    path = copied / name
    path.write_text("{")
    with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
        generator(copied)
    path.unlink()
    for other in path.parent.glob("vocab.json"):  # older versions of transformers write the vocabulary twice
        other.unlink()
    with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
        generator(copied)


def test_code_in_the_folder_is_not_run(copied):
    ran = copied / "ran"
    (copied / "unet" / "mine.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nclass Mine: pass\n")
    rewrite(copied, unet=["mine", "Mine"])
    with pytest.raises(ConfigError, match=r"unet of .*copied contains its own code, mine.py"):
        generator(copied)
    rewrite(copied, unet=["no_such_library", "Mine"])
    with pytest.raises(StorageError, match="not a complete"):
        generator(copied)
    rewrite(copied, _class_name=["pipeline", "Mine"])
    with pytest.raises(StorageError, match="no readable model_index"):
        generator(copied)
    assert not ran.exists()


@pytest.mark.parametrize(
    "name",
    ["StableUnCLIPImg2ImgPipeline", "StableDiffusionInpaintPipeline", "StableDiffusionControlNetPipeline", "Nothing"],
)
def test_other_pipelines_are_refused(copied, name):
    rewrite(copied, _class_name=name)
    with pytest.raises(
        ConfigError, match=f"holds a {name}; captions need a pipeline that makes images from text alone"
    ):
        generator(copied)


def test_without_diffusers_the_extra_is_named(pipelines, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigError, match=r"pip install 'slicebench\[diffusion\]'"):
        generator(pipelines["sd"])


def test_loading_is_silent(pipelines, capfd):
    generator(pipelines["sd"]).generate("a cat", 1, 0, 0)
    assert capfd.readouterr() == ("", "")


def test_by_name_for_a_problem(pipelines, problem):
    images = np.zeros((problem.data.train.n, 9, 9), dtype=np.uint8)
    data = replace(problem.data, train=replace(problem.data.train, inputs=images))
    made = make_generator(f"stable-diffusion:{pipelines['sd']}", problem, data)
    assert (made.shape, made.n_classes, made.seed) == ((9, 9), 3, problem.seed)
    with pytest.raises(ConfigError, match="needs an argument: stable-diffusion:FOLDER"):
        make_generator("stable-diffusion", problem, data)
    with pytest.raises(ConfigError, match="stable-diffusion:FOLDER"):
        StableDiffusion.for_problem(problem, data)
    with pytest.raises(ConfigError, match="images are generated for problems of uint8 images"):
        make_generator(f"stable-diffusion:{pipelines['sd']}", problem, problem.data)
