"""MovieLens: the official files read strictly, groups by condition, a factor model fitted on train alone."""

from __future__ import annotations

import numpy as np
import pytest

import slicebench
from slicebench.errors import ConfigError, StorageError
from slicebench_datasets._movielens_files import GENRES, OCCUPATIONS
from slicebench_datasets.movielens import RIDGE, MovieLens

N_USERS, N_ITEMS, N = 60, 40, 1500
METHODS = slicebench.METHODS.names()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of a miniature, and what is in it."""
    root, rng = tmp_path_factory.mktemp("movielens") / "ml-100k", np.random.default_rng(0)
    root.mkdir()
    ages, genders = rng.integers(10, 70, N_USERS), rng.permutation(np.repeat(["F", "M"], [20, 40]))
    work = rng.choice(OCCUPATIONS[:5], N_USERS)
    users = [f"{u + 1}|{ages[u]}|{genders[u]}|{work[u]}|0{u:04d}" for u in range(N_USERS)]
    (root / "u.user").write_text("\n".join(users) + "\n")
    flags = rng.random((N_ITEMS, len(GENRES))) < 0.2
    items = [
        f"{i + 1}|Amélie {i} (1997)|01-Jan-1997||http://x/{i}|" + "|".join("01"[int(f)] for f in flags[i])
        for i in range(N_ITEMS)
    ]
    (root / "u.item").write_text("\n".join(items) + "\n", encoding="latin-1")
    user, item = np.divmod(rng.choice(N_USERS * N_ITEMS, N, replace=False), N_ITEMS)
    truth = 3 + rng.normal(0, 0.7, N_USERS)[user] + rng.normal(0, 0.7, N_ITEMS)[item] + rng.normal(0, 0.3, N)
    stars = np.clip(np.rint(truth), 1, 5).astype(int)
    lines = [f"{u + 1}\t{i + 1}\t{s}\t88{k:07d}" for k, (u, i, s) in enumerate(zip(user, item, stars, strict=True))]
    (root / "u.data").write_text("\n".join(lines) + "\n")
    by_id = {f"u{u + 1}-i{i + 1}": k for k, (u, i) in enumerate(zip(user, item, strict=True))}
    return {
        "root": root,
        "by_id": by_id,
        "user": user,
        "item": item,
        "stars": stars,
        "ages": ages[user],
        "female": (genders == "F")[user],
        "horror": flags[item, GENRES.index("Horror")],
    }


@pytest.fixture(scope="module")
def problem(made):
    return MovieLens(root=str(made["root"].parent)).build(0)


@pytest.fixture
def copy(made, tmp_path):
    """Copy of the miniature that a test may break."""
    for path in made["root"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def rows_of(made, split):
    return np.array([made["by_id"][key] for key in split.ids.tolist()])


def test_every_rating_is_in_one_split(made, problem):
    splits = {"train": problem.data.train, "val": problem.data.val, "test": problem.test}
    assert {name: split.n for name, split in splits.items()} == {"train": 900, "val": 300, "test": 300}
    rows = np.concatenate([rows_of(made, split) for split in splits.values()])
    np.testing.assert_array_equal(np.sort(rows), np.arange(N))
    assert problem.test.labels is None
    assert problem.test.probs is None
    assert problem.test.inputs is None


def test_groups_are_the_attributes_and_metadata_the_others(made, problem):
    rows = rows_of(made, problem.test)
    assert problem.truth.group_names == ("gender=F", "genre=Horror")
    np.testing.assert_array_equal(
        problem.truth.groups["test"], np.stack([made["female"][rows], made["horror"][rows]], 1)
    )
    assert list(problem.test.metadata) == ["age", "occupation"]
    assert problem.test.metadata["age"].tolist() == made["ages"][rows].tolist()
    assert problem.provenance.planted_rate == pytest.approx((made["female"] | made["horror"])[rows].mean())


def test_conditions_are_joined_and_compared(made):
    groups = ["gender=F&genre=Horror", "age<30", "age>=50 & gender = M"]
    problem = MovieLens(root=str(made["root"]), groups=groups).build(0)
    rows = rows_of(made, problem.test)
    ages, female = made["ages"][rows], made["female"][rows]
    expected = np.stack([female & made["horror"][rows], ages < 30, (ages >= 50) & ~female], axis=1)
    np.testing.assert_array_equal(problem.truth.groups["test"], expected)
    assert list(problem.test.metadata) == ["occupation"]


def test_keep_thins_the_groups_in_train_alone(made, problem):
    thin = MovieLens(root=str(made["root"]), keep=0.25).build(0)
    before, after = (p.truth.groups["train"].any(axis=1) for p in (problem, thin))
    assert after.sum() == -(-before.sum() // 4)
    assert (~after).sum() == (~before).sum()
    np.testing.assert_array_equal(thin.test.ids, problem.test.ids)


def test_biases_are_the_ridge_solution_and_predict_better_than_the_mean(made, problem):
    train, rows = problem.data.train, rows_of(made, problem.data.train)
    stars, X = made["stars"][rows], np.zeros((train.n, N_USERS + N_ITEMS))
    X[np.arange(train.n), made["user"][rows]] = X[np.arange(train.n), N_USERS + made["item"][rows]] = 1
    exact = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ (stars - stars.mean()))
    np.testing.assert_allclose(train.embeddings[:, -2], exact[made["user"][rows]], atol=1e-3)
    np.testing.assert_allclose(train.embeddings[:, -1], exact[N_USERS + made["item"][rows]], atol=1e-3)
    test = made["stars"][rows_of(made, problem.test)]
    assert problem.test.losses.mean() < 0.6 * ((test - stars.mean()) ** 2).mean()


def test_losses_are_the_squared_errors_of_factors_and_biases(made, problem):
    train = problem.data.train
    mean = made["stars"][rows_of(made, train)].mean()
    X = problem.test.embeddings.astype(float)
    assert X.shape[1] == 2 * 10 + 2
    predicted = np.clip(mean + X[:, -2:].sum(axis=1) + (X[:, :10] * X[:, 10:20]).sum(axis=1), 1, 5)
    stars = made["stars"][rows_of(made, problem.test)]
    np.testing.assert_allclose(problem.test.losses, (stars - predicted) ** 2, atol=1e-4)


def test_factors_are_shrunk_singular_vectors_of_what_biases_leave(made, problem):
    train, rows = problem.data.train, rows_of(made, problem.data.train)
    X = train.embeddings.astype(float)
    rest = np.zeros((N_USERS, N_ITEMS))
    stars = made["stars"][rows]
    rest[made["user"][rows], made["item"][rows]] = stars - stars.mean() - X[:, -2:].sum(axis=1)
    U, s, Vt = np.linalg.svd(rest)
    low = (U[:, :10] * (s[:10] - s[10])) @ Vt[:10]
    np.testing.assert_allclose(
        (X[:, :10] * X[:, 10:20]).sum(axis=1), low[made["user"][rows], made["item"][rows]], atol=1e-3
    )


def test_users_that_train_does_not_know_have_zeros(made, copy):
    lines = (copy / "u.user").read_text() + "".join(f"{u}|30|M|writer|0\n" for u in range(900, 960))
    (copy / "u.user").write_text(lines)
    with (copy / "u.data").open("a") as file:
        file.writelines(f"{u}\t1\t3\t1\n" for u in range(900, 960))
    problem = MovieLens(root=str(copy)).build(0)
    new = [row for row, key in enumerate(problem.test.ids.tolist()) if int(key[1:].split("-")[0]) >= 900]
    assert len(new) > 3
    assert not problem.test.embeddings[new, :10].any()
    assert not problem.test.embeddings[new, -2].any()
    assert problem.test.embeddings[new, 10:20].any(axis=1).all()  # film 1 is known


def test_builds_are_seeded(made, problem):
    again, other = (MovieLens(root=str(made["root"])).build(seed) for seed in (0, 1))
    np.testing.assert_array_equal(again.test.losses, problem.test.losses)
    np.testing.assert_array_equal(again.test.embeddings, problem.test.embeddings)
    assert set(other.test.ids) != set(problem.test.ids)


@pytest.mark.parametrize("name", METHODS)
def test_methods_run_on_losses_or_say_why_not(problem, name):
    record = slicebench.evaluate(slicebench.METHODS.load(name)(), problem).record
    assert record.status in ("ok", "skipped"), record.reason
    assert bool(record.reason) == (record.status == "skipped")
    if name == "oracle":
        assert record.metrics["namf"] == 1.0


def test_frozen_and_thawed(problem, tmp_path):
    slicebench.save_problem(problem, tmp_path / "frozen")
    thawed = slicebench.load_problem(tmp_path / "frozen")
    np.testing.assert_array_equal(thawed.test.losses, problem.test.losses)
    assert thawed.test.labels is None


def drop_users(root):
    (root / "u.user").unlink()


def edited(name, row, line):
    """Function that replaces one line of a file."""

    def edit(root):
        lines = (root / name).read_text(encoding="latin-1").split("\n")
        lines[row] = line(lines[row])
        (root / name).write_text("\n".join(lines), encoding="latin-1")

    return edit


def repeated(root):
    lines = (root / "u.data").read_text().split("\n")
    lines[9] = lines[4]
    (root / "u.data").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_users, r"lacks u\.user"),
        (
            edited("u.data", 3, lambda line: "\t".join([*line.split("\t")[:2], "6", "1"])),
            r"u\.data: rating is '6' at row 3",
        ),
        (edited("u.data", 5, lambda line: line.rpartition("\t")[0]), r"u\.data has 3 fields at row 5; expected 4"),
        (
            edited("u.data", 7, lambda line: "777\t1\t3\t1"),
            r"u\.data: user is '777' at row 7, which u\.user does not have",
        ),
        (
            edited("u.data", 7, lambda line: "1\t777\t3\t1"),
            r"u\.data: item is '777' at row 7, which u\.item does not have",
        ),
        (repeated, r"user-item is 'u\d+-i\d+' at row 4 and again at row 9"),
        (edited("u.user", 2, lambda line: line.replace("|M|", "|X|").replace("|F|", "|X|")), r"gender is 'X' at row 2"),
        (edited("u.user", 2, lambda line: "2" + line[1:]), r"u\.user: id is '2' at row 1 and again at row 2"),
        (edited("u.item", 1, lambda line: line[:-1] + "7"), r"u\.item: Western is '7' at row 1"),
        (edited("u.item", 0, lambda line: line[:30]), r"u\.item has \d fields at row 0; expected 24"),
        (lambda root: (root / "u.data").write_text(""), r"u\.data has 1 fields at row 0"),
    ],
)
def test_broken_files_are_told(copy, spoil, message):
    spoil(copy)
    with pytest.raises(StorageError, match=message):
        MovieLens(root=str(copy)).build(0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": []}, r"groups is \[\]"),
        ({"groups": ["gender=F", "gender=F"]}, "expected a list"),
        ({"groups": ["female"]}, "'female'; expected a condition"),
        ({"groups": ["gendre=Horror"]}, "no attribute 'gendre'; did you mean 'genre' or 'gender'"),
        ({"groups": ["genre=Horor"]}, "no genre 'Horor'; did you mean 'Horror'"),
        ({"groups": ["occupation=studnet"]}, "did you mean 'student'"),
        ({"groups": ["age<young"]}, "expected a whole number of years"),
        ({"groups": ["gender<M"]}, "gender can only be compared by '='"),
        ({"keep": 2}, "keep is 2"),
        ({"rank": 2.5}, "rank is 2.5"),
    ],
)
def test_impossible_parameters_are_named(params, message):
    with pytest.raises(ConfigError, match=message):
        MovieLens(**params).check()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": ["age>99"]}, "'age>99' holds 0 of 300 test ratings"),
        ({"groups": ["occupation=writer"]}, "'occupation=writer' holds 0 of 300"),
        ({"groups": ["age>1"]}, "'age>1' holds 300 of 300"),
        ({"rank": 39}, "rank is 39 for 60 users and 40 films"),
    ],
)
def test_parameters_that_the_data_do_not_allow(made, params, message):
    with pytest.raises(ConfigError, match=message):
        MovieLens(root=str(made["root"]), **params).build(0)
