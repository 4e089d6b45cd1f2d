"""A table of issues as cleanlab's Datalab keeps it."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.discovery.interop.cleanlab import to_issues
from slicebench.errors import ConfigError, DataError
from tests.discovery.interop.test_found import small


def test_rows_are_in_the_order_of_the_dataset_and_low_is_bad():
    issues = to_issues(small(), list("dcba"))
    assert list(issues.columns) == ["is_slice_issue", "slice_score", "slice"]
    assert issues["is_slice_issue"].tolist() == [False, True, True, True]
    assert issues["is_slice_issue"].dtype == bool
    assert issues["slice_score"].tolist() == [7 / 8, 5 / 8, 1 / 8, 3 / 8]
    assert issues["slice"].tolist() == ["", "wet", "wet", "dark"]
    assert issues.index.tolist() == [0, 1, 2, 3]


def test_ties_share_a_score_and_scores_stay_inside():
    found = small()
    found.hardness["hardness"] = [1, 1, 1, -np.finfo(float).max]
    assert to_issues(found, list("abcd"))["slice_score"].tolist() == [3 / 8] * 3 + [7 / 8]


def test_datalab_takes_the_table():
    """As the issues that an issue manager of one's own finds, which is Datalab's way to take in others."""
    pytest.importorskip("datasets")
    pytest.importorskip("cleanlab")
    from cleanlab import Datalab
    from cleanlab.datalab.internal.issue_manager import IssueManager
    from cleanlab.datalab.internal.issue_manager_factory import register

    table = to_issues(small(), list("abcd"), issue="hidden_stratum")

    @register
    class Strata(IssueManager):
        issue_name = "hidden_stratum"

        def find_issues(self, **_):
            self.issues = table[[f"is_{self.issue_name}_issue", self.issue_score_key]]
            self.summary = self.make_summary(self.issues[self.issue_score_key].mean())

    lab = Datalab({"label": [0, 1, 0, 1]}, label_name="label", verbosity=0)
    lab.find_issues(issue_types={"hidden_stratum": {}})
    found = lab.get_issues("hidden_stratum")
    assert found["is_hidden_stratum_issue"].tolist() == [True, True, True, False]
    assert found["hidden_stratum_score"].tolist() == table["hidden_stratum_score"].tolist()
    assert lab.get_issue_summary()["num_issues"].tolist() == [3]


def test_what_does_not_fit_is_said():
    with pytest.raises(ConfigError, match="expected a word"):
        to_issues(small(), list("abcd"), issue="my issue")
    with pytest.raises(DataError, match="the id 'x' at row 1 has no hardness"):
        to_issues(small(), ["a", "x"])
