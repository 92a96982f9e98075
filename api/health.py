"""Whether the server lives, whether it can sing now, what its model takes, and its numbers for Prometheus."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.answers import Health, Presets, Readiness
from api.failures import CLOSED_RETRY
from api.metrics import Metrics
from api.places import with_clean_sentences
from api.problems import Problem
from api.schema import errors
from engine.presets import PRESETS
from engine.request import SongRequest
from ui.songs import MAX_COMPARED, Songs

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "maxItems")


def health_routes(songs: Songs, metrics: Metrics) -> APIRouter:
    """The routes of whoever watches over the server."""
    router, engine = APIRouter(tags=["server"]), songs.engine
    # Tells this run of the server from others, so that a page that was left open knows when it is of an earlier one.
    instance = secrets.token_hex(8)

    @router.get("/healthz", summary="Whether it lives", response_model=Health, responses=errors(503))
    async def live() -> Any:  # on the loop, so that it waits for no thread
        """Needs no key. Answers 503 once a thread of the engine has ended: the server should then be started anew."""
        if not engine.alive:
            raise Problem(
                503, "the engine has ended: start the server anew", headers={"Retry-After": str(CLOSED_RETRY)}
            )
        judge, routing = songs.listener.describe(), songs.routing.describe()
        return {
            "status": "ok",
            "instance": instance,
            "model": engine.model.name,
            "queued": engine.queued,
            "running": engine.running,
            "judge": with_clean_sentences(judge),
            "router": with_clean_sentences(routing),
        }

    @router.get("/readyz", summary="Whether it can sing now", response_model=Readiness, responses=errors(503))
    async def ready() -> Any:
        """Needs no key. Answers 503 while the queue is full and once the server is about to end."""
        limit, queued = engine.settings.max_queue, engine.queued
        reason = None
        if not engine.accepting:
            reason = "the server is about to end and takes no more songs"
        elif queued >= limit:
            reason = f"{queued} songs are waiting, which is the limit"
        if reason is not None:
            raise Problem(503, f"{reason}: try again later", headers={"Retry-After": str(CLOSED_RETRY)})
        return {"status": "ready", "queued": queued, "limit": limit}

    @router.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=Response,
        responses={
            200: {
                "description": "In Prometheus' text format.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        },
    )
    def numbers() -> Response:
        """Queue, batches, step times, songs by outcome and adapter, requests by route and status."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @router.get("/v1/presets", summary="Show the model and its limits", response_model=Presets)
    def presets() -> Any:
        """How the loaded model is sampled unless a request says otherwise, and what a request may hold."""
        model = engine.model
        heads = model.alignment_heads.items()
        return {
            "model": model.name,
            "preset": model.preset.name,
            "presets": [asdict(preset) for preset in PRESETS.values()],
            "max_seconds": model.preset.max_seconds,
            "planned": model.planned,
            "alignment_heads": [(layer, head) for layer, found in heads for head in found],
            "limits": {
                **_limits(),
                "compositions": {"minItems": 1, "maxItems": min(MAX_COMPARED, engine.settings.max_queue)},
            },
        }

    return router


def _limits() -> dict[str, dict[str, float]]:
    found = {}
    for name, field in SongRequest.model_json_schema()["properties"].items():
        given = {
            key: value for part in (field, *field.get("anyOf", ())) for key, value in part.items() if key in _BOUNDS
        }
        if given:
            found[name] = given
    return found
