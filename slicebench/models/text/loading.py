"""Load a model and its tokenizer from a folder.

They are read whole or not at all; nothing is downloaded, and no code in the folder is run.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.devices import device
from slicebench.models.weights import first_line, quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from slicebench.data.split import Inputs


WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
EXPECTED = "config.json, model.safetensors and the tokenizer's files (tokenizer.json, tokenizer_config.json)"
MAX_TOKENS = 512
"""Length of a text if the tokenizer does not know that of the model."""


class LocalModel:
    """Tokenizer and model of a folder, loaded once when first needed."""

    auto: str

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        tokenizer, model = _load(self.folder, self.auto)
        self._check(tokenizer, model)
        return tokenizer, model.eval().to(device())

    def _check(self, tokenizer: Any, model: Any) -> None:
        """Raise `StorageError` for a model of another kind."""

    def _limit(self) -> int:
        """Return the largest number of tokens that the model reads."""
        tokenizer, model = self._loaded
        known = tokenizer.model_max_length
        limits = [known if known < 10**6 else MAX_TOKENS, getattr(model.config, "max_position_embeddings", None)]
        return min(limit for limit in limits if limit is not None and limit > 0)  # -1: any length

    def _forward(self, encoded: dict[str, Tensor]) -> Any:
        _, model = self._loaded
        return model(**{name: value.to(device()) for name, value in encoded.items()})


def _load(folder: str, auto: str) -> tuple[Any, Any]:
    """Load tokenizer and model of the class `auto`, with every weight from the folder."""
    if find_spec("transformers") is None:
        raise ConfigError(f"the model in {folder} needs the extra 'text': pip install 'slicebench[text]'")
    import transformers

    path = Path(folder).expanduser()
    _check_files(path)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quietly():
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, **options)
            model, info = getattr(transformers, auto).from_pretrained(
                path, use_safetensors=True, output_loading_info=True, **options
            )
    except Exception as error:  # what a reader says of a broken file depends on where it is broken
        raise StorageError(
            f"cannot read the model in {path} ({type(error).__name__}: {first_line(error)}); expected {EXPECTED}, as "
            "save_pretrained writes them. Copy the folder again."
        ) from error
    if info["missing_keys"]:
        raise StorageError(
            f"{path / WEIGHTS[0]} lacks {min(info['missing_keys'])} and {len(info['missing_keys']) - 1} more weights of "
            f"{type(model).__name__}; give a model that was trained for this task"
        )
    if tokenizer.pad_token is None or len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise StorageError(
            f"the tokenizer in {path} does not fit the model: it has no padding token, or too many words"
        )
    return tokenizer, model


def _check_files(path: Path) -> None:
    if not path.is_dir():
        raise StorageError(f"there is no folder {path}; expected one with {EXPECTED}. Nothing is downloaded.")
    for names in (("config.json",), WEIGHTS, VOCABULARIES):
        if not any((path / name).is_file() for name in names):
            raise StorageError(f"{path} lacks {' or '.join(names)}; expected {EXPECTED}. Nothing is downloaded.")


def texts_of(name: str, inputs: Inputs | Sequence[str]) -> list[str]:
    """Return inputs as a list of str; raise a `DataError` that names the first row of another type."""
    texts = [inputs[i] for i in range(len(inputs))]
    if not texts:
        raise DataError(f"{name} is empty; expected at least one text")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"{name} has a value of type {type(text).__name__} at row {row}; expected texts")
    return [str(text) for text in texts]
