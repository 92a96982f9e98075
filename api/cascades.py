"""Cascades over HTTP: sing, listen, try again until the words come through. Their takes are songs like all others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import Cascade
from api.bodies import read_cascade, read_json
from api.places import with_clean_sentences
from api.problems import Problem
from api.schema import CASCADE_EXAMPLES, body, errors
from ui.songs import Songs
from ui.takes import CascadeStanding

CascadeId = Annotated[str, Path(description="8 to 32 hexadecimal digits.", examples=["fedcba9876543210"])]


def cascade_routes(songs: Songs) -> APIRouter:
    """The routes of cascades."""
    router = APIRouter(tags=["cascades"])

    @router.post(
        "/v1/cascades",
        status_code=202,
        summary="Sing until the words come through",
        response_model=Cascade,
        openapi_extra=body("CascadeRequest", CASCADE_EXAMPLES),
        responses={
            202: {
                "description": "The cascade has begun.",
                "headers": {"Location": {"schema": {"type": "string"}, "description": "Where it is found."}},
            },
            **errors(404, 409, 415, 422, 429, 503),
        },
    )
    async def begin(request: Request, response: Response) -> Any:
        """The router says what to try, the judge when it is enough. Of an instrumental, and where nobody judges, one
        song is sung. Answers 409 where there is no router that fits the loaded model."""
        asked = await read_json(request)
        standing = await run_in_threadpool(lambda: songs.cascades.start(*read_cascade(asked)))
        response.headers["Location"] = f"/v1/cascades/{standing.id}"
        return _shown(standing)

    @router.get("/v1/cascades/{cascade}", summary="Show a cascade", response_model=Cascade, responses=errors(404, 422))
    def show(cascade: CascadeId) -> Any:
        """Its takes so far, and once it has ended the best of them and why it ended. Of an earlier run of the server,
        what is stored of it."""
        return _shown(_found(songs.cascades.standing(cascade), cascade))

    @router.delete(
        "/v1/cascades/{cascade}", summary="Cancel a cascade", response_model=Cascade, responses=errors(404, 422)
    )
    def cancel(cascade: CascadeId) -> Any:
        """No more takes are sung, and those being sung are stopped; takes that are done stay songs. One that has ended
        stays as it is."""
        return _shown(_found(songs.cascades.cancel(cascade), cascade))

    return router


def _found(standing: CascadeStanding | None, cascade: str) -> CascadeStanding:
    if standing is None:
        raise Problem(404, f"there is no cascade {cascade[:40]!r}: POST /v1/cascades begins one")
    return standing


def _shown(standing: CascadeStanding) -> dict[str, Any]:
    told = asdict(standing)
    takes = [with_clean_sentences(take) for take in told["takes"]]
    decision = None if standing.decision is None else standing.decision.as_json()
    return {**with_clean_sentences(told), "takes": takes, "decision": decision}
