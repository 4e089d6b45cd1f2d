"""MovieLens 100k: a factor model of ratings, audited on groups of users and films."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.split import Split
from slicebench.errors import ConfigError
from slicebench.plugins.dataset import DatasetAdapter
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import assemble
from slicebench.problems.raw import detached, provenance_of
from slicebench_datasets._movielens_files import Condition, Ratings, read_condition, read_ratings
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import deal, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import Problem

    Rows = NDArray[np.intp]

OF_USERS = ("age", "gender", "occupation")
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
RIDGE = 5.0


class MovieLens(DatasetAdapter):
    """Ratings of films in stars, with groups of users and films; losses only.

    Ratings are dealt 60/20/20 at random. The base model, fitted on train, is the mean,
    ridge-penalised biases of users and films, and the leading singular vectors of the residuals. A
    missing rating counts as explained, and singular values are lowered by the first one left out.
    The loss is the squared error of the prediction, clipped to 1..5. Embeddings are the factors and
    the biases of user and film, which are 0 for users and films that train lacks.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check movielens`.
    groups : list of str
        "gender=F", "occupation=student", "genre=Horror" (films have several), "age<18", "age>=50"; "&" joins conditions that must
        all hold: "gender=F&genre=Horror".
    keep : float
        Share of the groups' train ratings that stays.
    rank : int
        Number of factors.

    References
    ----------
    Harper, Konstan, "The MovieLens Datasets: History and Context", 2015.

    >>> MovieLens(groups=["age<18"]).keep
    1.0

    """

    family: ClassVar[str] = "movielens"
    modality: ClassVar[str] = "tabular"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="MovieLens 100k",
        size="100,000 ratings of 1,682 films by 943 users",
        group="ratings by women and ratings of horror films, or other groups as set",
        rate="as in the data",
        licence="GroupLens's own: research use, no redistribution",
        source="Harper, Konstan 2015; grouplens.org/datasets/movielens/100k",
        obtain="fetch ml-100k.zip from the source's page and unpack it.",
        folder="movielens",
        layouts=(
            Layout("ml-100k", (Wanted("u.data", "ratings"), Wanted("u.item", "films"), Wanted("u.user", "users"))),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        groups: list[str] | tuple[str, ...] = ("gender=F", "genre=Horror"),
        keep: float = 1.0,
        rank: int = 10,
    ) -> None:
        self.root = root
        self.groups = groups
        self.keep = keep
        self.rank = rank

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_ranges(self, {"keep": (0, 1), "rank": (1, 500)})
        if not isinstance(self.rank, int):
            raise ConfigError(f"movielens: rank is {self.rank!r}; expected a whole number")
        groups = self.groups if isinstance(self.groups, list | tuple) else ()
        if not groups or len({*map(str, groups)}) < len(groups):
            raise ConfigError(f'movielens: groups is {self.groups!r}; expected a list such as ["gender=F", "age<18"]')
        self._conditions()

    def build(self, seed: int) -> Problem:
        """Read and deal the ratings, and fit the base model.

        Raises
        ------
        ConfigError, StorageError
            for a parameter or a file that cannot be used.

        """
        self.check()
        place = self.place()
        ratings = read_ratings(place.file("u.data"), place.file("u.user"), place.file("u.item"))
        groups = self._members(ratings)
        parts = deal(np.arange(len(ratings.stars)), SHARES, np.random.default_rng(seed))
        parts["train"] = thinned(parts["train"], np.any(groups, axis=1), self.keep)
        self._check_groups(groups, parts)
        embeddings, losses = _factorised(ratings, parts["train"], self.rank, seed)
        return assemble(
            self,
            name="movielens",
            seed=seed,
            splits={name: self._split(ratings, rows, embeddings, losses) for name, rows in parts.items()},
            groups={name: groups[rows] for name, rows in parts.items()},
            encoder="factors",
            class_names=(),
            group_names=tuple(self.groups),
            how="natural" if self.keep == 1 else f"the groups keep the share {self.keep:g} of their train ratings",
            kind="natural" if self.keep == 1 else "planted",
            provenance=provenance_of(self.card),
        )

    def _conditions(self) -> list[list[Condition]]:
        """Read the conditions of each group."""
        return [[read_condition(text) for text in str(group).split("&")] for group in self.groups]

    def _members(self, ratings: Ratings) -> NDArray[np.bool_]:
        """Return which ratings are in which group, shape (N, g)."""
        columns = [
            np.all([ratings.holds(condition) for condition in conditions], axis=0) for conditions in self._conditions()
        ]
        return np.stack(columns, axis=1)

    def _check_groups(self, groups: NDArray[np.bool_], parts: dict[str, Rows]) -> None:
        held = groups[parts["test"]]
        for name, n in zip(self.groups, held.sum(axis=0).tolist(), strict=True):
            if not 0 < n < len(held):
                raise ConfigError(
                    f"movielens: the group {name!r} holds {n} of {len(held)} test ratings; choose another"
                )

    def _split(self, ratings: Ratings, rows: Rows, embeddings: NDArray[Any], losses: NDArray[Any]) -> Split:
        used = {condition.attribute for conditions in self._conditions() for condition in conditions}
        known = ratings.of_user[[name for name in OF_USERS if name not in used]]
        return Split(
            ids=ratings.ids[rows],
            embeddings=embeddings[rows],
            losses=losses[rows],
            metadata=detached(known, rows) if len(known.columns) else None,
        )


def _factorised(ratings: Ratings, train: Rows, rank: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the model on the rows `train`; return embeddings (N, 2 rank + 2) and squared errors (N,) of all ratings."""
    from scipy.sparse import csr_array, hstack
    from scipy.sparse.linalg import lsqr

    user, item, stars = ratings.user[train], ratings.item[train], ratings.stars[train]
    n, (n_users, n_items) = len(train), (ratings.n_users, ratings.n_items)
    if rank + 1 >= min(n_users, n_items):
        raise ConfigError(f"movielens: rank is {rank} for {n_users} users and {n_items} films; lower it")
    mean, rows = stars.mean(), np.arange(n)
    both = [csr_array((np.ones(n), (rows, codes)), shape=(n, m)) for codes, m in ((user, n_users), (item, n_items))]
    biases = lsqr(hstack(both), stars - mean, damp=np.sqrt(RIDGE))[0]
    user_bias, item_bias = np.split(biases, [n_users])
    rest = csr_array((stars - mean - user_bias[user] - item_bias[item], (user, item)), shape=(n_users, n_items))
    left, right = _low_rank(rest, rank, seed)
    p, q = left[ratings.user], right[ratings.item]
    own = np.stack([user_bias[ratings.user], item_bias[ratings.item]], axis=1)
    predicted = np.clip(mean + own.sum(axis=1) + (p * q).sum(axis=1), 1, 5)
    return np.hstack([p, q, own]), (ratings.stars - predicted) ** 2


def _low_rank(matrix: Any, rank: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factorise a sparse matrix: (rows, rank) and (columns, rank), singular values less the first left out."""
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(seed).normal(size=min(matrix.shape))
    U, s, Vt = svds(matrix, k=rank + 1, v0=start)
    order = np.argsort(-s)
    U, s, V = U[:, order], s[order], Vt[order].T
    signs = np.sign(U[np.abs(U).argmax(axis=0), np.arange(rank + 1)])
    scale = signs * np.sqrt(s - s[-1])
    left, right = U * scale, V * scale
    left[np.diff(matrix.indptr) == 0] = 0
    right[np.diff(matrix.tocsc().indptr) == 0] = 0
    return left[:, :rank], right[:, :rank]
