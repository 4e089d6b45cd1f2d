"""Image–text encoders of the open_clip library, their weights from its hub or from a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from slicebench.errors import ConfigError, DataError, StorageError, did_you_mean
from slicebench.files.cache import content_key
from slicebench.models.devices import device
from slicebench.models.encoders.batches import encode_images, on_pictures, unit_rows
from slicebench.models.encoders.encoder import Encoder, given_files
from slicebench.models.weights import first_line, missing_weights, placed_weights, quick_hub, state_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs
    from slicebench.files.fingerprints import Source

    Images = NDArray[np.uint8]


TEXTS = 256
"""Captions per forward pass."""


@dataclass(frozen=True)
class Loaded:
    """A model with its weights, in evaluation mode, and its preprocessing.

    Parameters
    ----------
    model : torch.nn.Module
    prepare : callable
        From images (n, H, W, 3), uint8, to the model's input.
    tokenize : callable
        From captions to token numbers.
    about_prepare : str
        Text on which `prepare` and `tokenize` depend, for the fingerprint.

    """

    model: Any
    prepare: Callable[[Images], Tensor]
    tokenize: Callable[[Sequence[str]], Tensor]
    about_prepare: str


class OpenClip(Encoder):
    """Embed images and captions in one space, by two contrastively trained towers; rows have length 1.

    The argument is "ARCH/TAG", a tag of open_clip's pretrained weights, or "ARCH/PATH" of a checkpoint file:
    "open_clip:ViT-B-32/openai", "open_clip:ViT-B-32//data/clip.safetensors". Weights of a tag are taken from
    `<cache>/weights/open_clip/ARCH--TAG.safetensors` (or .pt, .pth, .bin), else from open_clip's own cache or download.
    Preprocessing and tokeniser are open_clip's own.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021; Ilharco et al., "OpenCLIP",
    2021.

    Raises
    ------
    ConfigError
        for an unknown architecture or tag; the message lists similar architectures, or all tags.
    StorageError
        for weights that cannot be found or read, or are of another architecture; weights are never
        random.

    """

    argument_help: ClassVar[str] = "ARCH/PRETRAINED"

    @property
    def name(self) -> str:
        """Name as the user writes it."""
        return f"open_clip:{self.argument}"

    @cached_property
    def loaded(self) -> Loaded:
        """The model, loaded when first needed; the global random state does not change."""
        import torch

        with torch.random.fork_rng(devices=[]):
            loaded = self._load()
        loaded.model.requires_grad_(requires_grad=False).eval()
        return loaded

    def reads_captions(self) -> bool:
        """Return True."""
        return True

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Embed uint8 images (n, H, W) or (n, H, W, 3), shape (n, d).

        Raises `DataError` for other inputs.
        """
        loaded = self.loaded
        where = next(loaded.model.parameters()).device
        return encode_images(
            self.name, inputs, lambda images: unit_rows(loaded.model.encode_image(loaded.prepare(images).to(where)))
        )

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions, shape (m, d).

        Raises `DataError` if they are not strings, or if there are none.
        """
        import torch

        listed = list(texts)
        if isinstance(texts, str) or not listed or not all(isinstance(text, str) for text in listed):
            raise DataError(f"encoder {self.name!r} embeds captions; expected a list of one or more strings")
        loaded = self.loaded
        where = next(loaded.model.parameters()).device
        parts = []
        for start in range(0, len(listed), TEXTS):
            tokens = loaded.tokenize(listed[start : start + TEXTS]).to(where)
            with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=where.type == "cuda"):
                parts.append(unit_rows(loaded.model.encode_text(tokens)).cpu())
        embeddings: NDArray[np.float32] = torch.cat(parts).numpy()
        return embeddings

    def sources(self) -> tuple[Source, ...]:
        """Return the file of the weights, if one is given."""
        return given_files((self.argument or "").partition("/")[2])

    def identify(self) -> str:
        """Compute the hash of weights, preprocessing and tokeniser."""
        return content_key(state_hash(self.loaded.model), self.loaded.about_prepare)

    def _load(self) -> Loaded:
        import open_clip

        arch, _, pretrained = (self.argument or "").partition("/")
        if arch not in open_clip.list_models():
            near = did_you_mean(arch, open_clip.list_models())
            raise ConfigError(f"encoder {self.name!r}: open_clip has no architecture {arch!r}; {near}")
        path, options = self._weights_of(arch, pretrained)
        model, transform = _created(arch, str(path), str(path), **options)
        try:
            with quick_hub():
                tokenize = open_clip.get_tokenizer(arch)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise StorageError(f"encoder {self.name!r}: cannot fetch its tokeniser: {first_line(error)}") from error
        about = f"{transform!r} {type(tokenize).__name__} {tokenize.context_length}"
        return Loaded(model.to(device()), lambda images: on_pictures(transform, images), tokenize, about)

    def _weights_of(self, arch: str, pretrained: str) -> tuple[Path, dict[str, Any]]:
        """Return the file of the weights, perhaps downloaded, and the model options for them."""
        import open_clip

        about = open_clip.get_pretrained_cfg(arch, pretrained)
        if not about:
            path = Path(pretrained).expanduser()
            if not path.is_file():
                tags = ", ".join(open_clip.list_pretrained_tags_by_model(arch)) or "none"
                raise ConfigError(
                    f"encoder {self.name!r}: {pretrained!r} is neither a file nor a tag of {arch}; tags: {tags}"
                )
            return path, {}
        names = {"image_mean": "mean", "image_std": "std", "image_interpolation": "interpolation"}
        names |= {"image_resize_mode": "resize_mode", "force_quick_gelu": "quick_gelu"}
        options = {ours: about[theirs] for ours, theirs in names.items() if theirs in about}
        placed = placed_weights("open_clip", f"{arch}/{pretrained}")
        if placed is not None:
            return placed, options
        try:
            with quick_hub():
                return Path(open_clip.download_pretrained(about)), options
        except Exception as error:  # downloads fail in many ways
            raise missing_weights(
                self.name, "open_clip", f"{arch}/{pretrained}", _source(about), error, captions=True
            ) from error


def _source(about: dict[str, Any]) -> str:
    """Return the source of the weights in an entry of open_clip's table: a file of the hub, or a URL.

    The hub is preferred, since OpenAI's own files contain code.
    """
    repository, _, file = about.get("hf_hub", "").rpartition("/")
    if repository:
        return f"{file or 'open_clip_model.safetensors'} of https://huggingface.co/{repository}"
    return str(about.get("url"))


def _created(arch: str, path: str | None, where: str, **options: Any) -> tuple[Any, Any]:
    """Create the model with given weights, and its transform of PIL images.

    The weights are those of the file `path`, or of the folder that `arch` names.
    """
    import open_clip

    try:
        with quick_hub():
            model, transform = open_clip.create_model_from_pretrained(
                arch, pretrained=path, weights_only=True, **options
            )
    except Exception as error:  # open_clip's readers fail in many ways on a broken file
        raise StorageError(f"cannot load {where} as {arch}: {first_line(error)}") from error
    return model, transform
