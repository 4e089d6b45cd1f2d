"""Compute a `Board` from outcomes: means, intervals, ranks, ties and gaps."""

from __future__ import annotations

from slicebench.results.board import REFERENCES
from slicebench.results.standings.cells import sampled_cells
from slicebench.results.standings.compute import standings

__all__ = ["REFERENCES", "sampled_cells", "standings"]
