"""Short texts from templates, with words as causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slicebench.discovery.benchmark.planted import PlantedTable, World, plant, predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.discovery.benchmark.planted import Rng, Style

SLOTS: dict[str, tuple[str, ...]] = {
    "thing": ("hotel", "train", "coffee", "phone", "film", "jacket", "dentist", "museum", "printer"),
    "place": ("Oslo", "Lima", "Kyoto", "Accra", "Perth", "Quito", "Turin", "Dakar"),
    "friend": ("sister", "boss", "neighbour", "teacher", "cousin", "roommate", "trainer", "lawyer"),
    "extra": ("honestly", "supposedly", "refund", "midnight", "nothing", "", "", "", "", ""),
}
"""Words of each slot of a text; "" for no word. No word is in more than a fifth of the texts."""
TEMPLATES = (
    "My {friend} and I {verb} the {thing} in {place}, {extra}",
    "The {thing} that my {friend} chose in {place}: we {verb} it, {extra}",
    "{extra}: in {place} we {verb} a {thing}, says my {friend}",
    "I {verb} this {thing}, {extra}. My {friend} in {place} told me to try it",
)
VERBS: dict[str, tuple[str, ...]] = {
    "positive": ("loved", "enjoyed", "praised"),
    "negative": ("hated", "regretted", "avoided"),
    "neutral": ("used", "saw", "noticed"),
}
WORDS = tuple(word for words in SLOTS.values() for word in words if word)


def texts(name: str, style: Style, rng: Rng) -> PlantedTable:
    """Return a table of texts whose causes are one or more words."""
    n = style.size(rng)
    slots = {slot: rng.choice(words, size=n, p=_shares(len(words), rng)) for slot, words in SLOTS.items()}
    labels = rng.choice([*VERBS], size=n, p=rng.dirichlet(np.full(len(VERBS), 20.0)))
    present = {word: slots[slot] == word for slot, words in SLOTS.items() for word in words if word}
    planted = plant(World(pd.DataFrame(present), labels), style, rng)
    frame = pd.DataFrame(
        {
            "text": _written(slots, labels, rng),
            "label": labels,
            "prediction": predictions(labels, planted.wrong, rng),
        }
    )
    return PlantedTable(
        name=name,
        kind="text",
        frame=frame,
        roles={"label": "label", "prediction": "prediction", "text": "text"},
        causes=planted.causes,
        visible=WORDS,
        loss=planted.wrong.astype(float),
    )


def _shares(count: int, rng: Rng) -> NDArray[np.float64]:
    """Return shares of `count` words, each between half and 1.2 times the even share."""
    shares = rng.uniform(0.7, 1.2, size=count)
    return np.asarray(shares / shares.sum())


def _written(slots: dict[str, NDArray[np.str_]], labels: NDArray[np.str_], rng: Rng) -> list[str]:
    written = []
    for i, label in enumerate(labels):
        words = {slot: values[i] for slot, values in slots.items()} | {"verb": rng.choice(VERBS[label])}
        written.append(str(rng.choice(TEMPLATES)).format(**words).strip(" ,:").replace(", .", "."))
    return written
