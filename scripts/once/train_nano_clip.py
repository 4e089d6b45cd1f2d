"""Train nano-clip, the image–text encoder that ships with slicebench, and measure it.

    apt-get install fonts-dejavu fonts-liberation ...          # all of FONT_PACKAGES, to draw digits
    python scripts/once/train_nano_clip.py                     # 25 minutes on two cores
    python scripts/once/train_nano_clip.py --variant second    # another seed: a second encoder
    python scripts/once/train_nano_clip.py --measure           # zero-shot accuracies, no training

The model is written to models/encoders/nano_clip/default or .../second.

Every batch has scenes and digits in equal parts, and captions of a few groups: all values of one
attribute, or of two or three together, so that within a group exactly one caption is true of an
image. The loss is CLIP's, in both directions: each image picks its caption within each group, and
each caption, over all groups, spreads its probability evenly over its images.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import torch
from nano_clip_data import (
    DIGIT_SINGLES,
    NOISY,
    SCENE_SINGLES,
    SIDE,
    Glyphs,
    Group,
    digit_group,
    digits,
    groups_of,
    load_glyphs,
    noise_group,
    scene_group,
    scenes,
    unclear,
    vocabulary,
)
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from slicebench.models.encoders.nano_clip.architecture import END, PAD, START, WordTokenizer

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

HOME = Path(__file__).parents[2] / "slicebench" / "models" / "encoders" / "nano_clip"
FONTS = Path("/usr/share/fonts")
FONT_PACKAGES = """fonts-dejavu fonts-liberation fonts-freefont-ttf fonts-lato fonts-roboto-unhinted fonts-open-sans
fonts-cantarell fonts-hack fonts-comfortaa fonts-humor-sans fonts-breip fonts-dancingscript fonts-ecolier-court fonts-kristi
fonts-isabella fonts-sjfonts fonts-femkeklaver fonts-dkg-handwriting fonts-ocr-b fonts-junction fonts-averia-gwf fonts-noto-core
fonts-inconsolata fonts-quattrocento fonts-linuxlibertine fonts-play fonts-gfs-didot fonts-oldstandard fonts-vollkorn
fonts-lobster fonts-rufscript fonts-dosis fonts-cabin fonts-crosextra-carlito fonts-crosextra-caladea fonts-monofur
fonts-mononoki fonts-fantasque-sans fonts-croscore fonts-urw-base35 fonts-ebgaramond fonts-tomsontalks fonts-jura fonts-prociono
fonts-sil-andika fonts-opendyslexic fonts-comic-neue fonts-bwht fonts-kaushanscript fonts-leckerli-one fonts-klee fonts-havana
fonts-levien-typoscript fonts-jetbrains-mono"""
SEEDS = {"default": 0, "second": 1}
TRUNK = "slicebench_nano"
STEPS, BATCH, PEAK, DECAY, WARM_UP = 5000, 256, 2e-3, 0.05, 200
EMBED, CONTEXT, TEXT_WIDTH = 64, 24, 96
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def config() -> dict[str, Any]:
    """Return `open_clip_config.json`, by which open_clip builds a model from a folder."""
    return {
        "model_cfg": {
            "embed_dim": EMBED,
            "vision_cfg": {"timm_model_name": TRUNK, "timm_pool": "avg", "timm_proj": "linear", "image_size": SIDE},
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": len((PAD, START, *vocabulary(), END)),
                "width": TEXT_WIDTH,
                "heads": 4,
                "layers": 3,
            },
        },
        "preprocess_cfg": {
            "mean": MEAN,
            "std": STD,
            "interpolation": "bilinear",
            "resize_mode": "squash",
            "size": SIDE,
        },
    }


def train(seed: int, steps: int, folder: Path) -> None:
    """Train from scratch and write the folder."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    glyphs = load_glyphs(FONTS, held_out=False)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config(), indent=1) + "\n", encoding="utf-8")
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    model.visual.to(memory_format=torch.channels_last)
    tokenizer = WordTokenizer(vocabulary(), CONTEXT)
    plain = [p for p in model.parameters() if p.ndim < 2]
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}])
    start, cpu = time.perf_counter(), time.process_time()
    for step in range(steps):
        model.train()
        loss = batch_loss(model, tokenizer, glyphs, rng)
        rate = PEAK * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(50))
        if step % 100 == 0:
            print(f"{step:5d} {time.perf_counter() - start:6.0f} s  loss {loss.item():.3f}", flush=True)
        if step % 1000 == 999:
            print(json.dumps(measure(model, tokenizer, 500)), flush=True)
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    rest = {name: value for name, value in model.state_dict().items() if name not in weights}
    save_file(weights | rest, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    about = {
        "seed": seed,
        "steps": steps,
        "images": steps * BATCH,
        "fonts": len(glyphs.files),
        "fonts_sha256": glyphs.fingerprint,
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 1),
        "torch": torch.__version__,
        "open_clip": open_clip.__version__,
    }
    (folder / "training.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def batch_loss(model: Any, tokenizer: WordTokenizer, glyphs: Glyphs, rng: np.random.Generator) -> Tensor:
    """Compute the loss of one batch of new images and captions."""
    half = BATCH // 2
    (x, scene_table), (y, digit_table) = scenes(half, rng), digits(half, glyphs, rng)
    groups = groups_of(scene_table, digit_table, rng)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (MEAN, STD))
    images = ((torch.cat([x, y]) / 255 - mean) / std).to(memory_format=torch.channels_last)
    image = model.encode_image(images, normalize=True)
    prefix = rng.choice(["", "", "", "a photo of ", "a picture of "])
    texts = [prefix + text for group in groups for text in group.texts]
    text = model.encode_text(tokenizer(texts), normalize=True)
    logits = model.logit_scale.exp() * image @ text.T
    return pick_caption(logits, groups) + spread_over_images(logits, groups, unclear((scene_table, digit_table)))


def pick_caption(logits: Tensor, groups: list[Group]) -> Tensor:
    """Average over groups, by weight, the cross-entropy of each image picking its true caption."""
    losses, weights, at = [], [], 0
    for group in groups:
        target = torch.as_tensor(group.target)
        said = target >= 0
        if len(group.texts) > 1:
            losses.append(group.weight * F.cross_entropy(logits[said, at : at + len(group.texts)], target[said]))
            weights.append(group.weight)
        at += len(group.texts)
    return torch.stack(losses).sum() / sum(weights)


def spread_over_images(logits: Tensor, groups: list[Group], unclear_noise: np.ndarray) -> Tensor:
    """Compute the cross-entropy of each caption's distribution over the batch against the even one over its images."""
    true = torch.cat([torch.as_tensor(g.target)[None] == torch.arange(len(g.texts))[:, None] for g in groups])
    texts = [text for g in groups for text in g.texts]
    about_noise = torch.tensor(["nois" in text or "clean" in text for text in texts])
    masked = about_noise[:, None] & torch.as_tensor(unclear_noise)[None]
    scores = logits.T.masked_fill(masked, -1e4)
    even = true.float() / true.sum(dim=1, keepdim=True)
    return -(even * F.log_softmax(scores, dim=1)).sum(dim=1).mean()


@torch.inference_mode()
def measure(model: Any, tokenizer: WordTokenizer, n: int = 4000, seed: int = 10**6) -> dict[str, float]:
    """Measure zero-shot accuracy per attribute on new scenes, digits in held-out fonts, and scikit-learn's digits."""
    model.eval()
    rng = np.random.default_rng(seed)
    glyphs = load_glyphs(FONTS, held_out=True)
    out: dict[str, float] = {}
    chunks = [scenes(250, rng) for _ in range(n // 250)]
    x, table = torch.cat([c[0] for c in chunks]), _stacked([c[1] for c in chunks])
    for name in SCENE_SINGLES:
        out[name] = _accuracy(model, tokenizer, x, scene_group(table, (name,), n))
    out["noise"] = _accuracy(model, tokenizer, x, noise_group(table, "scene", 0, n))
    chunks = [digits(250, glyphs, rng) for _ in range(n // 250)]
    x, table = torch.cat([c[0] for c in chunks]), _stacked([c[1] for c in chunks])
    for name in DIGIT_SINGLES:
        out[f"digits: {name}"] = _accuracy(model, tokenizer, x, digit_group(table, (name,), 0, n))
    out["digits: noise"] = _accuracy(model, tokenizer, x, noise_group(table, "digit", 0, n))
    clean = (table["noise"] < NOISY["digit"][0]).to_numpy()
    group = digit_group(table, ("digit",), 0, n)
    out["digits: digit, without noise"] = _accuracy(
        model, tokenizer, x, replace(group, target=np.where(clean, group.target, -1))
    )
    out["scikit-learn's digits"] = _sklearn_accuracy(model, tokenizer)
    return {name: round(value, 4) for name, value in out.items()}


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _accuracy(model: Any, tokenizer: WordTokenizer, x: Tensor, group: Group) -> float:
    target = torch.as_tensor(group.target)
    said = target >= 0
    text = model.encode_text(tokenizer(group.texts), normalize=True)
    return float((embed(model, x[said]) @ text.T).argmax(1).eq(target[said]).float().mean())


def embed(model: Any, x: Tensor) -> Tensor:
    """Compute normalised embeddings of images (n, 3, 32, 32) in 0..255."""
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (MEAN, STD))
    return torch.cat([model.encode_image((part / 255 - mean) / std, normalize=True) for part in x.split(500)])


def _sklearn_accuracy(model: Any, tokenizer: WordTokenizer) -> float:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images = torch.tensor(np.rint(loaded.images * (255 / 16)), dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    x = F.interpolate(images, SIDE, mode="bilinear", antialias=True, align_corners=False)
    return _accuracy(model, tokenizer, x, Group([f"the digit {d}" for d in range(10)], loaded.target, 1.0))


def load(folder: Path) -> tuple[Any, WordTokenizer]:
    """Load the model and tokeniser that ship."""
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    return model, WordTokenizer.read(folder / "vocabulary.txt", CONTEXT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=SEEDS, default="default")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="folder to write instead of the package's")
    parser.add_argument("--measure", action="store_true")
    asked = parser.parse_args()
    folder = asked.out or HOME / asked.variant
    if not asked.measure:
        train(SEEDS[asked.variant], asked.steps, folder)
    accuracies = measure(*load(folder))
    (folder / "accuracy.json").write_text(json.dumps(accuracies, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(accuracies, indent=1))


if __name__ == "__main__":
    main()
