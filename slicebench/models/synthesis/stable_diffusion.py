"""Generate images with a text-to-image model of diffusers, such as Stable Diffusion.

Needs `pip install 'slicebench[diffusion]'` and a pipeline in a local folder. Nothing is downloaded,
and no code in the folder is run.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError, DataError
from slicebench.files.log import Patience
from slicebench.models.synthesis.diffusers_pipelines import (
    BATCH,
    incomplete,
    index_of,
    loaded,
    parts_of,
    pixels_of,
    refuse_code,
)
from slicebench.models.synthesis.generator import Generator, fitted, image_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData, Identified


SOURCES = ("stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-xl-base-1.0")
"""Examples of repositories of the Hugging Face hub with suitable pipelines."""
UNUSED = ("safety_checker", "feature_extractor")
"""Parts of older pipelines that black out images; a problem would get black images without warning."""


class StableDiffusion(Generator):
    """Generator that uses a text-to-image pipeline, as Jain et al. (2022) did.

    Images are made in the pipeline's own size, then cropped to the proportions of the problem's
    images and resized. The i-th image of a class starts from the same noise for every caption and
    n. Images are the same from run to run on one machine.

    Parameters
    ----------
    folder : Path
        A pipeline that diffusers counts as text-to-image, StableDiffusionPipeline or StableDiffusionXLPipeline for example, with
        its weights as safetensors.
    shape, n_classes, seed
        See `Generator`.
    steps : int, optional
        Denoising steps; by default the pipeline's own number.
    guidance : float, optional
        Weight of classifier-free guidance; by default the pipeline's own.

    References
    ----------
    Rombach, Blattmann, Lorenz, Esser, Ommer, "High-Resolution Image Synthesis with Latent Diffusion Models", 2022.

    Raises
    ------
    ConfigError
        without diffusers, for a pipeline of another kind or with its own code, and for steps below
        1.
    StorageError
        for a folder that is missing or incomplete; the message says what to download.

    """

    argument_help: ClassVar[str] = "FOLDER"

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, ...],
        n_classes: int,
        seed: int = 0,
        *,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> None:
        super().__init__(shape, n_classes, seed)
        if steps is not None and steps < 1:
            raise ConfigError(f"steps is {steps}; expected 1 or more")
        self.steps = steps
        self.guidance = guidance
        self.pipeline = _load(Path(folder).expanduser())

    @classmethod
    def for_problem(cls, about: Identified, data: AuditData, argument: str | None = None) -> Self:
        """Return a generator with the pipeline in the folder `argument`."""
        if argument is None:
            raise ConfigError("the generator needs the folder of its pipeline: stable-diffusion:FOLDER")
        return cls(Path(argument), image_shape(about, data), len(data.class_names), about.seed)

    def draw(self, caption: str, n: int, class_index: int, rng: np.random.Generator) -> NDArray[np.uint8]:  # noqa: ARG002
        """Generate images in batches, each image from its own noise."""
        seeds = rng.integers(2**63, size=n).tolist()
        patience, images = Patience(f"generating {caption!r}", n), []
        for start in range(0, n, BATCH):
            images += self._batch(caption, seeds[start : start + BATCH])
            patience.done(len(images))
        return np.stack(images)

    def _batch(self, caption: str, seeds: list[int]) -> list[NDArray[np.uint8]]:
        import torch
        from PIL import Image

        wanted = {"num_inference_steps": self.steps, "guidance_scale": self.guidance}
        given: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        noise = [torch.Generator().manual_seed(seed) for seed in seeds]
        made = np.asarray(
            self.pipeline(prompt=[caption] * len(seeds), generator=noise, output_type="np", **given).images
        )
        if not np.isfinite(made).all():
            raise DataError(f"the pipeline returned pixels that are not finite for {caption!r}; check its weights")
        return [fitted(Image.fromarray(image), self.shape) for image in pixels_of(made)]


def _load(folder: Path) -> Any:
    index = index_of(folder, SOURCES)
    refuse_code(folder, index)
    return loaded(folder, SOURCES, lambda: _pipeline(folder, index))


def _pipeline(folder: Path, index: dict[str, Any]) -> Any:
    kind = _text_to_image(folder, index["_class_name"])
    parts: dict[str, Any] = dict(_networks(folder, index))
    if "safety_checker" in index:
        parts |= {name: None for name in UNUSED if name in index} | {"requires_safety_checker": False}
    pipeline = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, **parts)
    _check_words(folder, pipeline.components)
    return pipeline


def _text_to_image(folder: Path, name: str) -> Any:
    """Return the class `name` of diffusers, if it makes images from text alone."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    known = {kind.__name__: kind for kind in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}
    if name not in known or "Control" in name:  # ControlNets want an image besides
        raise ConfigError(
            f"{folder} holds a {name}; captions need a pipeline that makes images from text alone, such as "
            "StableDiffusionPipeline or StableDiffusionXLPipeline"
        )
    return known[name]


def _networks(folder: Path, index: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the networks of the pipeline by name.

    A network that lacks weights raises an error; diffusers would fill in random ones.
    """
    from torch.nn import Module

    for name, (library, kind_name) in parts_of(index):
        if library not in ("diffusers", "transformers") or name in UNUSED:
            continue
        kind: Any = getattr(import_module(library), kind_name)
        if not issubclass(kind, Module):
            continue
        network, info = kind.from_pretrained(
            folder / name, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if missing := sorted(info["missing_keys"]):
            raise incomplete(folder, SOURCES, f"{name} lacks {len(missing)} weights, {missing[0]} first")
        yield name, network.float()  # transformers keeps a checkpoint's half precision, diffusers does not


def _check_words(folder: Path, parts: Mapping[str, Any]) -> None:
    """Raise an error for a tokenizer without words.

    If the vocabulary is missing, transformers returns such a tokenizer, and captions would have no
    effect.
    """
    from transformers import PreTrainedTokenizerBase

    for name, part in parts.items():
        if isinstance(part, PreTrainedTokenizerBase):
            read = part.convert_tokens_to_ids(part.tokenize("a photo"))
            if {*np.atleast_1d(read)} <= {part.unk_token_id}:
                raise incomplete(folder, SOURCES, f"{name} has no words; its vocabulary may be missing")
