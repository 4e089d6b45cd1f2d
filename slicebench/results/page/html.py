"""Common parts of every HTML page: templates, styles and scripts.

A policy in the page allows only those styles and scripts.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from slicebench.results import numbers
from slicebench.results.page.view import better_first, pair_of, rate_of

if TYPE_CHECKING:
    from jinja2 import Environment


PACKAGE = "slicebench.results.page"


def asset(name: str, package: str = PACKAGE) -> str:
    """Return the text of a file beside the templates of `package`."""
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the hash with which a policy allows a style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def environment(*packages: str) -> Environment:
    """Return the templates of `packages` and of this package, with filters that format numbers."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, PACKAGE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    printing = (
        numbers.number,
        numbers.between,
        numbers.amount,
        numbers.share,
        numbers.exact,
        numbers.heat,
        numbers.probability,
        numbers.p_value,
        numbers.part_of,
    )
    finding = (better_first, pair_of, rate_of)
    made.filters |= {function.__name__: function for function in (*printing, *finding)}
    made.globals |= {"Axis": numbers.Axis, "estimate_axis": numbers.estimate_axis}
    return made
