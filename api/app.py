"""The application: doors in front, routes of every subject, pages at the root. Knows where each part is, no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import compile_path

from adapters.base import Base
from adapters.json_file import MAX_JSON as MAX_CARD
from adapters.safetensors_file import MAX_FILE
from adapters.store import AdapterStore
from api.adapters import adapter_routes
from api.cascades import cascade_routes
from api.comparisons import comparison_routes
from api.evaluations import evaluation_routes
from api.events import event_routes
from api.evidence import evidence_routes
from api.export_jobs import ExportJobs
from api.exports import export_routes
from api.failures import handle_failures
from api.guard import JSON_SECONDS, MAX_JSON, UPLOAD_SECONDS, Access, BodyLimit, Doorman, RequestIds
from api.health import health_routes
from api.metrics import Metrics, RequestCounter
from api.places import hide_places
from api.problems import Problem
from api.quiet_problems import QuietProblems
from api.refits import refit_routes
from api.routes import route_routes
from api.schema import Api
from api.songs import song_routes
from api.sounds import sound_routes
from api.votes import vote_routes
from ui.desk import Services
from ui.evaluations import Evaluations
from ui.refits import Refits
from ui.songs import Songs
from ui.sources import Sources
from ui.voting import Voting

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_ABOUT = "Songs of typed words, by many at once, each with adapters of their own. Errors are problems (RFC 9457)."
#: An adapter: its weights, and its two other files.
MAX_UPLOAD = MAX_FILE + 2 * MAX_CARD + (1 << 20)


def build_app(
    songs: Songs,
    pages: bool = True,
    *,
    access: Access | None = None,
    shelf: AdapterStore | None = None,
    exports: ExportJobs | None = None,
    voting: Voting | None = None,
    sources: Sources | None = None,
    evaluations: Evaluations | None = None,
    refits: Refits | None = None,
) -> FastAPI:
    """The application over a service of songs, which it starts and closes with itself, as it does with all others."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        songs.listener.start()
        songs.routing.start()
        try:
            yield
        finally:
            # Evaluations before songs: what they sang is to be written down while there is an engine.
            for service in (evaluations, refits, songs, exports):
                if service is not None:
                    await run_in_threadpool(service.close)

    access = access or Access()
    # The interactive documentation would load its scripts from elsewhere.
    app = Api(
        title="Choirmaster",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.keyed = access.key is not None
    handle_failures(app)
    places = {songs.store.folder: "the songs"}
    metrics = Metrics(songs.engine)
    routers = [
        song_routes(songs),
        event_routes(songs),
        sound_routes(songs),
        comparison_routes(songs),
        route_routes(songs),
        cascade_routes(songs),
        health_routes(songs, metrics),
    ]
    if shelf is not None:
        model = songs.engine.model
        places[shelf.folder] = "the shelf"
        routers.append(adapter_routes(shelf, Base.of(model.transformer), model.name, songs.store.folder))
    if exports is not None:
        routers.append(export_routes(exports))
        places |= {exports.folder: "the exports"}
        if (folder := Path(exports.model)).is_dir():
            places[folder] = "the song model"
    if voting is not None:
        routers.append(vote_routes(voting))
    if sources is not None:
        places[sources.model] = "the song model"
        routers.append(evidence_routes(sources, frozenset(songs.engine.model.aligned_heads)))
    if evaluations is not None:
        routers.append(evaluation_routes(evaluations))
    if refits is not None:
        routers.append(refit_routes(refits))
    hide_places(places)
    for router in routers:
        app.include_router(router)
    documented = frozenset(app.openapi()["paths"])
    app.include_router(_nowhere(app, routers))
    if pages:
        from ui.page import mount

        mount(app, Services(songs, shelf, voting, sources, evaluations, refits))
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=body_limit)
    app.add_middleware(Doorman, access=access)
    app.add_middleware(RequestIds)
    app.add_middleware(RequestCounter, metrics=metrics, routes=documented | {app.openapi_url or ""})
    app.add_middleware(QuietProblems)
    return app


def body_limit(method: str, path: str) -> tuple[int, float]:
    """The most bytes and seconds of a body."""
    if method == "POST" and path == "/v1/adapters":
        return MAX_UPLOAD, UPLOAD_SECONDS
    return MAX_JSON, JSON_SECONDS


def _nowhere(app: Api, routers: Sequence[APIRouter]) -> APIRouter:
    """Answers where no route does; else the pages, mounted at the root, would in their own way."""
    router = APIRouter(include_in_schema=False)
    known: dict[str, set[str]] = {str(app.openapi_url): {"GET"}}
    for route in chain.from_iterable(found.routes for found in routers):
        if isinstance(route, APIRoute):
            known.setdefault(route.path, set()).update(route.methods or ())

    async def nowhere(request: Request) -> None:
        path = request.url.path
        for template, methods in known.items():
            if compile_path(template)[0].fullmatch(path):
                allowed = ", ".join(sorted(methods))
                said = f"{request.method[:20]} is no method of {path[:100]}: it takes {allowed}"
                raise Problem(405, said, headers={"Allow": allowed})
        raise Problem(404, f"there is no {request.method[:20]} {path[:100]}: /v1/openapi.json lists what there is")

    async def no_uploads() -> None:
        # The pages' own would take files of anybody, and answer where they lie.
        raise Problem(404, "nothing is uploaded to the pages: POST /v1/adapters takes adapters")

    router.add_api_route("/gradio_api/upload{rest:path}", no_uploads, methods=_METHODS)
    for path in ("/v1", "/v1/{rest:path}", "/healthz", "/readyz", "/metrics"):
        router.add_api_route(path, nowhere, methods=_METHODS)
    return router
