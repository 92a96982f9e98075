"""A small tree in GTSinger's layout: real sounds of synthetic tones, and word records as they are in the corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 8000
LABELS = {"singing_method": "pop", "emotion": "happy", "pace": "moderate", "range": "medium"}
#: Words are sung for this long each, after a silence of the same length and before a breath.
WORD_SECONDS = 0.4


def tone(seconds: float, hertz: float = 220.0, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def records(words: Sequence[str], labels: dict[str, str] | None = None, key: str = "word") -> list[dict[str, Any]]:
    """Records of silence, the words on rising notes from MIDI 60, and breath; every value of the type it has there."""
    rows = []
    for number, word in enumerate(["<SP>", *words, "<AP>"]):
        start, end = round(number * WORD_SECONDS, 3), round((number + 1) * WORD_SECONDS, 3)
        sung = not word.startswith("<")
        middle = round((start + end) / 2, 3)
        rows.append(
            {
                key: word,
                "start_time": start,
                "end_time": end,
                "note": [59 + number] if sung else [0],
                "note_dur": [WORD_SECONDS],
                "note_start": [start],
                "note_end": [end],
                "ph": ["AH0", "N"] if sung else [word],
                "ph_start": [start, middle] if sung else [start],
                "ph_end": [middle, end] if sung else [end],
                "mix": ["0", "0"] if sung else ["0"],
                "tech": "3" if sung else "0",
                **(LABELS if labels is None else labels),
            }
        )
    return rows


class Tree:
    """Adds recordings to a tree under ``root``; each sound differs from all others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0

    def group(self, song: str = "all is found", group: str = "Control_Group", singer: str = "EN-Alto-1") -> Path:
        language = {"EN": "English", "ZH": "Chinese"}[singer[:2]]
        return self.root / language / singer / "Breathy" / song / group

    def add(self, folder: Path, words: Sequence[str], rows: Any = None, audio: np.ndarray | None = None) -> Path:
        """Write the next number of a group; returns its sound file."""
        self.count += 1
        folder.mkdir(parents=True, exist_ok=True)
        wav = folder / f"{len(list(folder.glob('*.wav'))):04}.wav"
        seconds = (len(words) + 2) * WORD_SECONDS
        soundfile.write(wav, tone(seconds, 200 + self.count) if audio is None else audio, RATE, subtype="PCM_24")
        wav.with_suffix(".json").write_text(
            json.dumps(records(words) if rows is None else rows, indent=4, ensure_ascii=False), encoding="utf-8"
        )
        wav.with_suffix(".TextGrid").write_text("", encoding="utf-8")
        wav.with_suffix(".musicxml").write_text("", encoding="utf-8")
        return wav
