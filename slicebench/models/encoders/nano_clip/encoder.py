"""nano-clip: the image–text encoder that ships with slicebench, for the scenes and digits that slicebench draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from slicebench.errors import ConfigError, StorageError, did_you_mean
from slicebench.models.encoders.batches import resized
from slicebench.models.encoders.open_clip import Loaded, OpenClip, _created

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs


HOME = Path(__file__).parent


def variants() -> list[str]:
    """Return the names of the installed variants, each a folder beside this file."""
    return sorted(path.parent.name for path in HOME.glob("*/open_clip_config.json"))


class NanoClip(OpenClip):
    """Embed images, resized to 32 pixels, and captions in the words of `vocabulary.txt`; rows have length 1.

    It runs on one thread of the CPU, so that neither the number of cores nor a GPU changes a bit.
    The argument is a variant, by default "default". "nano-clip:second" serves to judge findings of
    the first variant in another space.

    Raises
    ------
    ConfigError
        for an unknown variant.
    StorageError
        for an installation that lacks files.

    """

    argument_help: ClassVar[str] = "VARIANT"
    argument_optional: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Name as the user writes it."""
        return f"nano-clip:{self.argument}" if self.argument else "nano-clip"

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:
        """Embed uint8 images (n, H, W) or (n, H, W, 3), shape (n, d).

        Raises `DataError` for other inputs.
        """
        from slicebench.models.devices import one_thread

        with one_thread():
            return super().encode(inputs, ids)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions, shape (m, d).

        Raises `DataError` for words that are not in the vocabulary.
        """
        from slicebench.models.devices import one_thread

        with one_thread():
            return super().encode_texts(texts)

    def _load(self) -> Loaded:
        from slicebench.models.encoders.nano_clip.architecture import WordTokenizer

        name = self.argument or "default"
        if name not in variants():
            raise ConfigError(f"nano-clip has no variant {name!r}; {did_you_mean(name, variants())}")
        folder = HOME / name
        model, _ = _created(f"local-dir:{folder}", None, str(folder))
        try:
            config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
            preprocessing = config["preprocess_cfg"]
            tokenize = WordTokenizer.read(folder / "vocabulary.txt", config["model_cfg"]["text_cfg"]["context_length"])
        except (OSError, ValueError, KeyError) as error:
            raise StorageError(f"{folder} is incomplete ({error}); install slicebench again") from error
        about = json.dumps([preprocessing, list(tokenize.numbers), tokenize.context_length], sort_keys=True)
        side, mean, std = (preprocessing[key] for key in ("size", "mean", "std"))
        return Loaded(model, lambda images: resized(images, side, mean, std), tokenize, about)
