"""A singer that waits until it is told to go, for tests of what happens meanwhile."""

from __future__ import annotations

import threading
from typing import Any

from engine.request import SongRequest
from engine.singer import Singer, Song
from engine.song_model import SongModel


class HeldSinger(Singer):
    """Sings only while it may."""

    def __init__(self, model: SongModel) -> None:
        super().__init__(model)
        self.go = threading.Event()

    def sing(self, request: SongRequest, *args: Any, **kwargs: Any) -> Song:
        self.go.wait(60)
        return super().sing(request, *args, **kwargs)
