"""A small grid of a random model with two planted adapters, and a judge that hears the words it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.composition import Composition
from adapters.store import AdapterStore
from engine.song_model import SongModel
from eval.grid import Grid, Plan
from eval.heard import Heard, Segment
from eval.ledger import Listening
from eval.prompts import Prompt
from eval.waves import AudioError
from tests.shelf import make_shelf

WORDS = "the kitchen light is still on"
COMPOSITIONS: tuple[Composition, ...] = ({}, {"folk": 1.0}, {"folk": 0.5, "rock": 0.5})
LISTENING = Listening("planted judge", "planted settings")


def planted_prompts(count: int) -> tuple[Prompt, ...]:
    """Short prompts in two genres."""
    return tuple(
        Prompt(id=f"p{n}", genre=("folk", "rock")[n % 2], caption=f"a {('folk', 'rock')[n % 2]} song", tags=("slow",),
               lyrics=f"[verse]\n{WORDS}")
        for n in range(count)
    )  # fmt: skip


def make_grid(model: SongModel, folder: Path, prompts: int = 2, takes: int = 2, steps: int = 2) -> Grid:
    """The grid of ``prompts`` prompts, ``takes`` seeds and three compositions, of ``steps`` steps a song."""
    shelf = AdapterStore(folder / "shelf")
    if not shelf.names():
        make_shelf(folder / "shelf", model.transformer)
    plan = Plan("a planted model", planted_prompts(prompts), COMPOSITIONS, takes, steps=steps)
    return Grid(plan, folder / "out", shelf)


class PlantedJudge:
    """Hears the same in every song, and counts how often it was asked."""

    title, batch = LISTENING.title, 2

    def __init__(self, text: str = WORDS, fault: BaseException | None = None, after: int = 0) -> None:
        self.text, self.fault, self.after = text, fault, after
        self.asked = 0

    def listen_many(self, sounds: Sequence[tuple[NDArray[np.float32], int]]) -> list[Heard | AudioError]:
        assert len(sounds) <= self.batch
        return [self.listen(*sound) for sound in sounds]

    def listen(self, audio: NDArray[np.float32], sampling_rate: int) -> Heard | AudioError:
        self.asked += 1
        if self.fault is not None and self.asked > self.after:
            if isinstance(self.fault, AudioError):
                return self.fault
            raise self.fault
        said = (Segment(self.text, -0.25, 1.1, 0.02, 0.0),) if self.text else ()
        return Heard(self.text, said, 0.5, audio.shape[-1] / sampling_rate)
