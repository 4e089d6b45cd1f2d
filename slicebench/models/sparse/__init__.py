"""Sparse decision layers: an elastic-net path on deep features, what its few features are, and what ablating one does."""

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
