"""Small arrays come back as they were written, none of them too."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.files.arrays import read_arrays, write_arrays


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [({}, {}), ({"h": np.arange(3.0)}, {}), ({"flags": np.array([True, False]), "none": None}, {"ids": "[1, 2]"})],
)
def test_what_is_written_is_read(tmp_path, arrays, metadata):
    write_arrays(tmp_path / "one.safetensors", arrays, metadata)
    found, told = read_arrays(tmp_path / "one.safetensors", "make it again")
    assert told == metadata
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in arrays.items() if value is not None
    }
