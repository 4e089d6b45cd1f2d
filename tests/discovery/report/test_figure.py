"""The figure of the significant slices."""

from __future__ import annotations

import pytest

from slicebench import discover
from slicebench.discovery.report import figure
from slicebench.errors import ConfigError
from tests.discovery.test_discover import predictions


def test_each_significant_slice_has_its_difference():
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    found = discover(predictions(), method="kmeans_errors")
    axes = found.plot().axes[0]
    assert [label.get_text()[:2] for label in axes.get_yticklabels()] == [one.key for one in found.standing]
    drawn = [container.lines[0].get_xdata()[0] for container in axes.containers]
    assert drawn == pytest.approx([100 * one.verdict.delta for one in found.standing])
    assert axes.get_title() == found.verdict


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch):
    found = discover(predictions(600))
    monkeypatch.setattr(figure, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"slicebench\[figures\]"):
        found.plot()
