"""Make the pack `glyphs`: the letters a to z in many typefaces, drawn from the fonts of Debian packages."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _common import Family, main
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

SIDE, LARGE = 24, 96
DECORATIVE = (
    "cabinsketch", "cherrybomb", "kaushanscript", "kristi", "lobster", "lobstertwo", "breip", "dkg-handwriting", "humor-sans",
    "leckerli-one", "comic-neue", "ecolier-court", "triod-postnaja", "joscelyn", "gotico-antiqua", "femkeklaver",
    "klaudia-berenika", "le-murmure",
)  # fmt: skip
"""Packages of handwriting, script, blackletter and sketched letters."""
ALIKE = 1.5
"""Least mean difference in grey, 0 to 255, from every earlier face: others are the same face in another format."""
WEIGHTS = "extralight|thin|light|medium|semibold|demibold|extrabold|bold|black|heavy"


def make(family: Family) -> None:
    faces, rows = [], []
    for source in family.card["sources"]:
        folder = family.package(source["package"])
        for file in sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")]):
            letters = None if file.is_symlink() else drawn(file)
            if letters is None or any(np.abs(letters - known).mean() < ALIKE for known in faces):
                continue
            faces.append(letters)
            about = described(file, source["package"].removeprefix("fonts-"))
            rows += [{"letter": letter, **about} for letter in string.ascii_lowercase]
    images = np.concatenate(faces).astype(np.uint8)
    kept = [i for i, image in enumerate(images) if i == 0 or image.any()]
    distinct = np.sort(np.unique(images[kept].reshape(len(kept), -1), axis=0, return_index=True)[1])
    chosen = np.array(kept)[distinct]
    family.write(pd.DataFrame(rows).iloc[chosen].reset_index(drop=True), images=images[chosen])


def described(file: Path, package: str) -> dict[str, str]:
    name = file.stem.lower()
    weight = re.search(WEIGHTS, name)
    slanted = bool(re.search(r"ital|obli|slanted", name)) or bool(re.search(r"-(bi|i|z|ri)$", name))
    return {
        "face": file.stem,
        "family": package,
        "slant": "italic" if slanted else "upright",
        "weight": {"semibold": "bold", "demibold": "bold", "extrabold": "bold", "heavy": "bold", "black": "bold"}.get(
            weight[0], weight[0]
        )
        if weight
        else "regular",
        "style": "decorative" if package in DECORATIVE else "text",
    }


def drawn(file: Path) -> np.ndarray | None:
    """Draw a to z, white on black, each in the middle of 24 x 24 pixels, all at the same size; None if one is missing."""
    font = ImageFont.truetype(str(file), LARGE)
    missing = bytes(font.getmask("\uffff"))
    out = []
    for letter in string.ascii_lowercase:
        left, top, right, bottom = font.getbbox(letter)
        if right - left < 4 or bottom - top < 4 or bytes(font.getmask(letter)) == missing:
            return None
        canvas = Image.new("L", (2 * LARGE, 2 * LARGE))
        ImageDraw.Draw(canvas).text(
            (LARGE - (left + right) / 2, LARGE / 2 - (font.getbbox("x")[1] - LARGE / 2)), letter, 255, font
        )
        side = 1.5 * LARGE
        box = (LARGE - side / 2, LARGE - side / 2 - LARGE / 12, LARGE + side / 2, LARGE + side / 2 - LARGE / 12)
        out.append(np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX, box), dtype=np.int16))
    return np.stack(out)


if __name__ == "__main__":
    main("glyphs", make)
