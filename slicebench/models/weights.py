"""Find and read the weights of networks, and explain what to do if they are missing."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from slicebench.errors import StorageError
from slicebench.files.cache import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor


ENDINGS = (".safetensors", ".pt", ".pth", ".bin")
"""File endings of weights, the preferred one first."""


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error, or the name of its class if it has no text.

    If the line ends in a colon, the next line is added.

    >>> first_line(RuntimeError("it broke:\n\there\nand there"))
    'it broke: here'
    """
    lines = str(error).strip().split("\n") if str(error).strip() else [type(error).__name__]
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return shorten(said, 240, placeholder=" ...")


def placed_weights(kind: str, name: str) -> Path | None:
    """Return the weights file that the user put into the cache folder, or None.

    The weights are called `name` in the library `kind`.
    """
    return next((path for path in (_place(kind, name, ending) for ending in ENDINGS) if path.is_file()), None)


def _place(kind: str, name: str, ending: str) -> Path:
    """Return `<cache>/weights/<kind>/<name><ending>`; slashes in the name become two hyphens."""
    return cache_dir() / "weights" / kind / f"{name.replace('/', '--')}{ending}"


def missing_weights(
    encoder: str, kind: str, name: str, source: str, error: BaseException, *, captions: bool = False
) -> StorageError:
    """Build the error for weights that are not on this machine and cannot be downloaded.

    Parameters
    ----------
    encoder : str
        Name as the user wrote it.
    kind, name : str
        Library and weights, as for `placed_weights`.
    source : str
        Address, or hub repository and file, of the exact file.
    error : exception
        Error of the download.
    captions : bool
        Whether the encoder has to read captions, which changes the offline alternative.

    """
    instead = "'nano-clip', which reads captions too" if captions else "'pixels-pca', which needs no weights"
    model = name.partition("/")[0]
    return StorageError(
        f"encoder {encoder!r}: its weights are not on this machine and cannot be fetched ({first_line(error)}). Fetch {source} "
        f"where there is a network and put it at {_place(kind, name, ENDINGS[0])} (or {', '.join(ENDINGS[1:])}, as the file "
        f"ends), or give its path: '{kind}:{model}/PATH'. Offline alternative: {instead}."
    )


@contextmanager
def quick_hub() -> Iterator[None]:
    """Make huggingface_hub use only its cache if its server cannot be reached.

    By default, huggingface_hub retries for 47 s.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(url: str) -> bool:
    """Check whether the server of `url` answers within five seconds."""
    from huggingface_hub.utils._http import get_session

    try:
        get_session().head(url, timeout=5.0)
    except Exception:  # noqa: BLE001 - whatever the hub's client raises without a network
        return False
    return True


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a safetensors or torch file.

    It may be stored under "state_dict" or "model", or with "module." before its names.

    Raises
    ------
    StorageError
        if the file is missing, truncated, or holds anything but named tensors; code in it is never
        run.

    """
    try:
        state = _loaded(path)
    except Exception as error:  # what a reader says of a broken file depends on where it is broken
        raise StorageError(
            f"cannot read weights from {path}: {first_line(error)}; expected a safetensors file, or a torch file that holds "
            "only named tensors"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not _is_state(state):
        raise StorageError(f"cannot read weights from {path}: expected a state dict of named tensors")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _loaded(path: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_state(value: object) -> bool:
    import torch

    return isinstance(value, dict) and bool(value) and all(isinstance(v, torch.Tensor) for v in value.values())


def load_into(model: Any, state: Mapping[str, Tensor], path: Path, *, ignore: tuple[str, ...] = ()) -> None:
    """Load every parameter of `model` from `state`, the content of `path`, without names that begin with `ignore`.

    Raises
    ------
    StorageError
        if parameters are missing, left over or of another shape.

    """
    wanted = {name: value for name, value in state.items() if not (ignore and name.startswith(ignore))}
    try:
        model.load_state_dict(wanted)
    except RuntimeError as error:
        raise StorageError(
            f"{path} does not fit {type(model).__name__}: {first_line(error)}; check that the file is for this architecture"
        ) from error


def state_hash(model: Any) -> str:
    """Compute the SHA-256 of a model's state dict: names, types, shapes and bytes."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@contextmanager
def quietly() -> Iterator[None]:
    """Stop transformers from drawing progress bars and tables while it loads."""
    import transformers

    logging: Any = transformers.utils.logging  # half typed
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
