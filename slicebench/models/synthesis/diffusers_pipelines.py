"""Load diffusers' pipelines from a local folder; nothing is downloaded."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, SlicebenchError, StorageError
from slicebench.models.devices import device
from slicebench.models.weights import first_line, quietly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


BATCH = 4
"""Images generated at a time."""


def index_of(folder: Path, sources: Iterable[str]) -> dict[str, Any]:
    """Read `model_index.json`; "_class_name" holds the name of the pipeline's class.

    Raises
    ------
    StorageError
        if it cannot be read; the message names `sources`, repositories of the Hugging Face hub.

    """
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise incomplete(folder, sources, f"it has no readable model_index.json ({type(error).__name__})") from error
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise incomplete(
            folder, sources, "it has no readable model_index.json: the file does not name a class of diffusers"
        )
    return index


def parts_of(index: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield name, library and class of each part of the pipeline."""
    for name, entry in index.items():
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(word, str) for word in entry):
            yield name, (entry[0], entry[1])


def refuse_code(folder: Path, index: dict[str, Any]) -> None:
    """Raise `ConfigError` for a pipeline with its own code, which older versions of diffusers run."""
    for name, (library, _) in parts_of(index):
        if (folder / name / f"{library}.py").is_file():
            raise ConfigError(f"{name} of {folder} contains its own code, {library}.py, which slicebench does not run")


def loaded(folder: Path, sources: Iterable[str], load: Callable[[], Any]) -> Any:
    """Return the pipeline that `load` returns, without progress bars, on the GPU if there is one.

    Raises
    ------
    ConfigError
        if diffusers is not installed.
    StorageError
        for an incomplete folder; the message names `sources`, repositories of the Hugging Face hub.

    """
    try:
        with _silence():
            pipeline = load()
    except SlicebenchError:
        raise
    except ImportError as error:
        raise ConfigError(
            f"generating images needs diffusers and transformers ({error}): pip install 'slicebench[diffusion]'"
        ) from error
    except Exception as error:  # what a reader says of a broken file depends on where it is broken
        raise incomplete(folder, sources, first_line(error)) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device())


@contextmanager
def _silence() -> Iterator[None]:
    """Keep diffusers and transformers from drawing progress bars and tables while they load."""
    from diffusers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quietly():
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def incomplete(folder: Path, sources: Iterable[str], reason: str) -> StorageError:
    """Build the error for an incomplete pipeline, which says what to download."""
    return StorageError(
        f"{folder} is not a complete diffusers pipeline: {reason.rstrip('.')}. Fetch {' or '.join(sources)} from the Hugging "
        f"Face hub where there is a network (`hf download REPOSITORY --local-dir {folder}`) and put it there."
    )


def pixels_of(images: Any) -> NDArray[np.uint8]:
    """Convert images of floats from 0 to 1, of any shape, to bytes."""
    pixels: NDArray[np.uint8] = (np.asarray(images) * 255).round().astype(np.uint8)
    return pixels
