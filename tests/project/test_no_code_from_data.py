"""No code is executed from data: what could do so is not called, and what reads others' models refuses those that bring code."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from slicebench.errors import SlicebenchError
from tests.support.paths import ROOT

SOURCES = [p for home in ("slicebench", "methods", "datasets") for p in sorted((ROOT / home).rglob("*.py"))]

MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "jsonpickle",
    "marshal",
    "shelve",
    "joblib",
    "yaml",
    "runpy",
    "code",
    "codeop",
}
"""Readers that run what they read, and interpreters."""

BUILTINS = {"eval", "exec", "compile", "__import__", "breakpoint"}
ATTRIBUTES = {
    "read_pickle",
    "to_pickle",
    "read_hdf",
    "HDFStore",
    "unsafe_load",
    "full_load",
    "exec_module",
    "spec_from_file_location",
}
CALLS = {"os.system", "os.popen", "torch.hub.load", "torch.jit.load", "pd.eval", "pandas.eval"}
COMMANDS = ("subprocess.", "os.exec", "os.spawn", "os.posix_spawn")
WANTED = {
    "torch.load": ("weights_only", (True,)),
    "np.load": ("allow_pickle", (False,)),
}
"""What must be written out, and how."""
NEVER = ("allow_pickle", "trust_remote_code", "shell")
"""Keywords that must be absent or False, whatever is called."""

ALLOWED = {
    ("slicebench/__init__.py", "import_module"): "the public names, from a table of ours",
    ("slicebench/plugins/registry.py", "EntryPoint.load"): "plugins, as $SLICEBENCH_PLUGINS admits them",
    (
        "slicebench/plugins/method_class.py",
        "import_module",
    ): "`check-method module:Class`: the user names the module; off with plugins",
    (
        "slicebench/evaluation/isolation/permissions.py",
        "EntryPoint.load",
    ): "names and places are read, nothing is loaded",
    (
        "slicebench/evaluation/isolation/fork_server.py",
        "import_module",
    ): "libraries and own modules, from a list of ours",
    ("slicebench/models/synthesis/stable_diffusion.py", "import_module"): "diffusers or transformers, no other name",
    ("methods/slicebench_methods/_domino_package.py", "import_module"): "the package domino, by a name of ours",
    (
        "slicebench/discovery/benchmark/finders/peer_script.py",
        "import_module",
    ): "packages of a peer's own environment, by names that are written out there",
}
"""Dynamic imports, and why each is none of a name that data bring."""

STARTERS = {
    ROOT / "slicebench/discovery/benchmark/finders/peers.py",
    ROOT / "slicebench/evaluation/isolation/fork_server.py",
}
"""Start interpreters with a script of ours: those of other tools, in the folder of $SLICEBENCH_PEERS, and this one again."""


def dotted(node: ast.expr) -> str:
    """Name of what is called: "pd.eval"; "?.eval" where it is an attribute of anything but a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def constant(call: ast.Call, name: str) -> object:
    """Value of a keyword that is written out; None if it is not there, Ellipsis if it is computed."""
    found = next((k.value for k in call.keywords if k.arg == name), None)
    return None if found is None else found.value if isinstance(found, ast.Constant) else ...


def faults_of_call(call: ast.Call) -> list[str]:
    name = dotted(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    found = [keyword for keyword in NEVER if constant(call, keyword) not in (None, False)]
    if name in BUILTINS | ATTRIBUTES | CALLS or last in ATTRIBUTES or name.startswith(COMMANDS):
        found.append(name or last)
    if last == "eval" and (call.args or call.keywords):
        found.append("eval of a table")  # that of a network takes nothing
    if last == "query" and any(is_text(argument) for argument in call.args):
        found.append("query of a table")  # that of a tree takes points
    keyword, values = WANTED.get(name, ("", ()))
    if keyword and constant(call, keyword) not in values:
        found.append(f"{name} without {keyword}")
    return found


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def dynamic_imports(tree: ast.AST) -> set[str]:
    """Imports of names that are computed, and entry points that are loaded."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = {"import_module" for call in calls if dotted(call.func).endswith("import_module")}
    takes_entries = any(isinstance(n, ast.Name) and n.id in ("EntryPoint", "entry_points") for n in ast.walk(tree))
    return found | ({"EntryPoint.load"} if takes_entries else set())


def faults(tree: ast.AST) -> list[str]:
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            out += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            out.append(str(node.module))
        elif isinstance(node, ast.ImportFrom):
            out += [alias.name for alias in node.names if alias.name in ATTRIBUTES]
        elif isinstance(node, ast.Call):
            out += faults_of_call(node)
        elif isinstance(node, ast.Dict):
            pairs = [(k, v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)]
            out += [
                str(k.value)
                for k, v in pairs
                if k.value in ("trust_remote_code", "allow_pickle")
                and not (isinstance(v, ast.Constant) and v.value is False)
            ]
    return out


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_runs_data_is_called(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert faults(tree) == (["subprocess.Popen"] if path in STARTERS else [])
    here = {(str(path.relative_to(ROOT)), what) for what in dynamic_imports(tree)}
    assert here <= set(ALLOWED), "an import whose name is computed: say in ALLOWED why no data can choose it"


def test_every_exception_is_still_needed():
    for name, what in ALLOWED:
        assert what in dynamic_imports(ast.parse((ROOT / name).read_text())), f"{name} no longer needs {what}"


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(text)",
        "import pickle",
        "from joblib import load",
        "import yaml; yaml.load(text)",
        "pd.read_pickle(path)",
        "from pandas import read_pickle",
        "pd.eval('a')",
        "df.eval('a + b')",
        "df.query('a > 1')",
        "df.query(f'a > {b}')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "torch.jit.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "kind.from_pretrained(path, trust_remote_code=True)",
        "options = {'trust_remote_code': trusted}",
        "subprocess.run(words)",
        "run(words, shell=True)",
        "os.system(words)",
    ],
)
def test_the_audit_sees_each(source):
    assert faults(ast.parse(source))


def test_the_audit_lets_pass_what_runs_nothing():
    harmless = (
        "network.eval(); re.compile(text); tree.query(points, 3); np.load(path, allow_pickle=False); "
        "torch.load(path, weights_only=True); json.load(file); options = {'trust_remote_code': False}"
    )
    assert faults(ast.parse(harmless)) == []


EVIL = "from pathlib import Path\nPath({mark!r}).touch()\nclass Evil:\n    pass\n"


def test_a_sentence_encoder_that_brings_code_is_refused(tmp_path):
    """Before sentence-transformers 6.0 a local folder's own modules were imported unasked."""
    from slicebench.models.encoders.encoder import make_encoder

    mark = tmp_path / "executed"
    (tmp_path / "modeling_evil.py").write_text(EVIL.format(mark=str(mark)))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "modeling_evil.Evil"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(
        SlicebenchError, match=r"modules.json names modeling_evil.Evil, the model's own code, .* does not run"
    ):
        make_encoder(f"sentence-transformers:{tmp_path}").encode_texts(["a"])
    assert not mark.exists()


@pytest.mark.parametrize(
    "kind", ["StableUnCLIPImg2ImgPipeline", "UnCLIPImageVariationPipeline", "StableDiffusionPipeline"]
)
def test_a_pipeline_that_brings_code_is_refused(tmp_path, kind):
    from slicebench.models.synthesis.stable_diffusion import _load as load_diffusion
    from slicebench.models.synthesis.unclip import _load as load_unclip

    mark = tmp_path / "executed"
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "evil.py").write_text(EVIL.format(mark=str(mark)))
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind, "unet": ["evil", "Evil"]}))
    with pytest.raises(SlicebenchError, match=r"contains its own code, evil.py, which slicebench does not run"):
        load_diffusion(tmp_path) if kind == "StableDiffusionPipeline" else load_unclip(tmp_path, kind)
    assert not mark.exists()


def test_a_transformers_folder_that_brings_code_is_refused(tmp_path):
    from slicebench.models.text.loading import _load

    mark = tmp_path / "executed"
    (tmp_path / "modeling_evil.py").write_text(EVIL.format(mark=str(mark)))
    about = {"model_type": "evil", "auto_map": {"AutoConfig": "modeling_evil.Evil", "AutoModel": "modeling_evil.Evil"}}
    (tmp_path / "config.json").write_text(json.dumps(about))
    for name in ("model.safetensors", "vocab.txt", "tokenizer.json"):
        (tmp_path / name).write_text("")
    with pytest.raises(SlicebenchError, match="cannot read the model in"):
        _load(str(tmp_path), "AutoModel")
    assert not mark.exists()


class Bomb:
    """Pickled, it touches a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_pickled_arrays_are_not_run(tmp_path):
    """What NumPy would unpickle if it were let: object arrays in .npy and .npz, given where embeddings are expected."""
    import numpy as np

    from slicebench.models.encoders.encoder import make_encoder

    mark = tmp_path / "executed"
    bomb = np.array([Bomb(mark)], dtype=object)
    np.savez(tmp_path / "bomb.npz", ids=bomb, embeddings=bomb, allow_pickle=True)
    encoder = make_encoder(f"file:{tmp_path / 'bomb.npz'}")
    with pytest.raises(SlicebenchError):
        encoder.encode(np.zeros((1, 2)), np.array(["a"]))
    assert not mark.exists()
    assert np.load(tmp_path / "bomb.npz", allow_pickle=True)["ids"].size == 1
    assert mark.exists()  # so it would have gone off
