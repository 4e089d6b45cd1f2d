"""Packs: families of data that ship with slicebench, each a folder with a card and no code.

    packs/NAME/card.toml             where the data come from, who may use them, the problems
    packs/NAME/table.parquet         one row per example: labels, and every other column that is known
    packs/NAME/images.webp           the images as one sheet, compressed without loss
    packs/NAME/vectors.safetensors   float16 vectors by name, such as an encoder's embeddings

`scripts/families/NAME.py` makes the files. An entry point `NAME = "slicebench_datasets.packs:NAME"`
registers the family. `natural_groups.toml` lists the natural subgroups, which were chosen before any
method ran on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicebench_datasets.packs.dataset import Pack


def __getattr__(name: str) -> type[Pack]:
    """Return the dataset adapter of the pack `name`: entry points look it up here."""
    from slicebench_datasets.packs.card import pack_names
    from slicebench_datasets.packs.dataset import pack_class

    if name not in pack_names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return pack_class(name)
