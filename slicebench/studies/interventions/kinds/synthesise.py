"""Synthesis: add images generated from a caption to train, and fine-tune the last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import ConfigError, did_you_mean
from slicebench.evaluation.captions import hard_and_easy, near_caption
from slicebench.models.synthesis.generator import GENERATORS, make_generator
from slicebench.plugins.method import candidates_of
from slicebench.studies.interventions.contract import Added, Intervention, Treatment, retrained, treated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel
    from slicebench.studies.interventions.contract import Audit


PROMPTS = ("hard", "easy", "reference")


class Synthesise(Intervention):
    """Intervention that adds generated images of the method's hardest caption of each class.

    The base model is trained again on train alone. Its last layer is then fine-tuned on train and the
    generated images. If all candidates of a class are equally hard, its reference caption is used, and
    a note says so.

    Parameters
    ----------
    prompt : "hard", "easy" or "reference"
        The hardest caption, the easiest, or that of the class as a whole.
    n : int
        Images per class.
    generator : str
        A generator of `slicebench list`: "scenes" for rendered scenes, "stable-diffusion:FOLDER",
        "folder:FOLDER".
    epochs, rate : int, float
        Epochs and learning rate of the fine-tuning; the rate falls linearly to 0.

    References
    ----------
    Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent Space", 2022: 100 images per class.

    >>> Synthesise(prompt="easy").get_params()["n"]
    100

    """

    requires: ClassVar[frozenset[str]] = frozenset({"captions"})
    reference: ClassVar[Mapping[str, Any]] = {"prompt": "reference"}

    def __init__(
        self, *, prompt: str = "hard", n: int = 100, generator: str = "scenes", epochs: int = 10, rate: float = 0.1
    ) -> None:
        self.prompt = prompt
        self.n = n
        self.generator = generator
        self.epochs = epochs
        self.rate = rate

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        if self.prompt not in PROMPTS:
            raise ConfigError(f"synthesise: prompt is {self.prompt!r}; {did_you_mean(str(self.prompt), list(PROMPTS))}")
        for name in ("n", "epochs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"synthesise: {name} is {getattr(self, name)}; expected 1 or more")
        if not 0 < self.rate < np.inf:
            raise ConfigError(f"synthesise: rate is {self.rate}; expected a number above 0")
        GENERATORS.load_with_argument(self.generator)

    def treat(self, audit: Audit, seed: int) -> Treatment:
        """Choose a caption per class, and generate images of it."""
        generator = audit.once("generator", lambda: make_generator(self.generator, audit.about, audit.data))
        prompts, notes = audit.once("prompts", lambda: self._prompts(audit))
        images = np.concatenate([generator.generate(text, self.n, c, seed) for c, text in enumerate(prompts)])
        labels = np.repeat(np.arange(audit.n_classes), self.n)
        said = [f"{name}: {text!r}" for name, text in zip(audit.data.class_names, prompts, strict=True)]
        return Treatment(
            chosen=audit.data.train.ids[:0], added=Added(inputs=images, labels=labels), notes=(*said, *notes)
        )

    def repair(self, audit: Audit, treatment: Treatment, seed: int) -> TrainedModel:
        """Train on train alone, then fine-tune the last layer on all examples."""
        from slicebench.models.training.head import fine_tuned

        model = retrained(audit.data, Treatment(chosen=treatment.chosen), seed)
        inputs, labels, _ = treated(audit.data.train, treatment)
        return fine_tuned(model, inputs, labels, epochs=self.epochs, rate=self.rate, seed=seed)

    def subsets(self, audit: Audit, test: Split) -> dict[str, NDArray[np.bool_]]:
        """Return the test images of each class that are nearest to its hard and to its easy caption."""
        captions, hardness = candidates_of(audit.data), self._hardness(audit)
        found = {"near_hard": np.zeros(test.n, dtype=bool), "near_easy": np.zeros(test.n, dtype=bool)}
        for c in range(audit.n_classes):
            pair = hard_and_easy(hardness[c], captions, c)
            for name, at in zip(found, pair or (), strict=False):
                found[name][near_caption(captions.embeddings[at], test, c)] = True
        return found

    def _prompts(self, audit: Audit) -> tuple[list[str], list[str]]:
        """Return the caption of each class, and notes."""
        captions, hardness, notes = candidates_of(audit.data), self._hardness(audit), []
        texts = list(captions.reference_texts)
        for c, name in enumerate(audit.data.class_names):
            pair = hard_and_easy(hardness[c], captions, c)
            if pair is None and self.prompt != "reference":
                notes.append(f"{name}: all captions are equally hard; the reference caption is used instead")
            elif pair is not None and self.prompt != "reference":
                texts[c] = captions.texts[pair[PROMPTS.index(self.prompt)]]
        return texts, notes

    def _hardness(self, audit: Audit) -> NDArray[np.float64]:
        return audit.guide.caption_hardness(audit.data)
