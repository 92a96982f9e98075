"""One prompt by several compositions, all from the same noise: the songs of a comparison, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import Comparison
from api.bodies import read_compared, read_json
from api.problems import Problem
from api.schema import COMPARE_EXAMPLES, body, errors
from api.songs import shown
from ui.comparing import begin
from ui.loudness import NO_LEVEL, Level, Loudness
from ui.songs import Songs
from ui.standings import Standing


def comparison_routes(songs: Songs) -> APIRouter:
    """The routes of comparisons."""
    router = APIRouter(tags=["comparisons"])
    loudness = Loudness(songs.sound)

    def told(comparison: str, found: list[Standing]) -> dict[str, Any]:
        levels = loudness.levels([standing.id for standing in found if standing.state == "done"])
        return {"id": comparison, "songs": [{**shown(s), **_level(levels.get(s.id, NO_LEVEL))} for s in found]}

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
        comparison, jobs = await run_in_threadpool(lambda: begin(songs, *read_compared(asked)))
        response.headers["Location"] = f"/v1/compare/{comparison}"
        found = [await run_in_threadpool(songs.standing_of, job) for job in jobs]
        return await run_in_threadpool(told, comparison, [standing for standing in found if standing is not None])

    @router.get(
        "/v1/compare/{comparison}", summary="Show a comparison", response_model=Comparison, responses=errors(404, 422)
    )
    def show(
        comparison: Annotated[str, Path(description="8 to 32 hexadecimal digits.", examples=["fedcba9876543210"])],
    ) -> Any:
        """Its songs, as far as they are being made or stored, and the gains that make those equally loud that are
        done."""
        found = songs.comparison(comparison)
        if not found:
            raise Problem(404, f"there is no comparison {comparison[:40]!r}: POST /v1/compare begins one")
        return told(comparison, found)

    return router


def _level(level: Level) -> dict[str, float | None]:
    """To the hundredth of a decibel, which nobody hears."""
    return {name: None if value is None else round(value, 2) for name, value in asdict(level).items()}
