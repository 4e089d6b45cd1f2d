"""Parameters of plugins as a command line writes them: "name=value", read in the parameter's own type."""

from __future__ import annotations

import inspect
import tomllib
from typing import Any

from slicebench.errors import ConfigError, did_you_mean

KINDS = {"bool": bool, "int": int, "float": float, "str": str}


def assignment(option: str, text: str) -> tuple[str, str]:
    """Name and value of "name=value".

    >>> assignment("--set", "plant=rare")
    ('plant', 'rare')
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        expected = "name=v1,v2,..." if option == "--param" else "name=value"
        raise ConfigError(f"{option} {text}: expected {expected}")
    return name, value


def read_value(plugin: type[Any], who: str, name: str, text: str) -> Any:
    """Value of the parameter `name` in its own type; where that is neither number nor text, as TOML writes it.

    `who` is how the plugin is called in errors. Raises `ConfigError` for an unknown parameter and a value that cannot be read.
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
    """Type of a constructor's parameter: as annotated, else that of its default; None if it is not a plain one."""
    known = inspect.signature(plugin).parameters
    if name not in known:
        raise ConfigError(f"{who} has no parameter {name!r}; {did_you_mean(name, list(known))}")
    parameter = known[name]
    if parameter.annotation is inspect.Parameter.empty:
        return KINDS.get(type(parameter.default).__name__)
    written = inspect.formatannotation(parameter.annotation).strip("'")
    return KINDS.get(written.removesuffix(" | None").removeprefix("None | "))
