"""What the tests of server and pages plant: a judge that hears what it is told to, a singer that waits, a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from adapters.store import AdapterStore
from engine.engine import Engine
from engine.settings import EngineSettings
from engine.song_model import SongModel
from engine.songs import SongStore
from eval.judge import Heard
from tests.held import HeldSinger
from tests.held import hold as hold_engine
from tests.waiting import until
from ui.listening import Ears, Listener
from ui.songs import Songs

T = TypeVar("T")


class FakeJudge:
    """Hears ``text`` in every song; raises ``fault`` where one is planted, on loading or on listening."""

    title = "planted judge"

    def __init__(self, text: str = "", deaf: Exception | None = None, fault: Exception | None = None) -> None:
        self.text, self.deaf, self.fault = text, deaf, fault
        self.go = threading.Event()
        self.go.set()
        self.heard: list[tuple[tuple[int, ...], int]] = []

    def load(self) -> None:
        if self.deaf is not None:
            raise self.deaf

    def listen(self, audio: NDArray[np.floating[Any]], sampling_rate: int) -> Heard:
        self.go.wait(60)
        self.heard.append((audio.shape, sampling_rate))
        if self.fault is not None:
            raise self.fault
        return Heard(self.text, (), 0.5, audio.shape[-1] / sampling_rate)


def make_songs(
    model: SongModel,
    folder: Path,
    judge: Ears | None,
    shelf: AdapterStore | None = None,
    settings: EngineSettings | None = None,
) -> Songs:
    """The service over a fresh engine. Whoever starts it, or serves it, closes it."""
    store = SongStore(folder)
    return Songs(Engine(model, store, shelf, settings), store, Listener(judge))


def hold(songs: Songs) -> HeldSinger:
    """Put a singer that waits into the engine."""
    return hold_engine(songs.engine)


@contextmanager
def served(songs: Songs, pages: bool = True) -> Iterator[str]:
    """Serve the API and the pages over real HTTP; the address. Closing the server closes the songs."""
    import uvicorn

    from api.app import build_app
    from server import open_port

    with open_port("127.0.0.1", 0) as opened:
        config = uvicorn.Config(build_app(songs, pages), log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
