"""Contract of dataset adapters, which turn parameters and a seed into a `Problem`.

To add a dataset, write one file with one subclass of `DatasetAdapter`, its `build(seed)`, and an
entry point in the group `slicebench.datasets`. Adapters of raw inputs pass them to
`slicebench.problems.building.build_problem`, which trains the base model, embeds and assembles.
Adapters of ready-made predictions construct the `Problem` themselves. Data are never downloaded: a
`DatasetCard` says which files are read, and `place()` finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from slicebench.files.fingerprints import Source
from slicebench.plugins.dataset_card import locate
from slicebench.plugins.parameters import Parameterised

if TYPE_CHECKING:
    from slicebench.data.problem import Problem
    from slicebench.plugins.dataset_card import DatasetCard, Place


class DatasetAdapter(Parameterised):
    """Base class of dataset adapters.

    The constructor stores keyword parameters (JSON values) and nothing else; the same parameters and seed give the same
    problem. `version` changes whenever that problem does.
    """

    family: ClassVar[str]
    modality: ClassVar[str]
    version: ClassVar[str] = "1"
    card: ClassVar[DatasetCard | None] = None
    """Description of the data: their source, what is planted, which files are read."""

    def check(self) -> None:
        """Raise `ConfigError` for parameter values that cannot be used.

        A run calls this before it does any work.
        """

    def place(self) -> Place:
        """Return the folder of the data and the layout found there.

        The data are looked for in the parameter `root`, by default in the expected folder.

        Raises
        ------
        StorageError
            if files are missing; the message says which, and how to get them.

        """
        assert self.card is not None, f"{type(self).__name__} reads files and has no card"
        return locate(self.card, getattr(self, "root", None))

    def sources(self) -> tuple[Source, ...]:
        """Return the files that `build` reads, whose content is part of the identity of a problem.

        By default they are those of the layout that `place` finds; there are none if the card has no
        layouts. An adapter whose parameters name other files adds them: `Source.at(self.path)`.

        Raises
        ------
        StorageError
            if files are missing.

        """
        if self.card is None or not self.card.layouts:
            return ()
        place = self.place()
        layout = next(layout for layout in self.card.layouts if layout.name == place.layout)
        return tuple(Source(place.folder, wanted.path) for wanted in layout.files)

    def build(self, seed: int) -> Problem:
        """Build the problem of these parameters and `seed`, deterministically."""
        raise NotImplementedError(f"{type(self).__name__} has no build")
