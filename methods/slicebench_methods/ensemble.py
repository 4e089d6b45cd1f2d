"""Mean rank of several methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.errors import ConfigError, did_you_mean
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

OWN_NAME = "ensemble"
ALL = -1
TRIO = ("logistic_directions", "george", "planespot")


class Ensemble(SliceMethod):
    """Average the ranks of several methods.

    Hardness values of different methods have no common scale, so each becomes a rank within the
    class: the share of the class's val examples that the member ranks below it. Hardness is the
    mean over members. Examples flagged by more than half of the members that flag are flagged.

    Ties count half. Ranks are taken against val, so the hardness of an example does not depend on
    the others that are scored with it. In a class that val lacks, they are taken against all of
    val. There are no flags if no member flags, and no slices.

    Parameters
    ----------
    methods : sequence of str, default ("logistic_directions", "george", "planespot")
        Registered names of the members, which run with their own defaults. Tuned
        (leaderboard/tuning.json): a direction, subclasses and a plane, which have the least in
        common.
    seed : int, default 0
        Seed given to the members that take one.

    Attributes
    ----------
    members_ : dict of str to SliceMethod
        Fitted members by name.
    absent_ : list of int
        Classes that val lacks.
    references_ : dict of str to dict of int to (n_c,) float64
        Hardness values of val per member and class, ascending; those of all of val under -1.

    Complexity: that of the members, plus O(n log n) per member.

    Reference: none; rank averaging is common practice.

    Examples
    --------
    >>> from slicebench.testing import example_problem
    >>> problem = example_problem()
    >>> scores = Ensemble(methods=("confidence", "svm_directions")).fit(problem.data).score(problem.test)
    >>> bool(scores.hardness.min() >= 0), bool(scores.hardness.max() <= 1)
    (True, True)

    """

    requires = frozenset({"embeddings"})

    def __init__(self, methods: tuple[str, ...] = TRIO, seed: int = 0) -> None:
        self.methods = methods
        self.seed = seed

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs, and what each member needs, naming the member.

        Raises
        ------
        ConfigError
            for members that cannot be used.

        """
        reason = super().supports(data)
        if reason is not None:
            return reason
        for name, member in self._members().items():
            if (reason := member.supports(data)) is not None:
                return f"its member {name} {reason}"
        return None

    def fit(self, data: AuditData) -> Self:
        """Fit every member, and store how it ranks val.

        Raises
        ------
        ConfigError
            for members that cannot be used.

        """
        known = {c for c, _ in data.val.by_class()}
        self.absent_ = [c for c in range(len(data.class_names)) if c not in known]
        self.members_ = {name: member.fit(data) for name, member in self._members().items()}
        self.references_: dict[str, dict[int, NDArray[np.float64]]] = {}
        for name, member in self.members_.items():
            hardness = member.score(data.val).hardness
            self.references_[name] = {c: np.sort(hardness[rows]) for c, rows in data.val.by_class()}
            self.references_[name][ALL] = np.sort(hardness)
        return self

    def score(self, split: Split) -> SliceScores:
        """Return hardness in [0, 1], shape (n,), and flags (n,) if a member flags."""
        members: dict[str, SliceMethod] = self._fitted("members_")
        shares, flags = [], []
        for name, member in members.items():
            scores, reference = member.score(split), self.references_[name]
            share = np.empty(split.n)
            for c, rows in split.by_class():
                share[rows] = _share_below(scores.hardness[rows], reference.get(c, reference[ALL]))
            shares.append(share)
            if scores.flagged is not None:
                flags.append(scores.flagged)
        majority = np.mean(flags, axis=0) > 0.5 if flags else None
        return SliceScores(hardness=np.mean(shares, axis=0), flagged=majority)

    def notes(self) -> tuple[str, ...]:
        """List the classes that val lacks, and the notes of the members, each preceded by the member's name."""
        members: dict[str, SliceMethod] = self._fitted("members_")
        absent = [f"class {c} has no validation examples; ranked against all of val" for c in self.absent_]
        return (*absent, *(f"{name}: {note}" for name, member in members.items() for note in member.notes()))

    def _members(self) -> dict[str, SliceMethod]:
        """Make the unfitted members, by name."""
        if isinstance(self.methods, str) or not self.methods:
            raise ConfigError(f"methods is {self.methods!r}; expected the names of one or more registered methods")
        if len(set(self.methods)) < len(self.methods):
            raise ConfigError(f"methods is {tuple(self.methods)}; expected each name once")
        return {name: self._member(name) for name in self.methods}

    def _member(self, name: str) -> SliceMethod:
        if name == OWN_NAME:
            raise ConfigError(f"methods has {OWN_NAME!r}, which cannot be a member of itself")
        known = [other for other in METHODS.names() if other != OWN_NAME]
        if name not in known:
            raise ConfigError(f"methods has {name!r}, which is not registered; {did_you_mean(name, known)}")
        kind: type[Any] = METHODS.load(name)
        if "truth" in kind.requires:
            raise ConfigError(f"methods has {name!r}, which is given the planted truth; choose methods that are not")
        member: SliceMethod = kind()
        return kind(seed=self.seed) if "seed" in member.get_params() else member


def _share_below(values: NDArray[np.float64], ascending: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the share of `ascending` (m,) below each of `values` (n,), ties counted half.

    >>> _share_below(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 3.0, 4.0])).tolist()
    [0.0, 0.25, 0.5]
    """
    below, up_to = (np.searchsorted(ascending, values, side=side) for side in ("left", "right"))
    share: NDArray[np.float64] = (below + up_to) / (2 * len(ascending))
    return share
