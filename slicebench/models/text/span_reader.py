"""Question-answering models that mark an answer in a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, StorageError
from slicebench.files.log import Patience
from slicebench.models.encoders.batches import ROWS
from slicebench.models.text.loading import LocalModel, texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class SpanReader(LocalModel):
    """Question-answering model that marks the answer's first and last token in a context.

    Requirements and guarantees are those of `TextClassifier`.

    Parameters
    ----------
    folder : str
        As for `TextClassifier`; the tokenizer must be a fast one (tokenizer.json).

    Raises
    ------
    ConfigError, StorageError
        for the same reasons as `TextClassifier`.

    """

    auto = "AutoModelForQuestionAnswering"

    def losses(
        self, questions: Sequence[str], contexts: Sequence[str], starts: Sequence[int], ends: Sequence[int]
    ) -> NDArray[np.float32]:
        """Compute the mean cross-entropy of the answer's first and last token, shape (n,).

        The answer is `context[start:end]`. A context that is too long is read in windows that
        overlap by a quarter of the model's length. The loss is that of the window in which the
        answer is farthest from either end. Questions are truncated at a quarter of the model's
        length.

        Raises
        ------
        DataError
            for inputs that are not texts, and an answer that is outside its context, without a
            token or in no window.

        """
        import torch

        questions, contexts = texts_of("questions", questions), texts_of("contexts", contexts)
        spans = _spans(contexts, questions, starts, ends)
        parts, patience = [], Patience(f"reading contexts with {self.folder}", len(questions))
        for first in range(0, len(questions), ROWS):
            rows = slice(first, first + ROWS)
            encoded, begin, end = self._windows(questions[rows], contexts[rows], spans[rows], first)
            padding = encoded["attention_mask"] == 0
            with torch.inference_mode():
                out = self._forward(encoded)
                both = [
                    _cross_entropy(out.start_logits.float().cpu(), begin, padding),
                    _cross_entropy(out.end_logits.float().cpu(), end, padding),
                ]
            parts.append((0.5 * (both[0] + both[1])).numpy())
            patience.done(first + len(parts[-1]))
        losses: NDArray[np.float32] = np.concatenate(parts)
        return losses

    def _windows(
        self, questions: list[str], contexts: list[str], spans: list[tuple[int, int]], first: int
    ) -> tuple[dict[str, Tensor], list[int], list[int]]:
        """Encode the window of each example, and find the answer's first and last token in it.

        `first` is the row of the batch's first example.
        """
        import torch

        tokenizer, _ = self._loaded
        quarter = self._limit() // 4
        encoded = tokenizer(
            [_shortened(tokenizer, question, quarter) for question in questions],
            contexts,
            truncation="only_second",
            max_length=self._limit(),
            stride=quarter,
            padding=True,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_attention_mask=True,
        )
        owners, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
        best: dict[int, tuple[int, int, int, int]] = {}  # example: room, window, first and last token
        for window, owner in enumerate(owners):
            found = _answer_tokens(offsets[window], encoded.sequence_ids(window), *spans[owner])
            if found is not None and (owner not in best or found[0] > best[owner][0]):
                best[owner] = (found[0], window, *found[1:])
        for row in range(len(questions)):
            if row not in best:
                raise DataError(
                    f"the answer at row {first + row} has no token, or more than the {quarter} that fit in one window of "
                    f"{self.folder}; use a model that reads longer texts"
                )
        chosen = [best[row] for row in range(len(questions))]
        tensors = {name: torch.tensor([values[c[1]] for c in chosen]) for name, values in encoded.items()}
        return tensors, [c[2] for c in chosen], [c[3] for c in chosen]

    def _check(self, tokenizer: Any, model: Any) -> None:  # noqa: ARG002
        if not tokenizer.is_fast:
            raise StorageError(f"the tokenizer in {self.folder} is not a fast one; add its tokenizer.json")


def _spans(
    contexts: list[str], questions: list[str], starts: Sequence[int], ends: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the first and last character of each answer, without white space around it.

    Raises `DataError` for an answer outside its context.
    """
    n = len(contexts)
    if not n == len(questions) == len(starts) == len(ends):
        raise DataError(
            f"{len(questions)} questions, {n} contexts, {len(starts)} starts, {len(ends)} ends; expected equal numbers"
        )
    spans = []
    for row, (context, start, end) in enumerate(zip(contexts, starts, ends, strict=True)):
        if not 0 <= start < end <= len(context):
            raise DataError(
                f"the answer at row {row} is {start}:{end}; expected a part of its context of {len(context)} characters"
            )
        answer = context[start:end]
        spans.append((end - len(answer.lstrip()), start + len(answer.rstrip())))
    return spans


def _shortened(tokenizer: Any, text: str, limit: int) -> str:
    """Cut `text` after its first `limit` tokens."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(offsets) <= limit else text[: offsets[limit - 1][1]]


def _answer_tokens(
    offsets: list[tuple[int, int]], parts: list[int | None], start: int, end: int
) -> tuple[int, int, int] | None:
    """Find the answer's first and last token in a window; None unless it holds the whole answer.

    The first number returned is that of context tokens between the answer and the nearer end of the
    window. `parts` is 1 for tokens of the context.
    """
    context = [t for t, part in enumerate(parts) if part == 1]
    answer = [t for t in context if offsets[t][0] < end and offsets[t][1] > start]
    if not answer:
        return None
    first, last = answer[0], answer[-1]
    cut_off = (first == context[0] and offsets[first][0] > start) or (last == context[-1] and offsets[last][1] < end)
    return None if cut_off else (min(first - context[0], context[-1] - last), first, last)


def _cross_entropy(logits: Tensor, targets: list[int], padding: Tensor) -> Tensor:
    import torch
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.masked_fill(padding, -torch.inf), torch.tensor(targets), reduction="none")
