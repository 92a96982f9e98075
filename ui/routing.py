"""The router of one server: loaded in the background, asked with the shelf as it is now, and why there is none.

What it knows is told as a page, with that of its test where one lies beside it.

Knows a router as something that checks a model and routes a prompt. Songs are sung without one all the same.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from adapters.errors import AdapterError, ChoirmasterError
from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.store import AdapterStore
from engine.request import SongRequest
from router.decision import Decision
from router.errors import RouterError
from router.findings import Findings, read_findings
from router.prompt import RouterPrompt, read_prompt

RoutingState = Literal["off", "loading", "ready", "unavailable"]

#: What the router of a model's folder is called, and the test of a router beside it.
FILE, TEST = "router.json", "router-test.json"
OFF = "no router is used here: start the server with --router FILE to have it choose"
LOADING = "the router is being loaded: try again in a moment"
#: Seconds after which to ask a router again that is being loaded.
RETRY = 3

log = logging.getLogger(__name__)


class NoRouter(ChoirmasterError):
    """Nobody can be asked which composition to sing; ``loading``: for a moment only."""

    def __init__(self, reason: str, loading: bool = False) -> None:
        super().__init__(reason)
        self.loading = loading


class Routes(Protocol):
    """What is needed of a router; ``router.router.Router`` has it."""

    @property
    def findings(self) -> Findings: ...

    def check(self, model_fingerprint: str) -> None: ...

    def route(self, prompt: RouterPrompt, shelf: Mapping[str, str] | None = None) -> Decision: ...


class ShelfPrints:
    """Fingerprints of the adapters on a shelf; of files only those that changed are read again."""

    def __init__(self, shelf: AdapterStore) -> None:
        self.shelf = shelf
        self._known: dict[str, tuple[object, str]] = {}
        self._faults: dict[str, tuple[object, str]] = {}  # those that were told: once for every revision
        self._lock = threading.Lock()

    def read(self) -> dict[str, str]:
        """Fingerprint by name; an adapter that cannot be read is left out.

        Raises:
            RouterError: the shelf cannot be listed.
        """
        found: dict[str, tuple[object, str]] = {}
        faults: dict[str, tuple[object, str]] = {}
        with self._lock:
            for name in self._names():
                revision: object = None
                try:
                    revision, known = self.shelf.revision(name), self._known.get(name)
                    if known is None or known[0] != revision:
                        known = revision, fingerprint_adapter(self.shelf.folder / name)
                    found[name] = known
                except (AdapterError, OSError) as error:
                    faults[name] = revision, str(error)
                    if self._faults.get(name) != faults[name]:
                        log.warning("the adapter %s cannot be used by the router: %s", name, error)
            self._known, self._faults = found, faults
        return {name: fingerprint for name, (_, fingerprint) in found.items()}

    def _names(self) -> list[str]:
        try:
            return self.shelf.names()
        except OSError as error:
            raise RouterError(
                f"the shelf {self.shelf.folder} cannot be read ({error.strerror or error}): mend its permissions"
            ) from error


class Routing:
    """Asks a router. ``load`` brings it, from a thread of its own; without it there is none, for ``reason``.

    ``tested``: where the findings of its test lie, once there are any. Another router may take its place for a while;
    ``used`` is then what that one is called.
    """

    def __init__(
        self,
        load: Callable[[], Routes] | None = None,
        shelf: AdapterStore | None = None,
        model: Path | None = None,
        reason: str = OFF,
        tested: Path | None = None,
    ) -> None:
        self._load_router, self._model, self._tested = load, model, tested
        self._prints = None if shelf is None else ShelfPrints(shelf)
        self.state: RoutingState = "off" if load is None else "loading"
        self.reason: str | None = reason if load is None else LOADING
        self.used: str | None = None
        self._router: Routes | None = None
        self._own: tuple[Routes | None, RoutingState, str | None] = (None, self.state, self.reason)
        self._changing = threading.Lock()
        self._asking = threading.Lock()  # a fast tokenizer cannot be used from two threads at once
        self._rendering = threading.Lock()
        self._report: tuple[Routes, object, str] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="choirmaster-router", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        if self.state == "loading" and self._thread.ident is None:
            self._thread.start()

    def close(self, timeout: float = 60.0) -> None:
        """Wait until nothing is being loaded: a process that ends while its sentence model is, is aborted by it."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def use(self, router: Routes, name: str, model: Path, shelf: AdapterStore | None = None) -> None:
        """Ask another router from now on, once it is known to answer; whatever was there waits for :meth:`restore`.

        Raises:
            RouterError: it was fitted to another song model, or its sentence model cannot be had.
        """
        router.check(fingerprint_model(model))
        router.route(RouterPrompt(caption="folk"))
        with self._changing:
            if self.used is None:
                self._own = self._router, self.state, self.reason
            if self._prints is None and shelf is not None:
                self._prints = ShelfPrints(shelf)
            self._router, self.used, self.state, self.reason = router, name, "ready", None

    def restore(self) -> None:
        """Ask the router again that this one was made with; no effect where that is the one being asked."""
        with self._changing:
            if self.used is not None:
                self.used, (self._router, self.state, self.reason) = None, self._own

    def decide(self, prompt: RouterPrompt) -> Decision:
        """What to sing a prompt with.

        Raises:
            NoRouter: there is none, it is still being loaded, or nothing that it knows can be sung.
        """
        router, _ = self._ready()
        try:
            shelf = None if self._prints is None else self._prints.read()
            with self._asking:
                return router.route(prompt, shelf)
        except RouterError as error:  # such as a shelf that holds nothing it was fitted with
            raise NoRouter(str(error)) from error

    def known(self) -> list[Findings]:
        """What the router knows, as data: of its test, where there is one, and of its fit.

        Raises:
            NoRouter: there is none, or it is still being loaded.
        """
        router, used = self._ready()
        return [*self._read_test(used), router.findings]

    def report(self) -> str:
        """What the router knows, as a page of HTML: of its test, where there is one, and of its fit.

        Raises:
            NoRouter: there is none, or it is still being loaded.
        """
        router, used = self._ready()
        with self._rendering:
            stamp = used, self._stamp()
            if self._report is None or self._report[0] is not router or self._report[1] != stamp:
                from router.report.page import render_report

                self._report = router, stamp, render_report([*self._read_test(used), router.findings])
            return self._report[2]

    @property
    def title(self) -> str:
        """Whether there is one, in a word for whoever starts the server."""
        return "none" if self.state == "off" else "loading in the background"

    def describe(self) -> dict[str, str | None]:
        """State, why nobody can be asked where that is so, and what the router is called that took the place of its
        own."""
        return {"state": self.state, "reason": self.reason, "used": self.used}

    def _ready(self) -> tuple[Routes, str | None]:
        """The router to ask, and what it is called where it took the place of the server's own."""
        with self._changing:
            if self._router is None or self.state != "ready":
                raise NoRouter(str(self.reason), self.state == "loading")
            return self._router, self.used

    def _stamp(self) -> object:
        """Something that is another once the file of the test has changed."""
        with suppress(OSError):
            if self._tested is not None:
                found = self._tested.stat()
                return found.st_ino, found.st_size, found.st_mtime_ns
        return None

    def _read_test(self, used: str | None) -> list[Findings]:
        if self._tested is None or used is not None:  # the test is of its own router
            return []
        try:
            found = read_findings(json.loads(self._tested.read_bytes()))
            if found.kind != "test":
                raise ValueError("they are those of a fit")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            log.warning("the findings in %s are left out of what the router knows: %s", self._tested, error)
            return []
        return [found]

    def _work(self) -> None:
        assert self._load_router is not None
        try:
            router = self._load_router()
            if self._model is not None:
                router.check(fingerprint_model(self._model))
            if self._closing.is_set():
                return
            # Sentence model and fingerprints come with the first question, which nobody should have to wait for. What
            # stands on the shelf may be another thing by then.
            router.route(RouterPrompt(caption="folk"))
            with suppress(RouterError):
                if self._prints is not None:
                    self._prints.read()
        except ChoirmasterError as error:
            self._settle(None, "unavailable", str(error))
        except Exception as error:  # songs are sung without a router all the same
            log.exception("the router does not load")
            said = f"the router does not load ({type(error).__name__}): the server's log has the details"
            self._settle(None, "unavailable", said)
        else:
            self._settle(router, "ready", None)

    def _settle(self, router: Routes | None, state: RoutingState, reason: str | None) -> None:
        """What became of its own router, which another one may stand in for."""
        with self._changing:
            if self.used is None:
                self._router, self.state, self.reason = router, state, reason
            else:
                self._own = router, state, reason
        if reason:
            log.warning("no router: %s", reason)


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

    return Routing(load, shelf, Path(model), tested=where.with_name(TEST))
