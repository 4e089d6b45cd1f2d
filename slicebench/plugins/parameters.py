"""Plugin parameters in scikit-learn's style, and the options that set them."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Parameterised:
    """Base of classes whose constructor stores its keyword parameters by name, and nothing else."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's signature
        """Return the constructor parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"


KINDS = {"bool": bool, "int": int, "float": float, "str": str}


def assignment(option: str, text: str) -> tuple[str, str]:
    """Split "name=value" into name and value.

    >>> assignment("--set", "plant=rare")
    ('plant', 'rare')
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        expected = "name=v1,v2,..." if option == "--param" else "name=value"
        raise ConfigError(f"{option} {text}: expected {expected}")
    return name, value


@dataclass(frozen=True)
class Setting:
    """One `--set` option as written: "plugin.name=text", or "name=text" if the plugin is known."""

    written: str
    key: str
    text: str

    @property
    def plugin(self) -> str:
        """Part of the key before the dot."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """Part of the key after the dot; empty without one."""
        return self.key.partition(".")[2]

    def refused(self, why: str) -> ConfigError:
        """Return the error that names this option."""
        return ConfigError(f"--set {self.written}: {why}")


def parse_settings(settings: Iterable[str], *, once: bool = False) -> Iterator[Setting]:
    """Parse `--set` options one by one; with `once`, reject a key that is set twice.

    >>> [(one.plugin, one.name, one.text) for one in parse_settings(["domino.n_slices = 10"])]
    [('domino', 'n_slices', '10')]
    """
    seen = set()
    for written in settings:
        setting = Setting(written, *assignment("--set", written))
        if once and setting.key in seen:
            raise setting.refused(f"{setting.key!r} is set twice")
        seen.add(setting.key)
        yield setting


def read_value(plugin: type[Any], who: str, name: str, text: str) -> Any:
    """Read the value of the parameter `name` from text, in the parameter's own type.

    A type that is neither number nor text is read as TOML; what is not TOML stays text. `who` is the
    plugin's name in errors. Raises `ConfigError` for an unknown parameter or a value that cannot be
    read.
    """
    kind, text = kind_of(plugin, who, name), text.strip()
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise ConfigError(f"{who}: {name} is {text!r}; expected {wanted}") from None
    if kind is str:
        return text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if kind is bool and not isinstance(value, bool):
        raise ConfigError(f"{who}: {name} is {text!r}; expected true or false")
    return value


def kind_of(plugin: type[Any], who: str, name: str) -> type | None:
    """Return the type of a constructor's parameter: as annotated, else that of its default.

    None if it is not a plain type.
    """
    known = inspect.signature(plugin).parameters
    if name not in known:
        raise ConfigError(f"{who} has no parameter {name!r}; {did_you_mean(name, list(known))}")
    parameter = known[name]
    if parameter.annotation is inspect.Parameter.empty:
        return KINDS.get(type(parameter.default).__name__)
    written = inspect.formatannotation(parameter.annotation).strip("'")
    return KINDS.get(written.removesuffix(" | None").removeprefix("None | "))
