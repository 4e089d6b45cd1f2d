"""From outcomes to a `Board`: means, intervals, ranks, ties and gaps, decided once for tables, pages and the gate."""

from slicebench.standings.board import REFERENCES, standings
from slicebench.standings.cells import sampled_cells

__all__ = ["REFERENCES", "sampled_cells", "standings"]
