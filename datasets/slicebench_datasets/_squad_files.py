"""SQuAD's questions with their sentences, from the official JSON or from pairs of a sentence and a question."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.locations import read_bytes
from slicebench_datasets._tables import read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from slicebench.plugins.dataset_card import Place

OFFICIAL, PAIRS = "official JSON", "sentence-question parquet"
BREAK = re.compile(r"""(?<=[.!?])["')\]”’]*\s+(?=["'(\[“‘]*[A-Z0-9])""")
WINDOW = 10
"""Consecutive sentence-question pairs whose sentences are each other's distractors."""
RUN = 100
"""Consecutive sentence-question pairs that go to one split together, like the questions of an article."""


@dataclass(frozen=True)
class Question:
    """A question; its answer is in sentence number `answer` and is `context[start:end]`."""

    id: str
    question: str
    article: str
    sentences: tuple[str, ...]
    answer: int
    context: str = ""
    start: int = 0
    end: int = 0


def from_json(place: Place) -> tuple[list[Question], list[Question]]:
    """Read the questions of the official train and dev files."""
    paths = [place.file("train-v1.1.json"), place.file("dev-v1.1.json")]
    train, dev = ([*_questions(path)] for path in paths)
    owner: dict[str, Path] = {}
    for path, questions in zip(paths, (train, dev), strict=True):
        for q in questions:
            if q.id in owner:
                raise StorageError(f"{path}: the id {q.id!r} occurs twice, first in {owner[q.id].name}; fetch it again")
            owner[q.id] = path
    return train, dev


def _questions(path: Path) -> Iterator[Question]:
    """Yield the questions of an official file; a `StorageError` names a damaged article."""
    try:
        articles = list(json.loads(read_bytes(path))["data"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(f"cannot read {path} ({type(error).__name__}: {error}); fetch it again") from error
    for number, article in enumerate(articles):
        try:
            for paragraph in article["paragraphs"]:
                yield from _of_paragraph(path, str(article["title"]), paragraph)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise StorageError(
                f"{path}: article {number} is not as published ({type(error).__name__}: {error}); expected title, paragraphs, "
                "and in each context and qas with id, question and answers"
            ) from error


def _of_paragraph(path: Path, title: str, paragraph: dict[str, Any]) -> Iterator[Question]:
    context = paragraph["context"]
    begins = [0, *(match.end() for match in BREAK.finditer(context))]
    sentences = tuple(context[a:b].strip() for a, b in zip(begins, [*begins[1:], len(context)], strict=True))
    for entry in paragraph["qas"]:
        answer = entry["answers"][0]
        start = _begin(context, answer["text"], answer["answer_start"])
        if start is None:
            raise StorageError(
                f"{path}: the answer of {entry['id']!r} is {answer['text']!r}, which is not in its context at position "
                f"{answer['answer_start']}; fetch it again"
            )
        end = start + len(answer["text"])
        holder = int(np.searchsorted(begins, start, side="right")) - 1
        yield Question(entry["id"], entry["question"].strip(), title, sentences, holder, context, start, end)


def _begin(context: str, text: str, told: int) -> int | None:
    """Find where the answer begins, at most two characters from `told`; None if it is not there."""
    near = (told + shift for shift in (0, -1, 1, -2, 2))
    return next((at for at in near if text and at >= 0 and context.startswith(text, at)), None)


def from_pairs(place: Place) -> tuple[list[Question], list[Question]]:
    """Read the questions of dev.parquet and test.parquet; candidates are the sentences of `WINDOW` rows."""
    found = []
    for name in ("dev", "test"):
        path = place.file(f"{name}.parquet")
        table = read_parquet([path], ["sentence", "question"])
        for column in table:
            bad = ~table[column].map(lambda text: isinstance(text, str) and bool(text.strip())).to_numpy()
            if bad.any():
                raise StorageError(f"{path}: {column} is empty or no text at row {int(np.argmax(bad))}; fetch it again")
        found.append([*_of_pairs(name, table["sentence"].tolist(), table["question"].tolist())])
    return found[0], found[1]


def _of_pairs(name: str, sentences: Sequence[str], questions: Sequence[str]) -> Iterator[Question]:
    for row, question in enumerate(questions):
        first = row - row % WINDOW
        candidates = tuple(dict.fromkeys(sentences[first : first + WINDOW]))
        answer = candidates.index(sentences[row])
        yield Question(f"{name}-{row:05d}", question, f"{name} {row // RUN}", candidates, answer)
