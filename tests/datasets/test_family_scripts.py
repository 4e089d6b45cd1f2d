"""The scripts that make packs: the same packages give the same bytes, and a wrong package is refused."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slicebench_datasets.packs.card import FOLDER, pack_names, read_card
from slicebench_datasets.packs.contents import cut_sheet
from tests.support.paths import ROOT

SCRIPTS = ROOT / "scripts" / "families"
PACKAGES = Path(os.environ.get("SLICEBENCH_FAMILIES", Path.home() / ".cache" / "slicebench-families"))
"""Packages that a script has fetched before; these tests fetch nothing."""


@pytest.fixture
def script(monkeypatch):
    """Import a script by name, as `python scripts/families/NAME.py` would."""

    def load(name):
        monkeypatch.syspath_prepend(str(SCRIPTS))
        spec = importlib.util.spec_from_file_location(f"families_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.delitem(sys.modules, "_common", raising=False)
        return module

    return load


@pytest.fixture
def family(script, tmp_path):
    """An empty copy of fashion_mnist's card, as a pack that is being made."""
    out = tmp_path / "fashion_mnist"
    out.mkdir()
    (out / "card.toml").write_text((FOLDER / "fashion_mnist" / "card.toml").read_text())
    return script("_common").Family("fashion_mnist", tmp_path / "cache", out)


def content(n=250):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"garment": ["coat", "bag"] * (n // 2), "position": np.arange(n, dtype=np.int32)})
    return table, rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), {"efficientnet-lite0": rng.normal(size=(n, 8))}


def test_every_pack_has_its_script():
    assert {path.stem for path in SCRIPTS.glob("[!_]*.py")} == set(pack_names())


def test_written_twice_the_bytes_are_the_same(family):
    written = []
    for _ in range(2):
        family.write(*content())
        written.append({path.name: path.read_bytes() for path in family.out.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"card.toml", "table.parquet", "images.webp", "vectors.safetensors"}


def test_images_come_back_as_they_were(family):
    from PIL import Image

    table, images, vectors = content()
    family.write(table, images, vectors)
    pixels = np.asarray(Image.open(family.out / "images.webp").convert("RGB"))
    assert np.array_equal(cut_sheet(pixels, read_card("fashion_mnist").images, len(images)), images)


def test_parts_of_different_lengths_and_wrong_packages_are_refused(family):
    table, images, _ = content()
    with pytest.raises(SystemExit, match=r"table, images and vectors have \[249, 250\] rows"):
        family.write(table, images[:-1])
    family.cache.mkdir()
    (family.cache / family.card["sources"][0]["file"]).write_bytes(b"another version")
    with pytest.raises(SystemExit, match=r"its SHA-256 is .*; the card of fashion_mnist has 39e172fe"):
        family.package("dataset-fashion-mnist")


@pytest.mark.slow
@pytest.mark.parametrize("name", pack_names())
def test_the_pack_is_what_its_script_makes(name, script, tmp_path):
    """The committed files, byte by byte; the packages must be in the cache folder."""
    if not all((PACKAGES / source.file).is_file() for source in read_card(name).sources):
        pytest.skip(f"not all packages of {name} are in {PACKAGES}")
    (tmp_path / "card.toml").write_text((FOLDER / name / "card.toml").read_text())
    module = script(name)
    module.make(module.Family(name, PACKAGES, tmp_path))
    assert (tmp_path / "card.toml").read_text() == (FOLDER / name / "card.toml").read_text()
