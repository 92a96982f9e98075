"""One prompt by several compositions, all from the same noise: the songs of a comparison, over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import Comparison
from api.bodies import read_compared, read_json
from api.problems import Problem
from api.schema import COMPARE_EXAMPLES, body, errors
from api.songs import shown
from engine.engine import Job
from engine.request import SongRequest
from ui.choices import resolve
from ui.songs import Songs


def comparison_routes(songs: Songs) -> APIRouter:
    """The routes of comparisons."""
    router = APIRouter(tags=["comparisons"])

    @router.post(
        "/v1/compare",
        status_code=202,
        summary="Compare compositions",
        response_model=Comparison,
        openapi_extra=body("CompareRequest", COMPARE_EXAMPLES),
        responses={
            202: {
                "description": "All songs are accepted.",
                "headers": {
                    "Location": {"schema": {"type": "string"}, "description": "Where the comparison is found."}
                },
            },
            **errors(404, 409, 415, 422, 429, 503),
        },
    )
    async def compare(request: Request, response: Response) -> Any:
        """A song per composition, with one seed for all; either all are accepted or none. Where the router chooses for
        "routed" what is among them already, one song stands for both."""
        asked = await read_json(request)
        comparison, jobs = await run_in_threadpool(lambda: _compare(songs, *read_compared(asked)))
        response.headers["Location"] = f"/v1/compare/{comparison}"
        found = [await run_in_threadpool(songs.standing_of, job) for job in jobs]
        return {"id": comparison, "songs": [shown(standing) for standing in found if standing is not None]}

    @router.get(
        "/v1/compare/{comparison}", summary="Show a comparison", response_model=Comparison, responses=errors(404, 422)
    )
    def show(
        comparison: Annotated[str, Path(description="8 to 32 hexadecimal digits.", examples=["fedcba9876543210"])],
    ) -> Any:
        """Its songs, as far as they are being made or stored."""
        found = songs.comparison(comparison)
        if not found:
            raise Problem(404, f"there is no comparison {comparison[:40]!r}: POST /v1/compare begins one")
        return {"id": comparison, "songs": [shown(standing) for standing in found]}

    return router


def _compare(songs: Songs, requests: list[SongRequest], routed: int | None) -> tuple[str, list[Job]]:
    if routed is None:
        return songs.compare(requests)
    return songs.compare(*resolve(requests, routed, songs.decide(requests[routed])))
