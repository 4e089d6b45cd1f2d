"""What the process of a method may read and write.

It may read the Python environment, the system's programs and libraries, the weights in the usual caches, and files that its
parameters name. It may write its own temporary folder and its own cache. It cannot read problems, truth, run folders or
anything else, nor the packages of datasets, from which a problem could be built again.
"""

from __future__ import annotations

import os
import re
import site
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.files.cache import cache_dir, remote_cache
from slicebench.plugins.allowed import OURS
from slicebench.plugins.registry import DATASETS, METHODS, distribution_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from importlib.metadata import EntryPoint

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/sys", "/nix/store")
FACTS = ("cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "stat", "sys", "uptime", "version")
"""What a process may read below /proc, beside itself: nothing of other processes."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
ACCELERATORS = ("nvidia*", "dri", "kfd")
WEIGHTS = {"HF_HOME": ".cache/huggingface", "TORCH_HOME": ".cache/torch", "CLIP_HOME": ".cache/clip"}
"""Caches of pretrained weights: a variable, and the folder in the home folder if it is not set."""

COMPILED = "numba"
SHARED = ("models", "embeddings", COMPILED)
"""Folders of the cache that hold nothing of the truth; slicebench's own methods may use them."""


@dataclass(frozen=True)
class Permissions:
    """Files and folders that a process may read, and those that it may write too.

    `cache` is the cache folder of its method, which is shared by slicebench's own methods (`ours`).
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    cache: Path
    ours: bool

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the process: a method of others knows of no cache but its own.

        numba would keep what it has compiled beside the code, where this process may not write.
        """
        variable = "SLICEBENCH_LOCAL_CACHE" if self.ours and remote_cache() is not None else "SLICEBENCH_CACHE"
        return {variable: str(self.cache), "NUMBA_CACHE_DIR": str(self.cache / COMPILED)}


def permissions(name: str, params: Mapping[str, Any], problem: Path | None, scratch: Path) -> Permissions:
    """Return what the process of the method `name` may do, on the problem in a folder (if any), with a temporary folder.

    A method of another distribution has a cache of its own: what it writes there reaches no other method.
    """
    entry = METHOD_ENTRIES.get(name)
    ours = entry is not None and distribution_of(entry) == OURS
    cache = _resolved(cache_dir() if ours else foreign_cache(entry))
    hidden = [str(_resolved(path)) for path in (cache_dir(), problem, *_dataset_packages(entry)) if path]
    package = () if entry is None else _places_of(_package(entry))
    readable = [*ENVIRONMENT, *map(_resolved, [*package, *_weights(), *_named_in(params)])]
    devices = [*map(Path, DEVICES), *(found for name in ACCELERATORS for found in Path("/dev").glob(name))]
    own = [cache / folder for folder in SHARED] if ours else [cache]
    for folder in own:
        folder.mkdir(parents=True, exist_ok=True)
    return Permissions(
        readable=(
            *(part for path in dict.fromkeys(readable) for part in without(path, hidden)),
            cache_dir() / "weights",
        ),
        writable=(scratch, *own, *devices, Path("/proc/self")),
        cache=cache,
        ours=ours,
    )


def foreign_cache(entry: EntryPoint | None) -> Path:
    """Return the cache folder of the distribution that registers a method."""
    name = "unknown" if entry is None else re.sub(r"[^A-Za-z0-9._-]", "-", distribution_of(entry))
    return cache_dir() / "methods" / name


def without(root: Path, hidden: Sequence[str]) -> Iterator[Path]:
    """Yield `root`, or the parts of it that leave out the `hidden` folders. All paths are resolved.

    >>> list(without(Path("/a/b"), ["/c"])), list(without(Path("/a/b"), ["/a"]))
    ([PosixPath('/a/b')], [])
    """
    place = str(root)
    if any(place == one or place.startswith(f"{one}/") for one in hidden):
        return
    inside = [one for one in hidden if one.startswith(f"{place.rstrip('/')}/")]
    if not inside:
        yield root
        return
    try:
        parts = [part for part in root.iterdir() if not part.is_symlink()]
    except OSError:
        return
    for part in parts:
        yield from without(part, inside)


def _environment() -> Iterator[Path]:
    """Yield the folders of Python and of the packages on the path."""
    prefixes = [Path(prefix) for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)]
    yield from prefixes
    yield Path(site.getusersitepackages())
    for entry in map(Path, filter(None, sys.path)):
        if any(entry.is_relative_to(prefix) for prefix in prefixes):
            continue
        if entry.is_dir() and entry.name not in ("site-packages", "dist-packages"):
            # code only: a project's folder also holds run folders and a leaderboard
            yield from (part for part in entry.iterdir() if _is_code(part))
        else:
            yield entry
    for name in [name for name in sys.modules if "." not in name]:  # those that an editable install keeps elsewhere
        yield from _places_of(name)


def _is_code(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix in (".py", ".so", ".pyd", ".pth")
    return path.suffix in (".dist-info", ".egg-info") or any(path.glob("*.py"))


def _dataset_packages(method: EntryPoint | None) -> Iterator[Path]:
    """Yield the folders of the packages that register datasets, except one that is also the method's own."""
    for name, places in DATASET_PACKAGES.items():
        if method is None or name != _package(method):
            yield from places


def _package(entry: EntryPoint) -> str:
    return entry.module.partition(".")[0]


def _places_of(name: str) -> Iterator[Path]:
    """Yield the folders, or the file, of a top-level package or module, which is not imported."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a specification, such as __main__
        return
    if spec is not None and spec.has_location:
        yield from map(Path, spec.submodule_search_locations or [spec.origin or ""])


def _weights() -> Iterator[Path]:
    for variable, usual in WEIGHTS.items():
        yield Path(os.environ.get(variable) or Path.home() / usual)


def _named_in(params: Mapping[str, Any]) -> Iterator[Path]:
    for value in params.values():
        if isinstance(value, str) and value and len(value) < 1024 and "\0" not in value and Path(value).exists():
            yield Path(value)


def _resolved(path: Path) -> Path:
    return path.expanduser().resolve()


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths that are in none of the others, resolved: each is a rule that every cell hands to the kernel."""
    kept: list[Path] = []
    for path in sorted({*map(_resolved, paths)}):  # a folder comes before what is in it
        if not (kept and path.is_relative_to(kept[-1])):
            kept.append(path)
    return tuple(kept)


ENVIRONMENT = _outermost([*_environment(), *map(Path, SYSTEM), *(Path("/proc") / name for name in FACTS)])
"""What every method may read; listed once, when the server of a run imports this module for all cells."""

DATASET_PACKAGES = {name: tuple(_places_of(name)) for name in {_package(entry) for entry in DATASETS.entries()}}
"""Folders of each top-level package that registers datasets; listed once too."""

METHOD_ENTRIES = {entry.name: entry for entry in METHODS.entries()}
"""Entry point of each method, read once too."""
