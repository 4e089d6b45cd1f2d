"""Find methods and datasets by name through entry points; built-in plugins register the same way.

`$SLICEBENCH_PLUGINS` decides which plugins are used (`slicebench.plugins.allowed`). Others are not
imported.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from slicebench.errors import ConfigError, PluginError, did_you_mean
from slicebench.plugins.allowed import setting


@dataclass(frozen=True)
class PluginInfo:
    """One line of `slicebench list`; `status` is "ok", or "broken: " and the reason.

    `argument` says what may follow the name of an encoder or decoder, after a colon.
    """

    name: str
    distribution: str
    requires: list[str]
    status: str
    value: str
    argument: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-ready dictionary."""
        return asdict(self)


class Registry:
    """Plugins of one entry-point group; none is imported before `load` or `describe`."""

    def __init__(self, group: str, base: str) -> None:
        self.group = group
        self.base = base
        """Class that every plugin must extend, as "module:Class"."""

    def _all(self) -> list[EntryPoint]:
        """Return the entry points of the group; one that occurs twice on the path counts once."""
        unique = {(e.name, e.value, distribution_of(e)): e for e in _installed(self.group, tuple(sys.path))}
        return sorted(unique.values(), key=lambda e: (e.name, distribution_of(e)))

    def entries(self) -> list[EntryPoint]:
        """Return the entry points that `$SLICEBENCH_PLUGINS` admits, sorted by name."""
        admitted = setting()
        return [e for e in self._all() if admitted.admits(distribution_of(e))]

    def ignored(self) -> list[EntryPoint]:
        """Return the entry points that `$SLICEBENCH_PLUGINS` excludes.

        Only their metadata are read.
        """
        admitted = setting()
        return [e for e in self._all() if not admitted.admits(distribution_of(e))]

    def names(self) -> list[str]:
        """Return the registered names, sorted."""
        return sorted({e.name for e in self.entries()})

    def unknown(self, name: str) -> PluginError:
        """Return the error for a name that is not registered.

        It suggests similar names, or names the distribution that `$SLICEBENCH_PLUGINS` excludes.
        """
        owners = sorted({distribution_of(e) for e in self.ignored() if e.name == name})
        if owners:
            return PluginError(
                f"{name!r} is registered in {self.group} by {' and '.join(owners)}, which {setting()} excludes; "
                "to use it, unset SLICEBENCH_PLUGINS or name the distribution in it"
            )
        return PluginError(f"{self.group} has no plugin named {name!r}; {did_you_mean(name, self.names())}")

    def load(self, name: str) -> type[Any]:
        """Import and return the class registered as `name`.

        Raises
        ------
        PluginError
            for a name that is unknown, that two distributions register, whose plugin is excluded, or
            whose plugin cannot be imported.

        """
        claims = [e for e in self.entries() if e.name == name]
        if not claims:
            raise self.unknown(name)
        if len(claims) > 1:
            raise PluginError(f"{name!r} is registered by {_owners(claims)}; uninstall one of them")
        status, loaded = self._try(claims[0])
        if loaded is None:
            raise PluginError(f"{name!r} of {distribution_of(claims[0])} is {status}")
        return loaded

    def load_with_argument(self, name: str) -> tuple[type[Any], str | None]:
        """Return class and argument of a name such as "open_clip:ViT-B-32/openai".

        The name is the entry point's name, a colon and the argument. The class describes its argument
        in `argument_help`, which is empty if it takes none. `argument_optional` says whether the
        argument may be omitted.

        Raises
        ------
        PluginError
            for the same reasons as in `load`.
        ConfigError
            for an argument that is missing or not allowed.

        """
        base, colon, argument = name.partition(":")
        kind, what = self.load(base), self.group.rpartition(".")[2].removesuffix("s")
        if colon and not kind.argument_help:
            raise ConfigError(f"{what} {base!r} takes no argument, got {argument!r}")
        if not argument and kind.argument_help and not kind.argument_optional:
            raise ConfigError(f"{what} {name!r} needs an argument: {base}:{kind.argument_help}")
        return kind, argument or None

    def describe(self) -> list[PluginInfo]:
        """List every plugin and its status. A broken plugin is reported, not raised."""
        found = self.entries()
        counts = Counter(e.name for e in found)
        out = []
        for entry in found:
            status, loaded = self._try(entry)
            if counts[entry.name] > 1:
                status = f"broken: registered by {_owners([e for e in found if e.name == entry.name])}"
            requires = sorted(getattr(loaded, "requires", ())) if loaded else []
            argument = str(getattr(loaded, "argument_help", ""))
            out.append(PluginInfo(entry.name, distribution_of(entry), requires, status, entry.value, argument))
        return out

    def _try(self, entry: EntryPoint) -> tuple[str, type[Any] | None]:
        """Return status line and class of an entry point.

        A plugin may fail in any way while it is imported.
        """
        try:
            with redirect_stdout(sys.stderr):  # what a plugin prints must not mix with our results
                loaded = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything on import, SystemExit included
            return f"broken: {' '.join(f'{type(error).__name__}: {error}'.split())}", None
        base: type[Any] = EntryPoint("", self.base, "").load()
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            return f"broken: {entry.value} is not a subclass of {self.base.replace(':', '.')}", None
        requires: Any = getattr(loaded, "requires", frozenset())
        if not (isinstance(requires, set | frozenset) and all(isinstance(word, str) for word in requires)):
            return f"broken: requires is {requires!r}; expected a set of words", None
        return "ok", loaded


@lru_cache(maxsize=8)
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001 - the path is the cache key
    """Return the entry points on `path`.

    They are cached: reading all metadata takes 15 ms, and a worker asks for every cell.
    """
    return tuple(entry_points(group=group))


@lru_cache(maxsize=256)
def distribution_of(entry: EntryPoint) -> str:
    """Return the name of the distribution that registers `entry`."""
    return entry.dist.name if entry.dist is not None else "unknown"


def _owners(entries: list[EntryPoint]) -> str:
    return " and ".join(f"{distribution_of(e)} ({e.value})" for e in entries)


METHODS = Registry("slicebench.methods", "slicebench.plugins.method:SliceMethod")
DATASETS = Registry("slicebench.datasets", "slicebench.plugins.dataset:DatasetAdapter")
