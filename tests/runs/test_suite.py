"""Suite files, their errors, and the plan."""

from __future__ import annotations

import pytest

from slicebench.errors import ConfigError, PluginError, SlicebenchError
from slicebench.runs.plan import Filters, plan, with_settings
from slicebench.runs.suite import load_suite, parse_suite, suite_names
from tests.support.paths import HOSTILE

GOOD = """
name = "small"
seeds = [0, 1]
methods = ["gentle", "random"]
[[problems]]
name = "a"
dataset = "tiny"
params = { n = 50 }
[[problems]]
name = "b"
dataset = "tiny"
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))


def test_plan_is_problems_by_seeds_by_methods_with_full_parameters():
    cells = plan(parse_suite(GOOD, "x"))
    assert [str(c) for c in cells[:4]] == ["a s0 gentle", "a s0 random", "a s1 gentle", "a s1 random"]
    assert len(cells) == 8
    assert cells[0].problem.params == {"n": 50, "delay": 0.0}
    assert cells[0].method_params == {"scale": 1.0, "seed": 0}
    assert cells[2].method_params["seed"] == 1  # the problem's seed, unless the suite sets one
    fixed = plan(parse_suite(GOOD + "[method_params.gentle]\nseed = 7\n", "x"))
    assert {c.method_params["seed"] for c in fixed if c.method == "gentle"} == {7}


def test_identity_is_of_content_not_of_names():
    a, b = (plan(parse_suite(GOOD.replace("n = 50", text), "x"))[0] for text in ("n = 50", "n = 51"))
    renamed = plan(parse_suite(GOOD.replace('"a"', '"other"'), "x"))[0]
    assert a.identity != b.identity
    assert a.problem.identity != b.problem.identity
    assert renamed.identity == a.identity
    scaled = plan(parse_suite(GOOD + "[method_params.gentle]\nscale = 2.0\n", "x"))[0]
    assert scaled.problem.identity == a.problem.identity
    assert scaled.identity != a.identity
    assert len({c.identity for c in plan(parse_suite(GOOD, "x"))}) == 8


def test_filters_choose_and_may_go_beyond_the_suite():
    suite = parse_suite(GOOD, "x")
    cells = plan(suite, Filters(methods=("slow",), problems=("b",), seeds=(5,)))
    assert [str(c) for c in cells] == ["b s5 slow"]


@pytest.mark.parametrize(
    ("filters", "error", "says"),
    [
        (Filters(methods=("gentel",)), PluginError, "did you mean 'gentle'"),
        (Filters(problems=("c",)), ConfigError, "known: a, b"),
    ],
)
def test_a_typo_names_near_ones(filters, error, says):
    with pytest.raises(error, match=says):
        plan(parse_suite(GOOD, "x"), filters)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("seeds = [0, 1]", ""), "seeds: missing"),
        (("seeds = [0, 1]", "seeds = []"), "seeds: .*at least 1"),
        (("seeds = [0, 1]", "seeds = [0, -1]"), r"seeds\[1\]: .*greater than or equal to 0"),
        (("seeds = [0, 1]", "seeds = [0, 0]"), "more than once: 0"),
        (("seeds =", "seed ="), "unknown key; did you mean 'seeds'"),
        (
            ('dataset = "tiny"\nparams', 'dataste = "tiny"\nparams'),
            r"problems\[0\].dataste: unknown key; did you mean 'dataset'",
        ),
        (('name = "a"', 'name = "../a"'), "cannot be the name of a folder"),
        (('name = "a"', 'name = "b"'), "more than once: b"),
        (("[[problems]]", "[[problems"), "not valid TOML"),
    ],
)
def test_a_bad_file_is_told_by_file_and_key(change, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse_suite(GOOD.replace(*change), "here.toml")
    assert "here.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (('"tiny"\nparams', '"tinny"\nparams'), PluginError, "did you mean 'tiny'"),
        (("n = 50", "m = 50"), ConfigError, "problem 'a': .*'m'"),
        (("[[problems]]", "[method_params.gentel]\nx = 1\n[[problems]]"), PluginError, "did you mean 'gentle'"),
        (("[[problems]]", "[method_params.gentle]\nscal = 1\n[[problems]]"), ConfigError, "did you mean 'scale'"),
    ],
)
def test_planning_finds_wrong_names_and_parameters(change, error, says):
    with pytest.raises(error, match=says):
        plan(parse_suite(GOOD.replace(*change, 1), "x"))


def test_suites_are_found_by_name_and_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_suite(str(path)).name == "small"
    with pytest.raises(ConfigError, match="no suite named 'quikc'"):
        load_suite("quikc")
    with pytest.raises(ConfigError, match="cannot read the suite"):
        load_suite(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("name", suite_names())
def test_packaged_suites_load_under_their_own_name(name):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.description


def test_a_value_that_cannot_be_used_stops_before_any_work():
    text = 'name = "x"\nseeds = [0]\nmethods = ["random"]\n[[problems]]\nname = "a"\ndataset = "gaussian"\n'
    with pytest.raises(ConfigError, match=r"problem 'a': gaussian: plant is 'lineer'; did you mean 'linear'\?"):
        plan(parse_suite(text + 'params = { plant = "lineer" }', "x"))


def test_an_unknown_encoder_stops_before_any_work():
    for encoder, message in {"nanoclip": "did you mean 'nano-clip'", "open_clip": "needs an argument"}.items():
        text = SUITE_WITH_ENCODER.format(encoder)
        with pytest.raises((ConfigError, PluginError), match=rf"problem 'p': .*{message}"):
            plan(parse_suite(text, "here"))


SUITE_WITH_ENCODER = """
name = "s"
seeds = [0]
methods = ["random"]
[[problems]]
name = "p"
dataset = "scenes"
params = {{ encoder = "{}" }}
"""


def test_settings_of_a_command_line():
    suite = load_suite("quick")
    changed = with_settings(suite, ["domino.n_slices=10", "domino.init=kmeans", "domino.n_slices=3"])
    assert changed.method_params["domino"] == {"n_slices": 3, "init": "kmeans"}
    assert changed.method_params.keys() - {"domino"} == suite.method_params.keys() - {"domino"}
    (cell,) = plan(changed, Filters(("domino",), ("gaussian-linear",), (0,)))
    assert cell.method_params["n_slices"] == 3
    assert with_settings(suite, ["mcsd.k=5"], ["mcsd"]).method_params["mcsd"] == {"k": 5}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("domino=3", "method.parameter=value"),
        ("domino.n_slices", "expected name=value"),
        ("dominio.n_slices=3", "did you mean 'domino'"),
        ("domino.n_slice=3", "did you mean 'n_slices'"),
        ("domino.n_slices=three", "expected a whole number"),
        ("mcsd.k=5", "'mcsd' is not among the methods that run"),
    ],
)
def test_settings_that_cannot_be(setting, said):
    with pytest.raises(SlicebenchError, match=said):
        with_settings(load_suite("quick"), [setting])
