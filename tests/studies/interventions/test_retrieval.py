"""Retrieval against Algorithm 1 word for word on the whole matrix, the leak filter and retention against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicebench.errors import DataError
from slicebench.studies.interventions.kinds import nearest as kernel
from slicebench.studies.interventions.kinds import retrieval
from slicebench.studies.interventions.kinds.nearest import Bounds, Pool, nearest, squared_distances
from slicebench.studies.interventions.kinds.retrieval import leak_free, retention, retrieve


def all_distances(a, b):
    return ((a.astype(np.float64)[:, None] - b.astype(np.float64)[None]) ** 2).sum(axis=2)


def naive(seeds, pool, n, seed_labels=None, pool_labels=None):
    """Algorithm 1: argmin over the whole matrix, again and again; owners, and rows in the order of being taken."""
    left = all_distances(seeds, pool)
    if seed_labels is not None:
        left[seed_labels[:, None] != pool_labels[None]] = np.inf
    owner, rows, counts = np.full(len(pool), -1), [], np.zeros(len(seeds), int)
    while left.size and np.isfinite(left.min()):
        s, r = np.unravel_index(left.argmin(), left.shape)
        owner[r] = s
        rows.append(int(r))
        counts[s] += 1
        left[:, r] = np.inf
        if counts[s] == n:
            left[s] = np.inf
    return owner, rows


def agree(seeds, pool, n, seed_labels=None, pool_labels=None):
    found = retrieve(seeds, pool, n, seed_labels=seed_labels, pool_labels=pool_labels)
    owner, rows = naive(seeds, pool, n, seed_labels, pool_labels)
    np.testing.assert_array_equal(found.owner, owner)
    assert found.rows.tolist() == rows
    np.testing.assert_array_equal(found.distances, all_distances(seeds, pool)[found.seeds, found.rows])
    return found


@pytest.fixture
def small_steps(monkeypatch):
    """Blocks of a few rows, and lists so short that they must be made longer; the widths that were asked for."""
    asked = []

    def recorded(queries, pool, width, **options):
        asked.append((len(queries), width))
        return nearest(queries, pool, width, **options)

    monkeypatch.setattr(kernel, "POOL_BLOCK", 3)
    monkeypatch.setattr(retrieval, "SPARE", -1)
    monkeypatch.setattr(retrieval, "nearest", recorded)
    return asked


def grid(draw, n, d, top):
    flat = draw(st.lists(st.integers(0, top), min_size=n * d, max_size=n * d))
    return np.array(flat, dtype=np.float64).reshape(n, d)


@st.composite
def problems(draw):
    """Points of a small grid, so that most distances are tied; more demand than pool, or less."""
    s, p, d = draw(st.integers(0, 6)), draw(st.integers(0, 25)), draw(st.integers(1, 3))
    top, n = draw(st.integers(0, 4)), draw(st.integers(1, 9))
    label = st.integers(-1, 2)
    labels = [np.array(draw(st.lists(label, min_size=m, max_size=m)), dtype=np.int64) for m in (s, p)]
    return grid(draw, s, d, top), grid(draw, p, d, top), n, *labels


@settings(max_examples=300, deadline=None)
@given(problems())
def test_algorithm_1_with_ties(problem):
    seeds, pool, n, seed_labels, pool_labels = problem
    agree(seeds, pool, n)
    agree(seeds, pool, n, seed_labels, pool_labels)


@settings(max_examples=200, deadline=None)
@given(problem=problems(), block=st.integers(1, 5), spare=st.sampled_from([-1.0, 0.0, 0.5]), kept=st.integers(1, 40))
def test_any_blocks_and_list_lengths(problem, block, spare, kept):
    seeds, pool, n, seed_labels, pool_labels = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "POOL_BLOCK", block)
        patch.setattr(retrieval, "SPARE", spare)
        patch.setattr(retrieval, "PAIRS_KEPT", kept)
        agree(seeds, pool, n)
        agree(seeds, pool, n, seed_labels, pool_labels)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), offset=st.sampled_from([0.0, 1e4, -1e7]), exponent=st.integers(-30, 30))
def test_real_values_of_any_size_and_place(seed, offset, exponent):
    rng = np.random.default_rng(seed)
    s, p, d, n = rng.integers(1, [9, 80, 40, 12])
    seeds, pool = (10.0**exponent * (offset + rng.standard_normal((m, d))) for m in (s, p))
    for block in (4096, 5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "POOL_BLOCK", block)
            agree(seeds, pool, n)
            agree(seeds, pool, n, rng.integers(3, size=s), rng.integers(3, size=p))


def test_lists_are_made_longer_for_those_who_need_it(small_steps):
    rng = np.random.default_rng(0)
    seeds, pool = rng.integers(0, 2, (12, 3)) * 1.0, rng.standard_normal((200, 3))
    agree(seeds, pool, 9)
    queries, widths = zip(*small_steps, strict=True)
    assert widths[0] == 1
    assert list(widths) == [2**k for k in range(len(widths))]
    assert len(widths) >= 4
    assert queries[0] == 12
    assert min(queries) < 12, "a seed that has enough is not looked up again"


@pytest.mark.parametrize("offset", [1e4, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cancellation(offset, dtype):
    """Norms are 1e8 to 1e12 times the distances, which ‖a‖² + ‖b‖² - 2ab cannot tell apart in float32."""
    rng = np.random.default_rng(0)
    seeds, pool = ((rng.standard_normal((m, 16)) + offset).astype(dtype) for m in (20, 900))
    assert len(agree(seeds, pool, 10).rows) == 200


def test_near_duplicates_far_from_the_rest():
    """Within the cluster float32 bounds are all alike, and the order is by direct distances alone."""
    rng = np.random.default_rng(1)
    pool = rng.standard_normal((600, 8))
    pool[200:400] = 50 + 1e-6 * pool[200:400]
    agree(pool[195:215] + 1e-7, pool, 15)


def test_storage_does_not_matter(tmp_path):
    rng = np.random.default_rng(2)
    seeds, pool = (rng.standard_normal((m, 24)).astype(np.float16) for m in (15, 700))
    labels = rng.integers(4, size=15), rng.integers(4, size=700)
    expected = agree(seeds, pool, 12, *labels)
    stored = np.memmap(tmp_path / "pool", np.float32, "w+", shape=(700, 24))
    stored[:] = pool
    stored.flush()
    wide = np.zeros((1400, 48))
    wide[::2, ::2] = pool
    opened = [np.memmap(tmp_path / "pool", np.float32, "r", shape=(700, 24)), np.asfortranarray(pool), wide[::2, ::2]]
    for other in [*opened, pool.astype(np.float64), pool.tolist()]:
        found = retrieve(seeds, other, 12, seed_labels=labels[0], pool_labels=labels[1])
        np.testing.assert_array_equal(found.owner, expected.owner)
        np.testing.assert_array_equal(found.distances, expected.distances)


def test_integers():
    rng = np.random.default_rng(3)
    agree(rng.integers(0, 9, (5, 4)), rng.integers(0, 256, (60, 4), dtype=np.uint8), 4)


def test_order_of_the_pool_does_not_matter_without_ties():
    rng = np.random.default_rng(4)
    seeds, pool = rng.standard_normal((10, 6)), rng.standard_normal((300, 6))
    found, order, moved = retrieve(seeds, pool, 8), rng.permutation(300), rng.permutation(10)
    np.testing.assert_array_equal(retrieve(seeds, pool[order], 8).owner, found.owner[order])
    other = retrieve(seeds[moved], pool, 8).owner
    np.testing.assert_array_equal(np.where(other < 0, -1, moved[other]), found.owner)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_stability_and_order(problem):
    """No pair is nearer than what both have, rows come in the order of distance, and no seed has more than n."""
    seeds, pool, n, *_ = problem
    found = retrieve(seeds, pool, n)
    assert (np.diff(found.distances) >= 0).all()
    assert found.taken.sum() == len(found.rows) == min(len(pool), n * len(seeds))
    of_row = np.full(len(pool), np.inf)
    of_row[found.rows] = found.distances
    for s, row in enumerate(all_distances(seeds, pool)):
        own = np.sort(found.distances[found.seeds == s])
        assert len(own) <= n
        worst = own[-1] if len(own) == n else np.inf
        assert not ((row < of_row) & (row < worst)).any()


def test_rows_out_of_it_by_label():
    """-1, which no seed has, leaves rows out: debug-train is chosen among what the de-val set left."""
    rng = np.random.default_rng(5)
    seeds, pool = rng.standard_normal((4, 3)), rng.standard_normal((50, 3))
    first = retrieve(seeds, pool, 3)
    second = retrieve(seeds, pool, 3, seed_labels=np.zeros(4, int), pool_labels=np.where(first.taken, -1, 0))
    assert not (first.taken & second.taken).any()
    rest = np.flatnonzero(~first.taken)
    np.testing.assert_array_equal(second.owner[rest], retrieve(seeds, pool[rest], 3).owner)


def test_nothing_to_take_from_or_for():
    empty = retrieve(np.empty((0, 3)), np.ones((4, 3)), 2)
    assert empty.owner.tolist() == [-1] * 4
    assert empty.rows.size == empty.distances.size == empty.seeds.size == 0
    assert retrieve(np.ones((4, 3)), np.empty((0, 3)), 2).owner.shape == (0,)
    labelled = retrieve(np.ones((1, 3)), np.ones((4, 3)), 2, seed_labels=[0], pool_labels=[1, 1, 1, 1])
    assert not labelled.taken.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": True}, "n is True"),
        ({"n": 2.0}, "n is 2.0"),
        ({"seeds": [[np.nan, 1.0]]}, "seeds is nan at row 0"),
        ({"seeds": [1.0, 2.0]}, r"seeds has shape \(2,\)"),
        ({"pool": [[1.0, 2.0, 3.0]]}, "expected rows of 2 numbers"),
        ({"pool": [[1.0, 2.0], [0.0, np.nan]]}, "pool has a value that is not a number.* at row 1"),
        ({"pool": np.float32([[1, 2], [np.inf, 0]])}, "at row 1"),
        ({"pool": [["a", "b"]]}, "expected numbers"),
        ({"seeds": [[1e200, 0.0]]}, "too large to be squared"),
        ({"seed_labels": [0]}, "only one of seeds and pool has labels"),
        ({"seed_labels": [0], "pool_labels": [0]}, "pool_labels has 1 rows; expected 2"),
        ({"seed_labels": [0.5], "pool_labels": [0, 0]}, "expected integers"),
    ],
)
def test_mistakes(change, said):
    right = {"seeds": [[0.0, 1.0]], "pool": [[1.0, 2.0], [3.0, 4.0]], "n": 1}
    with pytest.raises(DataError, match=said):
        retrieve(**right | change)


def test_bad_row_is_named_by_its_place_in_the_pool():
    pool, labels = np.ones((10, 2)), np.arange(10) % 2
    pool[7, 1] = np.inf
    with pytest.raises(DataError, match="at row 7"):
        retrieve([[0.0, 0.0]], pool, 3, seed_labels=[1], pool_labels=labels)
    assert retrieve([[0.0, 0.0]], pool, 3, seed_labels=[0], pool_labels=labels).rows.tolist() == [0, 2, 4]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("d", [1, 7, 384, 3000])
def test_bounds_hold_and_are_tight(d, scale, dtype):
    """Wherever the data lie: the width of the bounds follows the spread."""
    rng = np.random.default_rng(d)
    block = (scale * rng.standard_normal((200, d)) * 10 ** rng.uniform(-3, 0, (200, 1))).astype(dtype)
    queries = np.concatenate([block[:20].astype(np.float64), scale * rng.standard_normal((20, d))])
    for moved in (0.0, 100 * scale):
        there, block_there = queries + moved, block + dtype(moved)
        lower, excess = Bounds(there).of(Pool("pool", block_there), slice(0, 200), block_there)
        exact = all_distances(there, block_there)
        assert (lower <= exact).all()
        assert (exact <= lower + excess).all()
        assert excess < 3e-6 * (d + 10) * exact.max()


@pytest.mark.parametrize("block", [1, 6, 50, 4096])
def test_nearest_of_many_that_are_about_as_far(monkeypatch, block):
    """In 200 dimensions distances lie within a few percent, and rows that come later displace earlier ones all the time."""
    monkeypatch.setattr(kernel, "POOL_BLOCK", block)
    rng = np.random.default_rng(10)
    queries, pool = rng.standard_normal((9, 200)), rng.standard_normal((700, 200)).astype(np.float32)
    found = nearest(queries, Pool("pool", pool), 20)
    exact = all_distances(queries, pool)
    order = np.argsort(exact, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(found.row.reshape(9, 20), order)
    np.testing.assert_array_equal(found.query, np.repeat(np.arange(9), 20))
    np.testing.assert_array_equal(found.distance.reshape(9, 20), np.take_along_axis(exact, order, axis=1))


def test_distance_does_not_depend_on_the_block():
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((7, 385)), rng.standard_normal((90, 385)).astype(np.float32)
    i, j = (x.ravel() for x in np.indices((7, 90)))
    together = squared_distances(a, i, b, j)
    np.testing.assert_array_equal(together, all_distances(a, b)[i, j])
    single = [squared_distances(a, i[k : k + 1], b[j[k] : j[k] + 1], np.array([0]))[0] for k in range(0, 630, 17)]
    np.testing.assert_array_equal(single, together[::17])


def naive_leak_free(pool, pool_labels, train, train_labels, test, test_labels):
    keep, near = [], all_distances(pool, test)
    for row, c in enumerate(pool_labels):
        between = all_distances(train[train_labels == c], test[test_labels == c])
        keep.append(not between.size or not near.shape[1] or near[row].min() > between.min())
    return np.array(keep, dtype=bool)


@st.composite
def leaks(draw):
    d, top = draw(st.integers(1, 3)), draw(st.integers(0, 5))
    parts = []
    for most in (20, 8, 8):
        n = draw(st.integers(0, most))
        label = st.lists(st.integers(0, 3), min_size=n, max_size=n)
        parts += [grid(draw, n, d, top), np.array(draw(label), dtype=np.int64)]
    return parts


@settings(max_examples=200, deadline=None)
@given(leaks(), st.integers(1, 5))
def test_leak_free_with_ties(parts, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "POOL_BLOCK", block)
        np.testing.assert_array_equal(leak_free(*parts), naive_leak_free(*parts))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_leak_free_at_the_threshold(offset):
    """Pool rows that are copies of train examples are at the threshold itself if theirs is the nearest pair."""
    rng = np.random.default_rng(7)
    train, test, rest = (rng.standard_normal((m, 12)).astype(np.float32) + np.float32(offset) for m in (200, 80, 300))
    pool = np.concatenate([train, rest])
    labels = [rng.integers(5, size=m) for m in (300, 200, 80)]
    of_pool = np.concatenate([labels[1], labels[0]])
    found = leak_free(pool, of_pool, train, labels[1], test, labels[2])
    np.testing.assert_array_equal(found, naive_leak_free(pool, of_pool, train, labels[1], test, labels[2]))
    per_class = [np.argmin(all_distances(train[labels[1] == c], test[labels[2] == c]).min(axis=1)) for c in range(5)]
    nearest_of = [np.flatnonzero(labels[1] == c)[at] for c, at in enumerate(per_class)]
    assert not found[nearest_of].any(), "a copy of the example that sets the threshold is not farther than it"
    assert 0 < found.sum() < len(pool)


def test_leak_free_just_beyond_the_threshold():
    """Distances that differ from it by less than float32 can tell."""
    rng = np.random.default_rng(9)
    direction = rng.standard_normal(8)
    test = rng.standard_normal((1, 8))
    pool = test + np.linspace(1 - 1e-8, 1 + 1e-8, 41)[:, None] * direction
    parts = pool, np.zeros(41, int), test + direction, np.array([0]), test, np.array([0])
    found = leak_free(*parts)
    np.testing.assert_array_equal(found, naive_leak_free(*parts))
    assert 15 < found.sum() < 26


def test_leak_filter_counts_test_examples_of_every_class():
    pool, train, test = np.array([[5.0]]), np.array([[0.0]]), np.array([[1.0], [5.5]])
    assert leak_free(pool, [0], train, [0], test, [0, 1]).tolist() == [False]
    assert leak_free(pool, [1], train, [0], test, [0, 1]).tolist() == [True], "class 1 has no train example"


def test_leak_filter_refuses_what_does_not_fit():
    good = [np.ones((2, 2)), [0, 0], np.zeros((2, 2)), [0, 0], np.ones((2, 2)), [0, 0]]
    for at, bad in ((0, np.ones((2, 3))), (2, np.full((2, 2), np.nan)), (3, [0]), (4, np.full((2, 2), np.inf))):
        with pytest.raises(DataError):
            leak_free(*[bad if i == at else part for i, part in enumerate(good)])


def naive_retention(items, keys, k):
    distances = all_distances(items, items)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (keys[order] == keys[:, None]).mean()


@st.composite
def collections(draw):
    n, d, top = draw(st.integers(2, 25)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    keys = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    return grid(draw, n, d, top), keys, draw(st.lists(st.integers(1, n - 1), max_size=4))


@settings(max_examples=200, deadline=None)
@given(collections(), st.integers(1, 5))
def test_retention_with_ties(collection, block):
    items, keys, ks = collection
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "POOL_BLOCK", block)
        patch.setattr(retrieval, "QUERIES", block)
        found = retention(items, keys, ks)
    assert found == pytest.approx({k: naive_retention(items, keys, k) for k in ks})


def test_retention_of_a_perfect_and_a_useless_space():
    rng = np.random.default_rng(8)
    keys = np.repeat(np.arange(4), 100)
    apart = rng.standard_normal((400, 5)) + 100 * np.eye(5)[keys]
    assert retention(apart.astype(np.float16), keys, (1, 50, 99)) == {1: 1.0, 50: 1.0, 99: 1.0}
    assert retention(rng.standard_normal((400, 5)), keys, (50,))[50] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ks": (0,)}, "expected numbers from 1 to 2"),
        ({"ks": (3,)}, "there are 3 items"),
        ({"keys": [0, 1]}, "keys has 2 rows; expected 3"),
        ({"embeddings": np.float32([[0], [np.nan], [1]])}, "nan at row 1"),
    ],
)
def test_retention_refuses_what_does_not_fit(change, said):
    right = {"embeddings": [[0.0], [1.0], [2.0]], "keys": [0, 0, 1], "ks": (1,)}
    with pytest.raises(DataError, match=said):
        retention(**right | change)
