"""Decode CLIP image embeddings with a diffusion model of diffusers.

Needs `pip install 'slicebench[diffusion]'` and a pipeline in a local folder; nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import ConfigError, DataError
from slicebench.models.synthesis.decoder import Decoded, Decoder
from slicebench.models.synthesis.diffusers_pipelines import BATCH, index_of, loaded, pixels_of, refuse_code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem


EXAMPLES = 64
"""Images of a problem on which the typical length of CLIP's embeddings is measured."""
SOURCES = {
    "UnCLIPImageVariationPipeline": "kakaobrain/karlo-v1-alpha-image-variations (CLIP ViT-L/14, 768 columns)",
    "StableUnCLIPImg2ImgPipeline": "stabilityai/stable-diffusion-2-1-unclip-small (CLIP ViT-L/14, 768 columns)",
}
"""Supported pipelines of diffusers, each with a repository of the Hugging Face hub that contains one."""


class UnClipDecoder(Decoder):
    """Decoder that generates an image from each point with an unCLIP model, as Jain et al. (2022) did.

    The points must be in the space of the CLIP model that the pipeline was trained with. The
    pipeline expects CLIP's embeddings before normalisation, so each point is scaled to their
    typical length.

    Parameters
    ----------
    folder : Path
        A diffusers pipeline, UnCLIPImageVariationPipeline or StableUnCLIPImg2ImgPipeline.
    side : int
        Side of the returned images in pixels, that of the problem's images.
    length : float, optional
        Typical length of the pipeline's CLIP image embeddings. By default it is measured on
        `examples`; without examples, it is √Σ(mean² + std²) of the pipeline's normaliser, if it has
        one (Stable unCLIP).
    examples : (n, H, W, 3) uint8, optional
        Images on which the length is measured with the pipeline's own image tower; a few dozen are
        enough.
    steps : int, optional
        Denoising steps; by default the pipeline's own number.
    guidance : float, optional
        Weight of classifier-free guidance; by default the pipeline's own.
    seed : int
        The i-th of the points decoded together starts from the noise of `seed + i`, so the i-th hard and the i-th easy image
        share it. Images are the same from run to run on one machine.

    References
    ----------
    Ramesh, Dhariwal, Nichol, Chu, Chen, "Hierarchical Text-Conditional Image Generation with CLIP Latents", 2022.

    Raises
    ------
    ConfigError
        without diffusers, for another pipeline, and if the length is neither known nor given.
    StorageError
        for a folder that is missing or incomplete; the message says what to download.

    """

    argument_help: ClassVar[str] = "FOLDER"

    def __init__(
        self,
        folder: Path,
        side: int,
        *,
        length: float | None = None,
        examples: NDArray[np.uint8] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
    ) -> None:
        if side < 1 or (steps is not None and steps < 1):
            raise ConfigError(f"side is {side} and steps {steps}; expected 1 or more")
        self.side = side
        self.steps = steps
        self.guidance = guidance
        self.seed = seed
        self.kind = _kind_of(Path(folder))
        self.pipeline = _load(Path(folder), self.kind)
        self.length = self._typical_length(examples) if length is None else length

    @classmethod
    def for_problem(cls, problem: Problem, argument: str | None = None) -> Self:
        """Return the decoder with the pipeline in the folder `argument`.

        Its images are square and of the same size as the problem's images.
        """
        if argument is None:
            raise ConfigError("the decoder needs the folder of its pipeline: unclip:FOLDER")
        images = problem.test.inputs
        first: NDArray[Any] = np.empty(0)
        if images is not None and problem.modality == "image":
            first = np.asarray(images[:EXAMPLES])
        if first.dtype != np.uint8 or first.ndim != 4 or first.shape[1] != first.shape[2]:
            raise ConfigError(f"problem {problem.name!r} does not have square colour images, which the decoder needs")
        return cls(Path(argument), first.shape[1], examples=first)

    @property
    def width(self) -> int:
        """Columns of the embeddings that the pipeline takes."""
        part = self.pipeline.image_encoder.config
        return int(part.projection_dim)

    def decode(self, embeddings: NDArray[Any], class_index: int) -> Decoded:  # noqa: ARG002 - the points say it all
        """Generate images (k, side, side, 3); texts number the points.

        The true classes of the images are not known.

        Raises
        ------
        DataError
            for points of another width than the pipeline's embeddings, and for a point at 0.

        """
        points = array_of("embeddings", embeddings, np.float64, 2)
        if points.shape[1] != self.width:
            raise DataError(
                f"points have {points.shape[1]} columns, but the pipeline takes {self.width}; "
                "expected the embeddings of the CLIP model that the pipeline was trained with"
            )
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        if not lengths.all():
            raise DataError(f"point {int(np.argmin(lengths))} is 0; expected points on the unit sphere")
        x = (self.length * points / lengths).astype(np.float32)
        parts = [self._generate(x[i : i + BATCH], self.seed + i) for i in range(0, len(x), BATCH)]
        images = np.concatenate(parts) if parts else np.empty((0, self.side, self.side, 3), dtype=np.uint8)
        return Decoded(images=images, labels=None, texts=tuple(f"generated {i}" for i in range(len(x))))

    def _generate(self, x: NDArray[np.float32], first_seed: int) -> NDArray[np.uint8]:
        import torch

        unclip = self.kind == "UnCLIPImageVariationPipeline"
        wanted = {"num_inference_steps": self.steps, "guidance_scale": self.guidance}
        prefix = "decoder_" if unclip else ""
        given: dict[str, Any] = {prefix + key: value for key, value in wanted.items() if value is not None}
        if not unclip:
            given["prompt"] = [""] * len(x)  # one per embedding, or the pipeline starts from a single noise
        given["image_embeddings" if unclip else "image_embeds"] = torch.from_numpy(x).to(self.pipeline.device)
        noise = [torch.Generator().manual_seed(first_seed + i) for i in range(len(x))]
        return _resized(self.pipeline(generator=noise, output_type="np", **given).images, self.side)

    def _typical_length(self, examples: NDArray[np.uint8] | None) -> float:
        if examples is not None and len(examples):
            return self._measured_length(examples)
        normaliser = getattr(self.pipeline, "image_normalizer", None)
        if normaliser is None:
            raise ConfigError(
                f"{self.kind} does not say how long its CLIP embeddings are; give length, or examples to measure it on"
            )
        return float((normaliser.mean**2 + normaliser.std**2).sum().sqrt().detach())

    def _measured_length(self, examples: NDArray[np.uint8]) -> float:
        import torch
        from PIL import Image

        pictures = [Image.fromarray(image).convert("RGB") for image in examples]
        with torch.inference_mode():
            pixels = self.pipeline.feature_extractor(images=pictures, return_tensors="pt").pixel_values
            embedded = self.pipeline.image_encoder(pixels.to(self.pipeline.device)).image_embeds
        return float(embedded.norm(dim=1).mean())


def _kind_of(folder: Path) -> str:
    """Return the class of the pipeline in `folder`, one of `SOURCES`."""
    kind = index_of(folder, SOURCES.values())["_class_name"]
    if kind not in SOURCES:
        raise ConfigError(
            f"{folder} holds a {kind}; decoding needs a pipeline that takes CLIP image embeddings: {' or '.join(SOURCES)}"
        )
    return str(kind)


def _load(folder: Path, kind: str) -> Any:
    refuse_code(folder, index_of(folder, [SOURCES[kind]]))
    load = _unclip if kind == "UnCLIPImageVariationPipeline" else _stable_unclip
    return loaded(folder, [SOURCES[kind]], lambda: load(folder))


def _stable_unclip(folder: Path) -> Any:
    from diffusers import StableUnCLIPImg2ImgPipeline

    load: Any = StableUnCLIPImg2ImgPipeline.from_pretrained
    return load(folder, local_files_only=True, use_safetensors=True)


def _unclip(folder: Path) -> Any:
    """Load UnCLIPImageVariationPipeline part by part.

    diffusers 0.42 does not find the class of its text projection by itself.
    """
    import sys

    import diffusers
    import transformers

    kind: Any = diffusers.UnCLIPImageVariationPipeline
    parts: dict[str, Any] = {
        "tokenizer": transformers.CLIPTokenizer,
        "text_encoder": transformers.CLIPTextModelWithProjection,
        "image_encoder": transformers.CLIPVisionModelWithProjection,
        "feature_extractor": transformers.CLIPImageProcessor,
        "text_proj": sys.modules[kind.__module__].UnCLIPTextProjModel,
        "decoder": diffusers.UNet2DConditionModel,
        "super_res_first": diffusers.UNet2DModel,
        "super_res_last": diffusers.UNet2DModel,
        "decoder_scheduler": diffusers.UnCLIPScheduler,
        "super_res_scheduler": diffusers.UnCLIPScheduler,
    }
    return kind(**{name: _part(part, folder / name) for name, part in parts.items()})


def _part(kind: Any, folder: Path) -> Any:
    from torch.nn import Module

    weights = {"use_safetensors": True} if issubclass(kind, Module) else {}
    return kind.from_pretrained(folder, local_files_only=True, **weights)


def _resized(images: Any, side: int) -> NDArray[np.uint8]:
    """Resize images (b, H, W, 3) of floats from 0 to 1 to uint8 of shape (b, side, side, 3)."""
    from PIL import Image

    resize, how = (side, side), Image.Resampling.LANCZOS
    small = [np.asarray(Image.fromarray(image).resize(resize, how)) for image in pixels_of(images)]
    return np.stack(small)
