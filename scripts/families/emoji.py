"""Make the pack `emoji`: pictures of men and women by two vendors, from two npm packages emoji-datasource-*."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, reduced
from _encoders import efficientnet_lite0
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

VENDORS = {"google": "Noto", "twitter": "Twemoji"}
TONES = {"1F3FB": "light", "1F3FC": "medium light", "1F3FD": "medium", "1F3FE": "medium dark", "1F3FF": "dark"}
SIDE = 48


def make(family: Family) -> None:
    rows, large = [], []
    for vendor, name in VENDORS.items():
        folder = family.package(f"emoji-datasource-{vendor}") / "package"
        for about in json.loads((folder / "emoji.json").read_text(encoding="utf-8")):
            gender = gender_of(about["name"])
            if about["subcategory"] == "family" or gender is None or not about[f"has_img_{vendor}"]:
                continue
            variants = {"yellow": about} | {
                TONES[code]: one for code, one in about.get("skin_variations", {}).items() if code in TONES
            }
            for tone, one in variants.items():
                file = folder / "img" / vendor / "64" / one["image"]
                if file.is_file():
                    rows.append({"gender": gender, "role": role_of(about["name"]), "tone": tone, "vendor": name,
                                 "topic": about["subcategory"].removeprefix("person-")})  # fmt: skip
                    large.append(on_white(file))
    pixels = np.stack(large)
    chosen = distinct_rows(pixels)
    features = efficientnet_lite0(family, pixels[chosen])
    small = [np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BOX)) for one in pixels[chosen]]
    family.write(
        pd.DataFrame(rows).iloc[chosen].reset_index(drop=True),
        images=np.stack(small),
        vectors={"efficientnet-lite0": reduced(features, np.arange(len(features)), 256)},
    )


def gender_of(name: str) -> str | None:
    found = {word.lower() for word in re.findall(r"\b(MAN|WOMAN)\b", name)}
    return found.pop() if len(found) == 1 else None


def role_of(name: str) -> str:
    """Return the name without the gender, so that the man and the woman of a role are in one split."""
    return re.sub(r"\b(MAN|WOMAN)\b", "PERSON", name).lower()


def on_white(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "white")
    return np.asarray(Image.alpha_composite(ground, rgba).convert("RGB"))


if __name__ == "__main__":
    main("emoji", make)
