"""Asking the router over HTTP: what a prompt would be sung with, why, and what is known of it. Nothing is sung here."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from api.answers import Decision
from api.bodies import read_json, read_route
from api.schema import ROUTE_EXAMPLES, body, errors
from ui.songs import Songs


def route_routes(songs: Songs) -> APIRouter:
    """The routes of the router."""
    router = APIRouter(tags=["router"])

    @router.post(
        "/v1/route",
        summary="Ask what to sing a prompt with",
        response_model=Decision,
        openapi_extra=body("RouteRequest", ROUTE_EXAMPLES),
        responses=errors(409, 415, 422, 503),
    )
    async def route(request: Request) -> Any:
        """Predicted word error rates of every composition, the nearest prompts that were measured, and the reason.
        Answers 409 where there is no router that fits the loaded model, 503 while it is being loaded."""
        asked = await read_json(request)
        decision = await run_in_threadpool(lambda: songs.routing.decide(read_route(asked)))
        return decision.as_json()

    @router.get(
        "/v1/router/report",
        summary="Read what the router knows",
        response_class=HTMLResponse,
        responses={
            200: {
                "description": "A page that asks nobody else for anything: its test, where there is one, and its fit."
            },
            **errors(409, 503),
        },
    )
    def report() -> Any:
        """How good the router is on prompts it never saw, where that comes from, and what it was compared with. Answers
        409 where there is no router that fits the loaded model, 503 while it is being loaded."""
        return HTMLResponse(songs.routing.report())

    return router
