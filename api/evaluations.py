"""Small evaluations over HTTP: begun, watched, cancelled. Knows the service ``ui.evaluations``; their tables are under
``/v1/evidence``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.bodies import read_fields, read_json
from api.places import with_clean_sentences, without_paths
from api.problems import Problem
from api.schema import errors
from api.shelf_faults import disk_problem
from ui.evaluations import EvaluationRequest, Evaluations, EvaluationStanding

_HINT = 'send an object such as {"compositions": ["base", "lyrics"], "genres": 6}'
_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the evaluation is found."}}
_EXAMPLES = {"two": {"value": {"compositions": ["base", "lyrics"], "prompts": "test", "genres": 6, "seeds": 1}}}


class EvaluationList(BaseModel):
    """All evaluations, the newest first."""

    evaluations: list[EvaluationStanding]
    reason: str | None = Field(description="Why none can be begun now, such as that nobody listens.")


class EvaluationRemoved(BaseModel):
    """An evaluation that was stopped (`cancelled`; it ends in a moment), or is there no more (`removed`)."""

    id: str = Field(examples=["9f86d081884c7d65"])
    state: Literal["cancelled", "removed"]


EvaluationId = Annotated[
    str, Path(max_length=64, description="Id of an evaluation: 16 hexadecimal digits.", examples=["9f86d081884c7d65"])
]


def evaluation_routes(evaluations: Evaluations) -> APIRouter:
    """The routes of evaluations."""
    router = APIRouter(tags=["evaluations"])

    @router.post(
        "/v1/evaluations",
        status_code=202,
        summary="Begin an evaluation",
        openapi_extra=_body_document(),
        responses={
            202: {"description": "It waits, runs, or was done before.", "headers": _LOCATION},
            **errors(409, 415, 422, 429, 503, changing=True),
        },
    )
    async def start(request: Request, response: Response) -> EvaluationStanding:
        """Sings prompts by each composition from the same noise, and judges every song. The same request goes on where
        an earlier one was cancelled. Answers 409 where there is no judge."""
        asked = read_fields(EvaluationRequest, await read_json(request), "an evaluation", _HINT)
        standing = await run_in_threadpool(evaluations.start, asked)
        response.headers["Location"] = f"/v1/evaluations/{standing.id}"
        return _clean(standing)

    @router.get("/v1/evaluations", summary="List evaluations", responses=errors())
    def browse() -> EvaluationList:
        """Those of earlier runs of the server too."""
        reason = evaluations.reason
        return EvaluationList(
            evaluations=[_clean(standing) for standing in evaluations.listed()],
            reason=None if reason is None else without_paths(reason),
        )

    @router.get("/v1/evaluations/{evaluation}", summary="Show an evaluation", responses=errors(404, 422))
    def show(evaluation: EvaluationId) -> EvaluationStanding:
        """How far it is; once it has ended, its table is GET /v1/evidence/ID."""
        standing = evaluations.standing(evaluation)
        if standing is None:
            raise _none(evaluation)
        return _clean(standing)

    @router.delete(
        "/v1/evaluations/{evaluation}",
        summary="Cancel or remove an evaluation",
        responses=errors(404, 409, 422, 507, changing=True),
    )
    def remove(evaluation: EvaluationId) -> EvaluationRemoved:
        """Cancels one that waits or runs: what was sung and heard becomes its table. Removes one that has ended, with
        its table and its songs; answers 409 while a refit waits for that table or is being fitted to it."""
        try:
            state = evaluations.remove(evaluation)
        except OSError as error:
            raise disk_problem(error) from error
        if state is None:
            raise _none(evaluation)
        return EvaluationRemoved(id=evaluation, state=state)

    return router


def _clean(standing: EvaluationStanding) -> EvaluationStanding:
    """Without folders of this machine."""
    failures = tuple(f.model_copy(update={"reason": without_paths(f.reason)}) for f in standing.failures)
    return standing.model_copy(update={**with_clean_sentences({"error": standing.error}), "failures": failures})


def _none(evaluation: str) -> Problem:
    return Problem(404, f"there is no evaluation {evaluation[:40]!r}: GET /v1/evaluations lists those there are")


def _body_document() -> dict[str, Any]:
    content = {"application/json": {"schema": EvaluationRequest.model_json_schema(), "examples": _EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}
