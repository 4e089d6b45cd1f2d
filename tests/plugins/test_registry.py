"""Plugins are found through entry points; broken and doubled ones harm nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from slicebench.errors import PluginError
from slicebench.plugins.registry import DATASETS, METHODS
from tests.support.paths import HOSTILE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

METHOD = "from slicebench import SliceMethod\nclass {name}(SliceMethod):\n    requires = frozenset({{'losses'}})\n"


def fake_distribution(folder: Path, dist: str, entries: dict[str, str], modules: dict[str, str]) -> None:
    """What pip leaves behind of an installed package: metadata and modules."""
    info = folder / f"{dist}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = {value}" for name, value in entries.items())
    (info / "entry_points.txt").write_text(f"[slicebench.methods]\n{lines}\n")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    fake_distribution(tmp_path, "kind", {"kind_method": "kind_mod:Kind"}, {"kind_mod": METHOD.format(name="Kind")})
    fake_distribution(
        tmp_path,
        "sad",
        {
            "raises": "sad_mod:X",
            "absent": "no_such_module:X",
            "not_a_method": "json:JSONDecoder",
            "exits": "exit_mod:X",
            "syntax": "syntax_mod:X",
        },
        {"sad_mod": "raise RuntimeError('no licence')", "exit_mod": "import sys; sys.exit(3)", "syntax_mod": "def"},
    )
    fake_distribution(tmp_path, "thief", {"oracle": "kind_mod:Kind"}, {})
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_names_are_those_of_the_project():
    assert {"svm_directions", "domino", "oracle", "random"} <= set(METHODS.names())
    assert {"scenes", "gaussian"} <= set(DATASETS.names())


def test_a_typo_gets_near_names():
    with pytest.raises(
        PluginError, match=r"slicebench.methods has no plugin named 'spotligth'; did you mean 'spotlight'\?"
    ):
        METHODS.load("spotligth")


def test_strangers_register_as_we_do(strangers):
    assert METHODS.load("kind_method").__name__ == "Kind"
    (info,) = [p for p in METHODS.describe() if p.name == "kind_method"]
    assert (info.distribution, info.requires, info.status) == ("kind", ["losses"], "ok")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: no licence"),
        ("absent", "ModuleNotFoundError"),
        ("not_a_method", "not a subclass of slicebench.plugins.method.SliceMethod"),
        ("exits", "SystemExit: 3"),
        ("syntax", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_shown_and_harms_nobody(strangers, name, reason):
    states = {p.name: p.status for p in METHODS.describe()}
    assert states[name].startswith("broken: ")
    assert reason in states[name]
    assert states["svm_directions"] == "ok"
    with pytest.raises(PluginError, match="is broken"):
        METHODS.load(name)


def test_nobody_can_take_the_oracles_name(strangers):
    with pytest.raises(PluginError, match=r"'oracle' is registered by slicebench .* and thief"):
        METHODS.load("oracle")
    assert [p.status for p in METHODS.describe() if p.name == "oracle"] == [
        "broken: registered by slicebench (slicebench_methods.oracle:Oracle) and thief (kind_mod:Kind)"
    ] * 2


def test_every_file_is_registered_and_every_entry_point_has_its_file():
    """Entry points are written at install time: after editing pyproject.toml, install again."""
    import tomllib

    root = ROOT
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for registry, folder in ((METHODS, "methods/slicebench_methods"), (DATASETS, "datasets/slicebench_datasets")):
        files = {p.stem for p in (root / folder).glob("*.py") if not p.stem.startswith("_")}
        files |= {p.parent.name for p in (root / folder).glob("packs/*/card.toml")}
        declared = project["entry-points"][registry.group]
        installed = {p.name: p.value for p in registry.describe() if p.distribution == "slicebench"}
        assert files == set(declared), (
            "a method or dataset is one file or pack, named as it is registered in pyproject.toml"
        )
        assert declared == installed, "pyproject.toml and the installed metadata differ: run pip install -e . again"


def test_listing_imports_nothing_heavy():
    code = (
        "import json, sys; from slicebench.plugins.registry import METHODS, DATASETS\n"
        "states = [p.status for r in (METHODS, DATASETS) for p in r.describe() if p.distribution == 'slicebench']\n"
        "print(json.dumps([states, sorted({'torch', 'sklearn', 'pandas', 'scipy', 'rich'} & set(sys.modules))]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    states, heavy = json.loads(out.stdout)
    assert set(states) == {"ok"}
    assert heavy == []


@pytest.fixture(scope="session")
def installed_plugin(tmp_path_factory):
    """The example plugin of tests/plugin, built and installed by pip into a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    source = ROOT / "tests" / "plugin"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_the_example_plugin_installs_lists_and_keeps_the_contract(installed_plugin, monkeypatch):
    from slicebench.testing import assert_contract

    monkeypatch.syspath_prepend(installed_plugin)
    (info,) = [p for p in METHODS.describe() if p.name == "nearest_error"]
    assert (info.distribution, info.status) == ("slicebench-nearest-error", "ok")
    assert_contract(METHODS.load("nearest_error"))


def test_the_example_plugin_finds_something(installed_plugin, monkeypatch, problem):
    from slicebench.evaluation.cell import evaluate

    monkeypatch.syspath_prepend(installed_plugin)
    record = evaluate(METHODS.load("nearest_error")(), problem).record
    assert record.status == "ok"
    assert record.metrics["namf"] > 0.1


def listed(capfd, *words):
    from slicebench.cli import app

    app(["list", *words], standalone_mode=False)
    return capfd.readouterr()


@pytest.fixture
def hostile(monkeypatch):
    """The plugins of tests/hostile, freshly on the path."""
    monkeypatch.syspath_prepend(HOSTILE)
    monkeypatch.delitem(sys.modules, "hostile_plugins", raising=False)


def test_off_loads_nothing_of_a_stranger(strangers, hostile, monkeypatch, capfd):
    for module in ("kind_mod", "sad_mod", "exit_mod", "syntax_mod"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setenv("SLICEBENCH_PLUGINS", "off")
    said = listed(capfd)
    assert (
        "SLICEBENCH_PLUGINS=off: plugins loaded: slicebench; left out: hostile (14), kind (1), sad (5), thief (1)"
        in said.err
    )
    assert "gentle" not in said.out
    assert "broken" not in said.out
    assert METHODS.load("oracle").__module__ == "slicebench_methods.oracle"  # the thief's claim does not count
    assert {info.distribution for r in (METHODS, DATASETS) for info in r.describe()} == {"slicebench"}
    assert not {"kind_mod", "sad_mod", "exit_mod", "hostile_plugins"} & set(sys.modules)


def test_every_registry_can_be_turned_off(tmp_path, monkeypatch):
    """One foreign plugin of every kind; none is imported, all are listed."""
    from slicebench.cli.commands.listing import _registries

    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    registries = _registries().values()
    (info / "entry_points.txt").write_text("".join(f"[{r.group}]\nstrange = stranger_mod:X\n" for r in registries))
    (tmp_path / "stranger_mod.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert all("strange" in registry.names() for registry in registries)
    monkeypatch.setenv("SLICEBENCH_PLUGINS", "off")
    for registry in registries:
        assert "strange" not in registry.names()
        assert [e.name for e in registry.ignored()] == ["strange"]
        with pytest.raises(PluginError, match="by stranger, which SLICEBENCH_PLUGINS=off excludes; to use it, unset"):
            registry.load("strange")


def test_some_can_be_allowed(strangers, monkeypatch, capfd):
    monkeypatch.setenv("SLICEBENCH_PLUGINS", "KIND, nobody")
    assert METHODS.load("kind_method").__name__ == "Kind"
    assert "raises" not in METHODS.names()
    said = listed(capfd, "methods", "--json")
    assert "plugins loaded: slicebench, kind; left out: sad (5), thief (1); not installed: nobody" in said.err
    assert {item["distribution"] for item in json.loads(said.out)} == {"slicebench", "kind"}


@pytest.mark.parametrize("text", ["", "on", "ON"])
def test_on_is_the_default(strangers, monkeypatch, capfd, text):
    monkeypatch.setenv("SLICEBENCH_PLUGINS", text)
    assert "kind_method" in METHODS.names()
    assert listed(capfd, "methods").err == ""


def test_off_holds_for_workers_suites_and_modules_by_name(hostile, monkeypatch, tmp_path):
    """A suite with a foreign method stops before any work, and no worker process knows the name either."""
    from slicebench.cli import app
    from slicebench.runs.workers import LocalExecutor

    monkeypatch.setenv("SLICEBENCH_PLUGINS", "off")
    monkeypatch.chdir(tmp_path)
    for words in (["--method", "gentle"], ["--set", "gentle.scale=2"]):
        with pytest.raises(PluginError, match="by hostile, which SLICEBENCH_PLUGINS=off excludes"):
            app(["run", *words], standalone_mode=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')")
    with pytest.raises(PluginError, match="SLICEBENCH_PLUGINS=off does not allow loading a module by name"):
        app(["check-method", "mine:Mine"], standalone_mode=False)
    with LocalExecutor(jobs=1) as pool:
        assert "gentle" not in pool.submit(METHODS.names).result()
    monkeypatch.delenv("SLICEBENCH_PLUGINS")
    with LocalExecutor(jobs=1) as pool:
        assert "gentle" in pool.submit(METHODS.names).result()


def test_what_a_plugin_prints_is_no_result(tmp_path, monkeypatch, capfd):
    fake_distribution(
        tmp_path, "loud", {"loud": "loud_mod:Loud"}, {"loud_mod": "print('hello')\n" + METHOD.format(name="Loud")}
    )
    monkeypatch.syspath_prepend(tmp_path)
    said = listed(capfd, "methods", "--json")
    assert "loud" in {item["name"] for item in json.loads(said.out)}
    assert said.err == "hello\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import pytest; pytest.skip('never', allow_module_level=True)", "broken: Skipped: "),
        ("raise ValueError('two\\nlines')", "broken: ValueError: two lines"),
        (METHOD.format(name="X") + "X.requires = None", "broken: requires is None"),
        (METHOD.format(name="X") + "X.requires = {1}", "broken: requires is {1}"),
    ],
)
def test_more_ways_to_be_broken(tmp_path, monkeypatch, source, says):
    fake_distribution(tmp_path, "odd", {"odd": "odd_mod:X"}, {"odd_mod": source})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_mod", raising=False)
    (info,) = [p for p in METHODS.describe() if p.name == "odd"]
    assert info.status.startswith(says)


def test_a_dataset_without_what_the_contract_asks_is_shown_as_broken(tmp_path, monkeypatch, capfd):
    source = "from slicebench import DatasetAdapter\nclass X(DatasetAdapter):\n    card = '[/oops]'\n"
    fake_distribution(tmp_path, "odd", {}, {"odd_mod": source})
    (tmp_path / "odd-1.0.dist-info" / "entry_points.txt").write_text("[slicebench.datasets]\nodd = odd_mod:X\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_mod", raising=False)
    assert "odd" in listed(capfd, "datasets").out
    assert "broken: AttributeError" in listed(capfd).out
