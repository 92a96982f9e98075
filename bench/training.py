"""What the sharpness term costs: a step of adapter training with each strategy beside a step without, in one run.

All take turns on one model with one batch, so that what else the machine does hits all of them. Sounds are noise, which
costs as much as music; the words are real, so that there are as many tokens as in a song.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator

from bench.singing import LYRICS
from engine.conditioning import encode_condition
from engine.song_model import SongModel
from training.adapter_batches import AdapterBatch, collate
from training.adapter_options import AdapterOptions
from training.adapter_training import AdapterTrainer
from training.encoding import EncodedClip
from training.sharpness import STRATEGIES

#: A step with the term may take so many times a step without.
TARGET = 1.5
PLAIN = "none"


@dataclass(frozen=True)
class TrainingSpeed:
    """Medians over ``rounds`` steps of one clip of ``audio_seconds``; ``seconds`` and ``ratios`` by strategy, where
    ``none`` is the step without the term, to which the ratios are."""

    audio_seconds: float
    tokens: int
    rounds: int
    seconds: dict[str, float]
    ratios: dict[str, float]


def time_training(
    model: SongModel, seconds: float, rounds: int, told: Callable[[], None] = lambda: None
) -> TrainingSpeed:
    """Train a throw-away adapter on a copy of the model; ``told`` is called after each round of all strategies."""
    model = replace(model, pipeline=copy.deepcopy(model.pipeline))
    plain = AdapterOptions(variant="lyrics")
    kinds = {PLAIN: plain} | {
        name: plain.model_copy(update={"variant": "lyrics-asr", "sharpness": name}) for name in STRATEGIES
    }
    batch = _batch(model, round(seconds * model.frame_rate))
    trainer = AdapterTrainer(model, plain, (rounds + 1) * len(kinds), Accelerator())
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, options in kinds.items():
            trainer.options = options
            start = time.perf_counter()
            trainer.train_step([batch], measure=False)
            if number:  # the first round warms up
                spent[name].append(time.perf_counter() - start)
        if number:
            told()
    medians = {name: statistics.median(values) for name, values in spent.items()}
    return TrainingSpeed(
        audio_seconds=batch.latents.shape[1] / model.frame_rate,
        tokens=batch.kinds.shape[1],
        rounds=rounds,
        seconds=medians,
        ratios={name: medians[name] / medians[PLAIN] for name in STRATEGIES},
    )


def _batch(model: SongModel, frames: int) -> AdapterBatch:
    words = encode_condition(model, "a quiet folk song", LYRICS, frames / model.frame_rate)
    generator = torch.Generator().manual_seed(0)
    channels = model.transformer.config.audio_acoustic_hidden_dim
    sound, source = torch.randn(2, frames, channels, generator=generator)
    return collate([EncodedClip(sound, source, words.packed[0].cpu().clone(), words.kinds)])
