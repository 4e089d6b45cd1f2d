"""A table, types and issues for Renumics Spotlight."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import DataError
from slicebench.interchange.spotlight import to_spotlight
from tests.test_interchange_found import small


def table():
    return pd.DataFrame(
        {"id": list("dcba"), "embedding": list(np.eye(4)), "label": list("xxyy"), "place": list("pqrs")}
    )


def test_the_view_has_types_and_issues():
    view = to_spotlight(table(), small(), dtype={"place": "Category"})
    assert view.frame["hardness"].tolist() == [-1.0, 0.2, 0.9, 0.3]
    assert view.frame["slice"].tolist() == ["", "wet", "wet", "dark"]
    assert view.frame["membership"].tolist() == [0.0, 0.1, 0.95, 0.8]
    assert view.dtype == {
        "embedding": "Embedding", "label": "Category", "hardness": "float", "slice": "Category", "membership": "float",
        "place": "Category",
    }  # fmt: skip
    assert [(one["title"], one["rows"]) for one in view.issues] == [("dark", [2, 3]), ("wet", [2, 1])]
    assert set(view.issues[0]) == {"title", "rows", "columns", "description"}
    assert list(table().columns) == ["id", "embedding", "label", "place"]


def test_what_does_not_fit_is_said():
    with pytest.raises(DataError, match="no column 'key'"):
        to_spotlight(table(), small(), id="key")
    with pytest.raises(DataError, match="columns slice already"):
        to_spotlight(table().assign(slice=1), small())
    with pytest.raises(DataError, match="dtype names the column 'plase'; did you mean 'place'"):
        to_spotlight(table(), small(), dtype={"plase": "Category"})
