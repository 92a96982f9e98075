"""Seconds per song beside diffusers' own pipeline, in the same run on the same weights.

Both sing the same words at the same length, steps and guidance, decoded to 48 kHz; they take turns, so that what else
the machine does hits both. The stock pipeline is not given the plan, which costs it nothing and gains it nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import SongModel

LYRICS = "The kitchen light is still on\nYour letter lies on the table\nI read it over again\nAs slowly as I am able"


@dataclass(frozen=True)
class SingingSpeed:
    """Medians over ``rounds`` songs of ``audio_seconds``; ``ratio``: ours / stock, below 1 is faster than stock."""

    audio_seconds: float
    steps: int
    rounds: int
    ours: float
    stock: float
    ratio: float


def time_singing(
    model: SongModel, seconds: float, rounds: int, told: Callable[[], None] = lambda: None
) -> SingingSpeed:
    """Sing in turns with the stock pipeline; ``told`` is called after each round.

    Raises:
        RequestError: the words do not fit into ``seconds``.
    """
    singer = Singer(model)
    request = SongRequest(caption="a quiet folk song", lyrics=LYRICS, seed=1, duration=seconds)
    frames = round(seconds * model.frame_rate)
    noise = singer.noise(1, frames)[None]
    sampling = singer.sampling(request)

    def stock() -> Any:
        with torch.inference_mode():
            return model.pipeline(
                prompt=request.caption,
                lyrics=request.lyrics,
                audio_duration=(frames - 0.5) / model.frame_rate,  # the stock pipeline rounds up, twice
                num_inference_steps=sampling.steps,
                shift=sampling.shift,
                guidance_scale=sampling.guidance,
                latents=noise,
                output_type="np",
            )

    singer.sing(request)
    stock()
    ours_spent: list[float] = []
    stock_spent: list[float] = []
    for _ in range(rounds):
        for sing, spent in ((lambda: singer.sing(request), ours_spent), (stock, stock_spent)):
            start = time.perf_counter()
            sing()
            spent.append(time.perf_counter() - start)
        told()
    ours, theirs = statistics.median(ours_spent), statistics.median(stock_spent)
    return SingingSpeed(frames / model.frame_rate, sampling.steps, rounds, ours, theirs, ours / theirs)
