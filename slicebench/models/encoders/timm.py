"""Image networks of the timm library, their weights from its hub or from a file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.cache import content_key
from slicebench.models.devices import device
from slicebench.models.encoders.batches import encode_images, on_pictures
from slicebench.models.encoders.encoder import Encoder, given_files
from slicebench.models.weights import load_into, missing_weights, placed_weights, quick_hub, read_state, state_hash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.files.fingerprints import Source


class Timm(Encoder):
    """Embed images by the pooled features of a network without its classifier.

    The argument is "MODEL" or "MODEL/PATH" of a weights file: "timm:resnet50",
    "timm:vit_small_patch8_224.dino", "timm:resnet50//data/mine.safetensors". Weights are taken from
    `<cache>/weights/timm/MODEL.safetensors` (or .pt, .pth, .bin), else from timm's own cache or
    download. Preprocessing is the one that timm defines for the model.

    References
    ----------
    Wightman, "PyTorch Image Models", 2019; for DINO Caron et al., "Emerging Properties in Self-Supervised Vision Transformers",
    2021.

    Raises
    ------
    ConfigError
        for an unknown model, with a hint at similar ones, or a model without weights.
    StorageError
        for weights that cannot be found or read, or do not fit.

    """

    argument_help: ClassVar[str] = "MODEL or MODEL/PATH"

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Embed uint8 images (n, H, W) or (n, H, W, 3), shape (n, d).

        Raises `DataError` for other inputs.
        """
        model, transform, _ = self._loaded
        return encode_images(
            f"timm:{self.argument}", inputs, lambda images: model(on_pictures(transform, images).to(device()))
        )

    def sources(self) -> tuple[Source, ...]:
        """Return the file of the weights, if one is given."""
        return given_files((self.argument or "").partition("/")[2])

    def identify(self) -> str:
        """Compute the hash of weights and preprocessing."""
        model, _, about = self._loaded
        return content_key(state_hash(model), about)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, str]:
        """Model in evaluation mode, transform of PIL images, and the transform as text."""
        import timm
        import torch
        from timm.data.config import resolve_model_data_config
        from timm.data.transforms_factory import create_transform

        name, _, given = (self.argument or "").partition("/")
        if not timm.is_model(name):
            near = did_you_mean(name, timm.list_models())
            raise ConfigError(
                f"encoder 'timm:{self.argument}': timm has no model {name!r}; "
                + (near if near.startswith("did") else "see timm.list_models()")
            )
        path = Path(given).expanduser() if given else placed_weights("timm", name)
        with torch.random.fork_rng(devices=[]):
            model = self._fetched(name) if path is None else _from_file(name, path)
        config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
        transform: Any = create_transform(**config, is_training=False)
        return model.requires_grad_(requires_grad=False).eval().to(device()), transform, repr(transform)

    def _fetched(self, name: str) -> Any:
        """Return the model with the weights of timm's cache or hub."""
        import timm

        about = timm.get_pretrained_cfg(name)
        if about is None or not about.has_weights:
            raise ConfigError(
                f"encoder 'timm:{self.argument}': timm has no weights for {name}; give a file: 'timm:{name}/PATH'"
            )
        try:
            with quick_hub():
                return timm.create_model(name, pretrained=True, num_classes=0)
        except Exception as error:  # downloads fail in many ways
            hub = f"model.safetensors of https://huggingface.co/{about.hf_hub_id}" if about.hf_hub_id else about.url
            raise missing_weights(f"timm:{self.argument}", "timm", name, str(hub), error) from error


def _from_file(name: str, path: Path) -> Any:
    """Create the model with every weight from the file, without its classifier.

    The classifier may have any number of classes.
    """
    import timm

    state = read_state(path)
    model: Any = timm.create_model(name, pretrained=False, num_classes=0)
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    load_into(model, state, path, ignore=tuple(f"{head}." for head in heads))
    return model
