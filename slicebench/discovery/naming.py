"""Describe a slice: captions near its members, rules, words, and frequent wrong predictions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench.discovery.describing import Rule, Word, Words, describing_rule
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.evaluation.captions import unit_rows
from slicebench.metrics import ranking as metrics
from slicebench.metrics.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.conditions import Conjunction

    Bools = NDArray[np.bool_]


CHOOSING = 3
"""Folds on which rules and captions are chosen; the others measure them."""
MOST_CAPTIONS = 3
LEAST_AUROC = 0.6
"""Least AUROC of a shown caption: similarity to it separates held-out members from the rest of the class this well."""
MOSTLY = 0.5
"""Least share of a slice's errors that go to one class for the slice to be named after it."""
TELLING = 0.1
"""Least share of a slice's texts that must hold a word for the slice to be named after it."""
MOST_TEXTS = 20_000
"""Number of texts of a class whose words are counted."""


@dataclass(frozen=True)
class Name:
    """Description of a slice; parts that are not known are empty.

    `exact` is true if the slice is what the rule selects, and nothing else. `captions` are texts, each with the AUROC at which
    similarity to it separates members from the rest of the class. `taken_for` is the commonest wrong prediction, with its share
    of the errors. `bias` is, in a regression, the mean of prediction minus truth over the members.
    """

    rule: Rule | None = None
    exact: bool = False
    captions: tuple[tuple[str, float], ...] = ()
    words: tuple[Word, ...] = ()
    taken_for: tuple[str, float] | None = None
    bias: float | None = None

    @property
    def text(self) -> str:
        """Best description in one line, and in a regression whether the model predicts too much or too little there."""
        if self.bias is None:
            return self.description
        direction = f"{'over' if self.bias > 0 else 'under'}-predicts by {abs(self.bias):.3g} on average"
        return f"{self.description}; {direction}" if self.description else direction

    @property
    def description(self) -> str:
        """Best description in one line: a rule, else a caption, else words, else wrong predictions."""
        if self.rule is not None:
            return self.rule.text if self.exact else f"mostly {self.rule.text} ({shares(self.rule)})"
        if self.captions:
            return f"“{self.captions[0][0]}”"
        telling = [word.text for word in self.words if word.inside >= TELLING]
        if telling:
            return "texts with " + ", ".join(f"“{word}”" for word in telling[:3])
        if self.taken_for is None or self.taken_for[1] < MOSTLY:
            return ""
        return f"taken for {self.taken_for[0]} ({self.taken_for[1]:.0%} of its errors)"


def shares(rule: Rule) -> str:
    """Say how much of a slice meets a rule, and how much of what meets it is in the slice."""
    return f"{rule.recall:.0%} of the slice; {rule.precision:.0%} of such rows are in it"


class Names:
    """Descriptions of the slices of one set of examples.

    Rules and captions are chosen on some folds and measured on the others. Words are counted on these, and wrong predictions over
    all members.
    """

    def __init__(self, examples: Examples, captions: Captions | None) -> None:
        self.examples, self.captions = examples, captions
        folds = examples.folds
        checking = folds.tested if len(folds.tested) == 1 else folds.tested[CHOOSING:]
        self.checks = np.isin(folds.number, checking)
        self._words: dict[int | None, tuple[NDArray[np.intp], Words]] = {}

    def of(self, inside: Bools, c: int | None, rule: Conjunction | None) -> Name:
        """Describe the slice `inside` (n,) of class `c`, or of all classes for None; `rule` selects its members, if given."""
        own = np.ones(self.examples.n, dtype=bool) if c is None else self.examples.labels == c
        learn, check = np.flatnonzero(own & ~self.checks), np.flatnonzero(own & self.checks)
        if rule is None:
            found = describing_rule(self.examples.coded, inside, learn, check)
        else:
            found = Rule(text=self._without_class(rule, c), precision=1.0, recall=1.0, kappa=1.0)
        return Name(
            rule=found,
            exact=rule is not None,
            captions=self._captions(inside, learn, check, c),
            words=self._words_of(inside, check, c),
            taken_for=self._taken_for(inside & own),
            bias=self._bias(np.flatnonzero(inside)),
        )

    def _without_class(self, rule: Conjunction, c: int | None) -> str:
        """Return the rule's text without the class that the slice is in; the whole text if nothing else is left."""
        name = self.examples.label_name
        kept = [
            rule.table.words(one) for one in rule.conditions if c is None or rule.table.columns[one.column].name != name
        ]
        return " and ".join(kept) or rule.text

    def _bias(self, members: NDArray[np.intp]) -> float | None:
        """Return the mean of prediction minus truth of members; None where there are no numbers."""
        errors = self.examples.schema.outcomes.errors
        return None if errors is None or not len(members) else float(errors[members].mean())

    def _captions(
        self, inside: Bools, learn: NDArray[np.intp], check: NDArray[np.intp], c: int | None
    ) -> tuple[tuple[str, float], ...]:
        """Return the captions that point from the rest of the class to the slice.

        They are chosen on `learn`, and only those that separate the two on `check` are returned.
        """
        if self.captions is None or inside[learn].all() or not inside[learn].any():
            return ()
        embeddings = self.examples.whole.embeddings
        X = unit_rows(embeddings[learn])
        direction = X[inside[learn]].mean(axis=0) - X[~inside[learn]].mean(axis=0)
        c = 0 if c is None else c
        own = np.flatnonzero(self.captions.candidates[c])
        along = unit_rows(self.captions.differences(c)[own]) @ direction
        best = own[np.argsort(-along, kind="stable")[:MOST_CAPTIONS]]
        likeness = unit_rows(embeddings[check]) @ unit_rows(self.captions.embeddings[best]).T
        told = [(self.captions.texts[i], auroc(likeness[:, j], inside[check])) for j, i in enumerate(best)]
        return tuple((text, value) for text, value in told if value >= LEAST_AUROC)

    def _words_of(self, inside: Bools, check: NDArray[np.intp], c: int | None) -> tuple[Word, ...]:
        if self.examples.kind != "text" or self.examples.inputs is None:
            return ()
        if c not in self._words:
            some = check[:: -(-len(check) // MOST_TEXTS)]
            self._words[c] = (some, Words([self.examples.inputs[int(i)] for i in some]))
        rows, words = self._words[c]
        return words.of(inside[rows])

    def _taken_for(self, members: Bools) -> tuple[str, float] | None:
        predicted, wrong = self.examples.predicted, self.examples.wrong
        if predicted is None or wrong is None or len(self.examples.class_names) < 3 or not (members & wrong).any():
            return None
        counts = np.bincount(predicted[members & wrong], minlength=len(self.examples.class_names))
        most = int(counts.argmax())
        return self.examples.class_names[most], float(counts[most] / counts.sum())


def auroc(score: NDArray[np.floating], inside: Bools) -> float:
    """Compute the probability that a member scores higher than a non-member.

    Ties count half. It is 0.5 if there is nothing to compare.
    """
    found = metrics.auroc(Ranking.of(score.astype(np.float64), inside)) if len(inside) else None
    return 0.5 if found is None else found


def candidate_captions(
    given: Sequence[str] | str | Path, encoder: str | None, d: int, class_names: Sequence[str]
) -> Captions:
    """Embed captions from a list, or from a text file with one per line.

    The encoder must map them to the d dimensions of the examples' embeddings. The candidates of a
    class are the captions that name it or name no class. Each is represented by its difference from
    the mean of these candidates.

    Raises
    ------
    ConfigError
        if there is no encoder, or it does not read text.
    DataError
        if there are no captions, or the encoder embeds them in other than d dimensions.
    StorageError
        if the text file cannot be read.

    """
    from slicebench.data.captions import CaptionSet
    from slicebench.data.captions.embedded import Captions
    from slicebench.models.encoders.cached import embed_texts
    from slicebench.models.encoders.encoder import make_encoder

    texts = _lines(Path(given).expanduser()) if isinstance(given, str | Path) else [*given]
    references = [f"all captions of {name}" for name in class_names]
    known = CaptionSet.of(_of_each_class(texts, class_names), references)
    reader = None if encoder is None else make_encoder(encoder)
    if reader is None or not reader.reads_captions():
        raise ConfigError(
            "captions need an encoder that reads text, the one that made the embeddings: open_clip:ARCH/PRETRAINED, "
            f"nano-clip or sentence-transformers:MODEL (encoder); got {encoder}"
        )
    found = embed_texts(reader, known.texts)
    if found.shape[1] != d:
        raise DataError(
            f"encoder {encoder!r} embeds captions in {found.shape[1]} dimensions, but the examples have {d}; "
            "name the encoder that made the embeddings"
        )
    return Captions(
        texts=known.texts,
        embeddings=found,
        candidates=known.candidates,
        reference_texts=known.reference_texts,
        references=np.stack([found[own].mean(axis=0) for own in known.candidates]),
    )


def _of_each_class(texts: Sequence[str], class_names: Sequence[str]) -> list[list[str]]:
    """Return, for each class, the texts that name it or no class.

    If there are none, all texts are returned.
    """
    named = [{name for name in class_names if _names(text, name)} for text in texts]
    out = []
    for name in class_names:
        own = [text for text, said in zip(texts, named, strict=True) if name in said or not said]
        out.append(own or [*texts])
    return out


def _names(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read the captions {path}: {error}; expected a text file with one caption per line"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
