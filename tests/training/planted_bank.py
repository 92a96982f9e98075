"""A bank of planted words, in memory and on disk: one constant sound per phone, to be read back from songs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.codec import VOICING
from engine.lyrics import Line, parse_lyrics
from engine.phonemes import VOWELS
from training.speech import SpokenWord

LINES = (
    "the evening is golden",
    "hello my old friend",
    "stone by stone we go",
    "left at the station",
    "i will be there",
)

Bank = list[tuple[Line, list[SpokenWord]]]


def spoken(text: str, rng: np.random.Generator) -> tuple[Line, list[SpokenWord]]:
    """A spoken line with one constant feature vector per phone."""
    line = parse_lyrics(text).lines[0]
    words = []
    for word in line.words:
        phones = [p for s in word.syllables for p in s.phones]
        lengths = rng.integers(5, 12, len(phones))
        rows = np.repeat(rng.normal(size=(len(phones), 35)), lengths, 0).astype(np.float32)
        rows[:, VOICING] = np.repeat([p in VOWELS for p in phones], lengths)
        rows[:, 34] = -20
        words.append(SpokenWord(word, rows, np.concatenate([[0], np.cumsum(lengths)])))
    return line, words


def planted_bank(lines: Sequence[str] = LINES, times: int = 12) -> Bank:
    rng = np.random.default_rng(0)
    return [spoken(text, rng) for text in lines for _ in range(times)]


def write_work(folder: Path, bank: Bank) -> Path:
    """The bank and the mark of a fitted codec, as ``choirmaster pretrain --corpus-only`` leaves them in its folder."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for number, (_, words) in enumerate(bank):
        arrays[f"{number:03d}.features"] = np.concatenate([w.features for w in words]).astype(np.float16)
        arrays[f"{number:03d}.frames"] = np.array([len(w.features) for w in words], np.int32)
        arrays[f"{number:03d}.bounds"] = np.concatenate([w.bounds for w in words]).astype(np.int32)
    texts = [" ".join(w.text for w in line.words) for line, _ in bank]
    for part in ("speech", "codec"):
        (folder / part).mkdir(parents=True)
    np.savez(folder / "speech" / "speech-0000.npz", texts=np.array(json.dumps(texts)), **arrays)  # type: ignore[arg-type]
    (folder / "codec" / "config.json").write_text("{}")
    return folder
