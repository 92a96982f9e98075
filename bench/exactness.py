"""How alike a song is among others and alone, beside how near either is to the same song in double precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from bench.subjects import MemoryShelf, Subject
from bench.throughput import requests_of
from engine.conditioning import Condition
from engine.engine import Engine
from engine.request import SongRequest
from engine.singer import Singer


@dataclass(frozen=True)
class Exactness:
    """Largest differences of latents over ``songs`` songs, whose root mean square is about 1.

    ``within``: songs that differ by less than 1e-4; of the song that differs most, ``worst`` is by how much, and
    ``rounding`` how far the song sung alone is from double precision.
    """

    songs: int
    median: float
    within: int
    worst: float
    rounding: float


def measure_exactness(subject: Subject, songs: int = 40, told: Callable[[], None] = lambda: None) -> Exactness:
    """Sing songs of all compositions at once and each alone; ``told`` is called after each song."""
    requests = [
        request.model_copy(update={"lyrics": request.lyrics.split("\n")[0]} if number % 3 == 0 else {})
        for number, request in enumerate(requests_of(subject, songs, None))
    ]
    with Engine(subject.model, None, MemoryShelf(subject.adapters)) as engine:
        jobs = [engine.submit(request) for request in requests]
        together = [job.result(600).latents for job in jobs]
    singer = Singer(subject.model, MemoryShelf(subject.adapters))
    alone, differences = [], []
    for request, found in zip(requests, together, strict=True):
        alone.append(singer.sing(request).latents)
        differences.append(float(np.abs(alone[-1] - found).max()))
        told()
    worst = int(np.argmax(differences))
    exact = sing_in_double(subject, requests[worst])
    return Exactness(
        songs,
        float(np.median(differences)),
        sum(difference < 1e-4 for difference in differences),
        differences[worst],
        float(np.abs(alone[worst] - exact).max()),
    )


def sing_in_double(subject: Subject, request: SongRequest) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Latents [frames, channels] of a song whose every pass is made in double precision; its condition is not."""
    pipeline = copy.copy(subject.model.pipeline)
    pipeline.transformer = copy.deepcopy(subject.model.transformer).double()
    single = Singer(subject.model, MemoryShelf(subject.adapters))

    class Double(Singer):
        def condition(self, request: SongRequest, seconds: float) -> Condition:
            found = single.condition(request, seconds)
            return Condition(found.packed.double(), found.kinds)

        def noise(self, seed: int, frames: int) -> torch.Tensor:
            return single.noise(seed, frames).double()

    singer = Double(replace(subject.model, pipeline=pipeline), MemoryShelf(subject.adapters))
    generation = singer.prepare(request)
    while not generation.done:
        [step] = singer.step([generation])
        if isinstance(step, Exception):
            raise step
    return generation.latents.numpy()
