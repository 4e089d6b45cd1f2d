"""Add nano-clip's image tower and word-level tokeniser, which open_clip and timm lack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from timm.models import build_model_with_cfg, register_model
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor


PAD, START = "<pad>", "<start>"
END = "<end>"
"""The last word of every vocabulary: open_clip reads a caption's embedding at its highest token number."""


@register_model
def slicebench_nano(pretrained: bool = False, **kwargs: Any) -> ByobNet:  # noqa: FBT001, FBT002 - timm's signature
    """Return nano-clip's image tower, for images of 32 px.

    It has a stem of stride 2, then three basic blocks of 32, 64 and 128 channels.
    """
    blocks = tuple(ByoBlockCfg(type="basic", d=1, c=c, s=s) for c, s in ((32, 1), (64, 2), (128, 2)))
    cfg = ByoModelCfg(blocks=blocks, stem_type="3x3", stem_chs=32, stem_pool="")
    kwargs["pretrained_cfg"] = {
        "num_classes": 0,
        "input_size": (3, 32, 32),
        "pool_size": (4, 4),
        "first_conv": "stem.conv",
        "classifier": "head.fc",
    }
    trunk: ByobNet = build_model_with_cfg(ByobNet, "slicebench_nano", pretrained, model_cfg=cfg, **kwargs)
    return trunk


class WordTokenizer:
    """Tokeniser with one token per word; it is called like open_clip's own tokenisers.

    Parameters
    ----------
    words : sequence of strings
        The vocabulary, lower case.
    context_length : int
        Tokens per caption, including padding and the two markers.

    >>> tokens = WordTokenizer(["a", "circle", "red"], 6)(["a red circle"])
    >>> tokens.tolist()
    [[1, 2, 4, 3, 5, 0]]

    """

    def __init__(self, words: Sequence[str], context_length: int) -> None:
        self.numbers = {word: i for i, word in enumerate((PAD, START, *words, END))}
        self.context_length = context_length

    @classmethod
    def read(cls, path: Path, context_length: int) -> WordTokenizer:
        """Read the tokeniser of the vocabulary file `path`, one word per line."""
        return cls(path.read_text(encoding="utf-8").split(), context_length)

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Return token numbers, shape (m, context_length).

        Raises
        ------
        DataError
            for a caption with words that are not in the vocabulary, or with too many of them.

        """
        length = context_length or self.context_length
        listed = [texts] if isinstance(texts, str) else list(texts)
        tokens = torch.zeros(len(listed), length, dtype=torch.long)
        for row, text in zip(tokens, listed, strict=True):
            words = re.findall(r"[a-z0-9]+", text.lower())
            unknown = sorted(set(words) - self.numbers.keys())
            if unknown:
                raise DataError(
                    f"nano-clip does not know the words {', '.join(unknown)} of the caption {text!r}; it knows "
                    f"{', '.join(sorted(w for w in self.numbers if w[0] != '<'))}. Use an open_clip encoder for other words."
                )
            if len(words) > length - 2:
                raise DataError(f"caption {text!r} has {len(words)} words; nano-clip takes at most {length - 2}")
            numbers = [self.numbers[word] for word in (START, *words, END)]
            row[: len(numbers)] = torch.tensor(numbers)
        return tokens
