"""Make the pack `ivr_speech`: announcements of a telephone system in five languages, from Debian's asterisk-core-sounds.

Needs onnxruntime and soundfile.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import soundfile
from _common import Family, main, reduced
from scipy.signal import resample_poly

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"en": "English", "fr": "French", "es": "Spanish", "it": "Italian", "ru": "Russian"}
KINDS = {"digits": "digits", "letters": "letters", "phonetic": "phonetic words"}
LENGTH, SKIPPED, MOST = 12_000, ("silence",), 3
"""Samples of a segment at 8 kHz (1.5 s); folders left out; segments of a clip."""
QUIET = 0.02


def make(family: Family) -> None:
    speech = SpeechEmbedding(family.package("openwakeword") / "openwakeword/resources/models")
    rows, vectors, seen = [], [], set()
    for code, language in LANGUAGES.items():
        folder = family.package(f"asterisk-core-sounds-{code}-wav")
        for file in sorted(folder.rglob("*.wav")):
            kind = file.parent.name if file.parent.name in (*KINDS, *SKIPPED) else "prompt"
            sound, rate = soundfile.read(file, dtype="float32")
            if kind in SKIPPED or rate != 8000 or sound.tobytes() in seen:
                continue
            seen.add(sound.tobytes())
            for number, segment in enumerate(segments(sound)):
                for codec in ("wav", "gsm"):
                    vectors.append(speech(segment if codec == "wav" else through_gsm(segment)))
                    rows.append({
                        "language": language, "kind": KINDS.get(kind, "prompt"), "codec": codec,
                        "clip": f"{code}/{kind}/{file.stem}", "segment": np.int8(number),
                        "seconds": np.float32(round(len(sound) / 8000, 2)),
                    })  # fmt: skip
    found = np.array(vectors)
    family.write(pd.DataFrame(rows), vectors={"speech": reduced(found, np.arange(len(found)), 128)})


def segments(sound: np.ndarray) -> list[np.ndarray]:
    """Return up to three segments of 1.5 s, evenly spread over the part that is not quiet; a short one is centred."""
    loud = np.flatnonzero(np.abs(sound) > QUIET)
    if not len(loud):
        return []
    sound = sound[loud[0] : loud[-1] + 1]
    if len(sound) <= LENGTH:
        before = (LENGTH - len(sound)) // 2
        return [np.pad(sound, (before, LENGTH - len(sound) - before))]
    count = min(MOST, len(sound) // LENGTH)
    starts = (
        np.linspace(0, len(sound) - LENGTH, count + 2)[1:-1]
        if count == 1
        else np.linspace(0, len(sound) - LENGTH, count)
    )
    return [sound[int(start) : int(start) + LENGTH] for start in starts]


def through_gsm(segment: np.ndarray) -> np.ndarray:
    """Encode a segment with the codec of mobile telephones, GSM 06.10, and decode it."""
    file = io.BytesIO()
    soundfile.write(file, segment, 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0][: len(segment)]


class SpeechEmbedding:
    """The speech embedding in openWakeWord 0.4.0: mean and spread of 96 numbers over windows of 0.76 s."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.spectrum, self.embedding = (
            onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in ("melspectrogram.onnx", "embedding_model.onnx")
        )

    def __call__(self, segment: np.ndarray) -> np.ndarray:
        sound = resample_poly(segment, 2, 1).astype(np.float32)[None] * 32767
        mel = self.spectrum.run(None, {self.spectrum.get_inputs()[0].name: sound})[0].squeeze() / 10 + 2
        windows = np.stack([mel[start : start + 76] for start in range(0, len(mel) - 75, 8)])[..., None]
        found = self.embedding.run(None, {self.embedding.get_inputs()[0].name: windows.astype(np.float32)})[0]
        found = found.reshape(len(windows), 96)
        return np.concatenate([found.mean(axis=0), found.std(axis=0)])


if __name__ == "__main__":
    main("ivr_speech", make)
