"""Captioned images to train nano-clip on: rendered scenes, and digits drawn with fonts in colour on colour.

Images are (n, 3, 32, 32) float32 in 0..255. A table holds their attributes; a `Group` turns one or
several attributes into mutually exclusive captions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from slicebench_datasets._digits import digit_caption
from slicebench_datasets._render import COLOURS, UNSAID, VALUES, captions_of, draw_attributes, render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

SIDE = 32
SCENE_SIDES = (16, 20, 24, 32)
DIGIT_SIDES = (8, 16, 28, 32)
NOISY = {"scene": (0.06, 0.1), "digit": (0.2, 0.3)}
"""Below the first figure captions do not mention noise, from the second on an image is noisy, between is unclear."""
INKS = {name: np.array(rgb, dtype=np.float32) for name, rgb in COLOURS.items()} | {"white": np.float32([235, 235, 235])}
PURE = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
GROUNDS = {name: np.array(rgb, dtype=np.float32) for name, rgb in COLOURS.items()} | {
    "black": np.float32([0, 0, 0]),
    "white": np.float32([245, 245, 245]),
}
HELD_OUT = (
    "kristi", "femkeklaver", "comic-neue", "opendyslexic", "cantarell", "dosis", "didot", "humor-sans", "vollkorn",
    "mononoki", "klee", "lobster",
)  # fmt: skip
"""Folders of fonts held out of training."""
GLYPH = 64


@dataclass(frozen=True)
class Glyphs:
    """Digits drawn once per font: `masks` (fonts, 10, 64, 64) in 0..1, with the files they come from."""

    masks: Tensor
    files: tuple[Path, ...]

    @property
    def fingerprint(self) -> str:
        """Compute a hash of all font files, for the model card."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def load_glyphs(folder: Path, *, held_out: bool) -> Glyphs:
    """Draw the digits of the fonts below `folder`, either of the families in `HELD_OUT` or of all others."""
    masks, files = [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".ttf", ".otf")):
        if (path.parent.name in HELD_OUT) != held_out or _foreign(path):
            continue
        drawn = _draw_digits(path)
        if drawn is not None:
            masks.append(drawn)
            files.append(path)
    return Glyphs(torch.tensor(np.stack(masks)), tuple(files))


def _foreign(path: Path) -> bool:
    """Check for fonts of other scripts or symbols, and faces with the digits of another face."""
    name = path.stem
    if path.parent.name == "noto":
        return not name.startswith(("NotoSans-", "NotoSerif-", "NotoSansMono-", "NotoSerifDisplay-"))
    return name in ("D050000L", "StandardSymbolsPS", "RobotoTTF") or "Math" in name or "NoLoopK" in str(path)


def _draw_digits(path: Path) -> np.ndarray | None:
    """Draw ten masks, each digit as large as fits; None for a font without digits of its own."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(path), 60)
    out = np.zeros((10, GLYPH, GLYPH), dtype=np.float32)
    for digit in range(10):
        left, top, right, bottom = font.getbbox(str(digit))
        if right <= left or bottom <= top:
            return None
        canvas = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(canvas).text((-left, -top), str(digit), fill=255, font=font)
        size = max(canvas.size)
        canvas = canvas.resize([max(1, round(s * 44 / size)) for s in canvas.size], Image.Resampling.LANCZOS)
        x, y = (GLYPH - canvas.width) // 2, (GLYPH - canvas.height) // 2
        out[digit, y : y + canvas.height, x : x + canvas.width] = np.asarray(canvas) / 255
    flat = out.reshape(10, -1)
    apart = np.abs(flat[:, None] - flat[None]).mean(axis=2)[np.triu_indices(10, 1)]
    return out if apart.min() > 0.01 else None  # boxes for missing glyphs are all alike


def scenes(n: int, rng: np.random.Generator) -> tuple[Tensor, pd.DataFrame]:
    """Render uniformly random scenes with noise between 0 and 0.3, at one of `SCENE_SIDES`."""
    noise = np.where(rng.random(n) < 0.4, rng.uniform(0, 0.06, n), rng.uniform(0, 0.3, n))
    table = draw_attributes(n, rng, noise=noise)
    images = torch.from_numpy(render(table, int(rng.choice(SCENE_SIDES)), rng))
    return _enlarged(images.permute(0, 3, 1, 2).float()), table


def digits(n: int, glyphs: Glyphs, rng: np.random.Generator) -> tuple[Tensor, pd.DataFrame]:
    """Draw distorted digits of random fonts in one of three palettes: grey or colour on black, colour on colour."""
    font, digit = rng.integers(len(glyphs.masks), size=n), rng.integers(10, size=n)
    mask = _bent(glyphs.masks[font, digit], rng)
    ink_name, ground_name = _palette(n, rng)
    ink = np.stack([_ink(name, rng) for name in ink_name])
    ground = np.stack([_jittered(GROUNDS[name], rng) for name in ground_name])
    ink, ground = (torch.tensor(c, dtype=torch.float32)[..., None, None] for c in (ink, ground))
    side = int(rng.choice(DIGIT_SIDES, p=(0.5, 0.15, 0.2, 0.15)))
    cover = F.interpolate(mask[:, None], side, mode="area")
    cover = (cover * torch.tensor(rng.uniform(0.9, 1.6, n), dtype=torch.float32)[:, None, None, None]).clamp(0, 1)
    image = ground + cover * (ink - ground)
    noise = np.where(rng.random(n) < 0.6, rng.uniform(0, 0.1, n), rng.uniform(0, 0.5, n))
    grey = (ink_name == "white") & (ground_name == "black")
    speckle = torch.tensor(rng.standard_normal((n, 3, side, side)), dtype=torch.float32)
    speckle[torch.tensor(grey)] = speckle[torch.tensor(grey), :1]  # a grey image has grey noise
    image = (image + 255 * torch.tensor(noise, dtype=torch.float32)[:, None, None, None] * speckle).clamp(0, 255)
    table = pd.DataFrame({"digit": digit, "colour": ink_name, "ground": ground_name, "noise": noise})
    return _enlarged(image.round()), table


def _palette(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inks, grounds = np.array(list(INKS)), np.array(list(GROUNDS))
    kind = rng.choice(3, size=n, p=(0.4, 0.3, 0.3))
    ink = np.where(kind == 0, "white", inks[rng.integers(len(inks), size=n)])
    ground = np.where(kind < 2, "black", grounds[rng.integers(len(grounds), size=n)])
    near = np.array([np.linalg.norm(INKS[i] - GROUNDS[g]) < 150 for i, g in zip(ink, ground, strict=True)])
    return ink, np.where(near, "black", ground)


def _ink(name: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a colour between the scenes' colour and the pure primary, if there is one; white may be any light grey."""
    if name == "white":
        return np.full(3, rng.uniform(150, 255), dtype=np.float32)
    share = rng.random() if name in PURE else 0.0
    return _jittered((1 - share) * INKS[name] + share * np.array(PURE.get(name, (0, 0, 0))), rng)


def _jittered(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(colour + rng.uniform(-12, 12, 3), 0, 255) if colour.any() else colour


def _bent(masks: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, slant, stretch, shift, wobble, thin or thicken the masks, as handwriting differs from print."""
    n = len(masks)
    angle, slant = rng.normal(0, 0.12, n), rng.normal(0.05, 0.17, n)
    wide, high = 1 / rng.uniform(0.7, 1.35, n), 1 / rng.uniform(0.9, 1.4, n)
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], 1), np.stack([np.sin(angle), np.cos(angle)], 1)], 1)
    lean = np.stack([np.stack([wide, slant], 1), np.stack([0 * high, high], 1)], 1)
    theta = np.concatenate([turn @ lean, rng.normal(0, 0.06, (n, 2, 1))], axis=2)
    grid = F.affine_grid(torch.tensor(theta, dtype=torch.float32), [n, 1, GLYPH, GLYPH], align_corners=False)
    wobble = torch.tensor(rng.normal(0, 0.05, (n, 2, 5, 5)), dtype=torch.float32)
    grid = grid + F.interpolate(wobble, GLYPH, mode="bicubic").permute(0, 2, 3, 1)
    out = F.grid_sample(masks[:, None], grid, align_corners=False)
    weight = torch.tensor(rng.integers(-2, 3, n))
    bold, thin = F.max_pool2d(out, 5, 1, 2), -F.max_pool2d(-out, 3, 1, 1)
    bolder = F.max_pool2d(out, 3, 1, 1)
    chosen = out.clone()
    for value, variant in ((2, bold), (1, bolder), (-2, thin)):
        chosen[weight == value] = variant[weight == value]
    return chosen[:, 0]


def _enlarged(images: Tensor) -> Tensor:
    """Enlarge images the way the encoder does."""
    return F.interpolate(images, SIDE, mode="bilinear", antialias=True, align_corners=False)


@dataclass(frozen=True)
class Group:
    """Mutually exclusive captions: `texts`, and for each image of the batch which one is true of it, or -1.

    `weight` is the weight in the loss of the images' choice among them.
    """

    texts: list[str]
    target: np.ndarray
    weight: float


SCENE_SINGLES = ("shape", "colour", "size", "background", "texture", "distractor", "lighting")
SCENE_COMPOUNDS: tuple[tuple[str, ...], ...] = (
    ("shape", "colour"), ("shape", "background"), ("shape", "size"), ("shape", "texture"), ("colour", "background"),
    ("shape", "noise"), ("shape", "lighting"), ("shape", "distractor"), ("background", "texture"), ("colour", "size"),
    ("size", "colour", "shape", "background"), ("colour", "shape", "texture"), ("shape", "background", "texture"),
)  # fmt: skip
DIGIT_SINGLES = ("digit", "colour", "ground")
DIGIT_COMPOUNDS: tuple[tuple[str, ...], ...] = (
    ("colour", "digit"), ("digit", "noise"), ("colour", "ground"), ("digit", "ground"), ("digit", "colour", "ground"),
)  # fmt: skip
WEIGHTS = {"shape": 2.0, "digit": 5.0, "distractor": 2.0}
"""Weights of the groups of single attributes that are hard to see; 1 for the others."""


def groups_of(scene_table: pd.DataFrame, digit_table: pd.DataFrame, rng: np.random.Generator) -> list[Group]:
    """Make the captions of a batch of scenes, then digits: every single attribute, and a few random compounds."""
    start, n = len(scene_table), len(scene_table) + len(digit_table)
    some = [SCENE_COMPOUNDS[i] for i in rng.choice(len(SCENE_COMPOUNDS), 2, replace=False)]
    more = [DIGIT_COMPOUNDS[i] for i in rng.choice(len(DIGIT_COMPOUNDS), 1)]
    groups = [scene_group(scene_table, mention, n) for mention in (*((name,) for name in SCENE_SINGLES), *some)]
    groups += [digit_group(digit_table, mention, start, n) for mention in (*((name,) for name in DIGIT_SINGLES), *more)]
    groups += [noise_group(scene_table, "scene", 0, n), noise_group(digit_table, "digit", start, n)]
    groups.append(Group(["a shape", "a digit"], np.repeat([0, 1], (start, n - start)), 1.0))
    return [group for group in groups if group.texts]


def scene_group(table: pd.DataFrame, mention: Sequence[str], n: int) -> Group:
    """Make a group over the scenes, the first rows of a batch of `n` images."""
    said = np.ones(len(table), dtype=bool)
    for attribute in mention:
        told = table["noise"] >= NOISY["scene"][1] if attribute == "noise" else ~table[attribute].isin(UNSAID)
        said &= told.to_numpy()
    return _group(captions_of(table, mention), said, 0, n, mention)


def digit_group(table: pd.DataFrame, mention: Sequence[str], start: int, n: int) -> Group:
    """Make a group over the digits, the rows of a batch of `n` images from `start` on."""
    noisy = table["noise"].to_numpy() >= NOISY["digit"][1]
    said = noisy if "noise" in mention else np.ones(len(table), dtype=bool)
    columns: list[Any] = [table[k] if k in mention else [None] * len(table) for k in ("digit", "colour", "ground")]
    texts = [
        digit_caption(digit=d, colour=c, ground=g, noisy="noise" in mention) for d, c, g in zip(*columns, strict=True)
    ]
    return _group(texts, said, start, n, mention)


def noise_group(table: pd.DataFrame, kind: str, start: int, n: int) -> Group:
    """Make the group "noisy or not", without unclear images."""
    texts = {"scene": ["a shape without noise", "a shape with noise"], "digit": ["a clean digit", "a noisy digit"]}
    low, high = NOISY[kind]
    target = np.full(n, -1)
    target[start : start + len(table)] = np.select([table["noise"] < low, table["noise"] >= high], [0, 1], -1)
    return Group(texts[kind], target, 1.0)


def unclear(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return which images, all scenes then all digits, are neither clean nor clearly noisy."""
    return np.concatenate(
        [table["noise"].between(*NOISY[kind]).to_numpy() for kind, table in zip(NOISY, tables, strict=True)]
    )


def _group(texts: Sequence[str], said: np.ndarray, start: int, n: int, mention: Sequence[str]) -> Group:
    unique, codes = np.unique(np.array(texts)[said], return_inverse=True)
    target = np.full(n, -1)
    target[start + np.flatnonzero(said)] = codes
    return Group(unique.tolist(), target, WEIGHTS.get(mention[0], 1.0) if len(mention) == 1 else 1.0)


def vocabulary() -> list[str]:
    """List every word of every caption that training can use, and some words that people add."""
    words = {
        "a",
        "an",
        "the",
        "photo",
        "picture",
        "image",
        "of",
        "in",
        "on",
        "with",
        "from",
        "lit",
        "without",
        "noise",
        "noisy",
        "clean",
    }
    words |= {"shape", "background", "digit", "upper", "lower", "left", "right", "dot", "line"}
    for values in VALUES.values():
        words |= set(values)
    words |= set(INKS) | set(GROUNDS) | {str(d) for d in range(10)}
    return sorted(words - set(UNSAID))
