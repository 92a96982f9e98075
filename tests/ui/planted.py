"""What the tests of server and pages plant: a judge that hears what it is told to, a singer that waits, a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from adapters.composition import parse_composition
from adapters.store import AdapterStore
from engine.engine import Engine
from engine.settings import EngineSettings
from engine.song_model import SongModel
from engine.songs import SongStore
from eval.judge import Heard
from router.decision import Candidate, Decision, Neighbour
from router.findings import Findings
from router.prompt import RouterPrompt
from tests.held import HeldSinger
from tests.held import hold as hold_engine
from tests.router.report.planted import make_findings
from tests.waiting import until
from ui.listening import Ears, Listener
from ui.routing import Routing
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


class FakeRouter:
    """Expects of ``folk=0.5`` that it sings best, then of the base model, and tries ``rock=1`` last."""

    def __init__(self, fault: Exception | None = None, pick: str = "folk=0.5") -> None:
        self.fault, self.pick = fault, pick
        self.checked: list[str] = []
        self.asked: list[RouterPrompt] = []
        self.shelves: list[dict[str, str]] = []

    @property
    def findings(self) -> Findings:
        return make_findings(kind="fit")

    def check(self, model_fingerprint: str) -> None:
        self.checked.append(model_fingerprint)
        if self.fault is not None:
            raise self.fault

    def route(self, prompt: RouterPrompt, shelf: Mapping[str, str] | None = None) -> Decision:
        self.asked.append(prompt)
        self.shelves.append(dict(shelf or {}))
        return decide(self.pick)


def decide(pick: str = "folk=0.5") -> Decision:
    """A decision for ``pick``, as a router would write it."""
    wers = {"folk=0.5": 0.2, "base": 0.4, "rock=1": 0.6}
    candidates = tuple(
        Candidate(name, parse_composition(name), wer, wer - 0.1, wer + 0.2, 0.4 - wer, 0.9)
        for name, wer in wers.items()
    )
    order = (pick, *(name for name in wers if name != pick))
    neighbour = Neighbour("folk-01", "folk", "an <b>old</b> folk song", 0.1, wers, 2)
    chosen = next(candidate for candidate in candidates if candidate.name == pick)
    return Decision(
        pick, chosen.composition, chosen.wer, chosen.low, chosen.high, "base", "planted",
        "predicted", f"{pick} <i>sings</i> this best.", candidates, (neighbour,), 0.1, 0.5, order, ("a planted note",),
    )  # fmt: skip


def make_songs(
    model: SongModel,
    folder: Path,
    judge: Ears | None,
    shelf: AdapterStore | None = None,
    settings: EngineSettings | None = None,
    router: FakeRouter | None = None,
) -> Songs:
    """The service over a fresh engine. Whoever starts it, or serves it, closes it."""
    store = SongStore(folder)
    routing = None if router is None else Routing(lambda: router, shelf)
    return Songs(Engine(model, store, shelf, settings), store, Listener(judge), routing)


def settle(routing: Routing) -> Routing:
    """Begin to load a router, and wait until it is there or cannot be."""
    routing.start()
    until(lambda: routing.state != "loading")
    return routing


class LearningJudge(FakeJudge):
    """Hears one text after another, the last of them ever after."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)

    def listen(self, audio: NDArray[np.floating[Any]], sampling_rate: int) -> Heard:
        heard = super().listen(audio, sampling_rate)
        return replace(heard, text=self.texts.pop(0) if len(self.texts) > 1 else self.texts[0])


def hold(songs: Songs) -> HeldSinger:
    """Put a singer that waits into the engine."""
    return hold_engine(songs.engine)


@contextmanager
def served(songs: Songs, pages: bool = True, **parts: Any) -> Iterator[str]:
    """Serve the API and the pages over real HTTP; the address. Closing the server closes the songs.

    ``parts``: what else ``api.app.build_app`` takes.
    """
    import uvicorn

    from api.app import build_app
    from server import open_port

    with open_port("127.0.0.1", 0) as opened:
        config = uvicorn.Config(build_app(songs, pages, **parts), log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
