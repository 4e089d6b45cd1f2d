"""Load a method's class by its registered name, or by module:Class from the current folder."""

from __future__ import annotations

import sys
import traceback
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, PluginError, did_you_mean
from slicebench.plugins.allowed import setting
from slicebench.plugins.method import SliceMethod
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from types import ModuleType


EXPECTED = "expected module:Class, such as my_module:MyMethod, in the current folder or installed"


def method_class(name: str) -> type[SliceMethod]:
    """Load the class of a registered name, or of module:Class, also from the current folder.

    Raises
    ------
    ConfigError, PluginError
        for a name that is neither, or if the module cannot be imported.

    """
    if ":" not in name:
        return METHODS.load(name)
    module_name, _, attribute = name.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and attribute.isidentifier()):
        raise ConfigError(f"{name!r} is not the name of a class; {EXPECTED}")
    module = _imported(module_name)
    found = getattr(module, attribute, None)
    if found is None:
        raise ConfigError(f"{module_name} has no {attribute!r}; {did_you_mean(attribute, _methods_in(module))}")
    if not (isinstance(found, type) and issubclass(found, SliceMethod)):
        what = f"the class {found.__name__}" if isinstance(found, type) else f"an instance of {type(found).__name__}"
        raise ConfigError(f"{name!r} is {what}, not a subclass of slicebench.SliceMethod")
    return found


def _imported(name: str) -> ModuleType:
    """Import a module of the current folder, or an installed one.

    Any failure during the import becomes one message.
    """
    if setting().allowed is not None:
        raise PluginError(
            f"{setting()} does not allow loading a module by name; unset it to load {name}, or use a registered name"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _prefixes(name):
            raise ConfigError(
                f"there is no module {error.name!r}, neither in {Path.cwd()} nor installed; {EXPECTED}"
            ) from error
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"cannot import {name}: it raised {said} ({frames[-1].filename}:{frames[-1].lineno})"
        ) from error


def _prefixes(name: str) -> set[str]:
    """Return the module and the packages that contain it."""
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def _methods_in(module: ModuleType) -> list[str]:
    """Return the names of the methods that a module defines."""

    def is_method(value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, SliceMethod) and value.__module__ == module.__name__

    return [name for name, value in vars(module).items() if is_method(value)]
