"""Generation from CLIP embeddings, with tiny pipelines of random weights that go through diffusers' own loading and calls."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.synthesis.unclip import UnClipDecoder

WIDTH = 16


@pytest.fixture(autouse=True)
def offline_on_one_thread(monkeypatch):
    """Tensors of a few numbers gain nothing from threads, and on a busy machine wait for them."""
    import torch

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def towers(folder, text_model):
    """Text and image towers of a few hundred weights, and a tokeniser that knows no words."""
    from transformers import (
        CLIPImageProcessor,
        CLIPTextConfig,
        CLIPTokenizer,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({"<|startoftext|>": 0, "<|endoftext|>": 1}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    text = CLIPTextConfig(
        **small,
        vocab_size=2,
        projection_dim=WIDTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        max_position_embeddings=8,
    )
    vision = CLIPVisionConfig(**small, projection_dim=WIDTH, image_size=16, patch_size=8)
    return {
        "tokenizer": CLIPTokenizer.from_pretrained(folder, model_max_length=8),
        "text_encoder": text_model(text).eval(),
        "image_encoder": CLIPVisionModelWithProjection(vision).eval(),
        "feature_extractor": CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    }


def unclip_parts(folder):
    from diffusers import UnCLIPImageVariationPipeline, UnCLIPScheduler, UNet2DConditionModel, UNet2DModel
    from transformers import CLIPTextModelWithProjection

    text_projection = sys.modules[UnCLIPImageVariationPipeline.__module__].UnCLIPTextProjModel  # moves between versions
    blocks = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    decoder = UNet2DConditionModel(
        **blocks,
        sample_size=8,
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
    )
    larger = {"sample_size": 16, "in_channels": 6, "out_channels": 3}
    larger |= {"down_block_types": ("ResnetDownsampleBlock2D",) * 2, "up_block_types": ("ResnetUpsampleBlock2D",) * 2}
    return towers(folder, CLIPTextModelWithProjection) | {
        "decoder": decoder,
        "text_proj": text_projection(clip_embeddings_dim=WIDTH, time_embed_dim=32, cross_attention_dim=16),
        "super_res_first": UNet2DModel(**blocks, **larger),
        "super_res_last": UNet2DModel(**blocks, **larger),
        "decoder_scheduler": UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon"),
        "super_res_scheduler": UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon"),
    }


def stable_parts(folder):
    from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from transformers import CLIPTextModel

    unet = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        norm_num_groups=4,
        attention_head_dim=4,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * WIDTH,
        cross_attention_dim=16,
        layers_per_block=1,
    )
    return towers(folder, CLIPTextModel) | {
        "unet": unet,
        "image_normalizer": StableUnCLIPImageNormalizer(embedding_dim=WIDTH),
        "image_noising_scheduler": DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        "scheduler": DDIMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction"),
        "vae": AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
    }


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """Folders of the two pipelines, by class."""
    import diffusers
    import torch

    torch.manual_seed(0)
    home = tmp_path_factory.mktemp("pipelines")
    made = {"UnCLIPImageVariationPipeline": unclip_parts, "StableUnCLIPImg2ImgPipeline": stable_parts}
    for name, parts in made.items():
        getattr(diffusers, name)(**parts(home / f"{name}-words")).save_pretrained(home / name)
    return {name: home / name for name in made}


@pytest.fixture(params=["UnCLIPImageVariationPipeline", "StableUnCLIPImg2ImgPipeline"])
def decoder(request, pipelines):
    return UnClipDecoder(pipelines[request.param], 12, length=4.0, steps=2)


def points(k, seed=0):
    return np.random.default_rng(seed).normal(size=(k, WIDTH))


def test_generates_images_of_the_side_asked_for_from_the_seed(decoder):
    decoded = decoder.decode(points(5), 0)
    assert decoded.images.shape == (5, 12, 12, 3)
    assert decoded.images.dtype == np.uint8
    assert decoded.images.std() > 0
    assert decoded.labels is None
    assert len(decoded.texts) == 5
    again = decoder.decode(points(5), 1)
    np.testing.assert_array_equal(decoded.images, again.images)
    decoder.seed = 1
    assert not np.array_equal(decoded.images, decoder.decode(points(5), 0).images)


def test_images_depend_on_the_point_and_the_place_but_not_on_the_batch_or_the_points_length(decoder):
    x = points(2)
    alone, both = decoder.decode(x[:1], 0).images[0].astype(int), decoder.decode(5 * x, 0).images.astype(int)
    assert np.abs(alone - both[0]).max() <= 1  # sums of a batch are rounded otherwise than those of one image
    other = decoder.decode(-x[:1], 0).images[0].astype(int)
    assert np.abs(alone - other).max() > 0
    assert decoder.decode(x[:0], 0).images.shape == (0, 12, 12, 3)


def test_the_pipelines_own_steps_and_guidance_are_the_defaults(pipelines):
    stable = UnClipDecoder(pipelines["StableUnCLIPImg2ImgPipeline"], 8)
    asked = {}
    kept = stable.pipeline

    class Spy:
        device, image_encoder = kept.device, kept.image_encoder

        def __call__(self, **given):
            asked.update(given)
            return kept(**given | {"num_inference_steps": 1})

    stable.pipeline = Spy()
    stable.decode(points(1), 0)
    assert {"num_inference_steps", "guidance_scale"}.isdisjoint(asked)
    np.testing.assert_allclose(asked["image_embeds"].norm().item(), np.sqrt(WIDTH), rtol=1e-5)


def test_length_comes_from_the_normaliser_or_from_examples(pipelines):
    stable = UnClipDecoder(pipelines["StableUnCLIPImg2ImgPipeline"], 8)
    assert stable.length == pytest.approx(np.sqrt(WIDTH))  # mean 0, deviation 1 in every dimension
    with pytest.raises(ConfigError, match="give length, or examples"):
        UnClipDecoder(pipelines["UnCLIPImageVariationPipeline"], 8)
    examples = np.random.default_rng(0).integers(256, size=(3, 20, 20, 3), dtype=np.uint8)
    unclip = UnClipDecoder(pipelines["UnCLIPImageVariationPipeline"], 8, examples=examples)
    assert 0 < unclip.length < 100


def test_points_of_another_space_are_refused(decoder):
    with pytest.raises(DataError, match="points have 7 columns, but the pipeline takes 16"):
        decoder.decode(np.ones((2, 7)), 0)
    with pytest.raises(DataError, match="point 1 is 0"):
        decoder.decode(np.stack([np.ones(WIDTH), np.zeros(WIDTH)]), 0)


def test_missing_and_incomplete_folders_say_what_to_fetch(pipelines, tmp_path):
    with pytest.raises(StorageError, match=r"kakaobrain/karlo.* or stabilityai/.*--local-dir"):
        UnClipDecoder(tmp_path / "nowhere", 8)
    broken = tmp_path / "broken"
    shutil.copytree(pipelines["UnCLIPImageVariationPipeline"], broken)
    next((broken / "decoder").glob("*.safetensors")).unlink()
    with pytest.raises(StorageError, match=r"broken is not a complete diffusers pipeline.*kakaobrain/karlo"):
        UnClipDecoder(broken, 8, length=1.0)
    shutil.rmtree(broken / "decoder")
    with pytest.raises(StorageError, match="not a complete diffusers pipeline"):
        UnClipDecoder(broken, 8, length=1.0)


def test_other_pipelines_are_refused(tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(ConfigError, match="holds a StableDiffusionPipeline; decoding needs"):
        UnClipDecoder(tmp_path, 8)
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(StorageError, match="no readable model_index"):
        UnClipDecoder(tmp_path, 8)
    with pytest.raises(ConfigError, match="side is 0"):
        UnClipDecoder(tmp_path, 0)


def test_without_diffusers_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableUnCLIPImg2ImgPipeline"}')
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigError, match=r"pip install 'slicebench\[diffusion\]'"):
        UnClipDecoder(tmp_path, 8)


def test_for_a_problem_of_square_colour_images(pipelines, problem):
    folder = str(pipelines["UnCLIPImageVariationPipeline"])
    images = np.random.default_rng(0).integers(256, size=(problem.test.n, 9, 9, 3), dtype=np.uint8)
    pictured = replace(problem, modality="image", test=replace(problem.test, inputs=images))
    assert UnClipDecoder.for_problem(pictured, folder).side == 9
    with pytest.raises(ConfigError, match="does not have square colour images"):
        UnClipDecoder.for_problem(problem, folder)
    with pytest.raises(ConfigError, match="unclip:FOLDER"):
        UnClipDecoder.for_problem(pictured)
