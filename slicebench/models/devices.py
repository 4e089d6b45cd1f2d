"""Choose the device for torch: the one given by `--device`, else a GPU if there is one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


VARIABLE = "SLICEBENCH_DEVICE"
DEVICES = ("auto", "cpu", "cuda")


def device() -> str:
    """Return the name of the device, "cpu" or "cuda".

    Raises the same errors as `use_device`.
    """
    return _checked(os.environ.get(VARIABLE, "auto"))


def use_device(name: str) -> None:
    """Set the device for this process and for those that it starts.

    `name` is "cpu", "cuda" or "auto": a GPU if there is one, else the CPU.

    Raises
    ------
    ConfigError
        for another name, and for "cuda" if torch sees no GPU.

    """
    _checked(name)
    os.environ[VARIABLE] = name


def _checked(name: str) -> str:
    if name not in DEVICES:
        raise ConfigError(f"device is {name!r}; expected one of {', '.join(DEVICES)}")
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise ConfigError(f"device is 'cuda', but torch {torch.__version__}, {built}, sees no GPU; use --device cpu")
    return "cpu"


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread.

    The order of a sum, and so its last bits, depends on the number of threads.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
