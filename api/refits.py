"""Refits over HTTP: routers fitted to a results table, watched, put to use. Knows the service ``ui.refits``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.answers import RouterState
from api.bodies import read_fields, read_json
from api.places import with_clean_sentences
from api.problems import Problem
from api.schema import errors
from api.shelf_faults import disk_problem
from ui.refits import RefitRequest, Refits, RefitStanding

#: What the router that the server was started with goes by, among the ids of refits.
ORIGINAL = "original"
_HINT = 'send an object such as {"source": "router"}'
_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the refit is found."}}
_EXAMPLES = {
    "router": {"value": {"source": "router"}},
    "picks": {"value": {"source": "router", "feedback_weight": 1, "confidence": 0.9}},
}


class RefitList(BaseModel):
    """All refits, the newest first."""

    refits: list[RefitStanding]


class RefitRemoved(BaseModel):
    """A refit that was stopped (`cancelled`), or is there no more (`removed`)."""

    id: str = Field(examples=["9f86d081884c7d65"])
    state: Literal["cancelled", "removed"]


RefitId = Annotated[
    str, Path(max_length=64, description="Id of a refit: 16 hexadecimal digits.", examples=["9f86d081884c7d65"])
]


def refit_routes(refits: Refits) -> APIRouter:
    """The routes of refits."""
    router = APIRouter(tags=["refits"])

    @router.post(
        "/v1/refits",
        status_code=202,
        summary="Begin a refit",
        openapi_extra=_body_document(),
        responses={
            202: {"description": "It waits or runs.", "headers": _LOCATION},
            **errors(415, 422, 429, 503, changing=True),
        },
    )
    async def start(request: Request, response: Response) -> RefitStanding:
        """Fits a router to a results table and tells what it is worth on genres it never saw. Nothing routes by it
        until it is put to use."""
        asked = read_fields(RefitRequest, await read_json(request), "a refit", _HINT)
        standing = await run_in_threadpool(refits.start, asked)
        response.headers["Location"] = f"/v1/refits/{standing.id}"
        return _clean(standing)

    @router.get("/v1/refits", summary="List refits", responses=errors())
    def browse() -> RefitList:
        """Those of earlier runs of the server too."""
        return RefitList(refits=[_clean(standing) for standing in refits.listed()])

    @router.get("/v1/refits/{refit}", summary="Show a refit", responses=errors(404, 422))
    def show(refit: RefitId) -> RefitStanding:
        """How far it is, and what it found."""
        standing = refits.standing(refit)
        if standing is None:
            raise _none(refit)
        return _clean(standing)

    @router.get(
        "/v1/refits/{refit}/report",
        summary="Read what a refit found",
        response_class=HTMLResponse,
        responses={200: {"description": "A page that asks nobody else for anything."}, **errors(404, 409, 422)},
    )
    def report(refit: RefitId) -> HTMLResponse:
        """Answers 409 until it is done."""
        page = refits.report(refit)
        if page is None:
            raise _none(refit)
        return HTMLResponse(page)

    @router.post(
        "/v1/refits/{refit}/use",
        summary="Route by a refit",
        response_model=RouterState,
        responses=errors(404, 409, 422, changing=True),
    )
    def use(
        refit: Annotated[
            str, Path(max_length=64, description="Id of a refit, or `original`.", examples=["9f86d081884c7d65"])
        ],
    ) -> Any:
        """From now on and until the server ends; `original` goes back to what it was started with."""
        if refit == ORIGINAL:
            refits.restore()
        elif refits.use(refit) is None:
            raise _none(refit)
        return with_clean_sentences(refits.songs.routing.describe())

    @router.delete(
        "/v1/refits/{refit}", summary="Cancel or remove a refit", responses=errors(404, 409, 422, 507, changing=True)
    )
    def remove(refit: RefitId) -> RefitRemoved:
        """Cancels one that waits or runs, removes one that has ended; answers 409 while the server routes by it."""
        try:
            state = refits.remove(refit)
        except OSError as error:
            raise disk_problem(error) from error
        if state is None:
            raise _none(refit)
        return RefitRemoved(id=refit, state=state)

    return router


def _clean(standing: RefitStanding) -> RefitStanding:
    """Without folders of this machine."""
    return standing.model_copy(update=with_clean_sentences({"error": standing.error}))


def _none(refit: str) -> Problem:
    return Problem(404, f"there is no refit {refit[:40]!r}: GET /v1/refits lists those there are")


def _body_document() -> dict[str, Any]:
    content = {"application/json": {"schema": RefitRequest.model_json_schema(), "examples": _EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}
