"""Sparse decision layers: the elastic-net path of a linear layer on deep features."""

from __future__ import annotations

from slicebench.models.sparse.path import (
    DecisionLayer,
    SparsePath,
    fit_held_out,
    fit_path,
    standardisation,
    standardised,
)

__all__ = ["DecisionLayer", "SparsePath", "fit_held_out", "fit_path", "standardisation", "standardised"]
