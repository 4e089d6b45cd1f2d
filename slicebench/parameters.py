"""scikit-learn's grammar of parameters, shared by methods and dataset adapters."""

from __future__ import annotations

import inspect
from typing import Any


class Parameterised:
    """A class whose constructor stores its keyword parameters under their own names, and nothing else."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's signature
        """Constructor parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"
