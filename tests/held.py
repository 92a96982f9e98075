"""A singer that waits until it is told to go, for tests of what happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from engine.generation import Generation
from engine.singer import Singer
from engine.song import Step
from engine.song_model import SongModel


class HeldSinger(Singer):
    """Takes steps only while it may; what is being sung stays at the step it has reached."""

    def __init__(self, model: SongModel) -> None:
        super().__init__(model)
        self.go = threading.Event()

    def step(self, generations: Sequence[Generation]) -> list[Step | Exception]:
        self.go.wait(60)
        return super().step(generations)
