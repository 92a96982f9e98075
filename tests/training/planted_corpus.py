"""Seconds of tones that follow plans, written as a corpus; and clips that never were sound."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine.conditioning import TokenKind
from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, Plan, make_plan
from engine.song_model import SongModel
from training.encoding import EncodedClip
from training.manifest import AboutCorpus, Corpus, NewClip, read_corpus, write_corpus

RATE = 24000
LINES = (
    "river deep",
    "the long way home",
    "sing",
    "a window light",
    "over the hill",
    "morning rain",
    "far",
    "we go on",
)
WORDLESS = "[verse]"


def write_planted(folder: Path, clips: int = 6, wordless: Sequence[int] = (), name: str = "planted") -> Corpus:
    """A corpus of clips of about one second; ``wordless`` are the numbers of those without words."""
    list(write_corpus(folder, AboutCorpus(name=name, licence="CC0-1.0"), _clips(clips, wordless)))
    return read_corpus(folder)


def _clips(count: int, wordless: Sequence[int]) -> list[NewClip]:
    made = []
    for number in range(count):
        line = LINES[number % len(LINES)]
        plan = make_plan(parse_lyrics(line), "folk", "low", 180, number)
        fields: dict[str, object] = {
            "lyrics": WORDLESS if number in wordless else line,
            "caption": f"a folk song, number {number}",
            "plan": plan,
        }
        made.append(NewClip(f"{number:02d}", fields, _tones(plan), RATE))
    return made


def _tones(plan: Plan) -> npt.NDArray[np.float64]:
    """The notes of a plan as tones with three harmonics, [1, samples]."""
    sound = np.zeros(round(plan.seconds * RATE))
    for note in plan.notes:
        at, length = round(note.start / FRAME_RATE * RATE), round(note.frames / FRAME_RATE * RATE)
        turns = 2 * np.pi * 440 * 2 ** ((note.midi - 69) / 12) * np.arange(length) / RATE
        tone = sum(np.sin(turns * k) / k for k in (1, 2, 3)) * np.hanning(length)
        sound[at : at + length] += 0.3 * tone[: len(sound) - at]
    return sound[None]


def random_clip(model: SongModel, frames: int = 20, words: int = 6, seed: int = 0) -> EncodedClip:
    """A clip of noise: a tag, ``words`` word tokens, timbre and three tokens of caption."""
    generator = torch.Generator().manual_seed(seed)
    kinds = [TokenKind.STRUCTURE, *[TokenKind.WORD] * words, TokenKind.TIMBRE, *[TokenKind.CAPTION] * 3]
    sound, source = torch.randn(2, frames, 64, generator=generator)
    width = model.condition_encoder.null_condition_emb.shape[-1]
    condition = torch.randn(len(kinds), width, generator=generator)
    return EncodedClip(sound, source, condition, torch.tensor(kinds, dtype=torch.int8))


def fresh(model: SongModel) -> SongModel:
    """A copy whose transformer may be changed."""
    pipeline = copy.copy(model.pipeline)
    pipeline.transformer = copy.deepcopy(model.transformer)
    return replace(model, pipeline=pipeline)
