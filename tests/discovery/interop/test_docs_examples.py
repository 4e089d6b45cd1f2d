"""The page of examples, and that nothing of other tools is imported before it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.project.test_docs import BLOCK
from tests.support.paths import ROOT


def test_the_page_works_as_written(tmp_path, monkeypatch, capsys):
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "other-tools.md").read_text())
    page = "\n".join(body for language, _, body in blocks if language == "python")
    exec(compile(page, "docs/how-to/other-tools.md", "exec"), {})
    out = capsys.readouterr().out
    assert "hardness" in out
    assert "[slice " in out
    assert "is_slice_issue" in out


def test_importing_the_package_imports_no_tool():
    code = (
        "import sys\n"
        "import slicebench.discovery.interop, slicebench.data.to_frame, slicebench.discovery.interop.huggingface\n"
        "import slicebench.discovery.interop.cleanlab\n"
        "print(sorted({'pandas', 'datasets', 'sklearn', 'cleanlab', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
