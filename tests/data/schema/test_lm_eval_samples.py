"""Samples of lm-evaluation-harness become a table of right and wrong answers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from slicebench import discover
from slicebench.data.columns import Columns
from slicebench.data.schema.layouts.lm_eval_samples import samples_of
from slicebench.errors import DataError
from slicebench.files.tables import read_frame


def sample(i=0, doc=None, **metrics):
    """A sample as the harness logs it, with a document of its own if none is given."""
    doc = doc or {"question": f"What is {i} + {i}?", "subject": "sums", "choices": ["1", "2"], "meta": {"level": i % 3}}
    return {
        "doc_id": i,
        "doc": doc,
        "target": str(i % 4),
        "arguments": {
            "gen_args_0": {"arg_0": f"Question: {i}", "arg_1": " 1"},
            "gen_args_1": {"arg_0": "no", "arg_1": " 2"},
        },
        "resps": [[["-1.5", "False"]]],
        "filtered_resps": [["-1.5", "False"]],
        "doc_hash": f"h{i}",
        "prompt_hash": f"p{i}",
        "target_hash": f"t{i}",
        **({"metrics": [*metrics]} if i >= 0 else {}),
        **metrics,
    }


def of(samples, **columns):
    return samples_of(pd.DataFrame(samples), Columns(**columns))


def test_fields_question_and_outcome_become_columns():
    found = of([sample(0, acc=1.0, acc_norm=0.0), sample(1, acc=0.0, acc_norm=0.0)])
    assert {*found.frame} == {"doc_id", "target", "correct", "text", "doc.subject", "doc.choices", "doc.meta"}
    assert found.frame["correct"].tolist() == [True, False]
    assert found.frame["text"].tolist() == ["What is 0 + 0?", "What is 1 + 1?"]
    assert found.columns.label is None
    assert [*found.notes] == [
        (
            "These are samples of lm-evaluation-harness. The text is 'doc.question'. 'acc' says which answers are right. "
            "The columns 'acc_norm', 'arguments', 'resps', 'filtered_resps' are not used."
        )
    ]


@pytest.mark.parametrize("arguments", [[["the prompt", " a"]], {"gen_args_0": {"arg_0": "the prompt"}}])
def test_without_a_question_the_first_argument_is_the_text(arguments):
    found = of([sample(doc={"passage": "long"}, exact_match=1) | {"arguments": arguments}])
    assert found.frame["text"].tolist() == ["the prompt"]
    assert "The text is 'arguments'" in found.notes[0]


@pytest.mark.parametrize(
    ("metrics", "column", "values"),
    [
        ({"f1": (0.25, 1.0)}, "loss", [0.75, 0.0]),
        ({"f1": (0.25, 1.0), "exact_match": (0, 1)}, "correct", [False, True]),
        ({"strict": (True, False), "f1": (0.25, 1.0)}, "correct", [True, False]),
        ({"inst_level": ([True], [False]), "bleu": (20.0, 30.0), "f1": (0.5, 0.5)}, "loss", [0.5, 0.5]),
    ],
)
def test_the_metric_that_counts(metrics, column, values):
    found = of([sample(i, **{name: both[i] for name, both in metrics.items()}) for i in (0, 1)])
    assert found.frame[column].tolist() == values
    assert {"correct", "loss"} & {*found.frame} == {column}


def test_a_named_metric_stays_and_no_other_is_chosen():
    found = of([sample(0, acc=1.0, acc_norm=0.0)], correct="acc_norm")
    assert found.frame["acc_norm"].tolist() == [0.0]
    assert "correct" not in found.frame
    with pytest.raises(DataError, match=r"none of their metrics is between 0 and 1 \(they are bleu\); name one"):
        of([sample(0, bleu=40.0)])


def test_of_several_filters_the_first_is_used():
    both = [
        sample(i, exact_match=float(name == "strict")) | {"filter": name}
        for name in ("strict", "flexible")
        for i in (0, 1)
    ]
    found = of(both)
    assert found.frame["correct"].tolist() == [True, True]
    assert (
        found.notes[1] == "Each sample is there once for each of the filters strict, flexible; only 'strict' is used."
    )


def test_other_tables_are_none_of_that():
    assert samples_of(pd.DataFrame({"doc_id": [1], "acc": [1]}), Columns()) is None
    assert of([sample(0, acc=1.0) | {"doc": "text"}]) is None


def test_discover_finds_the_subject_that_is_hard(tmp_path):
    rng = np.random.default_rng(0)
    subjects = rng.choice(["sums", "law", "art", "maps"], 1200)
    path = tmp_path / "samples_mmlu_2024.jsonl"
    with path.open("w") as lines:
        for i, subject in enumerate(subjects):
            doc = {"question": f"A question about {subject}, number {i}?", "subject": str(subject)}
            right = rng.random() > (0.5 if subject == "law" else 0.05)
            lines.write(json.dumps(sample(i, doc, acc=float(right))) + "\n")
    assert samples_of(read_frame(path), Columns()) is not None
    found = discover(path, method="tree_rules")
    assert "doc.subject is law" in found.to_frame().query("stands")["rule"].tolist()
    assert "samples of lm-evaluation-harness" in found.notes[0]
