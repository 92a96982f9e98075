"""A singer that waits until it is told to go, for tests of what happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from engine.bank import Shelf
from engine.engine import Engine
from engine.generation import Generation
from engine.singer import Singer
from engine.song import Step
from engine.song_model import SongModel


class HeldSinger(Singer):
    """Takes steps only while it may; what is being sung stays at the step it has reached."""

    def __init__(self, model: SongModel, shelf: Shelf | None = None) -> None:
        super().__init__(model, shelf)
        self.go = threading.Event()

    def step(self, generations: Sequence[Generation]) -> list[Step | Exception]:
        self.go.wait(60)
        return super().step(generations)


def hold(engine: Engine) -> HeldSinger:
    """Put a singer that waits into an engine, on the same shelf."""
    held = HeldSinger(engine.model, engine.singer.shelf)
    engine.singer = held
    return held
