"""The router of one server: loaded in the background, asked with the shelf as it is now, and why there is none.

Knows a router as something that checks a model and routes a prompt. Songs are sung without one all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from adapters.errors import AdapterError, ChoirmasterError
from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.store import AdapterStore
from engine.request import SongRequest
from router.decision import Decision
from router.errors import RouterError
from router.prompt import RouterPrompt, read_prompt

RoutingState = Literal["off", "loading", "ready", "unavailable"]

#: What the router of a model's folder is called.
FILE = "router.json"
OFF = "no router is used here: start the server with --router FILE to have it choose"
LOADING = "the router is being loaded: try again in a moment"
#: Seconds that a question waits for a router that is being loaded, and after which to ask again.
PATIENCE, RETRY = 10.0, 3

log = logging.getLogger(__name__)


class NoRouter(ChoirmasterError):
    """Nobody can be asked which composition to sing; ``loading``: for a moment only."""

    def __init__(self, reason: str, loading: bool = False) -> None:
        super().__init__(reason)
        self.loading = loading


class Routes(Protocol):
    """What is needed of a router; ``router.router.Router`` has it."""

    def check(self, model_fingerprint: str) -> None: ...

    def route(self, prompt: RouterPrompt, shelf: Mapping[str, str] | None = None) -> Decision: ...


class ShelfPrints:
    """Fingerprints of the adapters on a shelf; of files only those that changed are read again."""

    def __init__(self, shelf: AdapterStore) -> None:
        self.shelf = shelf
        self._known: dict[str, tuple[object, str]] = {}
        self._lock = threading.Lock()

    def read(self) -> dict[str, str]:
        """Fingerprint by name; an adapter that cannot be read is left out."""
        found: dict[str, tuple[object, str]] = {}
        with self._lock:
            for name in self.shelf.names():
                try:
                    revision, known = self.shelf.revision(name), self._known.get(name)
                    if known is None or known[0] != revision:
                        known = revision, fingerprint_adapter(self.shelf.folder / name)
                    found[name] = known
                except (AdapterError, OSError) as error:
                    log.warning("the adapter %s cannot be used by the router: %s", name, error)
            self._known = found
        return {name: fingerprint for name, (_, fingerprint) in found.items()}


class Routing:
    """Asks a router. ``load`` brings it, from a thread of its own; without it there is none, for ``reason``."""

    def __init__(
        self,
        load: Callable[[], Routes] | None = None,
        shelf: AdapterStore | None = None,
        model: Path | None = None,
        reason: str = OFF,
    ) -> None:
        self._load_router, self._model = load, model
        self._prints = None if shelf is None else ShelfPrints(shelf)
        self.state: RoutingState = "off" if load is None else "loading"
        self.reason: str | None = reason if load is None else LOADING
        self._router: Routes | None = None
        self._settled = threading.Event()
        self._asking = threading.Lock()  # a fast tokenizer cannot be used from two threads at once
        self._thread = threading.Thread(target=self._work, name="choirmaster-router", daemon=True)
        if load is None:
            self._settled.set()

    def start(self) -> None:
        """Begin to load."""
        if self.state == "loading" and self._thread.ident is None:
            self._thread.start()

    def decide(self, prompt: RouterPrompt) -> Decision:
        """What to sing a prompt with.

        Raises:
            NoRouter: there is none, it is still being loaded, or nothing that it knows can be sung.
        """
        self._settled.wait(PATIENCE)
        if self._router is None or self.state != "ready":
            raise NoRouter(str(self.reason), self.state == "loading")
        shelf = None if self._prints is None else self._prints.read()
        try:
            with self._asking:
                return self._router.route(prompt, shelf)
        except RouterError as error:  # such as a shelf that holds nothing it was fitted with
            raise NoRouter(str(error)) from error

    @property
    def title(self) -> str:
        """Whether there is one, in a word for whoever starts the server."""
        return "none" if self.state == "off" else "loading in the background"

    def describe(self) -> dict[str, str | None]:
        """State, and why nobody can be asked where that is so."""
        return {"state": self.state, "reason": self.reason}

    def _work(self) -> None:
        assert self._load_router is not None
        try:
            router = self._load_router()
            if self._model is not None:
                router.check(fingerprint_model(self._model))
            # The sentence model comes with the first question, which nobody should have to wait for.
            router.route(RouterPrompt(caption="folk"), None if self._prints is None else self._prints.read())
        except ChoirmasterError as error:
            self.state, self.reason = "unavailable", str(error)
        except Exception as error:  # songs are sung without a router all the same
            log.exception("the router does not load")
            self.state = "unavailable"
            self.reason = f"the router does not load ({type(error).__name__}): the server's log has the details"
        else:
            self._router, self.state, self.reason = router, "ready", None
        if self.reason:
            log.warning("no router: %s", self.reason)
        self._settled.set()


def prompt_of(request: SongRequest) -> RouterPrompt:
    """What a router is asked about a song."""
    return read_prompt(request.caption, (), request.lyrics)


def open_routing(path: Path | None, shelf: AdapterStore, model: str) -> Routing:
    """The routing by a file, for a song model's folder or hub id; without a path, by the one beside the model."""
    where = Path(model) / FILE if path is None else path
    if not where.is_file():
        return Routing(
            reason=f"no router was fitted for this model yet: choirmaster fit TABLE --out {FILE} makes one, and "
            f"choirmaster serve --router {FILE} uses it"
        )

    def load() -> Routes:
        from router.router import Router

        return Router.load(where)

    return Routing(load, shelf, Path(model))
